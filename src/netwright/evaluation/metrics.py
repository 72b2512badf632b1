"""How good probabilities are, each with a 90 % interval over the images it was taken on.

Every metric here is a mean of what single images contribute, or nearly so. The interval comes from the spread of those
contributions (the infinitesimal jackknife; for the area under the curve that is DeLong, DeLong, Clarke-Pearson 1988),
and for accuracy from Wilson's formula. Where answers are perfect the spread says nothing, and Wilson's bound for a
perfect score stands in.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
import numpy.typing as npt

from netwright.core.measurement import Measurement, Split

Floats = npt.NDArray[np.float64]
Probabilities = npt.NDArray[np.floating]
Labels = npt.NDArray[np.integer]

Z = 1.6448536269514722
"""Half width of a 90 % interval in standard errors."""

SMALLEST_PROBABILITY = 1e-7


def measure_answers(probabilities: Probabilities, labels: Labels, split: Split) -> dict[str, Measurement]:
    """`accuracy`, `balanced_accuracy`, `auc` and `loss` of probabilities (images, classes) for true labels (images,).

    `auc` is that of class 1 for two classes, else the mean over the classes present of each against the rest; it is
    left out when fewer than two classes are present, since it has no value then. Raises ValueError without images.
    """
    if len(labels) == 0:
        raise ValueError("metrics must be taken over at least one image, but there is none")
    answers = np.asarray(probabilities, np.float64)
    right = answers.argmax(axis=1) == labels
    measured = {
        "accuracy": (float(right.mean()), wilson(int(right.sum()), len(right))),
        "balanced_accuracy": _balanced_accuracy(right, labels),
        "loss": _loss(answers, labels),
    }
    if len(np.unique(labels)) > 1:
        measured["auc"] = _auc(answers, labels)
    units = {"loss": "nats"}
    return {
        name: Measurement(value, units.get(name, ""), min(low, value), max(high, value), len(labels), "measured", split)
        for name, (value, (low, high)) in measured.items()
    }


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Wilson's 90 % interval of a share."""
    share = hits / total
    middle = (share + Z * Z / (2 * total)) / (1 + Z * Z / total)
    half = Z / (1 + Z * Z / total) * sqrt(share * (1 - share) / total + Z * Z / (4 * total * total))
    return max(0.0, middle - half), min(1.0, middle + half)


def _balanced_accuracy(right: npt.NDArray[np.bool_], labels: Labels) -> tuple[float, tuple[float, float]]:
    """Mean over the classes present of the share answered rightly; their variances add up, each smoothed by Wilson."""
    shares, variance = [], 0.0
    for label in np.unique(labels):
        members = right[labels == label]
        low, high = wilson(int(members.sum()), len(members))
        shares.append(float(members.mean()))
        variance += ((high - low) / (2 * Z)) ** 2
    value = sum(shares) / len(shares)
    half = Z * sqrt(variance) / len(shares)
    return value, (max(0.0, value - half), min(1.0, value + half))


def _loss(answers: Floats, labels: Labels) -> tuple[float, tuple[float, float]]:
    """Mean cross-entropy in nats, of probabilities not below 1e-7."""
    losses = -np.log(np.maximum(answers[np.arange(len(labels)), labels], SMALLEST_PROBABILITY))
    value = float(losses.mean())
    half = Z * float(losses.std()) / sqrt(len(losses))
    return value, (max(0.0, value - half), value + half)


def _auc(answers: Floats, labels: Labels) -> tuple[float, tuple[float, float]]:
    """Area under the ROC curve and its interval."""
    classes: Sequence[int] = [1] if answers.shape[1] == 2 else [int(label) for label in np.unique(labels)]
    contributions = np.zeros(len(labels))
    areas, fewest = [], len(labels)
    for label in classes:
        positive = labels == label
        placements = _placements(answers[:, label], positive)
        area = float(placements[positive].mean())
        areas.append(area)
        counts = np.where(positive, positive.sum(), (~positive).sum())
        contributions += (placements - area) / counts / len(classes)
        fewest = min(fewest, int(positive.sum()), int((~positive).sum()))
    value = sum(areas) / len(areas)
    half = Z * sqrt(float((contributions**2).sum()))
    perfect_low, _ = wilson(fewest, fewest)
    low, high = max(0.0, value - half), min(1.0, value + half)
    return value, (min(low, perfect_low), high) if value == 1.0 else (low, high)


def _placements(scores: Floats, positive: npt.NDArray[np.bool_]) -> Floats:
    """For each image the share of images of the other side that it is ranked rightly against; ties count half."""
    up, down = np.sort(scores[positive]), np.sort(scores[~positive])
    below = np.searchsorted(down, scores, "left") + np.searchsorted(down, scores, "right")
    above = 2 * len(up) - np.searchsorted(up, scores, "left") - np.searchsorted(up, scores, "right")
    return np.where(positive, below / (2 * len(down)), above / (2 * len(up)))
