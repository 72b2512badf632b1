from __future__ import annotations

from itertools import islice
from math import inf
from random import Random
from statistics import mean

import pytest

from netwright.core.errors import InputError
from netwright.core.events import Asked, Failed, Finished
from netwright.core.objective import Goal, parse_goal
from netwright.core.pareto import Costs
from netwright.core.trial import Fidelity
from netwright.strategies import NSGA2, HypervolumeEvolution, RandomSearch, Strategy
from netwright.strategies.hypervolume_evolution import contributions
from netwright.testing.simulate import simulate
from netwright.testing.toys import T201, Grid, hypervolume, measured, toy_costs
from tests.strategies.fronts import covered, search

GRID = Grid((5,) * 6)
GOAL = parse_goal(("accuracy", "loss"), ())
THREE = parse_goal(("accuracy", "loss", "balanced_accuracy"), ())


def told(points: list[tuple[float, ...]], population: int = 6, goal: Goal = GOAL) -> HypervolumeEvolution:
    """A strategy whose i-th trial came to the i-th (accuracy, loss, …)."""
    strategy = HypervolumeEvolution(GRID, goal, seed=0, costs=toy_costs, population=population)
    names = [objective.metric for objective in goal.objectives]
    for trial, values in enumerate(points, start=1):
        strategy.tell(Asked(strategy.name, ((trial, next(strategy.ask())),)))
        strategy.tell(Finished(trial, "completed", measured(**dict(zip(names, values, strict=True)))))
    return strategy


def members(strategy: HypervolumeEvolution) -> list[int]:
    return [member.trial for member in strategy.members]


# -- what a member adds ------------------------------------------------------------------------------------------------


def test_what_a_point_adds_is_the_rectangle_to_its_neighbours() -> None:
    assert contributions([(0, 5), (1, 4), (2, 2), (4, 0)]) == [inf, 1.0, 4.0, inf]
    assert contributions([(1, 4), (0, 5), (1, 4), (4, 0), (4, 0)]) == [12.0 - 9.0, inf, 0.0, inf, 0.0]
    assert contributions([(1.0, 1.0)]) == [inf]


def test_two_costs_are_those_of_the_volume_itself() -> None:
    """Hypervolume with and without a point, for every one that is no end of the front."""
    rng = Random(0)
    points = sorted((x, 1 - x**2 + 0.0) for x in (rng.random() for _ in range(12)))
    found = contributions(points)
    whole = hypervolume(points, (2.0, 2.0))
    for i in range(1, 11):
        assert found[i] == pytest.approx(whole - hypervolume(points[:i] + points[i + 1 :], (2.0, 2.0)))


def test_three_costs_are_measured_to_a_range_beyond_the_worst() -> None:
    corner: list[Costs] = [(0, 0, 1), (0, 1, 0), (1, 0, 0)]
    assert contributions(corner) == pytest.approx([1.0, 1.0, 1.0])  # 2 · 2 · 1, less what two others share with it
    scaled: list[Costs] = [(10 * a, b / 7 + 3, c - 40) for a, b, c in corner]
    assert contributions(scaled) == pytest.approx([1.0, 1.0, 1.0])
    assert contributions([*corner, (0, 0, 1)])[0] == 0.0
    assert contributions([(1.0, 2.0, 3.0)]) == pytest.approx([8.0])


def test_equal_costs_of_one_objective_add_nothing() -> None:
    assert contributions([(0.3,), (0.3,)]) == [0.0, 0.0]


# -- who leaves --------------------------------------------------------------------------------------------------------


def test_the_least_volume_of_one_front_leaves() -> None:
    # crowding would send trial 3 away, which is narrow but in the corner of the front
    points = [(1.0, 10.0), (0.5, 2.0), (0.45, 0.5), (0.4, 0.45), (0.0, 0.0)]
    assert members(told(points, population=4)) == [1, 2, 3, 5]


def test_the_ends_of_two_objectives_are_kept() -> None:
    strategy = told([(0.5 + 0.001 * i, 1.0 + 0.1 * i) for i in range(40)], population=5)
    assert {1, 40} <= set(members(strategy))


def test_the_last_front_loses_a_member_whatever_the_others_add() -> None:
    strategy = told([(0.9, 5), (0.8999, 4.999), (0.7, 3), (0.5, 5)], population=3)
    assert members(strategy) == [1, 2, 3]


def test_of_equal_members_the_latest_leaves() -> None:
    assert members(told([(0.5, 1.0)] * 5, population=3)) == [1, 2, 3]
    assert members(told([(0.5, 1.0, 0.5)] * 5, 3, THREE)) == [1, 2, 3]


def test_three_objectives_keep_what_adds_most() -> None:
    strategy = told([(0.9, 0.5, 0.1), (0.1, 0.0, 0.1), (0.1, 0.5, 0.9), (0.5, 0.2, 0.5), (0.501, 0.2, 0.4)], 4, THREE)
    assert members(strategy) == [1, 2, 3, 4]


