"""Toy search problems with known optima: tiny spaces without networks, and their scores.

A `Grid` has independent categorical decisions. On it stand `T201`, a table the size of NAS-Bench-201 with
interactions between slots and frozen noise, and `Bits`, counting ones with fresh noise (appendix C of the paper on
regularized evolution). `Interval` is all continuous, `Nested` conditional to a depth; `branches.py` has all of it at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from netwright.core.candidate import Architecture, Candidate, Value
from netwright.core.measurement import Measurement
from netwright.core.pareto import front
from netwright.spaces.choices import Choice, choose, real
from netwright.spaces.walk import Decider, Record, Replay, Sample

Decisions = dict[str, Value]


def toy_candidate(decisions: Mapping[str, Value]) -> Candidate:
    """A candidate that is nothing but its decisions."""
    key = ";".join(f"{address}={value}" for address, value in decisions.items())
    return Candidate("network", Architecture((), key), {}, dict(decisions))


@dataclass(frozen=True, slots=True)
class ToyCosts:
    """What arithmetic says of a toy."""

    parameters: int
    macs: int


def toy_costs(architecture: Architecture) -> ToyCosts:
    """Parameters and MACs of a toy: a number from 1,000 to 100,000 that grows with its option indices."""
    digits = [
        int(part.rpartition("=")[2]) for part in architecture.key.split(";") if part[-1:].isdigit() and "." not in part
    ]
    share = sum(digits) / (4 * len(digits)) if digits else 0.0
    parameters = round(1_000 * 100 ** min(share, 1.0))
    return ToyCosts(parameters, 10 * parameters)


class Toy:
    """A space without a network: its walk is all there is."""

    def walk(self, decider: Decider) -> Candidate:
        """The candidate that `decider` chooses."""
        raise NotImplementedError

    def choices(self, decisions: Mapping[str, Value]) -> dict[str, Choice]:
        """The choice that each of these decisions answers, by address."""
        met: dict[str, Choice] = {}
        self.walk(Record(Replay(decisions), met))
        return met

    def sample(self, rng: Random) -> Candidate:
        """Every decision evenly over its values."""
        return self.walk(Sample(rng))


class Grid(Toy):
    """Independent categorical decisions: `sizes[i]` options at slot i."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = tuple(sizes)
        self._choices: dict[str, Choice] = {
            f"slot/{slot}": choose(*range(size)) for slot, size in enumerate(self.sizes)
        }

    def walk(self, decider: Decider) -> Candidate:
        return toy_candidate({address: decider.decide(address, choice) for address, choice in self._choices.items()})

    def candidate(self, point: Sequence[int]) -> Candidate:
        """The candidate of a tuple of option indices."""
        return toy_candidate({f"slot/{slot}": option for slot, option in enumerate(point)})

    @staticmethod
    def point(candidate: Candidate) -> tuple[int, ...]:
        """The inverse of `candidate`."""
        return tuple(candidate.decisions.values())  # type: ignore[arg-type]


class Interval(Toy):
    """`dimensions` real decisions between 0 and 1."""

    def __init__(self, dimensions: int = 3) -> None:
        self.dimensions = dimensions

    def walk(self, decider: Decider) -> Candidate:
        unit = real(0.0, 1.0)
        return toy_candidate({f"x/{i}": decider.decide(f"x/{i}", unit) for i in range(self.dimensions)})


class Nested(Toy):
    """A binary tree of `depth` decisions: each answer opens another question, so that addresses come and go."""

    def __init__(self, depth: int = 6) -> None:
        self.depth = depth

    def walk(self, decider: Decider) -> Candidate:
        decisions: Decisions = {}
        address, question = "q", choose(0, 1)
        for _ in range(self.depth):
            decisions[address] = decider.decide(address, question)
            address += f"/{decisions[address]}"
        return toy_candidate(decisions)


MOST_COVERED = 0.98390
"""Hypervolume of T201's true front of loss, scaled to 0 … 1, and cost, up to 1.05 in both."""


