"""Quality of probabilities against true labels, with weights on the images so that a bootstrap is one matrix of counts.

Every function takes weights (resamples, images) and gives one value a resample; ones give the plain value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

LEVEL = 0.90
RESAMPLES = 2_000


def accuracy(answers: Floats, labels: Labels, weights: Floats) -> Floats:
    """Share of images whose most probable class is the true one."""
    right = (answers.argmax(axis=1) == labels).astype(np.float64)
    shares: Floats = (weights @ right) / weights.sum(axis=1)
    return shares


def balanced_accuracy(answers: Floats, labels: Labels, weights: Floats) -> Floats:
    """Mean over the classes present of the share answered rightly."""
    right = (answers.argmax(axis=1) == labels).astype(np.float64)
    total = np.zeros(len(weights))
    present = np.zeros(len(weights))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        weight = weights[:, members].sum(axis=1)
        share = np.divide(weights[:, members] @ right[members], weight, out=np.zeros(len(weights)), where=weight > 0)
        total += share
        present += weight > 0
    return total / np.maximum(present, 1)


def loss(answers: Floats, labels: Labels, weights: Floats) -> Floats:
    """Cross-entropy in nats; probabilities are taken to be at least 1e-7."""
    likelihood = np.clip(answers[np.arange(len(labels)), labels], 1e-7, 1.0)
    means: Floats = (weights @ -np.log(likelihood)) / weights.sum(axis=1)
    return means


def auc(answers: Floats, labels: Labels, weights: Floats) -> Floats:
    """Area under the ROC curve: of class 1 for two classes, else the mean of each class against the rest.

    Images of one class alone have none: NaN.
    """
    classes = [1] if answers.shape[1] == 2 else [int(label) for label in np.unique(labels)]
    total = np.zeros(len(weights))
    present = np.zeros(len(weights))
    for label in classes:
        area, known = _area(answers[:, label], labels == label, weights)
        total += np.where(known, area, 0.0)
        present += known
    areas: Floats = np.divide(total, present, out=np.full(len(weights), np.nan), where=present > 0)
    return areas


def _area(scores: Floats, positive: NDArray[np.bool_], weights: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Mann-Whitney form of the area, ties counted half, and where both classes are present."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) > 0])
    ordered = weights[:, order]
    up = np.add.reduceat(ordered * positive[order], starts, axis=1)  # (resamples, distinct scores)
    down = np.add.reduceat(ordered * ~positive[order], starts, axis=1)
    below = np.cumsum(down, axis=1) - down
    pairs = up.sum(axis=1) * down.sum(axis=1)
    area = np.divide((up * (below + down / 2)).sum(axis=1), pairs, out=np.zeros(len(weights)), where=pairs > 0)
    return area, pairs > 0


QUALITIES: dict[str, Callable[[Floats, Labels, Floats], Floats]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "auc": auc,
    "loss": loss,
}


def value(metric: str, answers: Floats, labels: Labels) -> float:
    """The metric over all images."""
    return float(QUALITIES[metric](answers, labels, np.ones((1, len(labels))))[0])


def resample(metric: str, several: Sequence[Floats], labels: Labels, seed: int) -> Floats:
    """The metric of several sets of answers over the same resampled images: (sets, resamples).

    2,000 resamples, and at least 200 where AUC over many images and classes would take minutes.
    """
    random = np.random.default_rng(seed)
    images = len(labels)
    work = images * len(several) * (several[0].shape[1] if metric == "auc" and several[0].shape[1] > 2 else 1)
    resamples = min(RESAMPLES, max(200, 100_000_000 // work)) if metric == "auc" else RESAMPLES
    portion = max(1, 8_000_000 // images)  # weights of one portion stay under 64 MB
    parts = []
    for start in range(0, resamples, portion):
        rows = min(portion, resamples - start)
        weights = random.multinomial(images, np.full(images, 1 / images), size=rows).astype(np.float64)
        parts.append(np.stack([QUALITIES[metric](answers, labels, weights) for answers in several]))
    return np.concatenate(parts, axis=1)


def interval(values: Floats) -> tuple[float, float]:
    """The middle 90 % of bootstrap values; resamples that have none (AUC of one class) are left out."""
    low, high = np.quantile(values[~np.isnan(values)], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def wilson(hits: float, total: float) -> tuple[float, float]:
    """90 % interval of a share (Wilson, 1927): honest for few images and near 0 and 1."""
    if total <= 0:
        return 0.0, 1.0
    z = 1.6448536269514722
    share = hits / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    spread = z / (1 + z * z / total) * np.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return max(0.0, min(share, float(centre - spread))), min(1.0, max(share, float(centre + spread)))
