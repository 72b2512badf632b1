"""From block means to a latency and a verdict, on made-up blocks with a known shape."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.hardware.blocks import judge, summarise


def blocks(seed: int = 0, count: int = 25, sigma: float = 0.05) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.random.default_rng(seed).lognormal(0, sigma, count)


def test_quiet_blocks_are_steady_in_most_of_a_hundred_draws() -> None:
    assert sum(judge(blocks(seed)) == "steady" for seed in range(100)) >= 97


def test_two_speeds_are_bimodal() -> None:
    mixed = np.random.default_rng(1).permutation(np.r_[blocks(0, 13) * 1.0, blocks(1, 12) * 1.5])
    assert judge(mixed) == "bimodal"


def test_a_few_slow_blocks_are_no_second_speed() -> None:
    values = blocks()
    values[[3, 11, 17]] = 5.0
    assert judge(values) == "steady"


def test_a_wide_spread_is_noisy() -> None:
    even = np.geomspace(1.0, 2.5, 25)
    assert judge(np.random.default_rng(2).permutation(even)) == "noisy"


def test_slower_from_round_to_round_is_throttled() -> None:
    assert judge(blocks() * np.linspace(1, 1.5, 25)) == "throttled"


def test_equal_blocks_have_no_trend() -> None:
    assert judge(np.ones(25)) == "steady"


def test_the_value_is_a_low_quantile_that_slow_blocks_do_not_move() -> None:
    values = blocks(sigma=0.01)
    disturbed = values.copy()
    disturbed[::3] *= 6
    timing = summarise(list(disturbed), 0)
    assert timing.measurement.value == pytest.approx(np.percentile(values, 25), rel=0.01)
    assert timing.measurement.samples == 25 and timing.measurement.unit == "ms"
    assert timing.minimum <= timing.measurement.value <= timing.median


def test_the_interval_holds_the_true_quantile_about_nine_times_in_ten() -> None:
    truth = np.percentile(np.random.default_rng(9).lognormal(0, 0.05, 1_000_000), 25)
    hits = 0
    for seed in range(200):
        measurement = summarise(list(blocks(seed)), seed).measurement
        assert measurement.low is not None and measurement.high is not None
        hits += measurement.low <= truth <= measurement.high
    assert 160 <= hits <= 199
