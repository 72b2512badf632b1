"""A Parzen estimator over mixed columns: a mixture of one product kernel for each observed point, and of a prior.

Bergstra, Bardenet, Bengio, Kégl, "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011. The kernels are those
of Optuna 5, described in Watanabe, "Tree-Structured Parzen Estimator: Understanding Its Algorithm Components", 2023,
arXiv 2304.11127. A component is a whole point, so what belongs together in it stays together.

Points are rows of numbers, `(points, width)`; each column takes one or more numbers of a row. m is the number of
components: the points and the prior.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr, ndtri

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

RECENT = 25
"""So many of the newest points weigh as much as the prior; the older ones less."""
FINEST = 100
"""No kernel is narrower than this part of the range, however many points there are."""
NARROWEST = 1e-3
"""No kernel of `normal_reference` is narrower than this share of the range."""

Bandwidth = Callable[[Floats, float, float], Floats]
"""The widths of the kernels around some centres in a range, as `widths` gives them."""


def recency(points: int) -> Floats:
    """The weight of each of so many points, the oldest first: 1 for the `RECENT` newest, from 1/points up before."""
    older = max(points - RECENT, 0)
    return np.concatenate([np.linspace(1 / max(points, 1), 1.0, older), np.ones(points - older)])


class Kernels(ABC):
    """The kernels of one column, one a component; the prior is the last."""

    @abstractmethod
    def log_density(self, points: Floats) -> Floats:
        """(points, width) -> (points, m)."""

    @abstractmethod
    def draw(self, components: Indices, rng: np.random.Generator, wider: float) -> Floats:
        """One value from each of these components, numbers from so many times `wider` ones: (draws,) -> (draws, width)."""


class Column(ABC):
    """The domain of one decision."""

    @property
    @abstractmethod
    def width(self) -> int:
        """How many numbers of a row it takes."""

    @abstractmethod
    def kernels(self, values: Floats, bandwidth: Bandwidth) -> Kernels:
        """A kernel for each of these values (m - 1, width), and the prior. `bandwidth` is that of numbers."""


class Mixture:
    """The density of `points` (points, total width of the columns), oldest first. Without any it is the prior alone.

    `weights` (points,) are relative to 1, the weight of the prior; by default they are those of `recency`. `bandwidth`
    says how wide the kernels around numbers are; by default as wide as the gaps between them (`widths`).
    """

    def __init__(
        self,
        columns: Sequence[Column],
        points: Floats,
        weights: Floats | None = None,
        bandwidth: Bandwidth | None = None,
    ) -> None:
        self.places: list[slice] = []
        for column in columns:
            start = self.places[-1].stop if self.places else 0
            self.places.append(slice(start, start + column.width))
        weights = np.append(recency(len(points)) if weights is None else weights, 1.0)
        self.weights: Floats = weights / weights.sum()
        self.kernels = [
            column.kernels(points[:, at], bandwidth or widths) for column, at in zip(columns, self.places, strict=True)
        ]

    def log_density(self, points: Floats) -> Floats:
        """The logarithm of the density at each point: (points, width) -> (points,)."""
        terms = np.tile(np.log(self.weights), (len(points), 1))  # (points, m)
        for kernels, at in zip(self.kernels, self.places, strict=True):
            terms += kernels.log_density(points[:, at])
        highest = terms.max(axis=1)
        return highest + np.log(np.exp(terms - highest[:, None]).sum(axis=1))  # type: ignore[no-any-return]

    def draw(self, count: int, rng: np.random.Generator, wider: float = 1.0) -> Floats:
        """Points of the mixture, or of one with kernels around numbers so many times `wider`: (count, width)."""
        components = rng.choice(len(self.weights), p=self.weights, size=count)
        return np.concatenate([kernels.draw(components, rng, wider) for kernels in self.kernels], axis=1)


# -- categories --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Categories(Column):
    """One of `count` categories, as its index."""

    count: int

    @property
    def width(self) -> int:
        return 1

    def kernels(self, values: Floats, bandwidth: Bandwidth) -> Kernels:
        return _CategoryKernels(self.count, values[:, 0])


class _CategoryKernels(Kernels):
    """(1[c = c_i] + 1/m) / (1 + count/m): the more points, the less is left for other categories."""

    def __init__(self, count: int, values: Floats) -> None:
        m = len(values) + 1
        self.count = count
        self.own = 1 / (1 + count / m)  # this mass on the own category, the rest on all of them evenly
        self.values = np.append(values, -1.0)
        self.other = np.full(m, math.log((1 / m) / (1 + count / m)))
        self.other[-1] = -math.log(count)
        self.gain = math.log(m + 1)  # of the own category over another one

    def log_density(self, points: Floats) -> Floats:
        return self.other + self.gain * (points == self.values)  # type: ignore[no-any-return]

    def draw(self, components: Indices, rng: np.random.Generator, wider: float) -> Floats:
        own = self.values[components]
        even = rng.integers(self.count, size=len(components))
        stays = (rng.random(len(components)) < self.own) & (own >= 0)
        return np.where(stays, own, even)[:, None]


@dataclass(frozen=True, slots=True)
class Members(Column):
    """Exactly `take` of `of` things, as a row of zeros and ones."""

    of: int
    take: int

    @property
    def width(self) -> int:
        return self.of

    def kernels(self, values: Floats, bandwidth: Bandwidth) -> Kernels:
        return _MemberKernels(self.of, self.take, values)


class _MemberKernels(Kernels):
    """Each member in common with the own set makes a set m + 1 times as likely: for `take` = 1 this is the kernel of
    a category. The number in common alone matters, so it is summed and drawn over that number."""

    def __init__(self, of: int, take: int, values: Floats) -> None:
        self.take = take
        ways = [math.comb(take, common) * math.comb(of - take, take - common) for common in range(take + 1)]
        even = np.array([math.log(number) if number else -math.inf for number in ways])
        gain = math.log(len(values) + 2)
        own = even + gain * np.arange(take + 1)
        totals = np.logaddexp.reduce([own, even], axis=1, keepdims=True)
        self.chances = np.cumsum(np.exp([own, even] - totals), axis=1)  # (2, take + 1): of a point, of the prior
        self.values = np.concatenate([values, np.arange(of)[None] < take])  # the prior's set is any
        self.gains = np.append(np.full(len(values), gain), 0.0)
        self.totals = np.append(np.full(len(values), totals[0]), totals[1])

    def log_density(self, points: Floats) -> Floats:
        return points @ self.values.T * self.gains - self.totals  # type: ignore[no-any-return]

    def draw(self, components: Indices, rng: np.random.Generator, wider: float) -> Floats:
        prior = components == len(self.values) - 1
        chances = self.chances[prior.astype(np.int64)]  # (draws, take + 1)
        common = (chances[:, :-1] < rng.random((len(components), 1))).sum(axis=1, keepdims=True)
        own = self.values[components] > 0
        order = rng.random(own.shape)
        kept = _ranks(np.where(own, order, np.inf)) < common
        joined = _ranks(np.where(own, np.inf, order)) < self.take - common
        return np.where(kept | joined, 1.0, 0.0)


def _ranks(values: Floats) -> Indices:
    """The rank of each value in its row."""
    return values.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")


# -- numbers -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Numbers(Column):
    """A number from `low` to `high`; `log` on a logarithmic scale, `whole` without fractions. Needs low < high."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    @property
    def width(self) -> int:
        return 1

    def kernels(self, values: Floats, bandwidth: Bandwidth) -> Kernels:
        return _NumberKernels(self, values[:, 0], bandwidth)

    def scale(self, values: Floats) -> Floats:
        """Values as distances are measured in."""
        return np.log(values) if self.log else values


