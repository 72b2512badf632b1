"""How long candidates train."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from netwright.experiment.ladder import (
    ETA,
    FEWEST_EPOCHS,
    FINAL_SHARE,
    FINALISTS_TO_AFFORD,
    MOST_EPOCHS,
    Ladder,
    build_ladder,
    rungs,
)


@pytest.mark.parametrize("images", [50, 1_000, 10_000, 20_000, 60_000, 1_000_000])
def test_a_full_training_without_a_bound_on_time(images: int) -> None:
    ladder = build_ladder(images=images, epoch_seconds=1.0, worker_seconds=None, epochs=None)
    assert FEWEST_EPOCHS <= ladder.epochs <= MOST_EPOCHS
    assert ladder.epochs in (FEWEST_EPOCHS, MOST_EPOCHS) or abs(ladder.epochs * images - 300_000) <= images / 2


@pytest.mark.parametrize("worker_seconds", [1.0, 60.0, 600.0, 6_000.0])
def test_the_final_stage_can_afford_a_full_training(worker_seconds: float) -> None:
    """A handful of networks, or one epoch where not even that fits."""
    ladder = build_ladder(images=5_000, epoch_seconds=2.0, worker_seconds=worker_seconds, epochs=None)
    cost = ladder.epochs * 2.0 * FINALISTS_TO_AFFORD
    assert cost <= worker_seconds * FINAL_SHARE or ladder.epochs == 1


def test_a_larger_budget_never_shortens_the_training() -> None:
    epochs = [
        build_ladder(images=5_000, epoch_seconds=2.0, worker_seconds=float(seconds), epochs=None).epochs
        for seconds in range(10, 4_000, 90)
    ]
    assert epochs == sorted(epochs)
    assert epochs[0] < epochs[-1]


def test_the_own_choice_of_epochs_holds_whatever_it_costs() -> None:
    ladder = build_ladder(images=5_000, epoch_seconds=100.0, worker_seconds=1.0, epochs=33)
    assert ladder.epochs == 33
    assert ladder.rungs == rungs(33)


@pytest.mark.parametrize("epochs", range(1, 121))
def test_rungs_are_a_factor_apart_and_end_at_half(epochs: int) -> None:
    found = rungs(epochs)
    assert found[0] >= 1
    assert all(high == ETA * low for low, high in pairwise(found))
    assert found[-1] <= max(epochs / 2, 1)
    assert found[-1] * ETA > epochs / 2, "one more rung would have fitted"


def test_a_ladder_survives_json() -> None:
    ladder = Ladder(20, (1, 3, 9), 0.25)
    assert Ladder.from_json(json.loads(json.dumps(ladder.to_json()))) == ladder
