from __future__ import annotations

from collections import Counter
from itertools import islice
from random import Random

import pytest

from netwright.core.candidate import Candidate, Value
from netwright.core.errors import CandidateError, InputError
from netwright.core.events import Asked
from netwright.core.objective import Goal, parse_goal
from netwright.core.trial import Proposal
from netwright.spaces.catalog.nasbench201 import cell
from netwright.spaces.choices import Integer, Real, choose, integer, optional, real, repeat, subset
from netwright.spaces.layers import Conv, Pool
from netwright.spaces.space import Space
from netwright.spaces.walk import Decider, SearchSpace
from netwright.strategies import GridSearch
from netwright.strategies.grid import MOST_VALUES, Tour, spread
from netwright.testing.toys import Grid, Interval, Nested, Toy, toy_candidate, toy_costs
from tests.spaces.spaces import FINITE

GOAL = parse_goal((), ())


def grid(space: SearchSpace, goal: Goal = GOAL, seed: int = 0, values: int = 3) -> GridSearch:
    return GridSearch(space, goal, seed=seed, costs=toy_costs, values=values)


def points(strategy: GridSearch) -> list[Proposal]:
    """What is asked until the grid has ended, without a tell."""
    asked = []
    for proposal in strategy.ask():
        if proposal.origin != "grid":
            return asked
        asked.append(proposal)
    raise AssertionError("the stream ended")


@pytest.mark.parametrize("name", FINITE)
def test_a_finite_space_is_walked_to_the_last_candidate(name: str) -> None:
    space = FINITE[name]
    found = [(p.candidate.key, str(sorted(p.candidate.recipe.items()))) for p in points(grid(space))]
    there = {(c.key, str(sorted(c.recipe.items()))) for c in space.enumerate()}
    assert len(found) == len(set(found))
    assert set(found) == there


@pytest.mark.parametrize("space", [Grid((2, 3, 4)), Nested(6)], ids=["grid", "nested"])
def test_each_point_comes_once_and_the_seed_orders_them(space: Toy) -> None:
    first, second = ([p.candidate.key for p in points(grid(space, seed=seed))] for seed in (0, 1))
    assert len(first) == len(set(first)) == (24 if isinstance(space, Grid) else 64)
    assert sorted(first) == sorted(second) and first != second


class Chain(Toy):
    """At each of 40 steps one may stop or go on: 41 leaves, the deepest of them rare at random."""

    def walk(self, decider: Decider) -> Candidate:
        decisions: dict[str, Value] = {}
        for step in range(40):
            decisions[f"on/{step}"] = decider.decide(f"on/{step}", choose(0, 1))
            if decisions[f"on/{step}"] == 0:
                break
        return toy_candidate(decisions)


def test_a_lopsided_tree_is_walked_to_its_deepest_leaf() -> None:
    assert len(points(grid(Chain()))) == 41


def test_nothing_is_worked_out_that_is_not_asked_for() -> None:
    class Counting(Grid):
        walks = 0

        def walk(self, decider: Decider) -> Candidate:
            self.walks += 1
            return super().walk(decider)

    space = Counting((9,) * 40)
    strategy = grid(space)
    for trial in range(1, 301):
        strategy.tell(Asked("grid", ((trial, next(strategy.ask())),)))
    assert space.walks == 300
    list(islice(strategy.ask(), 5))
    list(islice(strategy.ask(), 5))
    assert space.walks == 305


def test_the_first_points_are_spread_over_every_decision() -> None:
    """A fortieth of the space has all values of every decision, none of them rarely."""
    space = Grid((5,) * 6)
    first = [space.point(p.candidate) for p in islice(grid(space).ask(), 400)]
    for slot in range(6):
        counts = Counter(point[slot] for point in first)
        assert min(counts.values()) >= 50 and len(counts) == 5
    assert set(Counter(point[0] for point in first).values()) == {80}  # the branch taken least comes next


def test_a_grid_that_ends_is_made_finer_between_its_numbers() -> None:
    strategy = grid(Interval(2))
    unit = {p.candidate.key: p.candidate.decisions for p in islice(strategy.ask(), 25)}
    assert len(unit) == 25
    nine = [tuple(decisions.values()) for decisions in list(unit.values())[:9]]
    assert set(nine) == {(x, y) for x in (0.0, 0.5, 1.0) for y in (0.0, 0.5, 1.0)}
    quarters = (0.0, 0.25, 0.5, 0.75, 1.0)
    assert {tuple(decisions.values()) for decisions in unit.values()} == {(x, y) for x in quarters for y in quarters}


