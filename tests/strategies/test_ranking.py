from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.core.events import Failed, Finished, Lost
from netwright.core.objective import parse_goal
from netwright.core.pareto import dominates, fronts
from netwright.strategies.shared.population import (
    FAILED,
    Member,
    Result,
    beats,
    better,
    common_epochs,
    result_of,
    spread_scale,
)
from netwright.strategies.shared.ranking import _fronts, best_first
from netwright.testing.toys import measured, toy_candidate


def test_hand_made_fronts() -> None:
    points = [(1.0, 5.0), (2.0, 4.0), (3.0, 3.0), (2.0, 5.0), (4.0, 4.0), (5.0, 5.0)]
    assert [sorted(points[i] for i in front) for front in _fronts(points)] == [
        [(1, 5), (2, 4), (3, 3)],
        [(2, 5), (4, 4)],
        [(5, 5)],
    ]


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
@pytest.mark.parametrize("values", [3, 1000])
def test_fronts_equal_those_of_the_definition(objectives: int, values: int) -> None:
    rng = Random(objectives * values)
    for _ in range(20):
        costs = [tuple(float(rng.randrange(values)) for _ in range(objectives)) for _ in range(40)]
        expected = fronts(len(costs), lambda i, j, costs=costs: dominates(costs[i], costs[j]))
        assert [sorted(front) for front in _fronts(costs)] == expected


def test_feasible_first_then_rank_then_crowding_then_violation() -> None:
    results = [
        Result((0.0, 0.0), 0.5, (0.0, 0.0)),
        Result((3.0, 1.0), 0.0, (3.0, 1.0)),
        Result((1.2, 2.8), 0.0, (1.2, 2.8)),  # crowded by the next one
        Result((1.0, 3.0), 0.0, (1.0, 3.0)),
        Result((2.0, 2.0), 0.0, (2.0, 2.0)),
        Result((), 0.1),
        Result((4.0, 4.0), 0.0, (4.0, 4.0)),
    ]
    assert list(best_first(results)) == [1, 3, 4, 2, 6, 5, 0]


numbers = st.floats(-1e9, 1e9)
results = st.tuples(numbers, numbers).map(lambda costs: Result(costs, 0.0, costs))


@pytest.mark.fault(9)
@settings(max_examples=200, deadline=None)
@given(st.lists(results, min_size=1, max_size=12), st.integers(1, 6), st.randoms(use_true_random=False))
def test_what_failed_ranks_below_everything_whatever_the_order(
    finished: list[Result], failed: int, rng: Random
) -> None:
    """Where a NaN among the costs would make an order depend on who came first, a failure has no cost at all."""
    mixed = [*finished, *[FAILED] * failed]
    rng.shuffle(mixed)
    order = [mixed[index] for index in best_first(mixed)]
    assert order[len(finished) :] == [FAILED] * failed
    alone = [finished[index] for index in best_first(finished)]
    fronts_ = [{r.costs for r in some if not any(better(o, r) for o in finished)} for some in (order, alone)]
    first = len([r for r in finished if not any(better(o, r) for o in finished)])
    assert {r.costs for r in order[:first]} == {r.costs for r in alone[:first]} == fronts_[1] == fronts_[0] - {()}
    assert all(better(one, FAILED) and not better(FAILED, one) for one in finished)


def test_one_objective_orders_by_value() -> None:
    results = [Result((cost,), 0.0, (cost,)) for cost in (0.3, 0.1, 0.2)]
    assert list(best_first(results)) == [1, 2, 0]


def test_members_are_compared_on_the_highest_common_rung() -> None:
    early = Member(1, toy_candidate({}), {1: Result((0.5,), 0.0), 3: Result((0.2,), 0.0)})
    late = Member(2, toy_candidate({}), {1: Result((0.4,), 0.0), 3: Result((0.3,), 0.0)})
    low = Member(3, toy_candidate({}), {1: Result((0.45,), 0.0)})
    assert common_epochs(early, late) == 3
    assert common_epochs(early, late, low) == 1
    assert beats(early, late)
    assert beats(late, low)
    assert beats(low, early)  # a cycle, which is as it is


def test_a_failed_promotion_loses_on_its_rung_and_stands_below() -> None:
    goal = parse_goal(("accuracy",), ())
    failed = Member(1, toy_candidate({}), {1: Result((-0.9,), 0.0)})
    failed.learn(goal, 3, Failed(7, "diverged", "the loss was not finite"))
    lost = Member(2, toy_candidate({}), {1: Result((-0.9,), 0.0)})
    lost.learn(goal, 3, Lost(8, "the worker vanished"))
    trained = Member(3, toy_candidate({}), {1: Result((-0.5,), 0.0), 3: Result((-0.6,), 0.0)})
    assert beats(trained, failed)
    assert beats(lost, trained)
    assert beats(failed, Member(4, toy_candidate({}), {1: Result((-0.5,), 0.0)}))


def test_result_needs_all_objectives_unless_a_limit_is_broken() -> None:
    goal = parse_goal((), ("parameters<=100",))
    assert result_of(goal, Finished(1, "infeasible", measured(parameters=150.0))) == Result((), 0.5)
    assert result_of(goal, Finished(1, "completed", measured(parameters=50.0))) is None
    whole = result_of(goal, Finished(1, "completed", measured(parameters=50.0, accuracy=0.9)))
    assert whole is not None
    assert whole.costs == (-0.9, 50.0)


def test_distances_of_sizes_are_logarithmic() -> None:
    goal = parse_goal(("accuracy", "parameters"), ())
    low, middle, high = (spread_scale(goal, (-0.5, size))[1] for size in (1e3, 1e4, 1e5))
    assert middle - low == pytest.approx(high - middle)
