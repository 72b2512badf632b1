"""What the searches and the rungs come to: times to a goal, their ratio, and rank correlations. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .recorded import Network, Record

Floats = NDArray[np.float64]

DRAWS = 5000
LEVEL = 0.9


@dataclass(frozen=True)
class Times:
    """Times to a goal over the seeds: median, the tenth and ninetieth percentile, and how many got there at all."""

    median: float
    low: float
    high: float
    reached: int

    def __str__(self) -> str:
        return f"{self.median:.1f} ({self.low:.1f} to {self.high:.1f})".replace("inf", "never")


def times(values: Sequence[float]) -> Times:
    """Infinite ones never got there; percentiles are values that were seen."""
    low, high = np.quantile(values, [0.1, 0.9], method="inverted_cdf")
    return Times(float(np.median(values)), float(low), float(high), int(np.isfinite(values).sum()))


@dataclass(frozen=True)
class Ratio:
    """The median of one search over that of another with a bootstrap interval over the seeds, which stay in pairs."""

    value: float
    low: float
    high: float
    quicker: int

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})".replace("inf", "never")


def ratio(first: Sequence[float], second: Sequence[float], seed: int = 0) -> Ratio:
    """Of times to a goal on the same seeds; below 1 the first is quicker. NaN where half of the `second` are infinite."""
    ours, theirs = np.asarray(first, np.float64), np.asarray(second, np.float64)
    drawn = np.random.default_rng(seed).integers(0, len(ours), (DRAWS, len(ours)))
    values = _over(np.median(ours[drawn], axis=1), np.median(theirs[drawn], axis=1))
    low, high = np.quantile(values, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2], method="inverted_cdf")
    value = _over(np.median(ours, keepdims=True), np.median(theirs, keepdims=True))[0]
    return Ratio(float(value), float(low), float(high), int((ours < theirs).sum()))


def _over(ours: Floats, theirs: Floats) -> Floats:
    """Quotients; something over infinity says nothing."""
    quotients: Floats = np.divide(ours, theirs, out=np.full_like(ours, np.nan), where=np.isfinite(theirs))
    return quotients


def regret_over_time(steps: Sequence[tuple[float, float, float]], at: Floats, before: float) -> Floats:
    """Regret at each of the times `at`; `before` where there is no incumbent yet."""
    regret = np.full(len(at), before)
    for seconds, reached, _ in steps:
        regret[at >= seconds] = reached
    return regret


# -- rungs -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fidelity:
    """How well a shorter training ranks: Spearman with the truth over all networks and over the best third of them,
    how many of the best ten are in its own best third, and its seconds as a share of a full training's (median)."""

    spearman: float
    among_good: float
    kept: int
    share: float


def rung_fidelity(record: Record, level: int) -> Fidelity:
    """Of a rung of the trunk; a network that diverged on the way there has accuracy 0."""
    networks = list(record.networks.values())
    answers = [_accuracy(network, level) for network in networks]
    shares = [
        sum(rung.seconds for rung in network.rungs[: level + 1]) / network.full[0].seconds for network in networks
    ]
    return fidelity(answers, [network.truth for network in networks], float(np.median(shares)))


def fidelity(answers: Sequence[float], truths: Sequence[float], share: float) -> Fidelity:
    """Of any answers by which networks could be ranked."""
    seen, truth = np.asarray(answers), np.asarray(truths)
    third = max(2, len(truth) // 3)
    good = np.argsort(-truth, kind="stable")
    chosen = set(np.argsort(-seen, kind="stable")[:third].tolist())
    return Fidelity(
        float(stats.spearmanr(seen, truth).statistic),
        float(stats.spearmanr(seen[good[:third]], truth[good[:third]]).statistic),
        len(chosen.intersection(good[:10].tolist())),
        share,
    )


def crossings(record: Record, level: int) -> float:
    """The share of pairs of networks that a rung ranks the other way round than the full trainings do."""
    networks = list(record.networks.values())
    answers = np.array([_accuracy(network, level) for network in networks])
    truths = np.array([network.truth for network in networks])
    rows, columns = np.triu_indices(len(networks), 1)
    return float((np.sign(answers[rows] - answers[columns]) * np.sign(truths[rows] - truths[columns]) < 0).mean())


def places(record: Record, level: int) -> list[int]:
    """The place of each network at a rung, among all; 1 is the best, equal ones share it."""
    answers = [_accuracy(network, level) for network in record.networks.values()]
    return [1 + sum(other > answer for other in answers) for answer in answers]


def survivors(record: Record, within: float, eta: int = 3) -> list[tuple[int, int]]:
    """How many go on from each rung but the top one when all networks are there, and how many of them are good."""
    left = list(record.networks.values())
    found = []
    for level in range(len(record.epochs) - 1):
        left.sort(key=lambda network: -_accuracy(network, level))
        left = left[: len(left) // eta]
        found.append((len(left), sum(network.truth >= record.best - within / 100 for network in left)))
    return found


def _accuracy(network: Network, level: int) -> float:
    """At a rung; 0 from where the network diverged."""
    return (network.rungs[level].accuracy or 0.0) if level < len(network.rungs) else 0.0
