"""Channels of a child's layer, each a copy of one of its parent's: which ones, and what that makes of a weight.

Net2Net (Chen, Goodfellow, Shlens 2016): a wider layer has the old channels and copies of some of them, and whatever
reads them divides by the number of copies. A narrower one has the strongest of the old. Layers that are added to each
other, or that pass channels on one by one, must agree on the copies: they are of one *class*, with one map.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from netwright.core.plan import Plan, Step
from netwright.networks.counterparts import depthwise

Channels = npt.NDArray[np.intp]
"""For each channel of a child's activation, the parent's channel that it stands for; NEW where there is none."""
Array = npt.NDArray[Any]

NEW = -1
NO_CLASS = -1
PASSES_ON = ("normalize", "norm", "activation", "max_pool", "avg_pool", "global_pool", "dropout")


def classes(plan: Plan) -> list[int]:
    """The class of each step's channels: a number that steps with coupled channels share, or NO_CLASS."""
    root = list(range(len(plan.steps)))

    def find(step: int) -> int:
        while root[step] != step:
            step = root[step]
        return step

    found: list[int] = []
    for index, step in enumerate(plan.steps):
        sources = [found[source] for source in step.inputs]
        if step.op in ("add", "mul") and NO_CLASS not in sources:
            joined = {find(source) for source in sources}
            for source in joined:
                root[source] = min(joined)
            found.append(min(joined))
        elif (
            step.op in PASSES_ON
            or depthwise(step)
            or (step.op == "flatten" and plan.steps[step.inputs[0]].shape[1:] == (1, 1))
        ):
            found.append(sources[0])
        else:
            found.append(index if step.op in ("input", "conv", "linear") else NO_CLASS)
    return [number if number == NO_CLASS else find(number) for number in found]


def channel_map(
    old: int, new: int, strength: Array, rng: np.random.Generator, *, blocks: int = 1, unit: int = 1
) -> Channels:
    """Which of `old` channels each of `new` ones is: (new,), all old ones first, then random copies.

    Where there are fewer, those of the largest `strength` (old,), in their order. Grouped convolutions bind channels
    into `blocks` that each grow by themselves, or into groups of `unit` channels that are copied as a whole; there, the
    copies are the first ones in turn and the first are kept, so that both sides of the convolution agree.
    """
    if new == old:
        return np.arange(new)
    size = blocks * unit
    if size > 1 and old % size == 0 and new % size == 0:
        groups, more = old // size, new // size
        copies = np.arange(more) % groups
        grid = np.arange(old).reshape(blocks, groups, unit)[:, copies]
        return grid.reshape(new)
    if new < old:
        return np.sort(np.argsort(-strength, kind="stable")[:new])
    return np.concatenate([np.arange(old), rng.integers(0, old, new - old)])


def position_map(old: int, new: int) -> Channels:
    """The first channels as they are, those beyond new: where nothing is known of what arrives."""
    channels = np.arange(new)
    return np.where(channels < old, channels, NEW)


def carried(
    weight: Array, out: Channels, into: Channels, *, old_groups: int = 1, groups: int = 1
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """A parent's weight (outputs, inputs / old groups, …) for a child whose channels stand for the parent's.

    Each entry is the parent's between the two channels, divided by the number of inputs that are copies of that one; 0
    where the parent has none. Rows of new outputs are 0. Also gives (child's outputs,): whether a row sees every input
    that the parent's does, so that it computes the same.
    """
    width = weight.shape[1]
    arriving = into.reshape(groups, -1)
    copies = _copies(arriving)
    group = np.arange(len(out)) // (len(out) // groups)
    sources, shares = arriving[group], 1.0 / copies[group]
    local = sources - (out // (weight.shape[0] // old_groups) * width)[:, None]
    known = (sources != NEW) & (local >= 0) & (local < width) & (out != NEW)[:, None]
    shares = np.where(known, shares, 0.0)
    taken = weight[out[:, None], np.where(known, local, 0)]
    taken = taken * shares.reshape(*shares.shape, *[1] * (weight.ndim - 2)).astype(weight.dtype)
    return taken, (out != NEW) & (np.abs(shares.sum(axis=1) - width) < 0.5)


def _copies(arriving: Channels) -> Array:
    """How often each channel occurs in its row."""
    apart = np.arange(len(arriving))[:, None] * (arriving.max() + 2) + arriving
    _, inverse, counts = np.unique(apart, return_inverse=True, return_counts=True)
    copies: Array = counts[inverse.ravel()].reshape(arriving.shape)
    return copies


def resized(weight: Array, kernel: Sequence[int]) -> Array:
    """A convolution's weight with another kernel size: zeros around it, or its centre."""
    for axis, size in enumerate(kernel, start=2):
        more = (size - weight.shape[axis]) // 2
        if more >= 0:
            around = [(0, 0)] * weight.ndim
            around[axis] = (more, size - weight.shape[axis] - more)
            weight = np.pad(weight, around)
        else:
            cut = [slice(None)] * weight.ndim
            cut[axis] = slice(-more, -more + size)
            weight = weight[tuple(cut)]
    return weight


def identity_weight(step: Step, out: Channels, given: Channels) -> tuple[Array, bool]:
    """A layer's weight with which each output is the mean of the inputs that stand for its channel; whether all have some.

    (outputs, inputs / groups), for a convolution with the kernel's axes, of which the middle is used.
    """
    groups = step.attributes.get("groups", 1)
    arriving = given.reshape(groups, -1)[np.arange(len(out)) // (len(out) // groups)]
    same = (arriving == out[:, None]) & (out != NEW)[:, None]
    copies = same.sum(axis=1)
    shares = same / np.maximum(copies, 1)[:, None]
    if step.op == "conv":
        shares = resized(shares[:, :, None, None], step.attributes["kernel"])
    return shares, bool((copies > 0).all())


def duplicates(out: Channels) -> npt.NDArray[np.bool_]:
    """Which channels are copies of one before them."""
    _, first = np.unique(out, return_index=True)
    again = np.ones(len(out), bool)
    again[first] = False
    again[out == NEW] = False
    return again
