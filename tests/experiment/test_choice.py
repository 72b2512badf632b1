"""Standings, finalists, and the winner: by validation data alone."""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np
import pytest

from netwright.core.candidate import Architecture, Candidate
from netwright.core.events import Finished
from netwright.core.measurement import Measurement
from netwright.core.objective import Goal, parse_goal
from netwright.core.trial import Fidelity, Proposal, Status
from netwright.evaluation.metrics import measure_answers
from netwright.experiment.choice import Entry, Standings, entry_of, winner
from netwright.experiment.finalists import finalists

GOAL = parse_goal((), ())
SMALL = parse_goal((), ("parameters<=1000",))


def proposal(name: str, epochs: int = 1, origin: str = "mutation", repeat: int = 0) -> Proposal:
    return Proposal(
        Candidate("network", Architecture((), name), {"lr": 0.1}), Fidelity(epochs), repeat=repeat, origin=origin
    )


def measured(accuracy: float, parameters: float, half_width: float = 0.0) -> Mapping[str, Measurement]:
    return {
        "accuracy": Measurement(accuracy, "", accuracy - half_width, accuracy + half_width, 100, split="validation"),
        "parameters": Measurement(parameters, source="computed"),
    }


def entry(
    trial: int,
    accuracy: float,
    parameters: float,
    *,
    epochs: int = 1,
    origin: str = "mutation",
    name: str = "",
    goal: Goal = GOAL,
) -> Entry:
    event = Finished(trial, "completed", measured(accuracy, parameters))
    found = entry_of(goal, proposal(name or f"network {trial}", epochs, origin), event)
    assert found is not None
    return found


def standings(*entries: Entry, goal: Goal = GOAL) -> Standings:
    found = Standings(goal)
    for one in entries:
        found.add(one)
    return found


def trials(entries: list[Entry]) -> list[int]:
    return [one.trial for one in entries]


@pytest.mark.parametrize("status", ["infeasible", "diverged"])
def test_trials_without_a_result_are_no_entries(status: Status) -> None:
    assert entry_of(GOAL, proposal("a"), Finished(1, status, measured(0.9, 10))) is None


def test_a_trial_without_an_objective_is_no_entry() -> None:
    assert entry_of(GOAL, proposal("a"), Finished(1, "completed", {"accuracy": Measurement(0.9)})) is None


def test_a_front_holds_what_no_other_one_dominates() -> None:
    found = standings(entry(1, 0.8, 100), entry(2, 0.9, 200), entry(3, 0.85, 300), entry(4, 0.8, 90))
    assert trials(found.front()) == [2, 4]
    assert found.kept() == {2, 4}


def test_the_best_random_candidate_is_the_best_by_quality_wherever_that_stands() -> None:
    goal = parse_goal(("parameters", "accuracy"), ())
    found = standings(
        entry(1, 0.55, 300, origin="random", goal=goal), entry(2, 0.95, 50_000, origin="random", goal=goal), goal=goal
    )
    assert found.random is not None
    assert found.random.trial == 2


def test_a_front_does_not_depend_on_the_order() -> None:
    rng = random.Random(5)
    entries = [entry(n, rng.choice((0.5, 0.6, 0.7, 0.8)), rng.randrange(1, 9)) for n in range(40)]
    fronts = []
    for _ in range(10):
        rng.shuffle(entries)
        fronts.append(sorted(trials(standings(*entries).front())))
    assert all(front == fronts[0] for front in fronts)


def test_a_candidate_counts_with_its_longest_training() -> None:
    short = entry(1, 0.9, 100, epochs=1, name="a")
    long = entry(2, 0.8, 100, epochs=3, name="a", origin="promotion")
    found = standings(short, long)
    assert trials(found.front()) == [2]
    assert found.kept() == {1, 2}, "both rungs may still be compared with"


@pytest.mark.parametrize("goal", [GOAL, parse_goal(("accuracy",), ())])
def test_a_candidate_that_is_answered_again_stands_on_a_front_once(goal: Goal) -> None:
    found = standings(*(entry(n, 0.6 + 0.01 * n, 100 * n, goal=goal) for n in range(1, 7)), goal=goal)
    before = trials(found.front())
    for number in range(7, 27):
        found.add(entry(number, 0.6 + 0.01 * 6, 600, name="network 6", origin="random", goal=goal))
    assert trials(found.front()) == before
    assert len(finalists(found, 6, None)) == 6
    assert found.random is not None and found.random.trial == 7, "and counts as drawn at random from then on"
    better = entry(30, 0.7, 600, name="network 6", goal=goal)
    found.add(better)
    assert better in found.front() and 6 not in trials(found.front())


