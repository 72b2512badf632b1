from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from netwright.core.events import Asked, Failed, Finished
from netwright.core.objective import Goal, parse_goal
from netwright.core.task import TaskSpec
from netwright.core.trial import Fidelity
from netwright.spaces.catalog import make_space
from netwright.spaces.shapes import costs
from netwright.strategies import Auto, Halving
from netwright.strategies.auto import FREE, MODEL_SECONDS, MOST
from netwright.testing.simulate import simulate
from netwright.testing.toys import T201, Grid, measured, toy_costs

GRID = Grid((5,) * 6)
ONE = parse_goal(("accuracy",), ())
TWO = parse_goal(("accuracy", "parameters"), ())


def told(seconds: float, *, goal: Goal = ONE, results: int = 30) -> Auto:
    """After random candidates that took `seconds` each."""
    strategy = Auto(GRID, goal, seed=0, costs=toy_costs)
    for trial, rng in enumerate(islice(strategy.streams(), results), start=1):
        candidate = GRID.sample(rng)
        strategy.tell(Asked("search", ((trial, strategy.propose(candidate, origin="random")),)))
        values = measured(accuracy=sum(GRID.point(candidate)) / 24, parameters=1000.0 + trial)
        strategy.tell(Finished(trial, "completed", values, seconds=seconds))
    return strategy


@pytest.mark.parametrize(
    ("seconds", "share"),
    [(0.0, MOST), (0.1, FREE / MODEL_SECONDS), (1.0, 0.01 / MODEL_SECONDS), (6.0, 0.5), (11.0, MOST), (100.0, MOST)],
)
def test_the_model_proposes_as_often_as_trainings_pay_for_it(seconds: float, share: float) -> None:
    strategy = told(seconds)
    assert strategy.share() == pytest.approx(share)
    drawn = [proposal.origin == "mutation" for proposal in islice(strategy.ask(), 100)]
    if share <= 0.1:
        assert sum(drawn) >= 80  # evolution has children, the model none
    if share == MOST:
        assert sum(drawn) <= 30


def test_whose_turn_it_is_stays_when_a_proposal_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = told(6.0)
    asked: list[str] = []
    for part in (strategy.model, strategy.evolution):
        drawn = part.draw
        monkeypatch.setattr(
            part, "draw", lambda *given, part=part, drawn=drawn: asked.append(part.name) or drawn(*given)
        )
    turns = []
    for rng in islice(strategy.streams(), 30):
        asked.clear()
        for _ in range(5):
            strategy.draw(rng, [])
        turns.append(set(asked))
    assert all(len(turn) == 1 for turn in turns)
    assert set.union(*turns) == {strategy.model.name, strategy.evolution.name}


def test_a_trial_counts_once_and_what_was_refused_not_at_all() -> None:
    strategy = told(1.0, results=1)
    strategy.tell(Finished(1, "completed", measured(accuracy=0.5), seconds=100.0))
    (proposal,) = islice(strategy.ask(), 1)
    strategy.tell(Asked(strategy.name, ((2, proposal),)))
    strategy.tell(Finished(2, "infeasible", measured(parameters=9), seconds=100.0))
    assert strategy.share() == pytest.approx(0.01 / MODEL_SECONDS)


def test_large_networks_make_the_model_dearer() -> None:
    task = TaskSpec((1, 28, 28), ("a", "b"), (0.5,), (0.2,))
    shares = []
    for name in ("chain", "nasbench201"):
        space = make_space(name, task)
        strategy = Auto(space, ONE, seed=0, costs=lambda architecture: costs(architecture, task))
        for trial in range(1, 6):
            proposal = strategy.propose(space.sample(Random(trial)), origin="random")
            strategy.tell(Asked(strategy.name, ((trial, proposal),)))
            strategy.tell(Finished(trial, "completed", measured(accuracy=0.5), seconds=2.0))
        shares.append(strategy.share())
    assert shares[0] > 4 * shares[1]


def test_nothing_is_known_of_the_time_at_first() -> None:
    assert Auto(GRID, ONE, seed=0, costs=toy_costs).share() == MOST


def test_a_training_that_was_promoted_counts_for_what_it_took() -> None:
    strategy = told(1.0, results=1)
    strategy.on_promoted(1, Fidelity(3), Finished(2, "completed", measured(accuracy=0.5), seconds=3.0))
    assert strategy.share() == pytest.approx(0.01 * 2.0 / MODEL_SECONDS)
    strategy.on_promoted(1, Fidelity(9), Failed(3, "diverged", "the loss was not finite", seconds=100.0))
    assert strategy.share() == pytest.approx(0.01 * 2.0 / MODEL_SECONDS)


@pytest.mark.parametrize(("goal", "name"), [(ONE, "regularized-evolution"), (TWO, "nsga2")])
def test_evolution_is_one_for_as_many_objectives(goal: Goal, name: str) -> None:
    assert Auto(GRID, goal, seed=0, costs=toy_costs).evolution.name == name


def test_both_hear_of_everything_and_train_as_far() -> None:
    strategy = told(1.0, goal=TWO, results=20)
    assert len(strategy.model.members) == 20
    assert strategy.evolution.seen == strategy.model.seen == strategy.seen
    assert Halving(strategy, rungs=(2, 6)).inner.fidelity == strategy.model.fidelity == strategy.evolution.fidelity
    assert {proposal.fidelity for proposal in islice(strategy.ask(), 20)} == {Fidelity(2, trunk=True)}


def test_t201() -> None:
    table = T201()
    run = simulate(
        Auto(table, ONE, seed=0, costs=toy_costs),
        lambda proposal, rng: measured(accuracy=table.validation(proposal.candidate)),
        trials=100,
    )
    values = run.values("accuracy")
    assert table.score(run.proposals[max(values, key=lambda trial: values[trial])].candidate) >= 0.9
    assert {"model", "mutation"} <= {proposal.origin for proposal in run.proposals.values()}
