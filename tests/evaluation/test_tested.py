"""The test job: exported networks and classic models answer the test split, once, in one layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netwright.core.candidate import Candidate
from netwright.core.errors import DataError, InputError, Untrusted
from netwright.data.dataset import Dataset
from netwright.networks.build import build
from netwright.spaces.shapes import plan
from netwright.training.checkpoint import load_weights
from netwright.training.predict import logits, softmax

from .jobs import network, run


def test_all_models_answer_the_test_split(digits: Path, tmp_path: Path) -> None:
    data = Dataset.open(digits)
    candidate = network(data)
    final = run("train", tmp_path / "final", digits, candidate, epochs=2, settings={"full": True})
    forest = run("classic", tmp_path / "forest", digits, Candidate("forest", None, {}), settings={"seconds": 0})
    (tmp_path / "blob").write_bytes((tmp_path / "forest" / forest.artefacts["classic"]).read_bytes())
    tested = run(
        "test",
        tmp_path / "test",
        digits,
        settings={"models": {"12": "onnx", "forest": "classic"}},
        inputs={"12": tmp_path / "final" / final.artefacts["onnx"], "forest": tmp_path / "blob"},
    )
    metrics = ("accuracy", "balanced_accuracy", "auc", "loss")
    assert set(tested.measurements) == {f"{metric}@{name}" for metric in metrics for name in ("12", "forest")}
    indices = data.indices("test")
    for name in ("12", "forest"):
        accuracy = tested.measurements[f"accuracy@{name}"]
        assert accuracy.split == "test" and accuracy.samples == len(indices) and accuracy.value > 0.8
        probabilities = np.load(tmp_path / "test" / tested.artefacts[f"test_{name}"], allow_pickle=False)
        assert probabilities.shape == (len(indices), 10) and probabilities.dtype == np.float32
        right = (probabilities.argmax(1) == data.labels[indices]).mean()
        assert right == pytest.approx(accuracy.value)
    assert candidate.architecture is not None
    module = build(plan(candidate.architecture, data.task), data.task)
    module.load_state_dict(load_weights(tmp_path / "final" / "weights.safetensors"))
    exported = np.load(tmp_path / "test" / tested.artefacts["test_12"])
    np.testing.assert_allclose(exported, softmax(logits(module, data.images, indices)), atol=1e-4)


@pytest.mark.attack(11)
@pytest.mark.parametrize(
    "name", ["../../up", "a/b", "A", "", "x" * 65, "nul\0", "-a", "c:\\x"], ids=lambda name: repr(name)[:12]
)
def test_a_name_never_becomes_a_path(name: str, digits: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="plain name"):
        run("test", tmp_path / "job", digits, settings={"models": {name: "onnx"}}, inputs={name: tmp_path / "m"})
    assert not list((tmp_path / "job").iterdir())


def test_what_cannot_be_tested_is_said(digits: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(b"nothing")
    with pytest.raises(InputError, match="onnx or classic"):
        run("test", tmp_path / "a", digits, settings={"models": {"a": "pickle"}}, inputs={"a": bad})
    with pytest.raises(InputError, match="a file"):
        run("test", tmp_path / "b", digits, settings={"models": {"a": "onnx"}})
    for kind in ("onnx", "classic"):
        with pytest.raises(Untrusted):
            run("test", tmp_path / kind, digits, settings={"models": {"a": kind}}, inputs={"a": bad})


def test_an_empty_test_split_is_an_error(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dataset, "indices", lambda self, part: np.arange(0))
    with pytest.raises(DataError, match="test split"):
        run("test", tmp_path / "job", digits, settings={"models": {}})
