from __future__ import annotations

from itertools import islice
from math import inf
from statistics import mean, stdev

import pytest

from netwright.core.errors import InputError
from netwright.core.events import Asked, Failed, Finished
from netwright.core.objective import Goal, parse_goal
from netwright.core.pareto import front
from netwright.core.trial import Fidelity
from netwright.strategies import NSGA2, RandomSearch
from netwright.testing.toys import T201, Grid, measured, toy_costs
from tests.strategies.fronts import covered, search

GRID = Grid((5,) * 6)
GOAL = parse_goal(("accuracy", "loss"), ())


def told(points: list[tuple[float, float]], population: int = 6, goal: Goal = GOAL) -> NSGA2:
    """A strategy whose i-th trial came to the i-th (accuracy, loss)."""
    strategy = NSGA2(GRID, goal, seed=0, costs=toy_costs, population=population)
    for trial, (accuracy, loss) in enumerate(points, start=1):
        strategy.tell(Asked(strategy.name, ((trial, next(strategy.ask())),)))
        strategy.tell(Finished(trial, "completed", measured(accuracy=accuracy, loss=loss)))
    return strategy


def members(strategy: NSGA2) -> list[int]:
    return [member.trial for member in strategy.members]


def test_standing_is_rank_then_crowding() -> None:
    strategy = told([(0.9, 5), (0.8, 4), (0.7, 3), (0.8, 5), (0.6, 4), (0.5, 5)])
    ranks, distances = zip(*strategy.standing(), strict=True)
    assert ranks == (0, 0, 0, 1, 1, 2)
    assert distances == (-inf, pytest.approx(-2.0), -inf, -inf, -inf, -inf)


def test_the_last_of_the_last_front_leaves() -> None:
    strategy = told([(0.9, 5), (0.8, 4), (0.7, 3), (0.5, 5)], population=3)
    assert members(strategy) == [1, 2, 3]


def test_the_most_crowded_of_one_front_leaves() -> None:
    strategy = told([(0.9, 5), (0.89, 4.9), (0.8, 4), (0.5, 1)], population=3)
    assert members(strategy) == [1, 3, 4]


def test_ranks_stay_right_as_members_come_and_go() -> None:
    strategy = told([(0.1 * (i % 7), float(i * i % 11)) for i in range(60)], population=7)
    costs = [member.results[1].costs for member in strategy.members]
    best = set(front(costs))
    assert {i for i, (rank, _) in enumerate(strategy.standing()) if rank == 0} == best
    assert len(strategy.members) == 7


def test_parents_are_the_winners_of_tournaments() -> None:
    strategy = told([(0.9, 1.0)] + [(0.1, 5.0 + i) for i in range(9)], population=10)
    parents = [trial for child in islice(strategy.ask(), 400) for trial in child.parents]
    assert 0.14 < mean(trial == 1 for trial in parents) < 0.24  # a tournament of two among ten: 1 - 0.9 ** 2 = 0.19


@pytest.mark.parametrize(("crossover", "origins"), [(0.0, {"mutation"}), (0.5, {"mutation", "crossover"})])
def test_children_have_one_parent_or_two(crossover: float, origins: set[str]) -> None:
    strategy = told([(0.1 * i, float(i)) for i in range(10)], population=10)
    strategy.crossover = crossover
    children = list(islice(strategy.ask(), 60))
    assert {child.origin for child in children} == origins
    assert all(len(set(child.parents)) == (2 if child.origin == "crossover" else 1) for child in children)


def test_random_until_the_population_is_there() -> None:
    strategy = told([(0.5, 1.0)] * 5, population=6)
    assert next(strategy.ask()).origin == "random"
    strategy = told([(0.1 * i, float(i)) for i in range(6)], population=6)
    assert next(strategy.ask()).origin in ("crossover", "mutation")


def test_failed_and_copied_trials_are_no_members() -> None:
    strategy = NSGA2(Grid((1, 1)), GOAL, seed=0, costs=toy_costs, population=4)
    for trial in (1, 2, 3):
        strategy.tell(Asked(strategy.name, ((trial, next(strategy.ask())),)))
    strategy.tell(Failed(2, "timeout", "too slow"))
    strategy.tell(Finished(1, "completed", measured(accuracy=0.5, loss=1.0)))
    strategy.tell(Finished(3, "completed", measured(accuracy=0.5, loss=1.0), reused_from=1))
    assert members(strategy) == [1]


