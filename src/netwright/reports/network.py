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

_WIDTH, _NAMES, _BARS = 560.0, 176.0, 336.0


def plot_network(blocks: Sequence[Block]) -> Markup:
    """The network from image to answer."""
    heights = [_height(block) for block in blocks]
    timed = all(block.milliseconds is not None or block.parameters == 0 for block in blocks) and any(
        block.milliseconds for block in blocks
    )
    columns = [("parameters", [float(b.parameters) for b in blocks]), ("MACs", [float(b.macs) for b in blocks])]
    if timed:
        columns.append(("ms", [b.milliseconds or 0.0 for b in blocks]))
    top, gap = 34.0, 9.0
    frame = Frame(_WIDTH, top + sum(heights) + gap * len(blocks) + 4)
    room = (_WIDTH - _BARS) / len(columns)
    parts = [label(_BARS + place * room, 14, name, class_="axis") for place, (name, _) in enumerate(columns)]
    y = top
    middle = _NAMES / 2
    for place, (block, height) in enumerate(zip(blocks, heights, strict=True)):
        if place:
            parts.append(line(middle, y - gap, middle, y, "flow"))
        parts.append(_draw(block, middle, y, height))
        for column, (_, values) in enumerate(columns):
            parts += _bar(values[place], max(values), _BARS + column * room, y + height / 2, room)
        y += height + gap
    return frame.svg("The network, drawn from the image at the top to the answer at the bottom", *parts)


def _draw(block: Block, middle: float, y: float, height: float) -> Markup:
    width = min(_NAMES - 4, 16 + 17 * math.log2(max(block.channels, 1) + 1))
    behind = [
        box(middle - width / 2 + 3 * i, y - 3 * i, width, height, "block behind")
        for i in range(min(block.times - 1, 2), 0, -1)
    ]
    size = (
        "×".join(str(side) for side in (block.channels, *block.shape[1:])) if block.shape[1:] else str(block.channels)
    )
    times = f" ×{block.times}" if block.times > 1 else ""
    return tag(
        "g",
        {"data-tip": f"{block.title}{times}: output {size}, {words.count(block.parameters)} parameters"},
        *behind,
        box(middle - width / 2, y, width, height, "block"),
        label(middle, y + height / 2 + 4, size, anchor="middle", class_="shape"),
        label(_NAMES + 8, y + height / 2 + 4, words.clipped(block.title + times, 26), class_="tick strong"),
    )


def _bar(value: float, most: float, x: float, y: float, room: float) -> list[Markup]:
    if value <= 0:
        return []
    longest = room - 46
    return [
        box(x, y - 5, max(1.0, longest * value / most), 10, "amount"),
        label(x + max(1.0, longest * value / most) + 4, y + 4, words.short(value), class_="tick"),
    ]


def _height(block: Block) -> float:
    return 20 + 4.5 * math.log2(max(block.side, 1))


# -- in words ----------------------------------------------------------------------------------------------------------


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
            lines.append(f"{name.replace('_', ' ')} {words.scalar(own)}, there {words.scalar(theirs)}")
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
    parts = [f"it uses {words.listed(new)}" if new else "", f"it does without {words.listed(gone)}" if gone else ""]
    return ", ".join(part for part in parts if part)
