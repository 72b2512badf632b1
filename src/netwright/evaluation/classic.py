"""`classic`: logistic regression and random forest on the same pixels, as honest rivals of any network.

Settings: data, seconds (CPU time for fitting, default 60; what is done by then counts).
Artefacts: `classic` (classic.npz, see `evaluation.fitted`) and `validation` (validation.npy, probabilities).
Notes: rows, features, pooling, and trees or iterations: what the caps made of the data.

The fitted arrays are kept rather than the model fitted again for the test: the model that was judged is the model that
is tested, also when time cut the fit short.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from netwright.core.errors import InputError
from netwright.core.job import Evaluated, Job
from netwright.core.measurement import Measurement
from netwright.data.dataset import Dataset
from netwright.evaluation.fitted import Arrays, answers, features, pooling, save_arrays
from netwright.evaluation.metrics import measure_answers
from netwright.evaluation.reading import read_proposal, validation_indices

MOST_ROWS = 10_000
TREES, TREES_A_TURN = 200, 20
ITERATIONS, ITERATIONS_A_TURN = 100, 25
PENALTY = 0.1
SECONDS = 60.0

Labels = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.float32]


def classic(job: Job) -> Evaluated:
    """Fit the classic model that the proposal's candidate names (`forest` or `linear`), on one thread."""
    kind = read_proposal(job).candidate.kind
    data = Dataset.open(Path(job.settings["data"]))
    factor = pooling(data.task.inputs)
    labels = np.asarray(data.labels)
    rows = _capped(data.indices("train"), labels, job.seed)
    pixels = features(data.images, rows, factor)
    weights = data.task.class_weights
    class_weight = None if weights is None else {label: weights[label] for label in np.unique(labels[rows])}
    deadline = time.process_time() + float(job.settings.get("seconds", SECONDS))
    began = time.process_time()
    with threadpool_limits(1):
        if kind == "forest":
            arrays, notes = _forest(pixels, labels[rows], class_weight, job.seed, deadline)
        elif kind == "linear":
            arrays, notes = _linear(pixels, labels[rows], class_weight, deadline)
        else:
            raise InputError(f"a classic model must be of kind forest or linear, but got {kind!r}")
    seconds = time.process_time() - began
    arrays |= {"pooling": np.array(factor), "outputs": np.array(data.task.outputs)}
    save_arrays(arrays, job.folder / "classic.npz")
    indices = validation_indices(data)
    probabilities = answers(arrays, data.images, indices)
    np.save(job.folder / "validation.npy", probabilities, allow_pickle=False)
    measured = measure_answers(probabilities, labels[indices], "validation")
    measured["training_seconds"] = Measurement(seconds, "s")
    notes |= {"rows": len(rows), "features": pixels.shape[1], "pooling": factor}
    return Evaluated(measured, {"classic": "classic.npz", "validation": "validation.npy"}, notes)


def _capped(train: Labels, labels: Labels, seed: int) -> Labels:
    """At most 10,000 training rows, in the proportions of the classes and at least one of each."""
    if len(train) <= MOST_ROWS:
        return train
    shuffled = np.random.default_rng(seed).permutation(train)
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    spaced = by_class[np.linspace(0, len(by_class) - 1, MOST_ROWS).astype(np.int64)]
    _, first = np.unique(labels[by_class], return_index=True)
    return np.union1d(spaced, by_class[first])


def _forest(
    pixels: Floats, labels: Labels, class_weight: Mapping[int, float] | None, seed: int, deadline: float
) -> tuple[Arrays, dict[str, Any]]:
    """Trees are added twenty at a time until there are 200 or time is over."""
    model = RandomForestClassifier(
        TREES_A_TURN, n_jobs=1, random_state=seed % 2**32, class_weight=class_weight, warm_start=True
    )
    model.fit(pixels, labels)
    trees = _taken(model)
    while model.n_estimators < TREES and time.process_time() < deadline:
        model.n_estimators += TREES_A_TURN
        model.fit(pixels, labels)
        trees += _taken(model)
    offsets = np.cumsum([0, *(len(tree["left"]) for tree in trees)])
    for tree, offset in zip(trees, offsets, strict=False):
        for side in ("left", "right"):  # children as numbers in the joined list of nodes; a leaf keeps -1
            tree[side] = np.where(tree[side] < 0, -1, tree[side] + offset).astype(np.int32)
    arrays = {name: np.concatenate([tree[name] for tree in trees]) for name in trees[0]}
    arrays |= {"classes": model.classes_.astype(np.int64), "roots": offsets[:-1].astype(np.int64)}
    return arrays, {"trees": model.n_estimators}


def _taken(model: RandomForestClassifier) -> list[Arrays]:
    """The trees of the last turn as arrays. The model keeps their number, all that its next turn asks for: with many
    classes a tree holds tens of megabytes, most of them at nodes that never answer."""
    trees = [estimator.tree_ for estimator in model.estimators_ if estimator is not None]
    model.estimators_ = [None] * len(model.estimators_)
    return [
        {
            "feature": tree.feature.astype(np.int32),
            "threshold": tree.threshold.copy(),  # copies: a view would hold the tree
            "left": tree.children_left.copy(),
            "right": tree.children_right.copy(),
            "value": tree.value[tree.children_left < 0, 0, :].astype(np.float32),
        }
        for tree in trees
    ]


def _linear(
    pixels: Floats, labels: Labels, class_weight: Mapping[int, float] | None, deadline: float
) -> tuple[Arrays, dict[str, Any]]:
    """Softmax regression on standardised pixels (C = 0.1), in turns of 25 iterations of L-BFGS, at most 100."""
    mean, scale = pixels.mean(axis=0), pixels.std(axis=0)
    scale[scale == 0] = 1
    scaled = (pixels - mean) / scale
    model = LogisticRegression(C=PENALTY, max_iter=ITERATIONS_A_TURN, class_weight=class_weight, warm_start=True)
    done = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        while done < ITERATIONS:
            model.fit(scaled, labels)
            done += int(model.n_iter_.max())
            if model.n_iter_.max() < ITERATIONS_A_TURN or time.process_time() >= deadline:
                break
    coefficients, intercepts = model.coef_, model.intercept_
    if len(coefficients) == 1:  # two classes have one row of coefficients
        coefficients = np.concatenate([np.zeros_like(coefficients), coefficients])
        intercepts = np.concatenate([np.zeros_like(intercepts), intercepts])
    arrays = {
        "classes": model.classes_.astype(np.int64),
        "mean": mean,
        "scale": scale,
        "coefficients": coefficients.astype(np.float32),
        "intercepts": intercepts.astype(np.float32),
    }
    return arrays, {"iterations": done}