def test_whole_numbers_come_to_an_end() -> None:
    class Whole(Toy):
        def walk(self, decider: Decider) -> Candidate:
            return toy_candidate({"n": decider.decide("n", integer(1, 20)), "m": decider.decide("m", integer(1, 2))})

    asked = [p.candidate.decisions for p in points(grid(Whole()))]
    assert {decisions["n"] for decisions in asked[:6]} == {1, 10, 20}
    assert len(asked) == 40


@pytest.mark.parametrize(
    ("choice", "values", "expected"),
    [
        (real(0.0, 1.0), 3, [0.0, 0.5, 1.0]),
        (real(0.0, 1.0), 1, [0.5]),
        (real(0.01, 1.0, log=True), 3, [0.01, 0.1, 1.0]),
        (integer(1, 9), 3, [1, 5, 9]),
        (integer(1, 3), 5, [1, 2, 3]),
        (integer(1, 100, log=True), 3, [1, 10, 100]),
    ],
)
def test_numbers_are_spread_evenly(choice: Integer | Real, values: int, expected: list[float]) -> None:
    found = spread(choice, values)
    assert found == pytest.approx(sorted(found)) and found == pytest.approx(expected)
    assert all(choice.fault(value) is None for value in found)


def test_every_kind_of_choice_has_a_grid() -> None:
    space = Space(
        [
            Conv(integer(8, 64, log=True)),
            repeat(Conv(kernel=choose(3, 5)), 0, 2),
            optional(Pool()),
            subset(1, [Conv(8)]),
        ]
    )
    for proposal in islice(grid(space).ask(), 60):
        space.validate(proposal.candidate)


def test_a_large_subset_is_drawn_from() -> None:
    class Names(Toy):
        def walk(self, decider: Decider) -> Candidate:
            return toy_candidate({"names": decider.decide("names", subset(20, 40))})

    tour = Tour(Names(), 3, Random(0))
    assert len(list(tour.candidates())) == MOST_VALUES


def test_equal_networks_are_asked_once() -> None:
    """The 15,625 cells of NAS-Bench-201 are 5,260 networks by the general key; here a few of them."""
    keys = [p.candidate.key for p in islice(grid(Space([Conv(16), cell()])).ask(), 250)]
    assert len(set(keys)) == 250


@pytest.mark.long
def test_all_cells_are_found_before_repeats_end_the_grid() -> None:
    assert len(points(grid(Space([Conv(16), cell()])))) == 5_260


def test_limits_are_kept_where_they_can_be() -> None:
    goal = parse_goal((), ("parameters<=8k",))
    strategy = grid(Grid((5,) * 4), goal)
    asked = points(strategy)
    assert all(strategy.excess(p.candidate) == 0 for p in asked)
    inside = [p for p in points(grid(Grid((5,) * 4))) if strategy.excess(p.candidate) == 0]
    assert {p.candidate.key for p in asked} == {p.candidate.key for p in inside}


def test_where_nothing_is_inside_the_nearest_are_asked() -> None:
    strategy = grid(Grid((5,) * 6), parse_goal((), ("parameters<=1",)))
    excess = [strategy.excess(p.candidate) for p in islice(strategy.ask(), 100)]
    drawn = [strategy.excess(strategy.space.sample(Random(seed))) for seed in range(100)]
    assert sum(excess) < 0.5 * sum(drawn)


def test_what_is_no_candidate_is_passed_over() -> None:
    class Holes(Grid):
        def walk(self, decider: Decider) -> Candidate:
            candidate = super().walk(decider)
            if sum(self.point(candidate)) % 2:
                raise CandidateError("odd")
            return candidate

    assert len(points(grid(Holes((3, 3))))) == 5


def test_the_cursor_goes_on_after_a_replay() -> None:
    lived, told = grid(Nested(8)), grid(Nested(8))
    for trial in range(1, 101):
        asked = Asked("grid", ((trial, next(lived.ask())),))
        lived.tell(asked)
        told.tell(asked)
    ahead = [[p.to_json() for p in islice(strategy.ask(), 200)] for strategy in (lived, told)]
    assert ahead[0] == ahead[1]
    assert ahead[0] == [p.to_json() for p in islice(lived.ask(), 200)]


def test_starts_come_first_and_are_not_repeated() -> None:
    space = Grid((3, 3))
    strategy = grid(space)
    strategy.starts = [space.candidate((2, 1))]
    asked = list(islice(strategy.ask(), 9))
    assert [p.origin for p in asked] == ["start"] + ["grid"] * 8
    assert len({p.candidate.key for p in asked}) == 9


def test_it_says_that_it_does_not_learn_and_settings_are_checked() -> None:
    assert "learns nothing" in grid(Interval()).remarks()[0]
    with pytest.raises(InputError, match="at least 1"):
        grid(Interval(), values=0)
