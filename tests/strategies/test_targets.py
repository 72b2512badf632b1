from __future__ import annotations

from collections.abc import Callable
from math import inf
from random import Random
from statistics import fmean, pstdev

import pytest

from netwright.strategies.shared.targets import Reading, ranks, values


def reading(
    value: float, *, first: float | None = None, epochs: int = 1, violation: float = 0.0, random: bool = True
) -> Reading:
    return Reading(value, value if first is None else first, epochs, violation, random)


def drawn(count: int = 20, seed: int = 0) -> list[Reading]:
    rng = Random(seed)
    return [reading(rng.gauss(0.8, 0.05)) for _ in range(count)]


def gap(readings: list[Reading], higher: int, lower: int) -> float:
    found = values(readings)
    return found[higher] - found[lower]


def test_they_have_mean_0_and_variance_1_and_keep_the_order() -> None:
    readings = drawn()
    found = values(readings)
    assert fmean(found) == pytest.approx(0.0, abs=1e-9)
    assert pstdev(found) == pytest.approx(1.0)
    assert sorted(range(20), key=lambda i: found[i]) == sorted(range(20), key=lambda i: readings[i].value)


def test_next_to_nothing_is_next_to_nothing_however_many_lie_there() -> None:
    """A search that has settled adds results that differ by hundredths of what random candidates do."""
    settled = [reading(0.95 + i * 1e-5, random=False) for i in range(60)]
    readings = [*drawn(), *settled]
    reached = [one.value for one in readings[:20]]
    within = gap(readings, 79, 20)
    across = gap(readings, reached.index(max(reached)), reached.index(sorted(reached)[10]))
    assert within < 0.02 * across


def test_what_learned_nothing_does_not_set_the_scale() -> None:
    readings = [*drawn(), *(reading(0.1) for _ in range(4))]
    found = values(readings)
    reached = [one.value for one in readings]
    assert len(set(found[20:])) == 1
    assert found[20] == min(found)
    assert found[reached.index(max(reached))] - found[reached.index(sorted(reached)[14])] > 0.5


def test_ranks_know_no_scale() -> None:
    readings = drawn()
    stretched = [reading(one.value**9) for one in readings]
    assert ranks(readings) == ranks(stretched)
    assert (
        ranks([*readings, reading(0.0, violation=2.0), reading(0.0, violation=inf)])[20:]
        == sorted(ranks([*readings, reading(0.0, violation=2.0), reading(0.0, violation=inf)]))[1::-1]
    )


@pytest.mark.parametrize("scale", [ranks, values])
def test_equal_results_are_equal(scale: Callable[[list[Reading]], list[float]]) -> None:
    found = scale([*drawn(), reading(0.8), reading(0.8)])
    assert found[20] == found[21]


@pytest.mark.parametrize("scale", [ranks, values])
def test_outside_a_limit_is_below_everything_by_how_far_and_failures_are_last(
    scale: Callable[[list[Reading]], list[float]],
) -> None:
    readings = [*drawn(), reading(0.0, violation=2.0), reading(0.0, violation=0.5), reading(0.0, violation=inf)]
    found = scale(readings)
    assert min(found[:20]) > found[21] > found[20] > found[22]


@pytest.mark.parametrize("scale", [ranks, values])
def test_what_was_trained_further_stands_above(scale: Callable[[list[Reading]], list[float]]) -> None:
    readings = [*drawn(), reading(0.5, first=0.7, epochs=3), reading(0.6, first=0.8, epochs=3)]
    found = scale(readings)
    assert found[20] == max(found[:21])
    assert found[21] > found[20]


def test_without_results_inside_the_limits_or_without_differences_nothing_breaks() -> None:
    assert values([reading(0.0, violation=inf)]) == [0.0]
    assert values([reading(0.7), reading(0.7), reading(0.7)]) == [0.0, 0.0, 0.0]
    assert values([reading(0.7, random=False), reading(0.8, random=False)]) == [-1.0, 1.0]
