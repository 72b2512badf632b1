"""Every registered strategy, alone and under its wrappers, on every kind of space; and faults that are caught."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from random import Random
from typing import Any

import pytest

from netwright.core.candidate import Architecture
from netwright.core.events import Failed, Finished, Lost
from netwright.core.objective import Goal
from netwright.core.task import TaskSpec
from netwright.core.trial import Proposal, TrialId
from netwright.spaces.catalog import CATALOG, make_space
from netwright.spaces.shapes import costs
from netwright.spaces.walk import SearchSpace
from netwright.strategies import STRATEGIES, WRAPPERS, RandomSearch, RegularizedEvolution, Source, make_strategy
from netwright.strategies.base import CostFunction, Costs
from netwright.strategies.shared.population import Member, Result
from netwright.testing.strategies import CHECKS, Make
from netwright.testing.toys import Grid, Interval, Nested, toy_costs

TOYS: dict[str, SearchSpace] = {
    "grid": Grid((5,) * 6),
    "one_point": Grid((1, 1)),
    "few_points": Grid((3, 3)),
    "continuous": Interval(),
    "conditional": Nested(12),
}
PAIRS = [(name, "flat") for name in STRATEGIES] + [
    (name, wrapper) for name, strategy in STRATEGIES.items() for wrapper in WRAPPERS if strategy.fidelities
]
MODELS = {name for name, strategy in STRATEGIES.items() if strategy.kind in ("model", "portfolio")}
ON_CHAIN = {"gaussian-process", "tpe"}
"""Models that learn on a space of networks in everyday's tests."""
LARGEST = {"hierarchical"}
"""Spaces whose networks take longest to walk."""


def made(name: str, wrapper: str, space: SearchSpace, goal: Goal, seed: int, costs: CostFunction) -> Source:
    """The strategy, plain (`flat`) or under a wrapper."""
    rungs = () if wrapper == "flat" else (1, 3, 9)
    under = "halving" if wrapper == "flat" else wrapper
    return make_strategy(name, space, goal, seed=seed, costs=costs, epochs=9, rungs=rungs, wrapper=under)


def everyday(name: str, wrapper: str, space: str) -> bool:
    """Whether everyday's tests hold the strategy to its contract on this space; the long ones do on every one.

    Models take their time, so wrapped they are held to it on one toy; what Hyperband adds shows on one toy, too.
    """
    if space in TOYS:
        return wrapper == "flat" or space == "grid" or (wrapper == "halving" and name not in MODELS)
    if name in MODELS:
        return name in ON_CHAIN and (wrapper, space) == ("flat", "chain")
    if space in LARGEST and name not in ("random", "regularized-evolution"):
        return False
    return wrapper == "flat" or (space == "chain" and (wrapper == "halving" or name == "random"))


def combinations(spaces: Iterable[str]) -> list[Any]:
    """Every strategy on every space, plain and wrapped; wrapped on one of networks, which wrappers do not look at."""
    return [
        pytest.param(
            name,
            wrapper,
            space,
            marks=() if everyday(name, wrapper, space) else pytest.mark.long,
            id=f"{name}-{wrapper}-{space}",
        )
        for (name, wrapper), space in product(PAIRS, spaces)
        if wrapper == "flat" or space in TOYS or space == "chain"
    ]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(("name", "wrapper", "space"), combinations(TOYS))
def test_conformance(name: str, wrapper: str, space: str, check: str) -> None:
    CHECKS[check](lambda space, goal, seed: made(name, wrapper, space, goal, seed, toy_costs), TOYS[space])


TASK = TaskSpec((1, 8, 8), tuple("0123456789"), (0.3,), (0.38,))


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(("name", "wrapper", "space"), combinations(CATALOG))
def test_conformance_on_registered_spaces(name: str, wrapper: str, space: str, check: str) -> None:
    CHECKS[check](
        lambda space, goal, seed: made(name, wrapper, space, goal, seed, network_costs), make_space(space, TASK)
    )


def network_costs(architecture: Architecture) -> Costs:
    if architecture.key not in _known:
        _known[architecture.key] = costs(architecture, TASK)
    return _known[architecture.key]


_known: dict[str, Costs] = {}


class TakesFailuresForResults(RegularizedEvolution):
    def on_failed(self, event: Failed | Lost) -> None:
        candidate = self._open.pop(event.trial, None)
        if candidate is not None:
            self.members.append(Member(event.trial, candidate, {self.fidelity.epochs: Result((0.0,), 0.0)}))


class AnswersInOrder(RegularizedEvolution):
    """Believes that the i-th result is that of the i-th proposal."""

    def on_finished(self, event: Finished) -> None:
        super().on_finished(Finished(min(self._open, default=0), event.status, event.measurements))

    def on_failed(self, event: Failed | Lost) -> None:
        self._open.pop(min(self._open, default=0), None)


class RepeatsItself(RandomSearch):
    def ask(self) -> Iterator[Proposal]:
        rng = Random(self.seed)
        while True:
            yield self.propose(self.space.sample(rng), origin="random")


class AsksInTellings(RandomSearch):
    """Draws from a generator of its own, so that asking changes what is asked."""

    def ask(self) -> Iterator[Proposal]:
        self.own = getattr(self, "own", Random(self.seed))
        while True:
            yield self.propose(self.space.sample(self.own), origin="random")


class ListensToLateResults(RegularizedEvolution):
    def on_asked(self, trial: TrialId, proposal: Proposal, repeated: bool) -> None:
        super().on_asked(trial, proposal, repeated)
        self.all = getattr(self, "all", {})
        self.all[trial] = proposal.candidate

    def on_finished(self, event: Finished) -> None:
        self._open.setdefault(event.trial, self.all[event.trial])
        super().on_finished(event)


def faulty(strategy: type[RandomSearch | RegularizedEvolution]) -> Make:
    return lambda space, goal, seed: strategy(space, goal, seed=seed, costs=toy_costs)


@pytest.mark.parametrize(
    ("strategy", "check", "sentence"),
    [
        (TakesFailuresForResults, "any_order", "became a parent"),
        (TakesFailuresForResults, "everything_fails", "became a parent"),
        (AnswersInOrder, "any_order", "became a parent"),
        (RepeatsItself, "new_proposals", "were repeated"),
        (RepeatsItself, "asks_ahead", "depends on how much was drawn"),
        (AsksInTellings, "asks_ahead", "asking again"),
        (AsksInTellings, "replay", "after a replay"),
        (ListensToLateResults, "late_results", "a late result"),
    ],
)
def test_seeded_faults_are_caught(
    strategy: type[RandomSearch | RegularizedEvolution], check: str, sentence: str
) -> None:
    with pytest.raises(AssertionError, match=sentence):
        CHECKS[check](faulty(strategy), TOYS["grid"])


@pytest.mark.fault(21)
def test_late_result_is_ignored_for_the_population() -> None:
    for name, wrapper in PAIRS:
        CHECKS["late_results"](
            lambda space, goal, seed, name=name, wrapper=wrapper: made(name, wrapper, space, goal, seed, toy_costs),
            TOYS["grid"],
        )
