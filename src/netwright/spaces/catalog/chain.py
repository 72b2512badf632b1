"""`chain`: a stem and up to four stages of plain, residual and separable convolutions, with optional skip connections.

Widths grow as the resolution falls. Dense convolutions at a low resolution give most accuracy for their training time
on a CPU, so every stage begins with a strided one; separable blocks are there for few parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from netwright.core.candidate import Value
from netwright.core.task import TaskSpec
from netwright.spaces.catalog.scale import halvings
from netwright.spaces.choices import Choose, Repeat, choose, real, repeat
from netwright.spaces.layers import Activation, Conv, Dropout, Residual, Separable
from netwright.spaces.recipe import Recipe
from netwright.spaces.space import Space

STEM = (8, 16, 24, 32)
WIDTHS = ((16, 24, 32, 48), (16, 24, 32, 48, 64), (16, 24, 32, 48, 64, 96))
"""Choices of width, stage by stage; where there are fewer stages, the last ones are taken."""

REFERENCE_WIDTHS = (24, 48, 80)

START_WIDTHS = ((8, (16, 16, 16)), (16, (16, 16, 32)), (16, (16, 24, 48)), (24, (16, 32, 64)))
"""Of the stem and of each stage: the hand-made network in four sizes, where evolution begins."""


def chain(task: TaskSpec) -> Space:
    """The space for a task: a stage for each halving of the resolution, three at most.

    Inputs of more than 64 pixels are halved before the stages, once or twice.
    """
    total = halvings(task)
    stages = min(3, total)
    early = total - stages
    network: dict[str, Any] = {"stem": Conv(width=choose(*STEM), stride=2 if early else choose(1, 2))}
    reference: list[Any] = [Conv(16, stride=2 if early else 1)]
    for extra in range(1, early):
        network[f"reduce{extra}"] = Conv(stride=2)
        reference.append(Conv(stride=2))
    for stage in range(stages):
        widths = WIDTHS[stage - stages]
        network[f"stage{stage + 1}"] = [Conv(width=choose(*widths), kernel=choose(3, 5), stride=2), _blocks()]
        reference += [Conv(REFERENCE_WIDTHS[stage - stages], stride=2), _residual()]
    network["dropout"] = Dropout(rate=choose(0.0, 0.1, 0.2))
    starts = [_start(stem, widths[-stages:], early) for stem, widths in START_WIDTHS]
    return Space(network, recipes(), name="chain", reference=(reference, reference_recipe()), starts=starts)


def _start(stem: int, widths: Sequence[int], early: int) -> dict[str, Value]:
    """The hand-made network with other widths, as slots of the space.

    With small batches and without augmentation: what needs a long training to pay would lose its first comparisons.
    """
    slots: dict[str, Value] = {"network/stem/width": stem, "network/dropout/rate": 0.0}
    if not early:
        slots["network/stem/stride"] = 1
    for stage, width in enumerate(widths, start=1):
        first, more = f"network/stage{stage}/0", f"network/stage{stage}/1"
        slots |= {f"{first}/width": width, f"{first}/kernel": 3, f"{more}/length": 1, f"{more}/[0]": "residual"}
    recipe = replace(reference_recipe(), augment="none", batch=64)
    slots["recipe"] = "adamw"
    chosen = ("lr", "weight_decay", "label_smoothing", "augment", "batch")
    return slots | {f"recipe/adamw/{name}": getattr(recipe, name) for name in chosen}


def _blocks() -> Repeat:
    """What follows at one resolution: up to two blocks, each of a kind of its own."""
    return repeat(
        choose(
            plain=Conv(kernel=choose(3, 5), skip=choose(0, 1, 2)),
            residual=_residual(),
            separable=Separable(kernel=choose(3, 5), skip=choose(0, 1, 2)),
        ),
        0,
        2,
    )


def _residual() -> list[Any]:
    """The basic block of He et al. (2016)."""
    return [Residual([Conv(), Conv(act=None)]), Activation("relu")]


def recipes() -> Choose:
    """Recipes for convolutional networks: SGD with a high learning rate, or AdamW, each about where it trains fast."""
    augment = choose("none", "shift", "flip", "shift+flip")
    smoothing = choose(0.0, 0.1)
    batch = choose(64, 128)
    return choose(
        sgd=Recipe(
            optimizer="sgd",
            lr=real(0.1, 0.8, log=True),
            weight_decay=real(1e-4, 1e-3, log=True),
            label_smoothing=smoothing,
            augment=augment,
            batch=batch,
        ),
        adamw=Recipe(
            optimizer="adamw",
            lr=real(3e-3, 2e-2, log=True),
            weight_decay=real(5e-3, 5e-2, log=True),
            label_smoothing=smoothing,
            augment=augment,
            batch=batch,
        ),
    )


def reference_recipe() -> Recipe:
    """A recipe that works nearly everywhere."""
    return Recipe(optimizer="adamw", lr=0.01, weight_decay=0.02, augment="shift")