def test_the_same_network_with_another_recipe_is_another_candidate() -> None:
    one = proposal("a")
    other = Proposal(Candidate("network", one.candidate.architecture, {"lr": 0.2}), Fidelity(1))
    event = Finished(1, "completed", measured(0.5, 1))
    first, second = entry_of(GOAL, one, event), entry_of(GOAL, other, event)
    assert first is not None and second is not None
    assert first.candidate != second.candidate


def test_the_best_random_one_is_feasible_then_longest_trained_then_best() -> None:
    found = standings(entry(1, 0.7, 500, origin="random", goal=SMALL), goal=SMALL)
    found.add(entry(2, 0.99, 5_000, origin="random", goal=SMALL))
    assert found.random is not None and found.random.trial == 1, "outside the limit"
    found.add(entry(3, 0.9, 500, origin="mutation", goal=SMALL))
    assert found.random.trial == 1, "not random"
    found.add(entry(4, 0.8, 500, origin="random", goal=SMALL))
    assert found.random.trial == 4
    found.add(entry(5, 0.75, 500, epochs=3, origin="promotion", name="network 4", goal=SMALL))
    assert found.random.trial == 5, "drawn at random, and trained on since"
    assert 5 in found.kept()


def test_finalists_begin_with_the_best_by_the_first_objective() -> None:
    found = standings(entry(1, 0.80, 100), entry(2, 0.90, 1_000), entry(3, 0.95, 100_000))
    assert trials(finalists(found, 1, None)) == [3]
    assert trials(finalists(found, 3, None))[0] == 3


def test_finalists_are_few_and_different() -> None:
    entries = [entry(n, 0.6 + 0.01 * n, 100 * 1.3**n) for n in range(30)]
    chosen = finalists(standings(*entries), 8, None)
    assert len(chosen) == 8
    assert len(set(trials(chosen))) == 8


def test_the_second_finalist_adds_most_not_next_best() -> None:
    """Two nearly equal networks at the accurate end: the second place goes to the small one."""
    found = standings(entry(1, 0.950, 100_000), entry(2, 0.949, 99_000), entry(3, 0.93, 1_000), entry(4, 0.5, 900))
    assert trials(finalists(found, 2, None)) == [1, 3]


def test_networks_that_a_linear_model_beats_are_no_finalists() -> None:
    found = standings(entry(1, 0.95, 10_000), entry(2, 0.90, 1_000), entry(3, 0.60, 10))
    assert 3 in trials(finalists(found, 8, None)) or len(finalists(found, 8, None)) == 2
    assert trials(finalists(found, 8, -0.80)) == [1, 2]


def test_networks_far_from_the_best_are_no_finalists() -> None:
    found = standings(entry(1, 0.98, 10_000), entry(2, 0.95, 1_000), entry(3, 0.93, 10))
    assert trials(finalists(found, 8, -0.5)) == [1, 2], "three times the errors of the best are 6 %"


def test_finalists_are_inside_the_limits_where_any_is() -> None:
    found = standings(entry(1, 0.99, 9_000, goal=SMALL), entry(2, 0.7, 900, goal=SMALL), goal=SMALL)
    assert trials(finalists(found, 8, None)) == [2]
    outside = standings(entry(1, 0.99, 9_000, goal=SMALL), entry(2, 0.7, 4_000, goal=SMALL), goal=SMALL)
    assert trials(finalists(outside, 8, None)) == [2], "the one that misses the limit least"


def test_without_any_trial_there_is_no_finalist() -> None:
    assert finalists(Standings(GOAL), 8, None) == []


def test_the_winner_is_the_most_accurate() -> None:
    assert winner(GOAL, {1: measured(0.8, 10), 2: measured(0.9, 1_000), 3: measured(0.85, 20)}) == 2


