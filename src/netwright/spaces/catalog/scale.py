"""How the spaces of the catalogue follow the size of the input."""

from __future__ import annotations

from math import ceil, log2

from netwright.core.task import TaskSpec


def halvings(task: TaskSpec, most: int = 5) -> int:
    """How often the resolution is halved so that the shorter side ends at about 4 to 8 pixels; `most` at most."""
    shorter = min(task.inputs[1:])
    return min(most, max(1, ceil(log2(max(1, shorter) / 8))))
