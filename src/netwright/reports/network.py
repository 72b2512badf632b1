"""The drawing of a network: one block a layer, top to bottom, and what makes it differ from the hand-made one.

A block's width shows its channels and its height the resolution, both on a logarithmic scale; equal neighbours are
folded into one (`×3`). Beside it stand bars for parameters, multiply-accumulates and, where steps were timed, time.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from netwright.core.candidate import Candidate
from netwright.core.text import plain
from netwright.core.trial import TrialId
from netwright.reports import words
from netwright.reports.axes import Frame, box, label, line
from netwright.reports.markup import Markup, tag
from netwright.reports.view import RunView

QUIET = frozenset({"normalize", "dropout", "activation", "norm"})
"""Steps that are drawn as a block of their own only inside a layer."""


@dataclass(frozen=True, slots=True)
class Block:
    """One layer of the network, `times` of it in a row. Sums are over all of them; `shape` is the output's."""

    title: str
    shape: tuple[int, ...]
    parameters: int
    macs: int
    milliseconds: float | None = None
    times: int = 1

    @property
    def channels(self) -> int:
        """Channels, or features after flattening."""
        return self.shape[0]

    @property
    def side(self) -> int:
        """Pixels of the longer side; 1 after flattening."""
        return max(self.shape[1:], default=1)


def compute_blocks(view: RunView, trial: TrialId | None) -> list[Block]:
    """The blocks of a trial's network from its layer table, folded; empty where the table was not kept."""
    path = None if trial is None else view.files(trial, "layers")
    if path is None:
        return []
    return folded(json.loads(path.read_text(encoding="utf-8")))


def folded(steps: Sequence[Mapping[str, Any]]) -> list[Block]:
    """Steps of one group become a block, equal neighbours one block with a count."""
    blocks: list[Block] = []
    for (_, title), members in groupby(steps, key=_layer):
        block = _block(title, list(members))
        if block is None:
            continue
        if blocks and _same(blocks[-1], block):
            last = blocks[-1]
            blocks[-1] = replace(
                last,
                parameters=last.parameters + block.parameters,
                macs=last.macs + block.macs,
                milliseconds=_sum(last.milliseconds, block.milliseconds),
                times=last.times + 1,
            )
        else:
            blocks.append(block)
    return blocks


def _layer(step: Mapping[str, Any]) -> tuple[int, str]:
    return int(step.get("group", 0)), plain(str(step.get("block") or step["op"]))


def _block(title: str, members: Sequence[Mapping[str, Any]]) -> Block | None:
    if all(member["op"] in QUIET for member in members):
        return None
    timed = [float(member["milliseconds"]) for member in members if member.get("milliseconds") is not None]
    return Block(
        title,
        tuple(int(size) for size in members[-1]["shape"]),
        sum(int(member["parameters"]) for member in members),
        sum(int(member["macs"]) for member in members),
        sum(timed) if timed else None,
    )