class _NumberKernels(Kernels):
    """A Gaussian around each value, cut off at the ends of the range; whole numbers take its mass half a step around.

    Equal kernels are computed once: whole numbers repeat.
    """

    def __init__(self, column: Numbers, values: Floats, bandwidth: Bandwidth) -> None:
        self.column = column
        half = 0.5 if column.whole else 0.0
        low, high = column.scale(np.array([column.low - half, column.high + half])).tolist()
        centres = column.scale(values)
        sigmas = np.append(bandwidth(centres, low, high), high - low)
        centres = np.append(centres, (low + high) / 2)
        self.which = np.arange(len(centres))
        if column.whole:
            distinct, self.which = np.unique(centres + 1j * sigmas, return_inverse=True)
            centres, sigmas = distinct.real, distinct.imag
        self.low, self.high = low, high
        self.centres = centres
        self.sigmas = sigmas
        self.inside = self._masses(sigmas)[1]

    def _masses(self, sigmas: Floats) -> tuple[Floats, Floats]:
        """Of Gaussians of these widths: the mass beyond the lower end of the range, and that within it."""
        below: Floats = ndtr((self.low - self.centres) / sigmas)
        return below, ndtr((self.high - self.centres) / sigmas) - below

    def log_density(self, points: Floats) -> Floats:
        column = self.column
        if column.whole:
            values, back = np.unique(points[:, 0], return_inverse=True)
            lower, upper = (column.scale(values + step)[:, None] for step in (-0.5, 0.5))
            mass = _log_mass((lower - self.centres) / self.sigmas, (upper - self.centres) / self.sigmas)
            return (mass - np.log(self.inside))[back[:, None], self.which]
        squares = ((column.scale(points) - self.centres) / self.sigmas) ** 2
        density: Floats = -0.5 * squares - np.log(self.inside * self.sigmas * math.sqrt(2 * math.pi))
        return density

    def draw(self, components: Indices, rng: np.random.Generator, wider: float) -> Floats:
        at = self.which[components]
        sigmas = wider * self.sigmas
        below, inside = self._masses(sigmas)
        quantiles = below[at] + inside[at] * rng.random(len(at))
        drawn: Floats = self.centres[at] + sigmas[at] * ndtri(quantiles)
        drawn = np.exp(drawn) if self.column.log else drawn
        drawn = np.rint(drawn) if self.column.whole else drawn
        return np.clip(drawn, self.column.low, self.column.high)[:, None]


