"""`chain`: a stem and up to four stages of plain, residual and separable convolutions, with optional skip connections.

Widths grow as the resolution falls. Dense convolutions at a low resolution give most accuracy for their training time
on a CPU, so every stage begins with a strided one; separable blocks are there for few parameters.
"""

from __future__ import annotations

from typing import Any

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


def chain(task: TaskSpec) -> Space:
    """The space for a task: a stage for each halving of the resolution, three at most.

    Inputs of more than 64 pixels are halved before the stages as often as is needed.
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
    return Space(network, recipes(), name="chain", reference=(reference, reference_recipe()))


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
    """Recipes for convolutional networks: SGD with a high learning rate, or AdamW."""
    augment = choose("none", "shift", "shift+flip", "shift+cutout")
    smoothing = choose(0.0, 0.1)
    batch = choose(64, 128, 256)
    return choose(
        sgd=Recipe(
            optimizer="sgd",
            lr=real(0.05, 1.0, log=True),
            weight_decay=real(1e-5, 1e-3, log=True),
            label_smoothing=smoothing,
            augment=augment,
            batch=batch,
        ),
        adamw=Recipe(
            optimizer="adamw",
            lr=real(1e-3, 3e-2, log=True),
            weight_decay=real(1e-3, 1e-1, log=True),
            label_smoothing=smoothing,
            augment=augment,
            batch=batch,
        ),
    )


def reference_recipe() -> Recipe:
    """A recipe that works nearly everywhere."""
    return Recipe(optimizer="adamw", lr=0.01, weight_decay=0.02, augment="shift")
