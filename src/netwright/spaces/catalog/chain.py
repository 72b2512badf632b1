"""`chain`: a stem and two to four stages of plain, residual and separable convolutions, with optional skip connections.

Widths grow as the resolution falls. Dense convolutions at a low resolution give most accuracy for their training time
on a CPU, so every stage begins with a strided one; separable blocks are there for few parameters.
"""

from __future__ import annotations

from netwright.core.task import TaskSpec
from netwright.spaces.catalog.scale import halvings
from netwright.spaces.choices import Choose, Repeat, choose, real, repeat
from netwright.spaces.layers import Conv, Dropout, Layer, Residual, Separable
from netwright.spaces.recipe import Recipe
from netwright.spaces.space import Space

WIDTHS = ((8, 16, 24, 32), (16, 24, 32, 48), (16, 32, 48, 64), (32, 48, 64, 96))
"""Choices of width: of the stem, then of each stage; images of a higher resolution pass further ones at the end."""


def chain(task: TaskSpec) -> Space:
    """The space for a task. Inputs of 64 pixels and more are halved in the stem and, from 128, before it."""
    stages = min(3, halvings(task, most=5))
    early = halvings(task, most=5) - stages
    network: dict[str, object] = {
        "stem": Conv(width=choose(*WIDTHS[0]), kernel=3, stride=2 if early else choose(1, 2)),
    }
    for extra in range(early - 1):
        network[f"reduce{extra + 1}"] = Conv(stride=2)
    for stage in range(1, stages + 1):
        widths = WIDTHS[stage + 3 - stages]
        network[f"stage{stage}"] = [
            Conv(width=choose(*widths), kernel=choose(3, 5), stride=2),
            _blocks(),
        ]
    network["dropout"] = Dropout(rate=choose(0.0, 0.1, 0.2))
    return Space(network, recipes(), name="chain", reference=(_reference(stages, early), reference_recipe()))


def _blocks() -> Repeat:
    """What follows at one resolution: up to three blocks, each of a kind of its own."""
    return repeat(
        choose(
            plain=Conv(kernel=choose(3, 5), skip=choose(0, 1, 2)),
            residual=Residual([Conv(kernel=3), Conv(kernel=3, act=None)]),
            separable=Separable(kernel=choose(3, 5), skip=choose(0, 1, 2)),
        ),
        0,
        3,
    )


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


def _reference(stages: int, early: int) -> list[Layer]:
    """A residual network as a practitioner writes it first."""
    widths = (32, 64, 96)[-stages:] if stages < 3 else (32, 64, 96)
    layers: list[Layer] = [Conv(16, stride=2 if early else 1)]
    layers += [Conv(stride=2) for _ in range(early - 1)]
    for width in widths:
        layers += [Conv(width, stride=2), Residual([Conv(), Conv(act=None)])]
    return layers
