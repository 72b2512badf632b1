from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from netwright.core.errors import InputError
from netwright.core.events import Asked, Failed, Finished, Lost
from netwright.core.objective import Goal, parse_goal
from netwright.core.trial import Continue, Fidelity, Fresh, Proposal, TrialId
from netwright.spaces.walk import SearchSpace
from netwright.strategies import Laddered, RandomSearch
from netwright.testing.simulate import Answer, simulate
from netwright.testing.strategies import CHECKS
from netwright.testing.toys import Grid, measured, toy_costs

GOAL = parse_goal(("accuracy",), ())
GRID = Grid((5,) * 6)
STEPS = [Fidelity(1, trunk=True), Fidelity(3, trunk=True), Fidelity(9)]


def laddered(candidates: int, grid: Grid = GRID) -> Laddered:
    return Laddered(RandomSearch(grid, GOAL, seed=0, costs=toy_costs), candidates=candidates, rungs=(1, 3), full=9)


def good(proposal: Proposal, rng: Random) -> Answer:
    return measured(accuracy=rng.random())


def lineages(proposals: dict[TrialId, Proposal]) -> list[list[TrialId]]:
    """Trials from the first rung up, candidate by candidate."""
    found: dict[TrialId, list[TrialId]] = {}
    for trial, proposal in proposals.items():
        line = found[proposal.parents[0]] if proposal.parents else []
        line.append(trial)
        found[trial] = line
    return [line for trial, line in found.items() if line[0] == trial]


@pytest.mark.parametrize("workers", [1, 3])
def test_each_candidate_goes_up_every_rung_and_then_trains_in_full_from_the_start(workers: int) -> None:
    run = simulate(laddered(5), good, trials=100, workers=workers)
    assert len(run.proposals) == 5 * 3
    for line in lineages(run.proposals):
        steps = [run.proposals[trial] for trial in line]
        assert [step.fidelity for step in steps] == STEPS
        assert [step.start for step in steps] == [Fresh(), Continue(line[0]), Fresh()]
        assert len({step.candidate.key for step in steps}) == 1
    assert len({run.proposals[line[0]].candidate.key for line in lineages(run.proposals)}) == 5


def test_one_candidate_is_brought_to_its_end_before_another_is_begun() -> None:
    run = simulate(laddered(4), good, trials=7)
    assert [len(line) for line in lineages(run.proposals)] == [3, 3, 1]


def test_the_candidates_are_those_of_a_random_search() -> None:
    run = simulate(laddered(6), good, trials=100)
    plain = RandomSearch(GRID, GOAL, seed=0, costs=toy_costs)
    drawn = [proposal.candidate for proposal in islice(plain.ask(), 6)]
    assert [run.proposals[line[0]].candidate for line in lineages(run.proposals)] == drawn


@pytest.mark.parametrize("end", ["diverged", "lost"])
def test_who_fails_goes_no_further_and_is_not_replaced(end: str) -> None:
    run = simulate(laddered(3), lambda p, rng: end if p.fidelity == STEPS[1] else good(p, rng), trials=100)
    assert [len(line) for line in lineages(run.proposals)] == [2, 2, 2]


def test_a_small_space_ends_it() -> None:
    run = simulate(laddered(20, Grid((2, 2))), good, trials=1000)
    assert [len(line) for line in lineages(run.proposals)] == [3] * 4


def test_checkpoints_are_held_until_the_next_rung_has_them() -> None:
    source = laddered(1)
    source.tell(Asked("search", ((1, next(source.ask())),)))
    assert source.holds() == set()
    source.tell(Finished(1, "completed", measured(accuracy=0.5)))
    assert source.holds() == {1}
    source.tell(Asked("search", ((2, next(source.ask())),)))
    source.tell(Finished(2, "completed", measured(accuracy=0.5)))
    assert source.holds() == set(), "a full training begins anew"
    source.tell(Asked("search", ((3, next(source.ask())),)))
    source.tell(Failed(3, "timeout", "too slow"))
    source.tell(Lost(1, "late"))
    assert list(source.ask()) == []


def test_what_was_recorded_gives_the_same_again_and_more_may_be_asked_for() -> None:
    run = simulate(laddered(4), good, trials=8, workers=2)
    again, more = laddered(4), laddered(6)
    for event in run.events:
        again.tell(event)
        more.tell(event)
    rest = list(again.ask())
    assert list(again.ask()) == rest
    assert list(more.ask())[: len(rest)] == rest
    assert len(list(more.ask())) == len(rest) + 2


@pytest.mark.parametrize("check", CHECKS)
def test_it_keeps_the_rules_of_strategies(check: str) -> None:
    def made(space: SearchSpace, goal: Goal, seed: int) -> Laddered:
        inner = RandomSearch(space, goal, seed=seed, costs=toy_costs)
        return Laddered(inner, candidates=100_000, rungs=(1, 3), full=9)

    CHECKS[check](made, GRID)


@pytest.mark.parametrize("rungs", [(), (0, 3), (3, 1), (1, 1)])
def test_rungs_are_checked(rungs: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="rising"):
        Laddered(RandomSearch(GRID, GOAL, seed=0, costs=toy_costs), candidates=3, rungs=rungs, full=9)
