"""A policy over architectures: one softmax for each question, independent of all others, learnt by gradients.

p(answer) is proportional to prior(answer) exp(tilt(answer)). All tilts begin at zero, so the first candidates are drawn
as the space draws them. What a candidate was not asked has no part in its path: no probability, no entropy, no gradient,
and no step of the optimiser.

Of answers in order (numbers) the tilts are the learnt logits, smoothed over neighbours. A path has n questions, the
widest of them k answers; narrower ones are filled up with answers of prior 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

SHARED = 0.2
"""This much of a logit goes to either neighbour, where answers are in order."""
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
"""Those of Adam."""


@dataclass(frozen=True, slots=True)
class Path:
    """The questions that a candidate was asked, as rows of a table, and the answers it took.

    rows (n,), taken (n,), priors (n, k).
    """

    rows: Indices
    taken: Indices
    priors: Floats

    def of_taken(self, values: Floats) -> Floats:
        """Those of the taken answers: (n, k) -> (n,)."""
        return values[np.arange(len(self.taken)), self.taken]


class LogitsTable:
    """A row of logits for each question, and an optimiser that steps only the rows it is given.

    Kingma, Ba, "Adam", ICLR 2015, with moments and a count of steps to each row, so that a question does not move, nor
    its moments fade, while nobody asks it.
    """

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = learning_rate
        self.rows: dict[str, int] = {}
        self._logits, self._first, self._second = (np.zeros((16, 4)) for _ in range(3))
        self._lower, self._upper = (np.tile(np.arange(4), (16, 1)) for _ in range(2))
        self._steps = np.zeros(16, np.int64)
        self.moved = False
        self._odds: list[list[float]] = []
        self._stale: set[int] = set()

    # -- questions -----------------------------------------------------------------------------------------------------

    def row(self, name: str, answers: int, *, ordered: bool) -> int:
        """The row of the question `name`; a new one where it was not known."""
        if name not in self.rows:
            row = self.rows[name] = len(self.rows)
            self._make_room(row + 1, answers)
            if ordered:
                self._lower[row, 1:answers] -= 1
                self._upper[row, : answers - 1] += 1
            self._odds.append([1.0] * answers)
        return self.rows[name]

    def _make_room(self, rows: int, answers: int) -> None:
        height, width = self._logits.shape
        more = (height if rows > height else 0, max(answers - width, 0))
        if more == (0, 0):
            return
        self._logits, self._first, self._second = (
            np.pad(array, ((0, more[0]), (0, more[1]))) for array in (self._logits, self._first, self._second)
        )
        own = np.tile(np.arange(width + more[1]), (height + more[0], 1))
        lower, upper = own.copy(), own.copy()
        lower[:height, :width], upper[:height, :width] = self._lower, self._upper
        self._lower, self._upper = lower, upper
        self._steps = np.pad(self._steps, (0, more[0]))

    def odds(self, name: str) -> list[float] | None:
        """exp(tilt) of each answer up to a factor, for drawing; None for a question that is not known."""
        row = self.rows.get(name)
        if row is None:
            return None
        if self._stale:
            stale = np.array(sorted(self._stale))
            tilts = self.tilts(stale, self._logits.shape[1])
            for known, fresh in zip(stale.tolist(), np.exp(np.clip(tilts, -300, 300)).tolist(), strict=True):
                self._odds[known] = fresh[: len(self._odds[known])]
            self._stale.clear()
        return self._odds[row]

    # -- probabilities and their gradients -----------------------------------------------------------------------------

    def tilts(self, rows: Indices, width: int) -> Floats:
        """(n,) -> (n, width)."""
        return self._smooth(rows, self._logits[rows, :width])

    def _smooth(self, rows: Indices, values: Floats) -> Floats:
        """Answers in order share with their neighbours; the map is symmetric, so it takes gradients back as well."""
        width = values.shape[1]
        lower = np.take_along_axis(values, self._lower[rows, :width], axis=1)
        upper = np.take_along_axis(values, self._upper[rows, :width], axis=1)
        return (1 - 2 * SHARED) * values + SHARED * (lower + upper)

    def log_probabilities(self, path: Path, sharpness: float = 1.0) -> Floats:
        """Of every answer of every question of a path, log p; minus infinity for the filling: (n, k).

        The tilts are taken times `sharpness`; at 0 p is the prior.
        """
        with np.errstate(divide="ignore"):
            scores = np.log(path.priors) + sharpness * self.tilts(path.rows, path.priors.shape[1])
        scores -= scores.max(axis=1, keepdims=True)
        return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))  # type: ignore[no-any-return]

    def probabilities(self, path: Path, sharpness: float = 1.0) -> Floats:
        """Of every answer of every question of a path, p: (n, k)."""
        return np.exp(self.log_probabilities(path, sharpness))

    def ascend(self, rows: Indices, gradient: Floats) -> None:
        """One step of Adam up the gradient by the tilts of these rows, each given once: (n,), (n, k)."""
        self.moved = True
        width = gradient.shape[1]
        gradient = self._smooth(rows, gradient)
        self._steps[rows] += 1
        steps = self._steps[rows, None]
        first = BETA1 * self._first[rows, :width] + (1 - BETA1) * gradient
        second = BETA2 * self._second[rows, :width] + (1 - BETA2) * gradient**2
        self._first[rows, :width], self._second[rows, :width] = first, second
        change = first / (1 - BETA1**steps) / (np.sqrt(second / (1 - BETA2**steps)) + EPSILON)
        self._logits[rows, :width] += self.learning_rate * change
        self._stale.update(rows.tolist())


def score_gradient(path: Path, log_probabilities: Floats, weights: Floats) -> Floats:
    """The gradient of the sum of weight times log p(taken) by the tilts: weights (n,) -> (n, k)."""
    gradient = -np.exp(log_probabilities)
    gradient[np.arange(len(path.taken)), path.taken] += 1.0
    return gradient * weights[:, None]


def entropies(path: Path, log_probabilities: Floats) -> Floats:
    """The entropy of each question relative to its prior, -KL(p, prior): (n,). At most 0, which is the prior itself.

    For even priors over k answers this is the entropy less log k.
    """
    return -(np.exp(log_probabilities) * _surplus(path, log_probabilities)).sum(axis=1)  # type: ignore[no-any-return]


def entropy_gradient(path: Path, log_probabilities: Floats) -> Floats:
    """The gradient of the sum of `entropies` by the tilts: (n, k)."""
    surplus = _surplus(path, log_probabilities)
    return -np.exp(log_probabilities) * (surplus + entropies(path, log_probabilities)[:, None])


def _surplus(path: Path, log_probabilities: Floats) -> Floats:
    """The logarithm of p over its prior, 0 for the filling: (n, k)."""
    there = path.priors > 0
    return np.where(there, log_probabilities, 0.0) - np.log(np.where(there, path.priors, 1.0))


def stacked(paths: Sequence[Path]) -> Path:
    """Several paths as one, a question of two paths twice."""
    width = max(path.priors.shape[1] for path in paths)
    return Path(
        np.concatenate([path.rows for path in paths]),
        np.concatenate([path.taken for path in paths]),
        np.concatenate([np.pad(path.priors, ((0, 0), (0, width - path.priors.shape[1]))) for path in paths]),
    )


def by_row(rows: Indices, gradients: Floats) -> tuple[Indices, Floats]:
    """Each row once, with the sum of its gradients: (n,), (n, k) -> (rows,), (rows, k)."""
    distinct, places = np.unique(rows, return_inverse=True)
    sums = np.zeros((len(distinct), gradients.shape[1]))
    np.add.at(sums, places, gradients)
    return distinct, sums
