"""`mlp`: an image as a vector, and up to four linear layers; for inputs whose pixels are not neighbours of each other."""

from __future__ import annotations

from netwright.core.task import TaskSpec
from netwright.spaces.choices import choose, integer, real, repeat
from netwright.spaces.layers import Dropout, Flatten, Linear
from netwright.spaces.recipe import Recipe
from netwright.spaces.space import Space


def mlp(task: TaskSpec) -> Space:
    """The space for a task. Augmentations of images are left out of its recipes."""
    act = choose("relu", "silu", "gelu", "tanh")
    layer = Linear(width=integer(8, 256, log=True), act=act, norm=choose(False, True), skip=choose(0, 1))
    network = {
        "input": Flatten(),
        "layers": repeat(layer, 1, 4),
        "dropout": Dropout(rate=choose(0.0, 0.1, 0.3)),
    }
    recipe = Recipe(
        optimizer="adamw",
        lr=real(3e-4, 3e-2, log=True),
        weight_decay=real(1e-4, 1.0, log=True),
        label_smoothing=choose(0.0, 0.1),
        batch=choose(32, 64, 128, 256),
    )
    reference = [Flatten(), Linear(128, norm=True), Linear(64, norm=True), Dropout(0.1)]
    return Space(
        network,
        recipe,
        name="mlp",
        reference=(reference, Recipe(optimizer="adamw", lr=5e-3, weight_decay=0.05, batch=64)),
    )
