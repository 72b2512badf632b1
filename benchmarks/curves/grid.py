"""The recorded space: 216 multilayer perceptrons with their recipes, a finite part of the catalogue's space `mlp`.

Every candidate was trained, so a search on the record may ask for any of them. The first three decisions are the
network's, the fourth belongs to both (dropout), the last two are the recipe's.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from netwright.core.candidate import Candidate, digest
from netwright.data.catalog import arrays_data, open_data
from netwright.data.dataset import Dataset
from netwright.spaces import Dropout, Flatten, Linear, Recipe, Space, choose, shared
from netwright.spaces.choices import Choice
from netwright.spaces.walk import Decider
from netwright.testing.toys import Toy

RUNGS = (1, 3, 9, 27)
"""Epochs of each rung of successive halving."""
EPOCHS = RUNGS[-1]
"""Epochs of a full training."""
SIZE = "14x14"
TRAIN, VALIDATION = 2000, 5000
"""Images."""


@cache
def grid() -> Space:
    """Depth, width, batch normalisation, dropout, learning rate and weight decay."""
    layer = Linear(width=shared("width", choose(16, 64, 256)), norm=shared("norm", choose(False, True)))
    network = {
        "input": Flatten(),
        "layers": choose(one=[layer], two=[layer] * 2, four=[layer] * 4),
        "dropout": Dropout(rate=choose(0.0, 0.3)),
    }
    recipe = Recipe(optimizer="adamw", lr=choose(1e-3, 5e-3, 2.5e-2), weight_decay=choose(0.01, 0.5))
    return Space(network, recipe, name="mlp-grid")


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
    """Fashion-MNIST at 14 x 14 pixels: 2,000 training and 5,000 validation images, drawn from the parts of those names."""
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
