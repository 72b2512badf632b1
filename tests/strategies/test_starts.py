"""Candidates known to be good: every strategy begins with them, inside the limits, but random search."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from random import Random

import pytest

from netwright.core.events import Asked, Finished
from netwright.core.objective import parse_goal
from netwright.core.trial import Proposal
from netwright.strategies import STRATEGIES, make_strategy
from netwright.testing.toys import Grid, measured, toy_costs

GRID = Grid((5,) * 6)
STARTS = [GRID.sample(Random(seed)) for seed in range(3)]
LEARNING = [name for name, strategy in STRATEGIES.items() if strategy.kind != "random"]
RUNGS = [
    pytest.param(name, rungs, id=f"{name}-{'halving' if rungs else 'plain'}")
    for name in LEARNING
    for rungs in ((), (1, 3))
    if not rungs or STRATEGIES[name].fidelities
]


def first(name: str, number: int, *, limits: Sequence[str] = (), rungs: Sequence[int] = ()) -> list[Proposal]:
    goal = parse_goal(("accuracy", "parameters"), tuple(limits))
    source = make_strategy(name, GRID, goal, seed=0, costs=toy_costs, epochs=1, rungs=rungs, starts=STARTS)
    return list(islice(source.ask(), number))


@pytest.mark.parametrize(("name", "rungs"), RUNGS)
def test_it_begins_with_the_starts(name: str, rungs: tuple[int, ...]) -> None:
    proposals = first(name, 6, rungs=rungs)
    assert [proposal.candidate for proposal in proposals[:3]] == STARTS
    assert [proposal.origin for proposal in proposals] == ["start"] * 3 + ["grid" if name == "grid" else "random"] * 3


def test_random_search_draws_at_random_alone() -> None:
    assert {proposal.origin for proposal in first("random", 6)} == {"random"}


@pytest.mark.parametrize("name", LEARNING)
def test_a_start_beyond_a_limit_is_left_out(name: str) -> None:
    sizes = [toy_costs(start.architecture).parameters for start in STARTS if start.architecture is not None]
    most = sorted(sizes)[1]
    started = [p for p in first(name, 6, limits=(f"parameters<={most}",)) if p.origin == "start"]
    assert [proposal.candidate for proposal in started] == [
        start for start, size in zip(STARTS, sizes, strict=True) if size <= most
    ]


@pytest.mark.parametrize("taken", range(6))
def test_the_stream_is_the_same_wherever_it_is_taken_up(taken: int) -> None:
    goal = parse_goal(("accuracy", "parameters"), ())
    whole = first("nsga2", 8)
    source = make_strategy("nsga2", GRID, goal, seed=0, costs=toy_costs, epochs=1, starts=STARTS)
    for trial, proposal in enumerate(whole[:taken], start=1):
        source.tell(Asked("search", ((trial, proposal),)))
        source.tell(Finished(trial, "completed", measured(accuracy=0.5, parameters=10.0 + trial)))
    assert [p.candidate for p in islice(source.ask(), 8 - taken)] == [p.candidate for p in whole[taken:]]
