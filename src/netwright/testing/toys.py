"""Toy search problems with known optima: tiny spaces that bring their own variation, and their scores.

A `Grid` has independent categorical decisions. On it stand `T201`, a table the size of NAS-Bench-201 with
interactions between slots and frozen noise, and `Bits`, counting ones with fresh noise (appendix C of the paper on
regularized evolution). `Interval` is all continuous, `Nested` conditional to a depth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from netwright.core.candidate import Architecture, Candidate, Value
from netwright.core.errors import CandidateError
from netwright.core.measurement import Measurement

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


class Grid:
    """Independent categorical decisions: `sizes[i]` options at slot i."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = tuple(sizes)

    def candidate(self, point: Sequence[int]) -> Candidate:
        """The candidate of a tuple of option indices."""
        return toy_candidate({f"slot/{slot}": option for slot, option in enumerate(point)})

    @staticmethod
    def point(candidate: Candidate) -> tuple[int, ...]:
        """The inverse of `candidate`."""
        return tuple(candidate.decisions.values())  # type: ignore[arg-type]

    def sample(self, rng: Random) -> Candidate:
        """Uniform."""
        return self.candidate([rng.randrange(size) for size in self.sizes])

    def mutate(self, parent: Candidate, rng: Random, kind: str = "any") -> tuple[Candidate, None]:
        """One slot gets another option. There is only the kind `any`."""
        slots = [slot for slot, size in enumerate(self.sizes) if size > 1]
        if kind != "any" or not slots:
            raise CandidateError(f"there is nothing of kind {kind} to change")
        slot = rng.choice(slots)
        point = list(self.point(parent))
        point[slot] = (point[slot] + rng.randrange(1, self.sizes[slot])) % self.sizes[slot]
        return self.candidate(point), None

    def crossover(self, a: Candidate, b: Candidate, rng: Random) -> Candidate:
        """Each slot from `a` or `b`."""
        return self.candidate([rng.choice(pair) for pair in zip(self.point(a), self.point(b), strict=True)])


class Interval:
    """`dimensions` real decisions between 0 and 1."""

    def __init__(self, dimensions: int = 3) -> None:
        self.dimensions = dimensions

    def sample(self, rng: Random) -> Candidate:
        """Uniform."""
        return toy_candidate({f"x/{i}": rng.random() for i in range(self.dimensions)})

    def mutate(self, parent: Candidate, rng: Random, kind: str = "any") -> tuple[Candidate, None]:
        """One decision is drawn anew. There is only the kind `any`."""
        if kind != "any":
            raise CandidateError(f"there is nothing of kind {kind} to change")
        return toy_candidate({**parent.decisions, f"x/{rng.randrange(self.dimensions)}": rng.random()}), None

    def crossover(self, a: Candidate, b: Candidate, rng: Random) -> Candidate:
        """Each decision from `a` or `b`."""
        return toy_candidate(
            {address: rng.choice((value, b.decisions[address])) for address, value in a.decisions.items()}
        )


class Nested:
    """A binary tree of `depth` decisions: each answer opens another question, so that addresses come and go."""

    def __init__(self, depth: int = 6) -> None:
        self.depth = depth

    def sample(self, rng: Random) -> Candidate:
        """Uniform over leaves."""
        return self._replay({}, rng)

    def mutate(self, parent: Candidate, rng: Random, kind: str = "any") -> tuple[Candidate, None]:
        """One answer is turned over; what it opens is drawn at random."""
        if kind != "any":
            raise CandidateError(f"there is nothing of kind {kind} to change")
        address = rng.choice(list(parent.decisions))
        return self._replay({**parent.decisions, address: 1 - int(parent.decisions[address])}, rng), None  # type: ignore[arg-type]

    def crossover(self, a: Candidate, b: Candidate, rng: Random) -> Candidate:
        """Each answer from `a` or `b` where both have one, else from whichever has it."""
        answers = {**a.decisions, **b.decisions}
        shared = a.decisions.keys() & b.decisions.keys()
        answers.update(
            {address: rng.choice((a.decisions[address], b.decisions[address])) for address in sorted(shared)}
        )
        return self._replay(answers, rng)

    def _replay(self, answers: Mapping[str, Value], rng: Random) -> Candidate:
        decisions: Decisions = {}
        address = "q"
        for _ in range(self.depth):
            decisions[address] = answers[address] if address in answers else rng.randrange(2)
            address += f"/{decisions[address]}"
        return toy_candidate(decisions)


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
