from __future__ import annotations

from itertools import permutations
from random import Random

import numpy as np
import pytest

from netwright.core.candidate import Candidate
from netwright.spaces.choices import Choice, choose, integer, optional, real, repeat, subset
from netwright.strategies.shared.groups import Table, column_of, numbers_of, value_of
from netwright.testing.toys import Interval, Nested, toy_candidate

CHOICES: list[Choice] = [
    choose("a", 1, True, 1.5, None),
    optional(None),
    integer(-3, 9),
    real(1e-4, 1.0, log=True),
    subset(2, ("a", "b", "c")),
    repeat(None, 0, 4),
]


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: type(choice).__name__)
def test_a_value_comes_back_from_its_numbers(choice: Choice) -> None:
    rng, column = Random(0), column_of(choice)
    assert column is not None
    for _ in range(50):
        value = choice.draw("place", rng)
        numbers = numbers_of(choice, value)
        again = value_of(choice, "place", numbers)
        assert len(numbers) == column.width
        assert choice.fault(again) is None
        assert numbers_of(choice, again) == numbers
        assert isinstance(value, tuple) or (type(again) is type(value) and again == value)


@pytest.mark.parametrize(
    "choice", [choose("only"), integer(3, 3), real(0.5, 0.5), subset(0, 3), subset(3, 3), repeat(None, 2, 2)]
)
def test_a_single_value_needs_no_column(choice: Choice) -> None:
    assert column_of(choice) is None


def path(*turns: int) -> Candidate:
    """A candidate of `Nested`."""
    addresses = ["/".join(["q", *map(str, turns[:depth])]) for depth in range(len(turns))]
    return toy_candidate(dict(zip(addresses, turns, strict=True)))


def groups(table: Table) -> set[tuple[str, ...]]:
    return {group.slots for group in table.groups.values()}


def test_slots_that_always_occur_together_are_a_group_whatever_the_order_of_results() -> None:
    paths = [path(0, 0, 1), path(0, 1, 1), path(1, 0, 0)]
    for order in permutations((1, 2, 3)):
        table = Table(Nested(3))
        for trial, candidate in enumerate(paths, start=1):
            table.add(trial, candidate)
        assert groups(table) == set()
        assert [table.refine(trial) for trial in order] == [3, 3, 3]
        assert groups(table) == {("q",), ("q/0",), ("q/0/0",), ("q/0/1",), ("q/1", "q/1/0")}


def test_a_group_holds_the_trials_that_have_all_of_it_in_order_of_their_asking() -> None:
    table = Table(Nested(3))
    for trial, turns in enumerate([(0, 0, 1), (1, 1, 0), (1, 0, 0), (1, 0, 1)], start=7):
        table.add(trial, path(*turns))
    table.refine(9)
    group = table.groups["q/1"]
    assert group.slots == ("q", "q/1", "q/1/0")
    assert group.points(np.array([True] * 4)).tolist() == [[1, 0, 0], [1, 0, 1]]
    assert group.points(np.array([True, True, False, True])).tolist() == [[1, 0, 1]]
    assert group.row(table.numbers(path(0, 0, 1))) is None


def test_a_group_grows() -> None:
    space, rng, table = Interval(2), Random(0), Table(Interval(2))
    candidates = [space.sample(rng) for _ in range(100)]
    for trial, candidate in enumerate(candidates):
        table.add(trial, candidate)
        table.refine(trial)
    points = table.groups["x/0"].points(np.full(100, True))
    assert points.tolist() == [list(candidate.decisions.values()) for candidate in candidates]
