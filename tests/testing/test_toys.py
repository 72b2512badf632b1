from __future__ import annotations

from itertools import pairwise, product
from random import Random

import pytest

from netwright.spaces.variation import crossover, mutate
from netwright.testing.toys import T201, Bits, Grid, Interval, Nested, hypervolume, toy_costs


def test_t201_is_the_published_table() -> None:
    table = T201()
    best = table.candidate((1, 2, 0, 4, 1, 4))
    assert table.best == pytest.approx(3.4306, abs=5e-5)
    assert table.score(best) == 1.0
    assert len(table.truth) == 15_625
    assert table.cost(table.candidate((4,) * 6)) == 1.0


def test_bits_are_counted_with_noise_and_clipped() -> None:
    space = Bits(10)
    ones = space.candidate((1,) * 10)
    assert space.truth(ones) == 1.0
    values = [space.accuracy(ones, 0.1, Random(seed)) for seed in range(50)]
    assert max(values) == 1.0
    assert min(values) < 1.0


@pytest.mark.parametrize("space", [Grid((3,) * 5), Interval(4), Nested(5)])
def test_a_mutation_changes_a_decision(space: Grid | Interval | Nested) -> None:
    rng = Random(0)
    for _ in range(100):
        parent = space.sample(rng)
        child, _ = mutate(space, parent, rng)
        assert child.key != parent.key
        if not isinstance(space, Nested):
            assert sum(child.decisions[a] != value for a, value in parent.decisions.items()) == 1


def test_a_crossover_takes_from_both() -> None:
    space = Grid((2,) * 20)
    zeros, ones = space.candidate((0,) * 20), space.candidate((1,) * 20)
    assert 3 <= sum(space.point(crossover(space, zeros, ones, Random(0)))) <= 17


def test_nested_addresses_follow_the_answers() -> None:
    space = Nested(3)
    for seed in range(20):
        addresses = list(space.sample(Random(seed)).decisions.items())
        for (address, answer), (opened, _) in pairwise(addresses):
            assert opened == f"{address}/{answer}"


def test_costs_grow_with_the_options() -> None:
    grid = Grid((5, 5))
    sizes = {point: toy_costs(grid.candidate(point).architecture).parameters for point in product(range(5), repeat=2)}  # type: ignore[arg-type]
    assert sizes[0, 0] == 1_000
    assert sizes[4, 4] == 100_000
    assert sizes[1, 2] == sizes[2, 1] < sizes[2, 2]


def test_hypervolume() -> None:
    assert hypervolume([(0.5, 0.5)], (1.0, 1.0)) == 0.25
    assert hypervolume([(0.25, 0.75), (0.75, 0.25), (0.8, 0.8)], (1.0, 1.0)) == pytest.approx(0.3125)
    assert hypervolume([(2.0, 0.1)], (1.0, 1.0)) == 0.0