def _same(a: Block, b: Block) -> bool:
    return (a.title, a.shape, a.parameters // a.times, a.macs // a.times) == (b.title, b.shape, b.parameters, b.macs)


def _sum(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a + b


# -- the drawing -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things stand, in pixels: blocks up to `names`, names up to `bars`, bars up to `width`.

    Without room for bars (`bars` is `width`) the costs stand in words under the names.
    """

    width: float
    names: float
    bars: float
    letters: int


WIDE = Layout(720, 176, 430, 38)
NARROW = Layout(380, 132, 380, 36)


def plot_network(blocks: Sequence[Block], layout: Layout) -> Markup:
    """The network from image to answer."""
    roomy = layout.bars < layout.width
    heights = [max(_height(block), 0 if roomy else 32) for block in blocks]
    columns = _columns(blocks) if roomy else []
    top, gap = (34.0 if roomy else 8.0), 9.0
    frame = Frame(layout.width, top + sum(heights) + gap * len(blocks) + 4)
    room = (layout.width - layout.bars) / max(len(columns), 1)
    parts = [label(layout.bars + place * room, 14, name, class_="axis") for place, (name, _) in enumerate(columns)]
    y = top
    for place, (block, height) in enumerate(zip(blocks, heights, strict=True)):
        if place:
            parts.append(line(layout.names / 2, y - gap, layout.names / 2, y, "flow"))
        parts.append(_draw(block, layout, y, height))
        for column, (_, values) in enumerate(columns):
            parts += _bar(values[place], max(values), layout.bars + column * room, y + height / 2, room)
        y += height + gap
    return frame.svg("The network, drawn from the image at the top to the answer at the bottom", *parts)


def _columns(blocks: Sequence[Block]) -> list[tuple[str, list[float]]]:
    columns = [("parameters", [float(b.parameters) for b in blocks]), ("MACs", [float(b.macs) for b in blocks])]
    if any(block.milliseconds for block in blocks):
        columns.append(("milliseconds", [block.milliseconds or 0.0 for block in blocks]))
    return columns


def _draw(block: Block, layout: Layout, y: float, height: float) -> Markup:
    middle = layout.names / 2
    width = min(layout.names - 16, (16 + 17 * math.log2(max(block.channels, 1) + 1)) * (layout.names - 16) / 160)
    behind = [
        box(middle - width / 2 + 3 * i, y - 3 * i, width, height, "block behind")
        for i in range(min(block.times - 1, 2), 0, -1)
    ]
    size = "×".join(str(side) for side in block.shape)
    times = f" ×{block.times}" if block.times > 1 else ""
    title = words.clipped(block.title, layout.letters - len(times)) + times
    costs = f"{words.short(block.parameters)} parameters, {words.short(block.macs)} MACs" if block.parameters else ""
    beside = layout.bars == layout.width and bool(costs)
    return tag(
        "g",
        {"data-tip": f"{block.title}{times}: output {size}, {words.count(block.parameters)} parameters"},
        *behind,
        box(middle - width / 2, y, width, height, "block"),
        label(middle, y + height / 2 + 4, size, anchor="middle", class_="shape"),
        label(layout.names + 4, y + height / 2 + (-3 if beside else 4), title, class_="tick strong"),
        label(layout.names + 4, y + height / 2 + 12, costs, class_="tick") if beside else None,
    )


def _bar(value: float, most: float, x: float, y: float, room: float) -> list[Markup]:
    if value <= 0:
        return []
    length = max(1.0, (room - 50) * value / most)
    return [box(x, y - 5, length, 10, "amount"), label(x + length + 4, y + 4, words.short(value), class_="tick")]


def _height(block: Block) -> float:
    return 20 + 4.5 * math.log2(max(block.side, 1))


# -- in words ----------------------------------------------------------------------------------------------------------


_RECIPE = {"lr": "learning rate", "augment": "augmentation", "ema": "averaging of weights", "batch": "batch of"}


def compute_differences(
    blocks: Sequence[Block], candidate: Candidate, other_blocks: Sequence[Block], other: Candidate
) -> list[str]:
    """What makes a network differ from another (the hand-made one), a line each, the weightiest first."""
    lines = []
    if blocks and other_blocks:
        lines += [
            _ratio("parameters", sum(b.parameters for b in blocks), sum(b.parameters for b in other_blocks)),
            _ratio("multiply-accumulates", sum(b.macs for b in blocks), sum(b.macs for b in other_blocks)),
            _compared("layers with weights", _weighted(blocks), _weighted(other_blocks)),
            _compared("channels at the widest", _widest(blocks), _widest(other_blocks)),
            _compared("pixels a side before pooling", _finest(blocks), _finest(other_blocks)),
            _kinds(blocks, other_blocks),
        ]
    names = [name for name in candidate.recipe if name in other.recipe or other.recipe]
    for name in names:
        own, theirs = candidate.recipe[name], other.recipe.get(name)
        if own != theirs:
            lines.append(
                f"{_RECIPE.get(name, name.replace('_', ' '))} {words.scalar(own)}, there {words.scalar(theirs)}"
            )
    return [text for text in lines if text]


def _ratio(name: str, own: int, theirs: int) -> str:
    if not own or not theirs or 0.97 < own / theirs < 1.03:
        return ""
    if own < theirs:
        return f"{words.times(theirs / own)} fewer {name} ({words.short(own)}, there {words.short(theirs)})"
    return f"{words.times(own / theirs)} as many {name} ({words.short(own)}, there {words.short(theirs)})"


def _compared(name: str, own: int, theirs: int) -> str:
    return "" if own == theirs else f"{own} {name}, there {theirs}"


def _weighted(blocks: Sequence[Block]) -> int:
    return sum(block.times for block in blocks if block.parameters)


def _widest(blocks: Sequence[Block]) -> int:
    return max((block.channels for block in blocks if len(block.shape) == 3), default=0)


def _finest(blocks: Sequence[Block]) -> int:
    """Resolution that the last layer with weights before pooling works at."""
    return next((b.side for b in reversed(blocks) if b.parameters and len(b.shape) == 3 and b.side > 1), 0)


def _kinds(blocks: Sequence[Block], other: Sequence[Block]) -> str:
    own, theirs = ({block.title.split(" ")[0].rstrip(",") for block in b if block.parameters} for b in (blocks, other))
    new, gone = sorted(own - theirs), sorted(theirs - own)
    parts = [f"layers of kind {words.listed(new)}" if new else "", f"none of kind {words.listed(gone)}" if gone else ""]
    return ", ".join(part for part in parts if part)
