"""How a network is trained: numbers and words that may be choices, plain scalars once resolved."""

# ruff: noqa: RUF009  (the defaults are dataclass fields with a rule, made by functions of rules.py)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from netwright.core.candidate import Scalar
from netwright.core.errors import CandidateError
from netwright.spaces.choices import Choice
from netwright.spaces.rules import Spec, number, rules_of, whole, word

OPTIMIZERS = ("sgd", "adamw")
SCHEDULES = ("cosine", "one-cycle", "constant")

AUGMENTATIONS = ("shift", "flip", "rotate", "cutout", "mixup")
"""Single augmentations; a recipe names several joined by +, in this order."""

AUGMENTS = (
    "none",
    *("+".join(names) for size in range(1, len(AUGMENTATIONS) + 1) for names in combinations(AUGMENTATIONS, size)),
)
"""Every value that `augment` may take."""


@dataclass(frozen=True)
class Recipe(Spec):
    """How to train.

    `optimizer` is "sgd" (Nesterov momentum) or "adamw". `lr` is the peak learning rate; `schedule` leads there over
    the first `warmup` share of the steps and then down. `augment` is "none" or augmentations joined by +. `batch` is
    images a step; `ema` is the decay a step of an average of the weights, 0 for none.
    """

    optimizer: str | Choice = word("sgd", *OPTIMIZERS)
    lr: float | Choice = number(0.1, 1e-7, 100)
    weight_decay: float | Choice = number(5e-4, 0, 10)
    momentum: float | Choice = number(0.9, 0, 0.9999)
    schedule: str | Choice = word("one-cycle", *SCHEDULES)
    warmup: float | Choice = number(0.2, 0, 1)
    label_smoothing: float | Choice = number(0.0, 0, 0.9)
    augment: str | Choice = word("none", *AUGMENTS)
    batch: int | Choice = whole(128, 1, 65_536)
    ema: float | Choice = number(0.0, 0, 0.99999)


def check_recipe(recipe: Mapping[str, Scalar]) -> None:
    """Hold a resolved recipe, as it may come from a file, to the rules of `Recipe`.

    Raises CandidateError that names the field at fault.
    """
    rules = rules_of(Recipe)
    for name in recipe:
        if name not in rules:
            raise CandidateError(f"unknown field of a recipe; known are {', '.join(rules)}", f"recipe/{str(name)[:60]}")
    for name, rule in rules.items():
        fault = rule.fault(recipe[name]) if name in recipe else "is missing"
        if fault is not None:
            given = f", but got {recipe[name]!r:.60}" if name in recipe else ""
            raise CandidateError(fault + given, f"recipe/{name}")