def test_limits_come_before_objectives() -> None:
    goal = parse_goal(("accuracy", "loss"), ("latency<=2ms",))
    strategy = NSGA2(GRID, goal, seed=0, costs=toy_costs, population=2)
    for trial, (accuracy, latency) in enumerate([(0.9, 4.0), (0.8, 3.0), (0.1, 1.0), (0.2, 5.0)], start=1):
        strategy.tell(Asked(strategy.name, ((trial, next(strategy.ask())),)))
        strategy.tell(Finished(trial, "completed", measured(accuracy=accuracy, loss=1.0, latency=latency)))
    assert members(strategy) == [2, 3]
    assert [rank for rank, _ in strategy.standing()] == [1, 0]


def test_a_promotion_is_heard_and_cycles_are_borne() -> None:
    strategy = told([(0.5, 1.0), (0.6, 1.0), (0.55, 1.0)], population=3)
    for trial, accuracy in ((1, 0.9), (2, 0.7)):
        strategy.on_promoted(
            trial, Fidelity(3), Finished(trial + 10, "completed", measured(accuracy=accuracy, loss=1.0))
        )
    assert [rank for rank, _ in strategy.standing()] == [0, 0, 0]  # 1 beats 2, 2 beats 3, 3 beats 1
    strategy.on_promoted(3, Fidelity(3), Failed(20, "diverged", "the loss was not finite"))
    assert [rank for rank, _ in strategy.standing()] == [0, 1, 2]


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="at least 2"):
        NSGA2(GRID, GOAL, seed=0, costs=toy_costs, population=1)


# -- a toy with a known front ------------------------------------------------------------------------------------------


def test_t201_front_is_covered() -> None:
    table = T201()
    found = [covered(table, search(table, NSGA2(table, GOAL, seed=s, costs=toy_costs))) for s in range(3)]
    assert mean(found) >= 0.95


@pytest.mark.long
def test_t201_front_figures() -> None:
    table = T201()
    default, larger = (
        [covered(table, search(table, NSGA2(table, GOAL, seed=s, costs=toy_costs, **size))) for s in range(15)]
        for size in ({}, {"population": 20})
    )
    drawn = [covered(table, search(table, RandomSearch(table, GOAL, seed=s, costs=toy_costs))) for s in range(15)]
    for name, shares in (("default", default), ("P20", larger), ("random", drawn)):
        print(f"{name}: {mean(shares):.4f}, {sum(share >= 0.96 for share in shares)} of 15 at 0.96 or above")
    assert sum(share >= 0.96 for share in larger) >= 14
    assert mean(default) >= 0.979
    assert mean(drawn) <= 0.90


@pytest.mark.long
def test_a_hard_limit_is_kept_figures() -> None:
    """The limit cost <= 0.3 leaves a tenth of the table. Published 0.95 of its best, which is kept within chance."""
    table = T201()
    goal = parse_goal(("accuracy", "loss"), ("loss<=0.3",))
    optimum = max(z for i, z in enumerate(table.truth) if _cost(i) <= 0.3)
    reached = []
    for seed in range(40):
        run = search(table, NSGA2(table, goal, seed=seed, costs=toy_costs, population=40), 600)
        feasible = [p.candidate for p in run.proposals.values() if table.cost(p.candidate) <= 0.3]
        best = max(feasible, key=table.validation)
        reached.append(table.score(best) * table.best / optimum)
    error = stdev(reached) / len(reached) ** 0.5
    print(f"{mean(reached):.3f} ± {error:.3f} of the best inside the limit")
    assert mean(reached) >= 0.95 - 2 * error


def _cost(index: int) -> float:
    total = 0
    for _ in range(6):
        index, option = divmod(index, 5)
        total += option
    return total / 24


def test_while_nothing_is_feasible_the_least_violation_never_grows() -> None:
    goal = parse_goal(("accuracy", "loss"), ("loss<=0.01",))
    strategy = NSGA2(GRID, goal, seed=0, costs=toy_costs, population=8)
    least, first = inf, 0.0
    for trial in range(1, 200):
        proposal = next(strategy.ask())
        strategy.tell(Asked(strategy.name, ((trial, proposal),)))
        loss = 0.05 + sum(GRID.point(proposal.candidate)) / 24
        strategy.tell(Finished(trial, "completed", measured(accuracy=0.5, loss=loss)))
        now = min(member.results[1].violation for member in strategy.members)
        assert now <= least
        least, first = now, first or now
    assert least < 0.5 * first
