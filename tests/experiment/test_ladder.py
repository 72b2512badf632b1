"""How long candidates train."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.core.errors import RunVersion
from netwright.core.trial import Fidelity, epochs_a_pass
from netwright.experiment.ladder import (
    ETA,
    FEWEST_PASSES,
    FINAL_SHARE,
    FINALISTS_TO_AFFORD,
    LOWEST,
    MOST_PASSES,
    Ladder,
    build_ladder,
    makespan,
    rungs,
    share_out,
)


@pytest.mark.parametrize("images", [50, 1_000, 10_000, 20_000, 60_000, 1_000_000])
def test_a_full_training_without_a_bound_on_time(images: int) -> None:
    ladder = build_ladder(images=images, epoch_seconds=1.0, worker_seconds=None, passes=None)
    passes = ladder.epochs / epochs_a_pass(images)
    assert FEWEST_PASSES <= passes <= MOST_PASSES
    assert passes in (FEWEST_PASSES, MOST_PASSES) or abs(passes * images - 300_000) <= images / 2


def test_an_epoch_of_many_images_is_an_equal_part_of_a_pass() -> None:
    ladder = build_ladder(images=50_000, epoch_seconds=1.0, worker_seconds=None, passes=3)
    assert (ladder.epoch_images, ladder.epochs) == (12_500, 12)


@pytest.mark.parametrize("worker_seconds", [1.0, 60.0, 600.0, 6_000.0])
def test_the_final_stage_can_afford_a_full_training(worker_seconds: float) -> None:
    """A handful of networks, or one epoch where not even that fits."""
    ladder = build_ladder(images=5_000, epoch_seconds=2.0, worker_seconds=worker_seconds, passes=None)
    cost = ladder.epochs * 2.0 * FINALISTS_TO_AFFORD
    assert cost <= worker_seconds * FINAL_SHARE or ladder.epochs == 1


def test_a_larger_budget_never_shortens_the_training() -> None:
    epochs = [
        build_ladder(images=5_000, epoch_seconds=2.0, worker_seconds=float(seconds), passes=None).epochs
        for seconds in range(10, 4_000, 90)
    ]
    assert epochs == sorted(epochs)
    assert epochs[0] < epochs[-1]


def test_the_own_choice_of_epochs_holds_whatever_it_costs() -> None:
    ladder = build_ladder(images=5_000, epoch_seconds=100.0, worker_seconds=1.0, passes=33)
    assert ladder.epochs == 33
    assert ladder.rungs == rungs(33)


@pytest.mark.parametrize("epochs", range(1, 121))
def test_rungs_are_about_a_factor_apart_and_end_at_half(epochs: int) -> None:
    found = rungs(epochs)
    assert found[-1] == max(1, epochs // 2)
    assert all(low < high and abs(high - ETA * low) <= ETA / 2 for low, high in pairwise(found))
    assert found[0] == 1 or epochs / LOWEST <= found[0] <= ETA * (epochs / LOWEST + 1)


def test_a_promoted_trial_trains_from_the_rung_below_and_its_decay_branch() -> None:
    ladder = Ladder(20, (1, 3, 10), 1_500, 0.25)
    assert ladder.trained(Fidelity(10, trunk=True), resumed=True) == 10 - 3 + 2
    assert ladder.trained(Fidelity(10, trunk=True), resumed=False) == 10 + 2
    assert ladder.trained(Fidelity(20), resumed=False) == 20


def test_a_ladder_survives_json() -> None:
    ladder = Ladder(20, (1, 3, 9), 1_500, 0.25)
    assert Ladder.from_json(json.loads(json.dumps(ladder.to_json()))) == ladder


@given(
    costs=st.lists(st.floats(0.01, 20), min_size=1, max_size=9),
    seconds=st.floats(1, 500),
    workers=st.integers(1, 8),
    full=st.integers(1, 60),
    longer=st.integers(1, 3),
)
def test_the_time_of_the_final_stage_is_shared_out(
    costs: list[float], seconds: float, workers: int, full: int, longer: int
) -> None:
    """The first is always trained, nobody beyond the time there is, and together not beyond that of all workers."""
    epochs = share_out(costs, seconds=seconds, workers=workers, full=full, longest=full * longer)
    least = max(1, min(full, int(seconds / costs[0])))
    assert 0 in epochs
    assert all(least <= number <= full * longer for number in epochs.values())
    if costs[0] <= seconds:
        assert all(costs[place] * number <= seconds * (1 + 1e-9) for place, number in epochs.items())
        assert makespan([costs[place] * number for place, number in epochs.items()], workers) <= seconds * (1 + 1e-9)
    assert list(epochs) == sorted(epochs, key=lambda place: -costs[place]), "the costliest begins"


def test_cheap_candidates_train_longer_and_those_that_do_not_fit_are_left_out() -> None:
    epochs = share_out([5.0, 1.0, 0.5, 80.0], seconds=100, workers=2, full=10, longest=20)
    assert epochs == {0: 20, 1: 20, 2: 20}
    assert share_out([5.0, 1.0, 4.0], seconds=60, workers=1, full=5, longest=20) == {0: 5, 2: 5, 1: 15}


def test_a_dear_candidate_does_not_hold_back_a_cheap_one() -> None:
    assert share_out([2.0, 0.1], seconds=50, workers=2, full=24, longest=48) == {0: 25, 1: 48}


def test_whoever_must_be_kept_is_kept() -> None:
    assert share_out([0.1, 2.0, 0.2], seconds=30, workers=1, full=24, longest=48, sure=2) == {1: 14, 0: 20}


def test_a_ladder_that_counts_otherwise_is_refused() -> None:
    with pytest.raises(RunVersion, match="counted epochs in another way"):
        Ladder.from_json({"epochs": 6, "rungs": [1, 3], "epoch_seconds": 1.0})


def test_what_does_not_fit_side_by_side_is_left_out() -> None:
    """Three trainings of 60 s take two workers 120 s, whatever their sum says."""
    assert share_out([6.0, 6.0, 6.0], seconds=100, workers=2, full=10, longest=10) == {0: 10, 1: 10}


def test_beyond_a_handful_only_those_are_kept_that_leave_everyone_an_unhurried_training() -> None:
    costs = [1.0] * 8
    hurried = share_out(costs, seconds=120, workers=1, full=15, longest=30)
    assert set(hurried.values()) == {15}
    assert len(hurried) == 8
    assert share_out(costs, seconds=120, workers=1, full=15, longest=30, unhurried=20) == dict.fromkeys(range(6), 20)
    assert len(share_out(costs, seconds=60, workers=1, full=15, longest=30, unhurried=20)) == FINALISTS_TO_AFFORD


def test_what_an_unhurried_training_is_does_not_follow_the_budget() -> None:
    short, long = (
        build_ladder(images=50_000, epoch_seconds=5.0, worker_seconds=seconds, passes=None)
        for seconds in (1_200.0, 9e9)
    )
    assert short.epochs < long.epochs == short.unhurried == long.unhurried == 24


def test_a_short_time_shortens_every_training() -> None:
    assert share_out([5.0, 1.0], seconds=20, workers=1, full=10, longest=10) == {0: 4}
