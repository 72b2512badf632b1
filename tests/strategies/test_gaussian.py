"""The Gaussian process by itself: its kernel, its gradient, what it predicts, and what an acquisition makes of it."""

from __future__ import annotations

from math import log
from random import Random

import numpy as np
import pytest
from scipy.stats import norm, spearmanr

from netwright.core.task import TaskSpec
from netwright.spaces.catalog import CATALOG, make_space
from netwright.strategies.models import gaussian
from netwright.strategies.models.acquisition import improvement_on, log_expected_improvement
from netwright.strategies.models.gaussian import GaussianProcess, Kernel, Rows, fit
from netwright.strategies.shared.columns import Columns
from netwright.testing.toys import T201, Interval, Nested

TASK = TaskSpec((1, 28, 28), tuple("0123456789"), (0.29,), (0.35,))


def rows_of(space: object, count: int, seed: int = 0) -> Rows:
    """Random candidates of a space as rows over all columns that they use."""
    columns, rng = Columns(space), Random(seed)  # type: ignore[arg-type]
    table = [columns.features(space.sample(rng)) for _ in range(count)]  # type: ignore[attr-defined]
    return columns.rows(sorted({name for features in table for name in features}), table)


def some_rows(count: int, seed: int = 0) -> Rows:
    """Two categories and two numbers, each of the second kind inactive in some rows."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(-1, 3, size=(count, 2))
    numbers = rng.random((count, 2))
    numbers[rng.random(count) < 0.3, 1] = np.nan
    return Rows(codes, numbers)


@pytest.mark.parametrize(
    "space", [T201(), Interval(4), Nested(6), *CATALOG], ids=["t201", "interval", "nested", *CATALOG]
)
def test_the_kernel_is_one(space: object) -> None:
    rows = rows_of(make_space(space, TASK) if isinstance(space, str) else space, 200)
    covariance = Kernel.expected(rows).covariance(rows, rows)
    assert (np.diag(covariance) == 1.0).all()
    assert np.allclose(covariance, covariance.T)
    assert np.linalg.eigvalsh(covariance).min() > -1e-8


def test_an_inactive_number_is_half_as_far_from_all_as_the_ends_are_from_each_other() -> None:
    rows = Rows(np.zeros((5, 0), dtype=np.int64), np.array([[np.nan], [np.nan], [0.0], [1.0], [0.3]]))
    squares = gaussian._differences(rows)[0]
    assert squares[0].tolist() == pytest.approx([0.0, 0.0, 0.25, 0.25, 0.25])
    assert squares[2, 3] == pytest.approx(1.0)


def test_an_inactive_category_is_half_as_far_from_all_as_two_values_are() -> None:
    rows = Rows(np.array([[-1], [-1], [0], [4]]), np.zeros((4, 0)))
    differences = gaussian._differences(rows)[0]
    assert differences[0].tolist() == [0.0, 0.0, 0.5, 0.5]
    assert differences[2, 3] == 1.0
    covariance = Kernel(np.array([2.0]), 0.1).covariance(rows, rows)
    assert covariance[0, 2] == pytest.approx(np.exp(-1.0))
    assert covariance[2, 3] == pytest.approx(np.exp(-2.0))


def test_the_gradient_of_the_likelihood_is_its_slope() -> None:
    rows, targets = some_rows(30), np.random.default_rng(1).normal(size=30)
    differences = gaussian._differences(rows)
    logs = np.log(np.array([0.4, 0.7, 1.3, 0.2, 0.1]))
    _, gradient = gaussian._negative_log_likelihood(differences, 2, targets, np.exp(logs))
    for index in range(5):
        step = np.zeros(5)
        step[index] = 1e-5
        ahead, behind = (
            gaussian._negative_log_likelihood(differences, 2, targets, np.exp(logs + sign * step))[0]
            for sign in (1, -1)
        )
        assert gradient[index] == pytest.approx((ahead - behind) / 2e-5, rel=1e-4, abs=1e-6)


def test_the_posterior_is_that_of_the_textbook() -> None:
    rows, targets, new = some_rows(20), np.random.default_rng(1).normal(size=20), some_rows(5, seed=2)
    kernel = Kernel(np.array([0.5, 0.3, 1.0, 2.0]), 0.05)
    mean, sd = GaussianProcess(rows, targets, kernel).predict(new)
    inverse = np.linalg.inv(kernel.covariance(rows, rows) + 0.05 * np.eye(20))
    across = kernel.covariance(rows, new)
    assert np.allclose(mean, across.T @ inverse @ targets)
    assert np.allclose(sd**2, 1 - np.einsum("ij,ik,kj->j", across, inverse, across))


def test_what_is_believed_leaves_the_mean_and_takes_the_doubt() -> None:
    rows, targets, new = some_rows(20), np.random.default_rng(1).normal(size=20), some_rows(1, seed=5)
    process = GaussianProcess(rows, targets, Kernel(np.array([0.5, 0.3, 1.0, 2.0]), 0.05))
    before, after = process.predict(new), process.believing(new).predict(new)
    assert after[0] == pytest.approx(before[0], abs=0.05)
    assert after[1] < before[1]


def test_a_fit_finds_the_columns_that_matter() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, size=(80, 3))
    targets = np.array([1.0, -1.0, 0.5, -0.5])[codes[:, 1]] + 0.05 * rng.normal(size=80)
    kernel = fit(Rows(codes, np.empty((80, 0))), targets)
    assert kernel.weights[1] > 3 * max(kernel.weights[0], kernel.weights[2])
    assert kernel.noise < 0.1


def test_columns_that_never_vary_change_nothing() -> None:
    rng = np.random.default_rng(0)
    codes, numbers = rng.integers(0, 4, size=(40, 3)), np.empty((40, 0))
    targets, idle = rng.normal(size=40), np.full((40, 100), -1)
    narrow, wide = Rows(codes, numbers), Rows(np.hstack([codes, idle]), numbers)
    kernels = fit(narrow, targets), fit(wide, targets)
    assert kernels[1].weights[:3] == pytest.approx(kernels[0].weights, rel=1e-3)
    means = [
        GaussianProcess(rows, targets, k).predict(rows)[0] for rows, k in zip((narrow, wide), kernels, strict=True)
    ]
    assert np.allclose(*means, atol=1e-3)


def test_it_ranks_unseen_points_of_the_toy_table() -> None:
    table, columns, rng = T201(), Columns(T201()), Random(0)
    candidates = [table.sample(rng) for _ in range(600)]
    features = [columns.features(candidate) for candidate in candidates]
    truth = np.array([table.truth[table.index(candidate)] for candidate in candidates])
    names = sorted(features[0])
    told = columns.rows(names, features[:100])
    ranks = truth[:100].argsort().argsort()
    targets = norm.ppf((ranks + 0.625) / 100.25)
    process = GaussianProcess(told, targets, fit(told, targets))
    assert spearmanr(process.predict(columns.rows(names, features[100:]))[0], truth[100:]).statistic >= 0.7


# -- acquisition -------------------------------------------------------------------------------------------------------


def test_expected_improvement_is_that_of_the_integral() -> None:
    rng = np.random.default_rng(0)
    for mean, sd, best in ((0.0, 1.0, 0.5), (1.0, 0.2, 0.0), (-1.0, 0.7, 0.5)):
        sampled = np.maximum(rng.normal(mean, sd, 400_000) - best, 0).mean()
        value = log_expected_improvement(np.array([mean]), np.array([sd]), best)[0]
        assert value == pytest.approx(log(sampled), abs=0.05)


def test_far_below_the_best_it_still_tells_better_from_worse() -> None:
    gains = log_expected_improvement(np.array([-20.0, -10.0, -5.0]), np.full(3, 0.5), 2.0)
    assert list(gains) == sorted(gains)


def test_hypervolume_improvement_is_that_of_the_integral() -> None:
    reached = np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 2.0], [0.5, 0.5]])
    rng = np.random.default_rng(0)

    def volume(points: np.ndarray) -> float:
        from netwright.testing.toys import hypervolume

        return hypervolume([(-x, -y) for x, y in points], (0.1, 0.1))  # the reference: 0.1 below the worst, 0

    for sd in ((0.5, 0.0), (0.5, 0.3)):
        mean = np.array([[1.2, 0.8]])
        draws = mean + rng.normal(size=(3000, 2)) * sd
        gained = np.mean([volume(np.vstack([reached, draw])) for draw in draws]) - volume(reached)
        value = improvement_on(reached, [1.0, 1.0])(mean, np.array([sd]))[0]
        assert value == pytest.approx(log(gained), abs=0.1)


def test_a_point_that_is_dominated_for_sure_promises_nothing() -> None:
    reached = np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    gains = improvement_on(reached, [1.0, 1.0])(np.array([[0.5, 0.5], [1.5, 1.5]]), np.full((2, 2), [1e-3, 0.0]))
    assert gains[0] < -20 < gains[1]


def test_three_objectives_are_weighed_against_each_other() -> None:
    reached = np.zeros((1, 3))
    mean = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, -1.0]])
    gains = improvement_on(reached, [1.0, 2.0, 3.0])(mean, np.full((2, 3), 0.1))
    assert gains[0] > gains[1]


@pytest.mark.parametrize("objective", range(3))
def test_the_weight_on_an_objective_draws_to_its_end_of_the_front(objective: int) -> None:
    """Values around their mean, as models are fitted to: one above it everywhere is no end of the front."""
    reached = np.array([[2.0, -0.5, -0.5], [-0.5, 2.0, -0.5], [-0.5, -0.5, 2.0]])
    ends, between = reached[objective], np.roll([0.4, 1.2, 1.2], objective)
    weights = np.roll([8.0, 1.0, 1.0], objective).tolist()
    gains = improvement_on(reached, weights)(np.vstack([ends, between]), np.full((2, 3), 0.1))
    assert gains[0] > gains[1]
