"""What may be built: choices, layers, recipes, spaces made of them, and every reading of a space. No torch, no numpy.

These are the building blocks of a space of your own:

    from netwright.spaces import Conv, GlobalPool, Space, choose, repeat

    space = Space([Conv(width=choose(8, 16, 32), stride=2), repeat(Conv(kernel=choose(3, 5)), 1, 4), GlobalPool()])
"""

from __future__ import annotations

from netwright.spaces.choices import choose, integer, optional, real, repeat, shared, subset
from netwright.spaces.layers import (
    Activation,
    Cell,
    Conv,
    Dropout,
    Flatten,
    GlobalPool,
    Identity,
    Linear,
    MBConv,
    Norm,
    Pool,
    Residual,
    Separable,
    Zero,
)
from netwright.spaces.recipe import Recipe
from netwright.spaces.space import Space

__all__ = [
    "Activation",
    "Cell",
    "Conv",
    "Dropout",
    "Flatten",
    "GlobalPool",
    "Identity",
    "Linear",
    "MBConv",
    "Norm",
    "Pool",
    "Recipe",
    "Residual",
    "Separable",
    "Space",
    "Zero",
    "choose",
    "integer",
    "optional",
    "real",
    "repeat",
    "shared",
    "subset",
]
