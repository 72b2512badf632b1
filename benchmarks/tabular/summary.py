"""What many searches come to: curves, means, medians, ranks and paired tests. Pure arithmetic on `Run`s of one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .search import Run

NEAR = 0.1
"""Points of accuracy from the best cell that count as close to it."""

Curve = NDArray[np.float64]
BySeed = Mapping[int, Curve]
"""The curve of a strategy for each seed."""


def curve(run: Run) -> Curve:
    """Regret after each query, in points. (queries,)  A search that ended early stays where it was."""
    regret = np.empty(run.queries)
    for paid, reached in run.steps:
        regret[paid - 1 :] = reached
    return regret


def by_strategy(runs: Iterable[Run]) -> dict[str, dict[int, Curve]]:
    """The curves of the runs, by strategy and seed."""
    found: dict[str, dict[int, Curve]] = {}
    for run in runs:
        found.setdefault(run.strategy, {})[run.seed] = curve(run)
    return found


def mean_and_error(values: Sequence[float] | Curve) -> tuple[float, float]:
    """Mean and its standard error; that of a single value is unknown (NaN)."""
    error = stats.sem(values) if len(values) > 1 else np.nan
    return float(np.mean(values)), float(error)


def regret_at(curves: BySeed, queries: int) -> tuple[float, float]:
    """Mean regret over the seeds after so many queries, and its standard error."""
    return mean_and_error([c[queries - 1] for c in curves.values()])


@dataclass(frozen=True)
class Reached:
    """The median number of queries to a regret (infinite where half of the runs never got there), and how many did."""

    median: float
    runs: int


def reached(curves: Iterable[Curve], regret: float) -> Reached:
    """When the curves first come down to `regret`."""
    first = [int(np.argmax(c <= regret)) + 1 if (c <= regret).any() else np.inf for c in curves]
    return Reached(float(np.median(first)), int(np.isfinite(first).sum()))


def common_seeds(curves: Mapping[str, BySeed]) -> list[int]:
    """Seeds that every strategy has."""
    return sorted(set.intersection(*(set(seeds) for seeds in curves.values()))) if curves else []


def mean_ranks(curves: Mapping[str, BySeed], queries: int) -> dict[str, float]:
    """Each strategy's rank by regret after so many queries, 1 the best, equal ones shared; the mean over common seeds."""
    seeds = common_seeds(curves)
    if not seeds:
        return {}
    table = [[curves[name][seed][queries - 1] for name in curves] for seed in seeds]
    return dict(zip(curves, stats.rankdata(table, axis=1).mean(axis=0).tolist(), strict=True))


@dataclass(frozen=True)
class Paired:
    """Two strategies on the same seeds: mean difference of their regrets (negative: the first is better) with its
    standard error, how often the first was better, equal and worse, and the p of Wilcoxon's signed-rank test."""

    seeds: int
    difference: float
    error: float
    better: int
    equal: int
    worse: int
    p: float


def paired(first: BySeed, second: BySeed, queries: int) -> Paired | None:
    """Compare after so many queries, two-sided, equal pairs left out; None without a common seed."""
    seeds = sorted(set(first) & set(second))
    if not seeds:
        return None
    gaps = np.array([first[seed][queries - 1] - second[seed][queries - 1] for seed in seeds]).round(3)
    difference, error = mean_and_error(gaps)
    better, equal, worse = (int(count) for count in ((gaps < 0).sum(), (gaps == 0).sum(), (gaps > 0).sum()))
    p = 1.0 if equal == len(seeds) else float(stats.wilcoxon(gaps[gaps != 0]).pvalue)
    return Paired(len(seeds), difference, error, better, equal, worse, p)
