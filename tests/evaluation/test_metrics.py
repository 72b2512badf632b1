"""Metrics against scikit-learn, and intervals that hold the truth about nine times in ten."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, log_loss, roc_auc_score

from netwright.core.metrics import METRICS
from netwright.evaluation.metrics import measure_answers, wilson


def answers(seed: int, count: int, classes: int) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Labels of uneven classes and probabilities that know something of them."""
    generator = np.random.default_rng(seed)
    shares = np.arange(1, classes + 1) / (classes * (classes + 1) / 2)
    labels = generator.choice(classes, count, p=shares)
    scores = generator.normal(0, 1, (count, classes))
    scores[np.arange(count), labels] += 1.2
    powers = np.exp(scores)
    return powers / powers.sum(1, keepdims=True), labels


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_values_are_those_of_scikit_learn(classes: int) -> None:
    probabilities, labels = answers(0, 500, classes)
    probabilities = probabilities.round(2) + 1e-3  # ties
    probabilities /= probabilities.sum(1, keepdims=True)
    found = {name: m.value for name, m in measure_answers(probabilities, labels, "test").items()}
    assert set(found) <= set(METRICS)
    assert found["accuracy"] == pytest.approx((probabilities.argmax(1) == labels).mean())
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, probabilities.argmax(1)))
    assert found["loss"] == pytest.approx(log_loss(labels, probabilities))
    scores = probabilities[:, 1] if classes == 2 else probabilities
    assert found["auc"] == pytest.approx(roc_auc_score(labels, scores, multi_class="ovr"))


@pytest.mark.parametrize("classes", [2, 4])
def test_intervals_hold_the_truth_about_nine_times_in_ten(classes: int) -> None:
    truth = {name: m.value for name, m in measure_answers(*answers(99, 200_000, classes), "test").items()}
    hits = dict.fromkeys(truth, 0)
    for seed in range(200):
        for name, m in measure_answers(*answers(seed, 300, classes), "test").items():
            assert m.low is not None and m.high is not None
            hits[name] += m.low <= truth[name] <= m.high
    for name, count in hits.items():
        assert 166 <= count <= 194, name  # 180 expected, standard deviation 4.2


def test_perfect_answers_still_have_an_interval() -> None:
    labels = np.array([0, 1] * 20)
    found = measure_answers(np.eye(2)[labels], labels, "validation")
    for name in ("accuracy", "balanced_accuracy", "auc"):
        low = found[name].low
        assert found[name].value == 1.0 and low is not None and 0.8 < low < 0.96


def test_one_class_has_no_area_and_no_image_is_an_error() -> None:
    assert "auc" not in measure_answers(np.full((5, 2), 0.5), np.zeros(5, int), "test")
    with pytest.raises(ValueError, match="at least one image"):
        measure_answers(np.zeros((0, 2)), np.zeros(0, int), "test")


def test_certain_and_wrong_is_a_finite_loss() -> None:
    found = measure_answers(np.eye(2)[[0, 1]], np.array([1, 0]), "test")
    assert found["loss"].value == pytest.approx(16.1, abs=0.1)
    assert found["auc"].value == 0.0 and found["accuracy"].value == 0.0


@pytest.mark.parametrize(("hits", "total", "low", "high"), [(90, 100, 0.839, 0.940), (0, 10, 0.0, 0.213)])
def test_wilson(hits: int, total: int, low: float, high: float) -> None:
    assert wilson(hits, total) == pytest.approx((low, high), abs=1e-3)
