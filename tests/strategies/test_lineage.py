"""Children that inherit: from whom, by which edit, and whose weights are held."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import pytest

from netwright.core.errors import InputError
from netwright.core.events import Asked, Finished
from netwright.core.objective import Goal, parse_goal
from netwright.core.trial import Fresh, Inherit, Proposal, TrialId
from netwright.spaces.variation import edit
from netwright.spaces.walk import SearchSpace
from netwright.strategies import STRATEGIES, Source, make_strategy
from netwright.strategies.shared.lineage import INHERITED
from netwright.testing.simulate import simulate
from netwright.testing.strategies import CHECKS, scripted
from netwright.testing.toys import Grid, Interval, Nested, measured, toy_costs

INHERITING = [name for name, strategy in STRATEGIES.items() if strategy.inherits]
SPACES: dict[str, SearchSpace] = {"grid": Grid((5,) * 6), "continuous": Interval(), "conditional": Nested(12)}
GOAL = parse_goal(("accuracy", "parameters"), ())


def make(name: str, goal: Goal = GOAL, rungs: tuple[int, ...] = (), *, inherit: bool = True, seed: int = 0) -> Source:
    return make_strategy(name, SPACES["grid"], goal, seed=seed, costs=toy_costs, epochs=9, rungs=rungs, inherit=inherit)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("rungs", [(), (1, 3, 9)], ids=["flat", "halving"])
@pytest.mark.parametrize("name", INHERITING)
def test_conformance(name: str, rungs: tuple[int, ...], space: str, check: str) -> None:
    CHECKS[check](
        lambda space, goal, seed: make_strategy(
            name, space, goal, seed=seed, costs=toy_costs, epochs=9, rungs=rungs, inherit=True
        ),
        SPACES[space],
    )


def searched(name: str, rungs: tuple[int, ...] = (), *, inherit: bool = True) -> dict[TrialId, Proposal]:
    return simulate(
        make(name, rungs=rungs, inherit=inherit),
        lambda proposal, rng: scripted(GOAL, proposal.candidate, proposal.fidelity.epochs),
        trials=80,
        workers=4,
    ).proposals


@pytest.mark.parametrize("name", INHERITING)
def test_children_start_from_their_first_parent_and_nobody_else_does(name: str) -> None:
    proposals = searched(name)
    children = {trial: proposal for trial, proposal in proposals.items() if proposal.parents}
    assert len(children) > (3 if name == "auto" else 40)  # most of what auto proposes is its model's
    for trial, proposal in proposals.items():
        if trial not in children:
            assert proposal.start == Fresh()
            continue
        parent = proposals[proposal.parents[0]]
        assert proposal.start == Inherit(proposal.parents[0], edit(parent.candidate, proposal.candidate).to_json())
        assert Proposal.from_json(proposal.to_json()) == proposal


@pytest.mark.parametrize("name", INHERITING)
def test_inheritance_is_off_unless_asked_for_and_changes_no_candidate_by_itself(name: str) -> None:
    with_it, without = searched(name), searched(name, inherit=False)
    assert all(proposal.start == Fresh() for proposal in without.values())
    assert [replace(p, start=Fresh()) for p in with_it.values()] == list(without.values())
    assert make(name, inherit=False).holds() == set()


@pytest.mark.parametrize("name", INHERITING)
def test_a_network_is_proposed_once_whoever_it_might_inherit_from(name: str) -> None:
    candidates = [(proposal.candidate.key, str(proposal.candidate.recipe)) for proposal in searched(name).values()]
    assert len(set(candidates)) == len(candidates)


def test_under_halving_children_inherit_on_the_lowest_rung_and_go_on_from_their_own_checkpoint() -> None:
    proposals = searched("regularized-evolution", (1, 3, 9))
    starts = {type(proposal.start).__name__: proposal for proposal in proposals.values()}
    assert set(starts) == {"Fresh", "Inherit", "Continue"}
    assert starts["Inherit"].fidelity.epochs == 1 and starts["Inherit"].fidelity.trunk


@pytest.mark.parametrize("name", INHERITING)
def test_who_was_refused_before_training_has_nothing_to_hand_down(name: str) -> None:
    strategy = make(name, parse_goal(("accuracy",), ("parameters<=1",)))
    refused = measured(parameters=10.0)
    for trial in range(1, 31):
        (proposal,) = islice(strategy.ask(), 1)
        assert proposal.start == Fresh()
        strategy.tell(Asked(strategy.name, ((trial, proposal),)))
        strategy.tell(Finished(trial, "infeasible", refused))
    assert strategy.holds() == set()


def test_all_members_are_held_and_those_who_left_are_not() -> None:
    strategy = make("regularized-evolution", parse_goal(("accuracy",), ()))
    for trial in range(1, 31):
        (proposal,) = islice(strategy.ask(), 1)
        strategy.tell(Asked(strategy.name, ((trial, proposal),)))
        strategy.tell(Finished(trial, "completed", measured(accuracy=trial / 100)))
    assert strategy.holds() == set(range(15, 31))


def test_who_has_no_children_cannot_inherit() -> None:
    with pytest.raises(InputError, match="but tpe has none"):
        make("tpe")


def test_it_is_said_that_old_lineages_look_better() -> None:
    assert INHERITED in make("nsga2").remarks()
    assert INHERITED not in make("nsga2", inherit=False).remarks()
