from __future__ import annotations

from netwright.core.events import Asked, Failed, Finished, Lost
from netwright.core.objective import parse_goal
from netwright.strategies import Halving, RandomSearch
from netwright.testing.simulate import simulate
from netwright.testing.toys import Grid, measured, toy_costs

GOAL = parse_goal(("accuracy",), ())


def source(space: Grid) -> RandomSearch:
    return RandomSearch(space, GOAL, seed=0, costs=toy_costs)


def test_results_come_in_order_of_virtual_time() -> None:
    space = Grid((5,) * 6)
    seconds = {0: 9.0, 1: 1.0, 2: 5.0, 3: 3.0, 4: 7.0}
    run = simulate(
        source(space),
        lambda proposal, rng: measured(accuracy=0.5),
        trials=5,
        workers=5,
        duration=lambda proposal, rng: seconds[space.point(proposal.candidate)[0]],
    )
    ended = [event.trial for event in run.events if isinstance(event, Finished)]
    expected = sorted(ended, key=lambda t: (seconds[space.point(run.proposals[t].candidate)[0]], t))
    assert ended == expected
    assert run.now == max(seconds[space.point(p.candidate)[0]] for p in run.proposals.values())


def test_a_repeated_proposal_is_answered_by_the_first() -> None:
    run = simulate(source(Grid((1,))), lambda proposal, rng: measured(accuracy=rng.random()), trials=4, workers=2)
    finished = [event for event in run.events if isinstance(event, Finished)]
    assert [event.reused_from for event in finished] == [None, 1, 1, 1]
    assert len({event.measurements["accuracy"].value for event in finished}) == 1
    assert run.trained == 1


def test_endings_without_measurements() -> None:
    endings = {1: "lost", 2: "diverged", 3: "silent"}
    order = iter(range(1, 5))
    run = simulate(
        source(Grid((5,) * 6)), lambda proposal, rng: endings.get(next(order), measured(accuracy=0.5)), trials=4
    )
    kinds = [type(event) for event in run.events if not isinstance(event, Asked)]
    assert kinds == [Lost, Failed, Finished]


def test_a_continued_trial_pays_the_difference() -> None:
    halving = Halving(source(Grid((5,) * 6)), rungs=(2, 6))
    run = simulate(halving, lambda proposal, rng: measured(accuracy=0.5), trials=4)
    assert [proposal.fidelity.epochs for proposal in run.proposals.values()] == [2, 2, 2, 6]
    assert run.epochs == 2 + 2 + 2 + 4