class Sides(Toy):
    """Five decisions on side a, or five others on side b: a is better on average, and b has the best point, which is 1.

    In a accuracy rises with the sum of the decisions through the range `usual`, in b with the number of threes from `low`.
    """

    def __init__(self, usual: tuple[float, float], low: float) -> None:
        self.usual = usual
        self.low = low

    def walk(self, decider: Decider) -> Candidate:
        side = decider.decide("side", choose("a", "b"))
        decisions = {f"{side}/{i}": decider.decide(f"{side}/{i}", choose(*range(4))) for i in range(5)}
        return toy_candidate({"side": side, **decisions})

    def accuracy(self, decisions: Mapping[str, Value]) -> float:
        """What a training would give."""
        side, *options = decisions.values()
        if side == "a":
            total: int = sum(map(int, options))  # type: ignore[arg-type]
            return self.usual[0] + (self.usual[1] - self.usual[0]) * total / 15
        return self.low + (1 - self.low) * options.count(3) / 5


STEEP = Sides(usual=(0.5, 0.8), low=0.1)
"""Four threes of five are needed to be better than all of a."""
GENTLE = Sides(usual=(0.5, 0.7), low=0.3)
"""Three are."""


class T201(Grid):
    """15,625 points, 6 slots of 5 options, with pairwise interactions; the optimum scores 1.

    `validation` carries frozen noise; `score` is the truth relative to the best point's.
    """

    def __init__(self) -> None:
        import numpy as np

        super().__init__((5,) * 6)
        rng = np.random.default_rng(0)
        unary = rng.normal(size=(6, 5))
        pairs = 0.5 * rng.normal(size=(6, 5, 6, 5))
        points = np.indices((5,) * 6).reshape(6, -1).T
        raw = sum(unary[slot, points[:, slot]] for slot in range(6))
        for first in range(6):
            for second in range(first + 1, 6):
                raw = raw + pairs[first, points[:, first], second, points[:, second]]
        truth = (raw - raw.mean()) / raw.std()
        noise = np.random.default_rng(1000).normal(size=truth.size)
        self.truth: list[float] = truth.tolist()
        self.noisy: list[float] = (truth + 0.2 * noise).tolist()
        self.best: float = max(self.truth)

    @staticmethod
    def index(candidate: Candidate) -> int:
        """Position in the table, the first slot most significant."""
        index = 0
        for option in Grid.point(candidate):
            index = 5 * index + option
        return index

    def validation(self, candidate: Candidate) -> float:
        """What a search sees."""
        return self.noisy[self.index(candidate)]

    def score(self, candidate: Candidate) -> float:
        """The truth; 1 for the best point."""
        return self.truth[self.index(candidate)] / self.best

    def cost(self, candidate: Candidate) -> float:
        """A second objective, from 0 to 1: the sum of the options' indices."""
        return sum(self.point(candidate)) / 24

    def covered(self, candidates: Sequence[Candidate]) -> float:
        """Hypervolume of (loss, cost) of the front by validation, judged by the truth, as a share of the best there is."""
        chosen = front([(-self.validation(candidate), self.cost(candidate)) for candidate in candidates])
        span = self.best - min(self.truth)
        points = [(self.best * (1 - self.score(candidates[i])) / span, self.cost(candidates[i])) for i in chosen]
        return hypervolume(points, (1.05, 1.05)) / MOST_COVERED


class Bits(Grid):
    """A string of bits; accuracy is the share of ones with fresh Gaussian noise, clipped to [0, 1]."""

    def __init__(self, length: int = 100) -> None:
        super().__init__((2,) * length)

    def truth(self, candidate: Candidate) -> float:
        """The share of ones."""
        return sum(self.point(candidate)) / len(self.sizes)

    def accuracy(self, candidate: Candidate, noise: float, rng: Random) -> float:
        """One evaluation."""
        return min(max(self.truth(candidate) + rng.gauss(0, noise), 0.0), 1.0)


def measured(**values: float) -> dict[str, Measurement]:
    """Measurements by metric name, for scripted results."""
    return {name: Measurement(value) for name, value in values.items()}


def hypervolume(points: Sequence[tuple[float, float]], reference: tuple[float, float]) -> float:
    """Area dominated by `points` (both minimised) up to `reference`."""
    area, edge = 0.0, reference[1]
    for x, y in sorted(points):
        if x < reference[0] and y < edge:
            area += (reference[0] - x) * (edge - y)
            edge = y
    return area


def power_curve(final: float, amplitude: float, exponent: float, epochs: int) -> float:
    """Accuracy after `epochs`: final - amplitude * epochs ** -exponent."""
    return final - amplitude * math.pow(epochs, -exponent)
