"""Training jobs end to end: candidate to plan, network, weights, measurements and files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from netwright.core.candidate import Architecture, Candidate
from netwright.core.errors import CandidateError, DataError, InputError
from netwright.core.job import Diverged
from netwright.data.dataset import Dataset
from netwright.evaluation import EVALUATIONS
from netwright.networks.build import build
from netwright.spaces.shapes import plan
from netwright.training.checkpoint import load_weights
from netwright.training.predict import logits, softmax

from .jobs import network, run

FILES = {"weights", "curve", "layers", "validation"}


def test_a_full_training_measures_and_keeps_all_that_is_promised(digits: Path, tmp_path: Path) -> None:
    data = Dataset.open(digits)
    candidate = network(data)
    folder = tmp_path / "job"
    before = torch.get_num_threads()
    evaluated = run("train", folder, digits, candidate, epochs=3, settings={"full": True, "threads": 1})
    assert torch.get_num_threads() == before
    assert set(evaluated.artefacts) == FILES | {"onnx"}
    assert {path.name for path in folder.iterdir()} == set(evaluated.artefacts.values())

    measured = evaluated.measurements
    assert set(measured) == {
        "accuracy",
        "balanced_accuracy",
        "auc",
        "loss",
        "parameters",
        "macs",
        "training_seconds",
    }
    assert measured["accuracy"].value > 0.9 and measured["accuracy"].split == "validation"
    assert measured["accuracy"].samples == len(data.indices("validation"))
    assert candidate.architecture is not None
    steps = plan(candidate.architecture, data.task)
    assert measured["parameters"].value == steps.parameters and measured["parameters"].source == "computed"
    assert measured["macs"].value == steps.macs and measured["macs"].low is None

    labels = data.labels[data.indices("validation")]
    probabilities = np.load(folder / "validation.npy", allow_pickle=False)
    assert probabilities.dtype == np.float32
    assert (probabilities.argmax(1) == labels).mean() == pytest.approx(measured["accuracy"].value)

    module = build(steps, data.task)
    module.load_state_dict(load_weights(folder / "weights.safetensors"))
    again = softmax(logits(module, data.images, data.indices("validation")))
    np.testing.assert_allclose(again, probabilities, atol=1e-6)
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    images = np.ascontiguousarray(data.images[data.indices("validation")].transpose(0, 3, 1, 2))
    np.testing.assert_allclose(softmax(session.run(None, {"images": images})[0]), probabilities, atol=1e-4)

    curve = json.loads((folder / "curve.json").read_text())
    assert [row["epoch"] for row in curve] == [1, 2, 3]
    assert set(curve[0]) == {"epoch", "train_loss", "validation_accuracy", "validation_loss", "lr", "seconds"}
    layers = json.loads((folder / "layers.json").read_text())
    assert sum(layer["parameters"] for layer in layers) == steps.parameters
    assert layers[0]["op"] == "input" and all(layer["block"] for layer in layers if layer["parameters"])


def test_a_promotion_goes_on_from_the_checkpoint_as_if_never_interrupted(digits: Path, tmp_path: Path) -> None:
    candidate = network(Dataset.open(digits), augment="shift", ema=0.9)
    rung = run("train", tmp_path / "rung", digits, candidate, epochs=1, trunk=True)
    assert set(rung.artefacts) == FILES | {"checkpoint"}
    inputs = {"checkpoint": tmp_path / "rung" / rung.artefacts["checkpoint"]}
    promoted = run("train", tmp_path / "up", digits, candidate, epochs=3, trunk=True, inputs=inputs, seed=999)
    straight = run("train", tmp_path / "straight", digits, candidate, epochs=3, trunk=True)
    for metric in ("accuracy", "auc", "loss"):
        assert promoted.measurements[metric] == straight.measurements[metric]
    assert (tmp_path / "up" / "weights.safetensors").read_bytes() == (
        tmp_path / "straight" / "weights.safetensors"
    ).read_bytes()
    assert promoted.notes["resumed"] and not straight.notes["resumed"]


def test_a_stop_ends_the_training_with_measurements(digits: Path, tmp_path: Path) -> None:
    heard: list[int] = []

    def stop(record: dict[str, int]) -> str:
        heard.append(record["epoch"])
        return "stop" if record["epoch"] == 2 else "go"

    evaluated = run("train", tmp_path / "job", digits, network(Dataset.open(digits)), epochs=9, report=stop)
    assert heard == [1, 2] and evaluated.notes["epochs"] == 2
    assert "accuracy" in evaluated.measurements


def test_latency_and_memory_are_measured_when_asked_for(digits: Path, tmp_path: Path) -> None:
    settings = {"measure": ["latency", "memory"]}
    evaluated = run("train", tmp_path / "job", digits, network(Dataset.open(digits)), settings=settings)
    latency, memory = evaluated.measurements["latency"], evaluated.measurements["memory"]
    assert latency.unit == "ms" and latency.low is not None and latency.value > 0
    assert memory.unit == "MB" and memory.value > 0
    assert evaluated.notes["latency"]["reference"] > 0


def test_a_network_that_is_too_slow_is_not_trained(digits: Path, tmp_path: Path) -> None:
    settings = {"measure": ["latency"], "refuse_above": {"latency": 1e-6}}
    heard: list[object] = []
    evaluated = run(
        "train", tmp_path / "job", digits, network(Dataset.open(digits)), settings=settings, report=heard.append
    )
    assert "latency is" in evaluated.notes["infeasible"]
    assert set(evaluated.measurements) == {"parameters", "macs", "latency"}
    assert heard == []


def test_auto_precision_is_timed_and_recorded(digits: Path, tmp_path: Path) -> None:
    evaluated = run("train", tmp_path / "job", digits, network(Dataset.open(digits)), settings={"precision": "auto"})
    assert evaluated.notes["precision"] == evaluated.notes["probe"]["precision"]
    assert evaluated.notes["probe"]["fp32_ms"] > 0
    with pytest.raises(InputError, match="'fp8'"):
        run("train", tmp_path / "b", digits, network(Dataset.open(digits)), settings={"precision": "fp8"})


@pytest.mark.fault(9)
def test_divergence_is_the_candidates_own_result(digits: Path, tmp_path: Path) -> None:
    candidate = network(Dataset.open(digits), optimizer="sgd", lr=100.0, weight_decay=10.0)
    with pytest.raises(Diverged):
        run("train", tmp_path / "job", digits, candidate, epochs=200)
    assert not list((tmp_path / "job").glob("*.safetensors"))


@pytest.mark.attack(2)
def test_layers_that_do_not_fit_their_key_are_refused(digits: Path, tmp_path: Path) -> None:
    candidate = network(Dataset.open(digits))
    assert candidate.architecture is not None
    forged = replace(candidate, architecture=Architecture(candidate.architecture.layers, "0" * 32))
    with pytest.raises(CandidateError):
        run("train", tmp_path / "job", digits, forged)
    unknown = replace(candidate, architecture=Architecture(({"layer": "os.system", "address": "a"},), "0" * 32))
    with pytest.raises(CandidateError):
        run("train", tmp_path / "other", digits, unknown)


def test_what_is_missing_or_unknown_is_said(digits: Path, tmp_path: Path) -> None:
    candidate = network(Dataset.open(digits))
    with pytest.raises(InputError, match=r"one of train, score, classic.*'dream'"):
        run("dream", tmp_path / "a", digits, candidate)
    with pytest.raises(InputError, match="must have a proposal"):
        run("train", tmp_path / "b", digits)
    with pytest.raises(InputError, match="architecture"):
        run("train", tmp_path / "c", digits, Candidate("forest", None, candidate.recipe))
    with pytest.raises(InputError, match="latency or memory"):
        run("train", tmp_path / "d", digits, candidate, settings={"measure": ["beauty"]})
    with pytest.raises(DataError):
        run("train", tmp_path / "e", tmp_path / "nothing", candidate)
    assert list(EVALUATIONS) == ["train", "score", "classic", "test", "precision", "latency"]


def test_a_training_goes_on_with_another_recipe(digits: Path, tmp_path: Path) -> None:
    """Population based training: same network and weights, other numbers; what follows is theirs alone."""
    data = Dataset.open(digits)
    before = network(data, optimizer="sgd", lr=0.1, weight_decay=1e-4, augment="none", warmup=0.0)
    after = network(data, optimizer="sgd", lr=0.01, weight_decay=0.1, momentum=0.5, augment="shift", warmup=0.0)
    first = run("train", tmp_path / "first", digits, before, epochs=1, trunk=True)
    inputs = {"checkpoint": tmp_path / "first" / first.artefacts["checkpoint"]}
    changed = run("train", tmp_path / "changed", digits, after, epochs=2, trunk=True, inputs=inputs)
    again = run("train", tmp_path / "again", digits, after, epochs=2, trunk=True, inputs=inputs)
    same = run("train", tmp_path / "same", digits, before, epochs=2, trunk=True, inputs=inputs)
    assert after.key == before.key
    assert changed.notes["began"] == 1
    curves = {name: json.loads((tmp_path / name / "curve.json").read_text()) for name in ("changed", "same")}
    assert [row["lr"] for row in curves["changed"]] == [0.1, 0.01]
    assert [row["lr"] for row in curves["same"]] == [0.1, 0.1]
    assert curves["changed"][0]["train_loss"] == curves["same"][0]["train_loss"]
    assert changed.measurements["loss"] == again.measurements["loss"] != same.measurements["loss"]