def widths(centres: Floats, low: float, high: float) -> Floats:
    """The standard deviation of the kernel around each of the centres, from `low` to `high`: (m - 1,) -> (m - 1,).

    The larger of the gaps to its neighbours, the ends of the range among them; for the outermost of several the gap
    to the one neighbour. At least the range / (m + 1), which falls to range / `FINEST` ("magic clip"), at most the
    range. Of equal centres the older ones come first.
    """
    order = centres.argsort(kind="stable")
    gaps = np.diff(np.concatenate([[low], centres[order], [high]]))
    wider = np.maximum(gaps[:-1], gaps[1:])
    if len(centres) > 1:
        wider[0], wider[-1] = gaps[1], gaps[-2]
    sigmas = np.empty_like(wider)
    sigmas[order] = wider
    return np.clip(sigmas, (high - low) / min(FINEST, len(centres) + 2), high - low)


def normal_reference(centres: Floats, low: float, high: float, *, columns: int) -> Floats:
    """The same standard deviation for each kernel of a density over so many `columns`: 1.06 s n^(-1 / (4 + columns)).

    s is that of the n centres. At least `NARROWEST` of the range, at most the range. Silverman, "Density Estimation for
    Statistics and Data Analysis", 1986, section 3.4.2.
    """
    if len(centres) == 0:
        return centres
    sigma = 1.06 * centres.std() * len(centres) ** (-1 / (4 + columns))
    return np.full(len(centres), np.clip(sigma, NARROWEST * (high - low), high - low))


def _log_mass(lower: Floats, upper: Floats) -> Floats:
    """The logarithm of the mass of a standard Gaussian between two bounds, exact in the tails, by symmetry on the left."""
    right = lower + upper > 0
    lower, upper = np.where(right, -upper, lower), np.where(right, -lower, upper)
    above: Floats = log_ndtr(upper)
    mass: Floats = above + np.log(-np.expm1(log_ndtr(lower) - above))
    return mass