def test_a_tie_within_the_standard_error_goes_to_the_smaller() -> None:
    best, near, far = measured(0.90, 1_000, 0.033), measured(0.895, 500, 0.033), measured(0.87, 10, 0.033)
    assert winner(GOAL, {1: best, 2: near, 3: far}) == 2, "one standard error is 0.02 here; 0.87 is outside"
    assert winner(GOAL, {1: measured(0.90, 1_000, 0.001), 2: near}) == 1, "a narrow interval separates them"


@pytest.mark.parametrize(
    ("train", "validation", "smoothing", "overfits"),
    [(0.01, 0.08, 0.0, True), (0.27, 0.28, 0.0, False), (0.01, 0.08, 0.1, False), (None, None, 0.0, False)],
)
def test_overfitting_is_told_from_losses_that_can_be_compared(
    train: float | None, validation: float | None, smoothing: float, overfits: bool
) -> None:
    one = Proposal(Candidate("network", Architecture((), "a"), {"label_smoothing": smoothing}), Fidelity(1))
    losses = {} if validation is None else {"loss": Measurement(validation, "nats", split="validation")}
    event = Finished(1, "completed", {**measured(0.9, 10), **losses}, notes={"train_loss": train})
    found = entry_of(GOAL, one, event)
    assert found is not None and found.overfits == overfits


def test_a_perfect_score_has_a_standard_error_too() -> None:
    """Its interval has one side. Of 318 images, one mistake is no reason for a larger network, three are."""
    perfect, one, three = (
        measure_answers(np.eye(2)[np.arange(318) % 2 ^ (np.arange(318) < wrong)], np.arange(318) % 2, "validation")
        for wrong in (0, 1, 3)
    )
    sized = [
        {"accuracy": answers["accuracy"], "parameters": Measurement(size, source="computed")}
        for answers, size in ((perfect, 9_000), (one, 500), (three, 10))
    ]
    assert winner(GOAL, dict(enumerate(sized))) == 1


def test_the_winner_keeps_the_limits_where_any_finalist_does() -> None:
    assert winner(SMALL, {1: measured(0.99, 5_000), 2: measured(0.6, 999)}) == 2
    assert winner(SMALL, {1: measured(0.99, 5_000), 2: measured(0.6, 4_000)}) == 2


def test_equal_finalists_give_the_first() -> None:
    assert winner(GOAL, {7: measured(0.9, 10), 4: measured(0.9, 10)}) == 4


def test_quality_is_the_first_objective_that_needs_training() -> None:
    assert parse_goal(("parameters", "loss"), ()).quality.metric == "loss"
    assert parse_goal(("parameters", "macs"), ()).quality.metric == "accuracy"


def test_one_objective_alone_needs_no_second() -> None:
    goal = parse_goal(("accuracy",), ())
    assert winner(goal, {1: measured(0.8, 1), 2: measured(0.9, 100)}) == 2
    assert trials(
        finalists(standings(entry(1, 0.8, 1, goal=goal), entry(2, 0.9, 2, goal=goal), goal=goal), 8, None)
    ) == [2, 1], "the next best come after it"


def test_a_candidate_that_was_refuted_on_a_higher_rung_is_judged_by_that() -> None:
    found = standings(
        entry(1, 0.9, 100, name="a"),
        entry(2, 0.5, 100, epochs=3, name="a", origin="promotion"),
        entry(3, 0.8, 90, epochs=3, name="b", origin="promotion"),
    )
    assert trials(found.longest()) == [3]


def test_quality_leads_whatever_the_order_of_the_objectives() -> None:
    goal = parse_goal(("parameters", "accuracy"), ())
    entries = [
        entry(n, accuracy, size, goal=goal)
        for n, (accuracy, size) in enumerate([(0.95, 9_000), (0.94, 3_000), (0.90, 900), (0.1, 10)])
    ]
    assert trials(finalists(standings(*entries, goal=goal), 8, None)) == [0, 2, 1]


def test_with_one_objective_the_best_few_of_a_rung_may_be_finalists() -> None:
    goal = parse_goal(("accuracy",), ())
    entries = [entry(n, 0.80 + 0.01 * n, 10, goal=goal) for n in range(12)]
    assert trials(finalists(standings(*entries, goal=goal), 4, None)) == [11, 10, 9, 8]
