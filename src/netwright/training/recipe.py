"""What a recipe says, read and checked, and the optimiser and learning-rate schedule it stands for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import nn

from netwright.core.candidate import Scalar
from netwright.core.trial import DECAY_SHARE
from netwright.spaces.recipe import Recipe, check_recipe

SMALLEST_BATCH = 16
STEPS_AN_EPOCH = 16
"""`batch_size` lowers a batch that would leave fewer steps in an epoch, but not below `SMALLEST_BATCH` images."""


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """A resolved recipe, with the fields of `spaces.recipe.Recipe`.

    `weight_decay` spares norms and biases. `warmup` is the share of all steps in which the learning rate rises to
    `lr`. With `ema` it is the average of the weights that is scored.
    """

    optimizer: str
    lr: float
    weight_decay: float
    momentum: float
    schedule: str
    warmup: float
    label_smoothing: float
    augment: str
    batch: int
    ema: float


def read_recipe(recipe: Mapping[str, Scalar]) -> TrainingRecipe:
    """Check a recipe mapping; what it leaves out has the defaults of `Recipe`. Raises CandidateError, naming the entry."""
    defaults: dict[str, Any] = {field.name: getattr(Recipe(), field.name) for field in fields(Recipe)}
    complete = {**defaults, **recipe}
    check_recipe(complete)
    return TrainingRecipe(**complete)


def batch_size(wanted: int, images: int) -> int:
    """The batch that is used: `wanted`, lowered to a sixteenth of the training images where they are few.

    So an epoch has at least sixteen steps, unless that would need batches below sixteen images.
    """
    return min(wanted, max(SMALLEST_BATCH, images // STEPS_AN_EPOCH))


def make_optimizer(module: nn.Module, recipe: TrainingRecipe) -> torch.optim.Optimizer:
    """The optimiser over all trainable parameters; those with one dimension (norms, biases) are not decayed."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.lr, betas=(recipe.momentum, 0.999))
    return torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=recipe.momentum > 0)


def schedule_factor(recipe: TrainingRecipe, steps: int, step: int) -> float:
    """What the learning rate is multiplied with at `step` (from 0) of `steps`.

    All schedules rise linearly over the warm-up share. Then `one-cycle` falls linearly to zero, `cosine` by half a
    cosine wave, and `constant` stays.
    """
    warm = recipe.warmup * steps
    if step < warm:
        return (step + 1) / (math.ceil(warm) + 1)
    if recipe.schedule == "constant":
        return 1.0
    passed = (step - warm) / max(1.0, steps - warm)
    if recipe.schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * passed))
    return 1.0 - passed


def trunk_factor(recipe: TrainingRecipe, steps_an_epoch: int, step: int) -> float:
    """The factor on the trunk of successive halving: warm-up within the first epoch, then constant.

    It must not depend on how far the trunk will go, so the recipe's warm-up share is taken of one epoch.
    """
    warm = recipe.warmup * steps_an_epoch
    return (step + 1) / (math.ceil(warm) + 1) if step < warm else 1.0


def decay_steps(epochs: int, steps_an_epoch: int) -> int:
    """Steps of the decay branch at a rung of `epochs`."""
    return max(1, round(epochs * steps_an_epoch * DECAY_SHARE))


def decay_factor(length: int, step: int) -> float:
    """The factor on a decay branch of `length` steps: linearly from 1 towards 0."""
    return 1.0 - step / length
