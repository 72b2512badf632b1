"""The Parzen estimator by itself: its densities are densities, its draws follow them, its kernels are the stated ones."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product
from math import comb, exp, log

import numpy as np
import pytest

from netwright.strategies.models.parzen import RECENT, Categories, Column, Members, Mixture, Numbers, recency, widths

PAIRS = [[float(i in chosen) for i in range(4)] for chosen in combinations(range(4), 2)]


def some_points(count: int, seed: int = 0) -> tuple[list[Column], np.ndarray]:
    """Columns of every finite kind, and points on them."""
    rng = np.random.default_rng(seed)
    pairs = np.array(PAIRS)[rng.integers(len(PAIRS), size=count)]
    numbers = np.column_stack([rng.integers(3, size=count), rng.integers(1, 5, size=(count, 2))])
    columns = [Categories(3), Numbers(1, 4, whole=True), Numbers(1, 4, log=True, whole=True), Members(4, 2)]
    return columns, np.concatenate([numbers, pairs], axis=1)


EVERYTHING = np.array([[c, i, j, *pair] for c, i, j, pair in product(range(3), range(1, 5), range(1, 5), PAIRS)])


@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_the_density_of_finite_columns_sums_to_one(count: int) -> None:
    columns, points = some_points(count)
    assert np.exp(Mixture(columns, points).log_density(EVERYTHING)).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("log_scale", [False, True])
def test_the_density_of_a_number_integrates_to_one(log_scale: bool) -> None:
    values = np.array([[0.01], [0.02], [0.02], [0.9]])
    mixture = Mixture([Numbers(0.01, 1.0, log=log_scale)], values)
    grid = np.linspace(log(0.01), log(1.0), 20_001) if log_scale else np.linspace(0.01, 1.0, 20_001)
    density = np.exp(mixture.log_density((np.exp(grid) if log_scale else grid)[:, None]))
    assert np.trapezoid(density, grid) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("count", [0, 4])
def test_draws_follow_the_density(count: int) -> None:
    columns, points = some_points(count)
    mixture, draws = Mixture(columns, points), 40_000
    seen = Counter(map(tuple, mixture.draw(draws, np.random.default_rng(1)).tolist()))
    expected = draws * np.exp(mixture.log_density(EVERYTHING))
    counts = np.array([seen[tuple(point)] for point in EVERYTHING.tolist()])
    assert counts.sum() == draws
    assert ((counts - expected) ** 2 / expected).sum() < len(EVERYTHING) + 5 * (2 * len(EVERYTHING)) ** 0.5


def test_draws_of_numbers_follow_the_density_and_stay_inside() -> None:
    column = Numbers(1e-3, 1.0, log=True)
    mixture = Mixture([column], np.array([[1e-3], [0.5], [0.6]]))
    drawn = np.sort(mixture.draw(20_000, np.random.default_rng(0))[:, 0])
    assert drawn[0] >= 1e-3 and drawn[-1] <= 1.0
    grid = np.linspace(log(1e-3), 0.0, 10_001)
    mass = np.exp(mixture.log_density(np.exp(grid)[:, None])).cumsum() * (grid[1] - grid[0])
    share = np.searchsorted(np.log(drawn), grid) / len(drawn)
    assert np.abs(share - mass).max() < 0.015


def test_a_category_keeps_more_to_itself_the_more_points_there_are() -> None:
    for points in (1, 9, 99):
        m = points + 1
        alone = Mixture([Categories(5)], np.full((points, 1), 2.0), weights=np.full(points, 1e12))
        assert exp(alone.log_density(np.array([[2.0]]))[0]) == pytest.approx((1 + 1 / m) / (1 + 5 / m))
        assert exp(alone.log_density(np.array([[3.0]]))[0]) == pytest.approx((1 / m) / (1 + 5 / m))


def test_one_member_of_several_is_a_category() -> None:
    values = np.array([0, 3, 3, 1])
    one = Mixture([Categories(4)], values[:, None].astype(float))
    several = Mixture([Members(4, 1)], np.eye(4)[values])
    everything = np.arange(4)
    assert one.log_density(everything[:, None].astype(float)) == pytest.approx(several.log_density(np.eye(4)))


def test_sets_with_more_in_common_are_likelier_even_where_there_are_very_many() -> None:
    own = np.array([[1.0] * 12 + [0.0] * 28])
    mixture = Mixture([Members(40, 12)], np.repeat(own, 10, axis=0))
    moved = np.array([np.roll(own[0], shift) for shift in range(4)])
    assert (np.diff(mixture.log_density(moved)) < -2).all()
    common = (mixture.draw(200, np.random.default_rng(0)) @ own[0]).tolist()
    assert np.mean(common) > 6
    assert comb(40, 12) > 10**9


def test_the_newest_points_weigh_most() -> None:
    assert recency(0).tolist() == []
    assert recency(RECENT).tolist() == [1.0] * RECENT
    assert recency(RECENT + 1).tolist() == [1 / (RECENT + 1)] + [1.0] * RECENT
    ramp = recency(RECENT + 100)
    assert ramp[0] == 1 / (RECENT + 100) and ramp[99] == 1.0
    assert (np.diff(ramp) >= 0).all()


def test_a_kernel_is_as_wide_as_the_gap_to_its_neighbours() -> None:
    assert widths(np.array([0.7, 0.1, 0.4]), 0.0, 1.0) == pytest.approx([0.3, 0.3, 0.3])
    assert widths(np.array([0.2]), 0.0, 1.0) == pytest.approx([0.8])
    assert widths(np.array([0.1, 0.9, 0.9]), 0.0, 1.0) == pytest.approx([0.8, 0.8, 0.2])
    assert widths(np.full(200, 0.5), 0.0, 1.0) == pytest.approx([0.01] * 200)
    assert widths(np.zeros(0), 0.0, 1.0).tolist() == []


def test_far_tails_are_finite() -> None:
    columns: list[Column] = [Numbers(1, 100_000, whole=True), Numbers(1e-9, 1.0, log=True), Numbers(0, 1)]
    points = np.repeat(np.array([[1.0, 1e-9, 0.0]]), 300, axis=0)
    density = Mixture(columns, points).log_density(np.array([[100_000.0, 1.0, 1.0], [1.0, 1e-9, 0.0]]))
    assert np.isfinite(density).all()
    assert density[1] > density[0] + 5
