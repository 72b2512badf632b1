"""What a recipe says, read and checked, and the optimiser and learning-rate schedule it stands for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import nn

from netwright.core.candidate import Scalar
from netwright.core.errors import CandidateError
from netwright.training.augment import augmentation_names

OPTIMIZERS = ("sgd", "adamw")
SCHEDULES = ("cosine", "one-cycle", "constant")

SMALLEST_BATCH = 16
STEPS_AN_EPOCH = 16
"""`batch_size` lowers a batch that would leave fewer steps in an epoch, but not below `SMALLEST_BATCH` images."""


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """How a network is trained. Field names are those of the recipe mapping; defaults fill what it leaves out.

    `optimizer` is sgd (Nesterov momentum) or adamw. `weight_decay` spares norms and biases. `warmup` is the share of
    all steps in which the learning rate rises to `lr`. `augment` joins names by "+". `ema` is the decay of an average
    of the weights, which is then what is scored; 0 turns it off.
    """

    optimizer: str = "sgd"
    lr: float = 0.2
    weight_decay: float = 5e-4
    momentum: float = 0.9
    schedule: str = "one-cycle"
    warmup: float = 0.25
    label_smoothing: float = 0.0
    augment: str = "none"
    batch: int = 128
    ema: float = 0.0


_NUMBERS: dict[str, tuple[float, float, str]] = {
    "lr": (0.0, math.inf, "above 0"),
    "weight_decay": (0.0, math.inf, "at least 0"),
    "momentum": (0.0, 1.0, "at least 0 and below 1"),
    "warmup": (0.0, 1.0, "at least 0 and below 1"),
    "label_smoothing": (0.0, 1.0, "at least 0 and below 1"),
    "batch": (1, math.inf, "a whole number of at least 1"),
    "ema": (0.0, 1.0, "at least 0 and below 1"),
}


def read_recipe(recipe: Mapping[str, Scalar]) -> TrainingRecipe:
    """Check a recipe mapping. Raises CandidateError, which names the entry, when a name or a value is not allowed."""
    known = {field.name for field in fields(TrainingRecipe)}
    for name in recipe:
        if name not in known:
            raise CandidateError(f"a recipe must hold only {', '.join(sorted(known))}", f"recipe/{name}")
    for name, allowed in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
        if name in recipe and recipe[name] not in allowed:
            raise CandidateError(f"must be {' or '.join(allowed)}, but got {recipe[name]!r}", f"recipe/{name}")
    for name, (low, high, rule) in _NUMBERS.items():
        value = recipe.get(name, getattr(TrainingRecipe(), name))
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not number or not low <= value < high or (name == "lr" and value == 0):
            raise CandidateError(f"must be {rule}, but got {value!r}", f"recipe/{name}")
        if name == "batch" and value != int(value):
            raise CandidateError(f"must be {rule}, but got {value!r}", f"recipe/{name}")
    read = TrainingRecipe(**recipe)  # type: ignore[arg-type]
    augmentation_names(read.augment)
    return read


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
    """Length of the decay branch at a rung of `epochs`: a fifth of its steps."""
    return max(1, round(epochs * steps_an_epoch / 5))


def decay_factor(length: int, step: int) -> float:
    """The factor on a decay branch of `length` steps: linearly from 1 towards 0."""
    return 1.0 - step / length
