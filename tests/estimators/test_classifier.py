"""NetworkClassifier keeps scikit-learn's conventions, on features and on images."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from netwright import NetworkClassifier
from netwright.core.errors import InputError, NetwrightError
from netwright.data.dataset import Dataset
from netwright.export.predict import Predictor
from netwright.spaces import Flatten, Linear, Recipe, Space, choose

KEPT = np.flatnonzero(load_digits().target < 3)
FEATURES, IMAGES, LABELS = (values[KEPT] for values in (load_digits().data, load_digits().images, load_digits().target))
WORDS = np.array(["none", "one", "two"], dtype=object)[LABELS]
TINY: dict[str, Any] = {
    "trials": 1, "epochs": 2, "executor": "inline", "precision": "fp32", "strategy": "random", "random_state": 0,
}  # fmt: skip
SPACE = Space([Flatten(), Linear(choose(16, 32))], Recipe(optimizer="adamw", lr=0.02, batch=16))


@pytest.fixture(scope="module")
def fitted() -> NetworkClassifier:
    return NetworkClassifier(**TINY).fit(IMAGES[:100], WORDS[:100])


def test_images_and_words(fitted: NetworkClassifier) -> None:
    assert list(fitted.classes_) == ["none", "one", "two"]
    assert fitted.shape_ == (8, 8)
    assert set(fitted.predict(IMAGES[100:])) <= set(WORDS)
    assert fitted.score(IMAGES[100:], WORDS[100:]) > 0.5
    probabilities = fitted.predict_proba(IMAGES[100:110])
    assert probabilities.shape == (10, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert list(fitted.classes_[probabilities.argmax(axis=1)]) == list(fitted.predict(IMAGES[100:110]))


def test_it_says_how_good_the_network_is_and_that_nothing_was_tested(fitted: NetworkClassifier) -> None:
    assert "on 15 validation images" in fitted.verdict_
    assert "There was no test split" in fitted.verdict_
    assert fitted.best_.measurements["accuracy"].samples == 15
    assert (fitted.trials_.source == "search").sum() == 1
    assert fitted.run_ is None


def test_a_fitted_classifier_can_be_stored(fitted: NetworkClassifier) -> None:
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301  (our own, of a moment ago)
    np.testing.assert_array_equal(again.predict_proba(IMAGES), fitted.predict_proba(IMAGES))


def test_its_network_can_be_exported(fitted: NetworkClassifier, tmp_path: Path) -> None:
    folder = fitted.export(tmp_path / "network")
    answers = Predictor(folder).predict([_saved(IMAGES[:5], tmp_path / "images.npy")])
    assert [answer.label for answer in answers] == list(fitted.predict(IMAGES[:5]))
    with pytest.raises(InputError, match="needs a new folder"):
        fitted.export(folder)


def _saved(images: np.ndarray[Any, Any], path: Path) -> Path:
    np.save(path, images)
    return path


def test_clones_are_equal_and_unfitted(fitted: NetworkClassifier) -> None:
    copied = clone(fitted.set_params(space=SPACE))
    assert copied.get_params().keys() == fitted.get_params().keys()
    assert copied.trials == 1
    assert copied.space.fingerprint == SPACE.fingerprint
    with pytest.raises(NotFittedError):
        copied.predict(IMAGES)
    with pytest.raises(NotFittedError):
        copied.export("nowhere")


def test_fits_are_repeatable_where_time_plays_no_part() -> None:
    first, second = (NetworkClassifier(**TINY, space=SPACE).fit(FEATURES[:60], LABELS[:60]) for _ in range(2))
    np.testing.assert_array_equal(first.predict_proba(FEATURES), second.predict_proba(FEATURES))
    assert first.classes_.dtype == LABELS.dtype
    assert not first.__sklearn_tags__().non_deterministic
    assert NetworkClassifier(minutes=1).__sklearn_tags__().non_deterministic


def test_in_a_pipeline_with_cross_validation() -> None:
    model = make_pipeline(StandardScaler(), NetworkClassifier(**TINY, space=SPACE))
    scores = cross_val_score(model, FEATURES[:120], LABELS[:120], cv=2, error_score="raise")
    assert scores.shape == (2,)
    assert (scores > 0.5).all()


def test_in_a_grid() -> None:
    grid = GridSearchCV(NetworkClassifier(**TINY), {"space": ["mlp", SPACE]}, cv=2, error_score="raise")
    grid.fit(FEATURES[:80], WORDS[:80])
    assert len(grid.cv_results_["mean_test_score"]) == 2
    assert grid.best_estimator_.best_.measurements["parameters"].value > 0
    assert grid.score(FEATURES[80:], WORDS[80:]) > 0.5


def test_frames_keep_their_names() -> None:
    frame = pd.DataFrame(FEATURES[:40], columns=[f"pixel {i}" for i in range(64)])
    model = NetworkClassifier(**TINY, space=SPACE).fit(frame, WORDS[:40])
    assert list(model.feature_names_in_) == list(frame.columns)
    assert model.n_features_in_ == 64
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[frame.columns[::-1]])


def test_very_few_samples_and_colour() -> None:
    """Two classes, one of them seen once; colour images of numbers with fractions."""
    colour = np.random.default_rng(0).normal(size=(6, 4, 5, 3))
    model = NetworkClassifier(**TINY, space=lambda task: SPACE).fit(colour, [0, 0, 1, 0, 0, 0])
    assert model.predict_proba(colour).shape == (6, 2)
    assert model.shape_ == (4, 5, 3)


def test_folders_are_kept_only_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary, kept = tmp_path / "temporary", tmp_path / "kept"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    model = NetworkClassifier(**TINY, space=SPACE, folder=kept).fit(FEATURES[:40], LABELS[:40])
    assert model.run_.folder.parent == kept
    assert model.run_.report.is_file()
    assert model.run_.verdict == model.verdict_
    model.set_params(folder=None).fit(FEATURES[:40], LABELS[:40])
    assert model.run_ is None
    assert list(temporary.iterdir()) == []
    assert len(list(kept.iterdir())) == 1


def test_equal_samples_do_not_both_train_and_validate(tmp_path: Path) -> None:
    model = NetworkClassifier(**TINY, space=SPACE, folder=tmp_path)
    model.fit(np.tile(FEATURES[:60], (2, 1)), np.tile(LABELS[:60], 2))
    data = Dataset.open(model.run_.folder / "data")
    assert (data.split[:60] == data.split[60:]).all()
    assert set(data.split.tolist()) == {0, 1}


def test_a_search_without_a_network_says_why() -> None:
    model = NetworkClassifier(**TINY, space=SPACE, limits="parameters<=10")
    with pytest.raises(NetwrightError, match="no network was found"):
        model.fit(FEATURES[:40], LABELS[:40])
    with pytest.raises(NotFittedError):
        model.predict(FEATURES)
    with pytest.raises(NotFittedError):
        model.export("nowhere")


def test_a_fit_that_fails_leaves_the_earlier_one_whole() -> None:
    model = NetworkClassifier(**TINY, space=SPACE).fit(FEATURES[:40], LABELS[:40])
    before = model.predict(FEATURES)
    with pytest.raises(NetwrightError, match="no network was found"):
        model.set_params(limits="parameters<=10").fit(FEATURES[:40], WORDS[:40])
    np.testing.assert_array_equal(model.predict(FEATURES), before)
    assert list(model.classes_) == [0, 1, 2]


@pytest.mark.parametrize(
    ("images", "labels", "options", "error", "message"),
    [
        (FEATURES[:20], np.zeros(20), {}, ValueError, "at least 2 classes"),
        (FEATURES[:20], np.linspace(0, 1, 20), {}, ValueError, "Unknown label type"),
        (FEATURES[:1], LABELS[:1], {}, ValueError, "1 sample"),
        (FEATURES[0], LABELS[:64], {}, ValueError, "Expected 2D array"),
        (FEATURES[:20], LABELS[:19], {}, ValueError, "inconsistent numbers of samples"),
        (np.full((20, 4), np.nan), LABELS[:20], {}, ValueError, "NaN"),
        (csr_matrix(FEATURES[:20]), LABELS[:20], {}, TypeError, "[Ss]parse"),
        (np.zeros((20, 3, 32, 32)), LABELS[:20], {}, ValueError, "move the channels last"),
        (FEATURES[:20], LABELS[:20], {"validation": 1.0}, ValueError, "validation must be a share"),
        (FEATURES[:20], LABELS[:20], {"executor": "remote"}, ValueError, "executor must be one of"),
        (FEATURES[:20], LABELS[:20], {"space": "sapce"}, ValueError, "space must be one of"),
        (FEATURES[:20], LABELS[:20], {"objectives": "acuracy"}, ValueError, "must name a metric"),
    ],
)
def test_what_does_not_fit_is_refused(
    images: Any, labels: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        NetworkClassifier(**{**TINY, **options}).fit(images, labels)


def test_samples_of_another_shape_are_refused(fitted: NetworkClassifier) -> None:
    with pytest.raises(ValueError, match=r"must have the shape \(8, 8\)"):
        fitted.predict(np.zeros((2, 8, 9)))


def test_weights_of_samples_are_not_taken() -> None:
    with pytest.raises(TypeError, match="sample_weight"):
        NetworkClassifier(**TINY).fit(FEATURES[:20], LABELS[:20], sample_weight=np.ones(20))  # type: ignore[call-arg]
