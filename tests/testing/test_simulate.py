from __future__ import annotations

from collections.abc import Sequence

from netwright.core.events import Asked, Failed, Finished, Lost
from netwright.core.objective import parse_goal
from netwright.core.trial import Fidelity, Proposal
from netwright.stoppers import Curve, MedianRule, Stopping
from netwright.strategies import Halving, RandomSearch
from netwright.strategies.listed import Listed
from netwright.testing.simulate import Report, simulate
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


def test_a_training_that_a_rule_does_not_want_ends_at_its_next_report() -> None:
    space = Grid((7,))
    levels = (0.8, 0.8, 0.3, 0.8, 0.8, 0.9, 0.8)
    listed = Listed("all", [Proposal(space.candidate((i,)), Fidelity(10)) for i in range(7)])

    def level(proposal: Proposal) -> float:
        return levels[space.point(proposal.candidate)[0]]

    def reports(proposal: Proposal, rng: object) -> list[Report]:
        value = level(proposal) if proposal.candidate != space.candidate((6,)) else 0.1
        return [
            Report(2.0 * epoch, {"epoch": epoch, "of": 10, "value": value}, measured(accuracy=value))
            for epoch in range(1, 11)
        ]

    stopping = Stopping(MedianRule(), ["all"], read=lambda record: float(record["value"]))
    run = simulate(
        listed,
        lambda proposal, rng: measured(accuracy=level(proposal)),
        trials=7,
        duration=lambda proposal, rng: 20.0,
        reports=reports,
        stopping=stopping,
    )
    ended = {event.trial: event for event in run.events if isinstance(event, Finished)}
    # Five whole ones are needed, of which the poor one is the third; the last is found out after its second epoch.
    assert run.stopped == {7}
    assert [ended[trial].status for trial in range(1, 8)] == ["completed"] * 6 + ["stopped"]
    assert run.now == 6 * 20 + 3 * 2
    assert run.epochs == 6 * 10 + 3
    assert ended[7].measurements["accuracy"].value == 0.1
    assert ended[7].notes["asked_to_stop"] == 2
    assert ended[3].notes["learning_curve"]["of"] == 10


def test_reports_alone_change_nothing() -> None:
    def run(**told: object) -> object:
        return simulate(source(Grid((5,) * 6)), lambda p, rng: measured(accuracy=rng.random()), trials=9, **told)  # type: ignore[arg-type]

    say = [Report(0.5, {"epoch": 1, "of": 1}, measured(accuracy=0.0))]
    assert run(reports=lambda proposal, rng: say, workers=2) == run(workers=2)


class Late:
    """Wants every training to end after its last epoch but one."""

    whole = True

    def __call__(self, curve: Curve, others: Sequence[Curve]) -> bool:
        return curve.epochs[-1] == curve.of - 1


def test_a_training_that_comes_to_its_end_all_the_same_is_complete() -> None:
    say = [Report(epoch, {"epoch": epoch, "of": 3, "value": 0.5}, measured(accuracy=0.1)) for epoch in (1, 2, 3)]
    run = simulate(
        Listed("all", [Proposal(Grid((1,)).candidate((0,)), Fidelity(3))]),
        lambda proposal, rng: measured(accuracy=0.5),
        trials=1,
        duration=lambda proposal, rng: 3.0,
        reports=lambda proposal, rng: say,
        stopping=Stopping(Late(), ["all"], read=lambda record: float(record["value"])),
    )
    (ended,) = (event for event in run.events if isinstance(event, Finished))
    assert (ended.status, ended.notes["asked_to_stop"], run.epochs, run.stopped) == ("completed", 2, 3, set())
