"""The recorded space: 192 small convolutional networks with their recipes, after the catalogue's space `chain`.

Every candidate was trained, so a search on the record may ask for any of them. Three decisions are the network's, two
the recipe's; a finer space could not be recorded in full.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from netwright.core.candidate import Candidate, digest
from netwright.data.catalog import arrays_data, open_data
from netwright.data.dataset import Dataset
from netwright.spaces import Conv, Identity, Recipe, Space, choose
from netwright.spaces.choices import Choice
from netwright.spaces.layers import Activation, Residual
from netwright.spaces.walk import Decider
from netwright.testing.toys import Toy

RUNGS = (1, 3, 9, 27)
"""Epochs of each rung of successive halving."""
EPOCHS = RUNGS[-1]
"""Epochs of a full training."""
SIZE = "14x14"
TRAIN, VALIDATION = 1000, 2000
"""Images."""


@cache
def grid() -> Space:
    """Widths of the stem and of a stage, the block that follows there, augmentation, and learning rate."""
    network = {
        "stem": Conv(width=choose(8, 24), stride=2),
        "stage": Conv(width=choose(8, 16, 32, 48), stride=2),
        "block": choose(
            none=Identity(),
            plain=Conv(),
            residual=[Residual([Conv(), Conv(act=None)]), Activation("relu")],
        ),
    }
    recipe = Recipe(
        optimizer="adamw",
        lr=choose(1e-3, 3e-3, 1e-2, 3e-2),
        weight_decay=0.02,
        augment=choose("none", "cutout"),
    )
    return Space(network, recipe, name="chain-grid")


class Kept(Toy):
    """A space of independent decisions whose candidates are made once and kept, so that thousands of walks are quick."""

    def __init__(self, space: Space) -> None:
        candidates = list(space.enumerate())
        self._choices: dict[str, Choice] = space.choices(candidates[0].decisions)
        self._candidates = {tuple(candidate.decisions.values()): candidate for candidate in candidates}

    def walk(self, decider: Decider) -> Candidate:
        """The candidate that `decider` chooses."""
        return self._candidates[tuple(decider.decide(at, choice) for at, choice in self._choices.items())]

    def enumerate(self) -> Iterator[Candidate]:
        """Every candidate."""
        return iter(self._candidates.values())


def name_of(candidate: Candidate) -> str:
    """What a candidate is called in the record: a hash of its network and its recipe."""
    return digest([candidate.key, dict(candidate.recipe)], size=6)


def images(folder: Path) -> Dataset:
    """Fashion-MNIST at 14 x 14 pixels: 1,000 training and 2,000 validation images, drawn from the parts of those names."""
    whole = open_data("fashion-mnist", folder / "whole", size=SIZE)
    rng = np.random.default_rng(0)
    drawn = [
        rng.choice(whole.indices("train"), TRAIN, replace=False),
        rng.choice(whole.indices("validation"), VALIDATION, replace=False),
    ]
    chosen = np.concatenate(drawn)
    return arrays_data(
        whole.images[chosen],
        whole.labels[chosen],
        folder / "part",
        split=np.repeat([0, 1], [TRAIN, VALIDATION]),
        classes=whole.task.labels,
    )
