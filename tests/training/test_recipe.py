"""Recipes: defaults, batch clipping, weight decay that spares norms, and the shape of the schedules."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from netwright.spaces.recipe import Recipe
from netwright.training.recipe import (
    batch_size,
    decay_factor,
    decay_steps,
    make_optimizer,
    read_recipe,
    schedule_factor,
    trunk_factor,
)

from .small import network


def test_an_empty_recipe_has_the_defaults_of_the_spaces() -> None:
    assert asdict(read_recipe({})) == {name: getattr(Recipe(), name) for name in asdict(read_recipe({}))}


@pytest.mark.parametrize(
    ("wanted", "images", "used"), [(128, 50_000, 128), (128, 1_300, 81), (128, 60, 16), (8, 60, 8)]
)
def test_the_batch_is_lowered_where_images_are_few(wanted: int, images: int, used: int) -> None:
    assert batch_size(wanted, images) == used


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_norms_and_biases_are_not_decayed(optimizer: str) -> None:
    module = network()
    groups = make_optimizer(module, read_recipe({"optimizer": optimizer, "weight_decay": 0.1})).param_groups
    decayed = {id(p) for group in groups if group["weight_decay"] == 0.1 for p in group["params"]}
    assert decayed == {id(p) for p in module.parameters() if p.ndim > 1}
    assert sum(len(group["params"]) for group in groups) == len(list(module.parameters()))


@pytest.mark.parametrize("schedule", ["cosine", "one-cycle", "constant"])
@pytest.mark.parametrize("warmup", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 100])
def test_schedules_rise_to_one_and_fall(schedule: str, warmup: float, steps: int) -> None:
    recipe = read_recipe({"schedule": schedule, "warmup": warmup})
    factors = [schedule_factor(recipe, steps, step) for step in range(steps)]
    assert all(0 < factor <= 1 for factor in factors)
    peak = factors.index(max(factors))
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)
    if steps == 100 and warmup < 1:
        assert max(factors) > 0.98
        assert (factors[-1] == 1.0) if schedule == "constant" else (factors[-1] < 0.03)
        assert abs(peak - warmup * steps) <= 1


def test_the_trunk_does_not_know_how_far_it_will_go() -> None:
    recipe = replace(read_recipe({"warmup": 0.5}), schedule="cosine")
    factors = [trunk_factor(recipe, 10, step) for step in range(100)]
    assert factors[0] < factors[3] < 1.0 and set(factors[5:]) == {1.0}


def test_the_decay_branch_is_a_fifth_and_ends_near_zero() -> None:
    assert decay_steps(1, 100) == 20 and decay_steps(10, 100) == 200 and decay_steps(1, 1) == 1
    factors = [decay_factor(20, step) for step in range(20)]
    assert factors[0] == 1.0 and factors == sorted(factors, reverse=True) and factors[-1] == pytest.approx(0.05)
