"""What the winner answers on images it was not trained on: confusions, mistakes, calibration; and how its training went."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.core.text import plain, public
from netwright.core.trial import TrialId
from netwright.reports import quality
from netwright.reports.view import RunView

MISTAKES = 12
BINS = 10
FEW = 10
"""With fewer images than this a class is said to be too rare to judge."""


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class: how many images, how many answered rightly, and the share with its 90 % interval."""

    label: str
    images: int
    right: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Confused:
    """Images of one class that were taken for another."""

    true: str
    answered: str
    images: int
    share: float


@dataclass(frozen=True, slots=True)
class Confusion:
    """`counts[true][answered]` over the images judged."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    classes: tuple[ClassRow, ...]
    pairs: tuple[Confused, ...]


@dataclass(frozen=True, slots=True)
class Bin:
    """Images of similar confidence: how sure the network was, and how often it was right (90 % interval)."""

    confidence: float
    right: float
    low: float
    high: float
    images: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """`error` is the mean distance between confidence and share right, weighted by images."""

    bins: tuple[Bin, ...]
    error: float
    confidence: float
    right: float


@dataclass(frozen=True, slots=True)
class Mistake:
    """An image answered wrongly, with the confidence in the wrong answer and in the true one."""

    index: int
    name: str
    true: str
    answered: str
    confidence: float
    confidence_in_true: float


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch of a training; what was not measured is None."""

    epoch: int
    train_loss: float | None
    validation_loss: float | None
    validation_accuracy: float | None


def labels_of(view: RunView) -> tuple[str, ...]:
    """Class names fit to show, all different."""
    names: list[str] = []
    for number, label in enumerate(view.task.labels):
        name = plain(label) or f"class {number}"
        names.append(name if name not in names else f"{name} ({number})")
    return tuple(names)


def compute_confusion(view: RunView, trial: TrialId | None) -> Confusion | None:
    """Counts of true against answered classes, or None without answers."""
    answers, true = view.judged_answers(trial)
    if answers is None or true is None:
        return None
    labels = labels_of(view)
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(counts, (true, answers.argmax(axis=1)), 1)
    classes = []
    for number, label in enumerate(labels):
        images, right = int(counts[number].sum()), int(counts[number, number])
        low, high = quality.wilson(right, images)
        classes.append(ClassRow(label, images, right, right / images if images else 0.0, low, high))
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:10]
    pairs = []
    for flat in order:
        row, column = divmod(int(flat), len(labels))
        if wrong[row, column] > 0:
            share = wrong[row, column] / counts[row].sum()
            pairs.append(Confused(labels[row], labels[column], int(wrong[row, column]), float(share)))
    return Confusion(labels, tuple(tuple(map(int, row)) for row in counts), tuple(classes), tuple(pairs))


def compute_calibration(view: RunView, trial: TrialId | None) -> Calibration | None:
    """Confidence against share right in bins of equally many images, or None without answers."""
    answers, true = view.judged_answers(trial)
    if answers is None or true is None or not len(answers):
        return None
    confidence = answers.max(axis=1)
    right = answers.argmax(axis=1) == true
    order = np.argsort(confidence, kind="stable")
    bins = []
    for members in np.array_split(order, min(BINS, max(1, len(order) // 20))):
        hits = int(right[members].sum())
        low, high = quality.wilson(hits, len(members))
        bins.append(Bin(float(confidence[members].mean()), hits / len(members), low, high, len(members)))
    error = sum(entry.images * abs(entry.confidence - entry.right) for entry in bins) / len(order)
    return Calibration(tuple(bins), error, float(confidence.mean()), float(right.mean()))


def compute_mistakes(view: RunView, trial: TrialId | None) -> list[Mistake]:
    """The wrong answers the network was surest of. Names are left out where images are."""
    answers, true = view.judged_answers(trial)
    if answers is None or true is None:
        return []
    labels = labels_of(view)
    said = answers.argmax(axis=1)
    named = view.image is not None and view.split == "test"
    wrong = np.flatnonzero(said != true)
    surest = wrong[np.argsort(-answers[wrong, said[wrong]], kind="stable")][:MISTAKES]
    return [
        Mistake(
            int(index),
            public(plain(view.test_names[index])) if named and index < len(view.test_names) else "",
            labels[true[index]],
            labels[said[index]],
            float(answers[index, said[index]]),
            float(answers[index, true[index]]),
        )
        for index in surest
    ]


def compute_curve(view: RunView, trial: TrialId | None) -> list[Epoch]:
    """The epochs of a trial's training; empty where its curve was not kept."""
    path = None if trial is None else view.files(trial, "curve")
    if path is None:
        return []
    records: list[Mapping[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return [
        Epoch(
            int(record["epoch"]),
            _finite(record.get("train_loss")),
            _finite(record.get("validation_loss")),
            _finite(record.get("validation_accuracy")),
        )
        for record in records
    ]


def _finite(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and np.isfinite(value) else None
