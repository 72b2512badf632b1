"""Classic models: as good as scikit-learn's own, kept as plain arrays, within their caps and their time."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from netwright.core.candidate import Candidate
from netwright.core.errors import InputError, Untrusted
from netwright.data.dataset import Dataset
from netwright.evaluation import classic
from netwright.evaluation.fitted import answers, features, load_arrays, pooling, save_arrays

from .jobs import network, run

LEAST = {"forest": 0.95, "linear": 0.93}


@pytest.mark.parametrize("kind", ["forest", "linear"])
def test_the_model_is_good_and_comes_back_from_its_file(kind: str, digits: Path, tmp_path: Path) -> None:
    data = Dataset.open(digits)
    evaluated = run("classic", tmp_path / "job", digits, Candidate(kind, None, {}))  # type: ignore[arg-type]
    assert evaluated.measurements["accuracy"].value > LEAST[kind]
    assert "parameters" not in evaluated.measurements
    assert evaluated.notes["rows"] == len(data.indices("train")) and evaluated.notes["features"] == 64
    indices = data.indices("validation")
    stored = np.load(tmp_path / "job" / evaluated.artefacts["validation"], allow_pickle=False)
    again = answers(load_arrays(tmp_path / "job" / evaluated.artefacts["classic"]), data.images, indices)
    np.testing.assert_array_equal(stored, again)
    np.testing.assert_allclose(stored.sum(1), 1, atol=1e-5)
    repeated = run("classic", tmp_path / "again", digits, Candidate(kind, None, {}))  # type: ignore[arg-type]
    assert repeated.measurements["loss"] == evaluated.measurements["loss"]


@pytest.mark.parametrize("two_classes", [False, True])
def test_arrays_answer_as_scikit_learn_does(two_classes: bool, digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Dataset.open(digits)
    train, held = data.indices("train")[:300], data.indices("validation")
    labels = np.asarray(data.labels)
    if two_classes:
        train, held = train[labels[train] < 2], held[labels[held] < 2]
    pixels, asked = features(data.images, train, 1), features(data.images, held, 1)
    common = {"pooling": np.array(1), "outputs": np.array(10)}
    monkeypatch.setattr(classic, "TREES", 40)
    arrays, notes = classic._forest(pixels, labels[train], None, 3, np.inf)
    assert notes["trees"] == 40
    forest = RandomForestClassifier(20, random_state=3, warm_start=True).fit(pixels, labels[train])
    forest.set_params(n_estimators=40).fit(pixels, labels[train])
    found = answers(arrays | common, data.images, held)[:, forest.classes_]
    np.testing.assert_allclose(found, forest.predict_proba(asked), atol=1e-6)

    arrays, _ = classic._linear(pixels, labels[train], None, np.inf)
    scaled = [(part - arrays["mean"]) / arrays["scale"] for part in (pixels, asked)]
    linear = LogisticRegression(C=classic.PENALTY, max_iter=400).fit(scaled[0], labels[train])
    found = answers(arrays | common, data.images, held)[:, linear.classes_]
    np.testing.assert_allclose(found, linear.predict_proba(scaled[1]), atol=0.02)
    assert answers(arrays | common, data.images, held).shape == (len(held), 10)


def test_a_forest_keeps_answers_for_its_leaves_alone(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that holds one for every node answers alike."""
    data = Dataset.open(digits)
    train, held = data.indices("train")[:300], data.indices("validation")
    monkeypatch.setattr(classic, "TREES", 20)
    arrays, _ = classic._forest(features(data.images, train, 1), np.asarray(data.labels)[train], None, 3, np.inf)
    leaves = arrays["left"] < 0
    assert len(arrays["value"]) == leaves.sum() < len(leaves)
    assert arrays["value"].dtype == np.float32
    arrays |= {"pooling": np.array(1), "outputs": np.array(10)}
    everywhere = np.zeros((len(leaves), 10), np.float32)
    everywhere[leaves] = arrays["value"]
    found, again = (answers({**arrays, "value": value}, data.images, held) for value in (arrays["value"], everywhere))
    np.testing.assert_array_equal(found, again)


def test_a_forest_of_many_classes_holds_the_trees_of_one_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    class Watched(RandomForestClassifier):
        def fit(self, pixels: np.ndarray, labels: np.ndarray) -> Watched:
            super().fit(pixels, labels)
            sizes.append(sum(estimator is not None for estimator in self.estimators_))
            return self

    monkeypatch.setattr(classic, "RandomForestClassifier", Watched)
    labels = np.arange(300) % 100
    pixels = np.random.default_rng(0).random((300, 5), np.float32)
    _, notes = classic._forest(pixels, labels, None, 0, np.inf)
    assert notes["trees"] == sum(sizes) == 200
    assert set(sizes) == {20}


def test_time_cuts_the_forest_and_says_so(digits: Path, tmp_path: Path) -> None:
    evaluated = run("classic", tmp_path / "job", digits, Candidate("forest", None, {}), settings={"seconds": 0})
    assert evaluated.notes["trees"] == classic.TREES_A_TURN


def test_rows_are_capped_in_proportion_and_no_class_is_left_out() -> None:
    labels = np.repeat([0, 1, 2], [40_000, 20_000, 2])
    train = np.random.default_rng(0).permutation(len(labels))
    rows = classic._capped(train, labels, 1)
    assert classic.MOST_ROWS <= len(rows) <= classic.MOST_ROWS + 3
    assert len(np.unique(rows)) == len(rows)
    counts = np.bincount(labels[rows])
    assert counts[2] >= 1 and counts[0] / counts[1] == pytest.approx(2, rel=0.01)
    np.testing.assert_array_equal(rows, classic._capped(train, labels, 1))


@pytest.mark.parametrize(
    ("shape", "factor"), [((1, 28, 28), 1), ((3, 28, 28), 2), ((1, 64, 32), 2), ((3, 200, 7), 3), ((3, 1, 5000), 15)]
)
def test_pixels_are_averaged_down_to_the_cap(shape: tuple[int, int, int], factor: int) -> None:
    channels, height, width = shape
    assert pooling(shape) == factor
    images = np.random.default_rng(0).integers(0, 256, (3, height, width, channels), dtype=np.uint8)
    found = features(images, np.array([2, 0]), factor)
    assert found.shape[1] <= 1024
    block = images[2, :factor, :factor].reshape(-1, channels).mean(axis=0)
    np.testing.assert_allclose(found[0, :channels], block, rtol=1e-5)
    assert found[1].mean() == pytest.approx(images[0].mean(), rel=0.05)


def test_a_network_is_no_classic_model(digits: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="forest or linear"):
        run("classic", tmp_path / "job", digits, network(Dataset.open(digits)))


class Canary:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("canary"),)


@pytest.mark.attack(1)
def test_a_pickle_in_a_model_file_is_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "objects.npz", roots=np.array([Canary()], dtype=object))
    (tmp_path / "plain.npz").write_bytes(pickle.dumps(Canary()))
    (tmp_path / "empty.npz").write_bytes(b"")
    with (tmp_path / "array.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    save_arrays({"roots": np.zeros(1)}, tmp_path / "whole.npz")
    whole = bytearray((tmp_path / "whole.npz").read_bytes())
    (tmp_path / "cut.npz").write_bytes(whole[:-30])
    whole[45:60] = b"\xff" * 15
    (tmp_path / "flipped.npz").write_bytes(whole)
    for name in ("objects.npz", "plain.npz", "empty.npz", "array.npz", "cut.npz", "flipped.npz"):
        with pytest.raises(Untrusted, match=name):
            load_arrays(tmp_path / name)
    assert not (tmp_path / "canary").exists()
