"""A Gaussian process over rows of categories and numbers, any of which may be inactive. Exact, for some hundred rows.

Rasmussen, Williams, "Gaussian Processes for Machine Learning", MIT Press 2006, chapters 2 and 5. The kernel is
exp(-sum_d w_d [x_d != y_d]) over categories times Matérn 5/2 over numbers, one weight a column. What is inactive lies
in the middle of its column, half as far from every value as the farthest values are from each other (after Swersky et
al., "Raiders of the Lost Architecture", arXiv 1409.4011): that a decision is missing is said by the one that it hangs on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize

Array = NDArray[np.float64]
EXPECTED_DISTANCE = 2.0
"""What the weights make of the mean distance of two rows before any fit, however many columns there are."""
EXPECTED_NOISE = 0.05
SMALLEST_NOISE = 1e-3
PRIOR_SD = 1.0
"""Standard deviation of the logarithms of weights and noise around what is expected."""
STEPS = 30


@dataclass(frozen=True, slots=True)
class Rows:
    """`categories` (rows, columns), codes from 0, -1 inactive; `numbers` (rows, columns) within 0 … 1, NaN inactive."""

    categories: NDArray[np.int64]
    numbers: Array

    def __len__(self) -> int:
        return len(self.categories)

    @property
    def columns(self) -> int:
        """Of both kinds together."""
        return int(self.categories.shape[1] + self.numbers.shape[1])

    def with_(self, others: Rows) -> Rows:
        """These rows and `others` below them."""
        return Rows(np.vstack([self.categories, others.categories]), np.vstack([self.numbers, others.numbers]))


@dataclass(frozen=True, slots=True)
class Kernel:
    """`weights` (columns), categories first, and the variance of the noise; the variance of the process is 1."""

    weights: Array
    noise: float

    @classmethod
    def expected(cls, rows: Rows) -> Kernel:
        """What is assumed before anything was observed: equal weights that fit the spread of `rows`."""
        mean = float(_differences(rows).mean(axis=(1, 2)).sum()) if len(rows) else 0.0
        return cls(np.full(rows.columns, EXPECTED_DISTANCE / mean if mean > 0 else 1.0), EXPECTED_NOISE)

    def covariance(self, a: Rows, b: Rows) -> Array:
        """(rows of a, rows of b), 1 for equal rows."""
        split = a.categories.shape[1]
        exponent = np.zeros((len(a), len(b)))
        for column, weight in enumerate(self.weights[:split]):
            exponent += weight * _inequality(a.categories[:, column], b.categories[:, column])
        squares = np.zeros((len(a), len(b)))
        for column, weight in enumerate(self.weights[split:]):
            squares += weight * _squared_distance(a.numbers[:, column], b.numbers[:, column])
        return np.exp(-exponent) * _matern(squares)[0]


class GaussianProcess:
    """The posterior after `targets` (rows) of mean 0 and variance about 1 were observed at `rows`."""

    def __init__(self, rows: Rows, targets: Array, kernel: Kernel, covariance: Array | None = None) -> None:
        """`covariance` is that of `rows`, where it is known already: (rows, rows), without noise."""
        self.rows = rows
        self.targets = targets
        self.kernel = kernel
        self._covariance = kernel.covariance(rows, rows) if covariance is None else covariance
        self._factor = cho_factor(self._covariance + kernel.noise * np.eye(len(rows)), lower=True)
        self._weighted = cho_solve(self._factor, targets)

    def predict(self, rows: Rows) -> tuple[Array, Array]:
        """Mean and standard deviation (rows each) of the process, without noise."""
        return self._predicted(self.kernel.covariance(self.rows, rows))

    def _predicted(self, across: Array) -> tuple[Array, Array]:
        mean = across.T @ self._weighted
        explained = solve_triangular(self._factor[0], across, lower=True)
        return mean, np.sqrt(np.maximum(1.0 - (explained**2).sum(axis=0), 1e-12))

    def believing(self, rows: Rows) -> GaussianProcess:
        """The process as if `rows` had been observed at their predicted means (the "kriging believer")."""
        across = self.kernel.covariance(self.rows, rows)
        believed = np.append(self.targets, self._predicted(across)[0])
        covariance = np.block([[self._covariance, across], [across.T, self.kernel.covariance(rows, rows)]])
        return GaussianProcess(self.rows.with_(rows), believed, self.kernel, covariance)


def fit(rows: Rows, targets: Array) -> Kernel:
    """The kernel that is most probable after `targets`, by L-BFGS from what is expected."""
    start = Kernel.expected(rows)
    expected = np.log(np.append(start.weights, start.noise))
    differences = _differences(rows)
    split = rows.categories.shape[1]

    def loss(logs: Array) -> tuple[float, Array]:
        value, gradient = _negative_log_likelihood(differences, split, targets, np.exp(logs))
        away = (logs - expected) / PRIOR_SD
        return value + 0.5 * float(away @ away), gradient + away / PRIOR_SD

    bounds = [(low - 5.0, low + 5.0) for low in expected[:-1]] + [(np.log(SMALLEST_NOISE), 0.0)]
    found = minimize(loss, expected, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": STEPS})
    best = np.exp(found.x)
    return Kernel(best[:-1], float(best[-1]))


def _negative_log_likelihood(differences: Array, split: int, targets: Array, values: Array) -> tuple[float, Array]:
    """And its gradient by the logarithms of `values` (weights, then noise). `differences` (columns, rows, rows)."""
    weights, noise = values[:-1], values[-1]
    categorical = np.exp(-np.tensordot(weights[:split], differences[:split], axes=1))
    numeric, slope = _matern(np.tensordot(weights[split:], differences[split:], axes=1))
    covariance = categorical * numeric
    noisy = covariance + noise * np.eye(len(targets))
    factor = cho_factor(noisy, lower=True)
    weighted = cho_solve(factor, targets)
    value = 0.5 * float(targets @ weighted) + float(np.log(np.diag(factor[0])).sum())
    inner = 0.5 * (cho_solve(factor, np.eye(len(targets))) - np.outer(weighted, weighted))
    by_category = np.tensordot(differences[:split], -inner * covariance, axes=2)
    by_number = np.tensordot(differences[split:], inner * categorical * slope, axes=2)
    return value, np.concatenate([by_category, by_number, [np.trace(inner)]]) * values


def _differences(rows: Rows) -> Array:
    """(columns, rows, rows): from 0 to 1 between categories, squared distances between numbers."""
    codes, numbers = rows.categories, rows.numbers
    unequal = [_inequality(column, column) for column in codes.T]
    squares = [_squared_distance(column, column) for column in numbers.T]
    return np.array(unequal + squares).reshape(rows.columns, len(rows), len(rows))


def _inequality(a: NDArray[np.int64], b: NDArray[np.int64]) -> Array:
    """(a, b): 0 where equal, 1 between two values, 1/2 between a value and the inactive (the hub of a star)."""
    unequal: Array = (a[:, None] != b[None, :]).astype(np.float64)
    unequal[a == -1] *= 0.5
    unequal[:, b == -1] *= 0.5
    return unequal


def _squared_distance(a: Array, b: Array) -> Array:
    """(a, b) on half a circle of diameter 1 around the point of the inactive, so that it is 1/2 from all."""
    inactive, other = np.isnan(a), np.isnan(b)
    distance = np.sin(np.pi / 2 * np.abs(np.nan_to_num(a)[:, None] - np.nan_to_num(b)[None, :])) ** 2
    distance[inactive] = 0.25
    distance[:, other] = 0.25
    distance[np.ix_(inactive, other)] = 0.0
    return distance


def _matern(squares: Array) -> tuple[Array, Array]:
    """Matérn 5/2 of squared distances, and its derivative by them."""
    s = np.sqrt(5.0 * squares)
    decay = np.exp(-s)
    return (1.0 + s + s**2 / 3.0) * decay, -5.0 / 6.0 * (1.0 + s) * decay