def test_four_objectives_are_thinned_by_crowding_and_that_is_said() -> None:
    goal = parse_goal(("accuracy", "loss", "balanced_accuracy", "parameters"), ())
    strategy = told([(0.1 * i, float(i), 0.5, 10.0 ** (1 + i % 3)) for i in range(12)], 5, goal)
    assert len(strategy.members) == 5
    assert "crowding distance" in strategy.remarks()[0]
    strategy.inherit = True
    assert [("weights" in said, "crowding" in said) for said in strategy.remarks()] == [(True, False), (False, True)]
    assert not told([], goal=THREE).remarks() and not told([]).remarks()


def test_one_objective_keeps_the_best() -> None:
    goal = parse_goal(("accuracy",), ())
    assert sorted(members(told([(0.1 * (i % 7),) for i in range(30)], 3, goal))) == [7, 14, 21]


def test_limits_come_before_volume() -> None:
    goal = parse_goal(("accuracy", "loss"), ("latency<=2ms",))
    strategy = HypervolumeEvolution(GRID, goal, seed=0, costs=toy_costs, population=2)
    for trial, (accuracy, latency) in enumerate([(0.9, 4.0), (0.8, 3.0), (0.1, 1.0), (0.2, 5.0)], start=1):
        strategy.tell(Asked(strategy.name, ((trial, next(strategy.ask())),)))
        strategy.tell(Finished(trial, "completed", measured(accuracy=accuracy, loss=1.0, latency=latency)))
    assert members(strategy) == [2, 3]


def test_members_are_compared_on_the_rung_they_share() -> None:
    strategy = told([(0.5, 1.0), (0.6, 2.0), (0.55, 1.5)], population=3)
    strategy.on_promoted(1, Fidelity(3), Finished(11, "completed", measured(accuracy=0.9, loss=1.0)))
    strategy.on_promoted(2, Fidelity(3), Failed(12, "diverged", "the loss was not finite"))
    assert strategy.fronts() == [[0, 2], [1]]


# -- parents -----------------------------------------------------------------------------------------------------------


def test_every_member_is_as_likely_a_parent() -> None:
    strategy = told([(0.9, 1.0)] + [(0.1, 5.0 + i) for i in range(9)], population=10)
    parents = [child.parents[0] for child in islice(strategy.ask(), 500)]
    assert all(25 <= parents.count(trial) <= 80 for trial in range(1, 11))


def test_random_until_the_population_is_there() -> None:
    assert next(told([(0.1 * i, float(i)) for i in range(5)]).ask()).origin == "random"
    assert next(told([(0.1 * i, float(i)) for i in range(6)]).ask()).origin in ("crossover", "mutation")
    with pytest.raises(InputError, match="at least 2"):
        HypervolumeEvolution(GRID, GOAL, seed=0, costs=toy_costs, population=1)


# -- toys with known fronts --------------------------------------------------------------------------------------------


def test_t201_front_is_covered() -> None:
    table = T201()
    runs = (search(table, HypervolumeEvolution(table, GOAL, seed=seed, costs=toy_costs)) for seed in range(3))
    assert mean(covered(table, run) for run in runs) >= 0.95


@pytest.mark.long
def test_t201_front_figures() -> None:
    """Level with NSGA-II after 500 trials, far beyond random search."""
    table = T201()
    shares = {
        kind: [covered(table, search(table, kind(table, GOAL, seed=seed, costs=toy_costs))) for seed in range(15)]
        for kind in (HypervolumeEvolution, NSGA2, RandomSearch)
    }
    assert sum(share >= 0.96 for share in shares[HypervolumeEvolution]) >= 12
    assert mean(shares[HypervolumeEvolution]) >= mean(shares[NSGA2]) - 0.015
    assert mean(shares[RandomSearch]) <= 0.90


@pytest.mark.long
def test_three_objectives_figures() -> None:
    """T201 with two costs, that of its even slots and that of its odd ones: beyond random search, level with NSGA-II."""
    table = T201()
    import moocore
    import numpy as np

    def volume(kind: type[Strategy], seed: int) -> float:
        def costs(point: tuple[int, ...]) -> tuple[float, float]:
            return sum(point[::2]) / 12, 1 - sum(point[1::2]) / 12

        run = simulate(
            kind(table, THREE, seed=seed, costs=toy_costs),
            lambda proposal, rng: measured(
                accuracy=table.score(proposal.candidate),
                loss=costs(table.point(proposal.candidate))[0],
                balanced_accuracy=costs(table.point(proposal.candidate))[1],
            ),
            trials=400,
        )
        points = [
            (-answer["accuracy"].value, answer["loss"].value, -answer["balanced_accuracy"].value)
            for answer in run.answers.values()
        ]
        return float(moocore.hypervolume(np.array(points), ref=[1.0, 1.1, 0.1]))

    kinds: tuple[type[Strategy], ...] = (HypervolumeEvolution, NSGA2, RandomSearch)
    found, rival, drawn = ([volume(kind, seed) for seed in range(8)] for kind in kinds)
    assert min(found) > max(drawn)
    assert mean(found) >= mean(rival) - 0.02
