"""One search: a strategy of ours or a peer, with a budget of queries that is counted alike for all.

A strategy of ours is named as on the command line of netwright, with settings of its own behind a colon where it
differs from the default: `regularized-evolution:population=30,sample=10`. It is driven by `testing.simulate` with one
worker: each answer is told before the next question.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from random import Random
from typing import Any, Generic, Protocol, TypeVar

from netwright.core.candidate import Architecture, Candidate
from netwright.core.errors import CandidateError
from netwright.core.measurement import Measurement
from netwright.core.objective import parse_goal
from netwright.core.trial import Proposal
from netwright.strategies import STRATEGIES, Costs, SearchSpace, Source, make_strategy
from netwright.testing.simulate import simulate

MOST_ASKS = 20
"""A search that asks so many times its budget, because it keeps asking for what it knows, ends with what it has."""

GOAL = parse_goal(["accuracy"], [])

Point = TypeVar("Point")
"""What a benchmark is asked for."""
AnyPoint = TypeVar("AnyPoint", contravariant=True)


class Queries(Generic[Point]):
    """What a search has asked, of which only the first point of each `key` is paid for.

    `accuracy` answers in percent, and costs nothing here: `seconds` of CPU time that it took are counted apart. `best`
    is the highest there is, or 100. `steps` is the curve of the search: (queries paid, points below the best) wherever
    that fell; `found` is the point of the last step.
    """

    def __init__(
        self, accuracy: Callable[[Point], float], key: Callable[[Point], str], *, best: float, budget: int
    ) -> None:
        self.budget = budget
        self.asks = 0
        self.seconds = 0.0
        self.steps: list[tuple[int, float]] = []
        self.found: Point | None = None
        self._accuracy = accuracy
        self._key = key
        self._best = best
        self._answers: dict[str, float] = {}

    @property
    def paid(self) -> int:
        """How many keys were asked for."""
        return len(self._answers)

    @property
    def spent(self) -> bool:
        """Whether the budget is used up."""
        return self.paid >= self.budget

    def ask(self, point: Point) -> float:
        """The accuracy of the first point of this key that was asked for, in percent."""
        self.asks += 1
        key = self._key(point)
        if key not in self._answers:
            began = time.process_time()
            self._answers[key] = self._accuracy(point)
            self.seconds += time.process_time() - began
            below = round(self._best - self._answers[key], 3)
            if not self.steps or below < self.steps[-1][1]:
                self.steps.append((self.paid, below))
                self.found = point
        return self._answers[key]


class Search(Protocol[AnyPoint]):
    """Searches until the queries are spent, or `most_asks` were asked."""

    def __call__(self, queries: Queries[AnyPoint], seed: int, *, most_asks: int) -> None: ...  # type: ignore[misc]


@dataclass(frozen=True)
class Peer(Generic[Point]):
    """A peer, the package (and module) it needs, and how many seeds at most it is worth."""

    search: Search[Point]
    package: str
    most_seeds: int = 1_000_000

    @property
    def installed(self) -> bool:
        """Whether it can be imported."""
        return importlib.util.find_spec(self.package) is not None


@dataclass(frozen=True)
class Run:
    """One search. `paid` is below `queries` where it ended early; `ms` is CPU time an ask, with its tell and without
    the answer; `found` is the best point, in JSON."""

    strategy: str
    data: str
    seed: int
    queries: int
    paid: int
    asks: int
    ms: float
    steps: list[tuple[int, float]]
    found: Any = None

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return asdict(self)


def search(
    strategy: str,
    data: str,
    seed: int,
    count: Queries[Point],
    *,
    space: SearchSpace,
    peers: Mapping[str, Peer[Point]],
    point: Callable[[Candidate], Point],
) -> Run:
    """Search with a strategy of ours on `space`, whose candidates are asked for as `point` says, or with a peer."""
    began = time.process_time()
    if strategy in peers:
        peers[strategy].search(count, seed, most_asks=MOST_ASKS * count.budget)
        asks = count.asks
    else:
        asks = _drive(make(strategy, space, seed), count, point)
    ms = (time.process_time() - began - count.seconds) / max(asks, 1) * 1e3
    return Run(strategy, data, seed, count.budget, count.paid, asks, round(ms, 3), count.steps, count.found)


def make(strategy: str, space: SearchSpace, seed: int) -> Source:
    """A strategy of ours, with the settings that its name carries. Raises InputError as ours do."""
    name, _, settings = strategy.partition(":")
    if not settings:
        return make_strategy(name, space, GOAL, seed=seed, costs=no_costs, epochs=1)
    return STRATEGIES[name](space, GOAL, seed=seed, costs=no_costs, **read_settings(settings))


def read_settings(text: str) -> dict[str, int | float | str]:
    """`population=30,sample=10` as a mapping; numbers are read as numbers."""
    pairs = (part.partition("=") for part in text.split(","))
    return {key: _number(value) for key, _, value in pairs}


def no_costs(architecture: Architecture) -> Costs:
    """There are no limits here, so nothing should ask."""
    raise CandidateError("costs play no part in this benchmark")


def _drive(source: Source, count: Queries[Point], point: Callable[[Candidate], Point]) -> int:
    """Search with a strategy of ours; how often it was asked."""

    def evaluate(proposal: Proposal, rng: Random) -> Mapping[str, Measurement]:
        return {"accuracy": Measurement(count.ask(point(proposal.candidate)) / 100, split="validation")}

    done = simulate(source, evaluate, trials=MOST_ASKS * count.budget, stop=lambda so_far: count.spent)
    return len(done.proposals)


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
