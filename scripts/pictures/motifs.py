"""The space of motifs: what a cell is assembled from."""

from __future__ import annotations

import numpy as np

from netwright.reports.axes import line
from netwright.reports.markup import Markup, tag
from scripts.pictures.marks import arrow, disc, text
from scripts.pictures.sheet import sheet

STROKES = ("other-line thick", "other-line dash", "other-line dots", "other-line thin")
"""Of the four primitives."""


def hierarchical() -> Markup:
    """Primitives, a motif of them, and a cell of motifs, in which one change shows twice."""
    names = ("convolution", "separable", "pool", "identity")
    parts: list[Markup] = []
    for place, (name, stroke) in enumerate(zip(names, STROKES, strict=True)):
        y = 62 + 32 * place
        parts += [line(24, y, 58, y, stroke), text(66, y + 4, name, "small")]
    parts += _motif(200, 40, 1, (0, 1, 2, 1), changed=1)
    parts += _motif(200, 126, 2, (1, 0, 3, 2))
    parts += _cell()
    return sheet(
        "Hierarchical motifs: edges of a motif are operations, edges of the cell are motifs",
        "Left, primitive operations as kinds of lines; in the middle, two motifs, small graphs whose edges are primitives, "
        "one of them changed; right, the cell, whose edges are motifs: the change shows at both uses.",
        text(24, 24, "primitives", "strong"),
        text(200, 24, "motifs", "strong"),
        text(404, 24, "the cell", "strong"),
        *parts,
        arrow([(150, 110), (182, 110)]),
        arrow([(356, 110), (388, 110)]),
        text(624, 208, "one edge changed, at both uses", "next-text", "end"),
    )


def _motif(left: float, top: float, number: int, kinds: tuple[int, ...], changed: int | None = None) -> list[Markup]:
    """Four nodes: a chain of three edges, and one that leads from the first to the last."""
    xs, y = [left + 8 + 44 * place for place in range(4)], top + 50
    parts: list[Markup] = []
    for place in range(3):
        stroke = STROKES[kinds[place]].replace("other", "next" if place == changed else "other")
        parts.append(line(xs[place] + 6, y, xs[place + 1] - 6, y, stroke))
    bow = f"M{xs[0]:g} {y - 6:g}C{xs[0] + 20:g} {y - 34:g} {xs[3] - 20:g} {y - 34:g} {xs[3]:g} {y - 6:g}"
    parts.append(tag("path", {"d": bow, "class": STROKES[kinds[3]]}))
    parts += [disc(x, y, "node", 6) for x in xs]
    parts.append(text(left, top + 10, f"motif {number}", "next-text" if changed is not None else "small"))
    return parts


def _cell() -> list[Markup]:
    """Five nodes; motif 1 is used twice."""
    spots = [(416.0, 120.0), (476.0, 66.0), (476.0, 168.0), (548.0, 120.0), (612.0, 120.0)]
    edges = [(0, 1, 1), (0, 2, 2), (1, 3, 2), (2, 3, 1), (3, 4, 2)]
    parts: list[Markup] = []
    for a, b, motif in edges:
        (x1, y1), (x2, y2) = spots[a], spots[b]
        length = float(np.hypot(x2 - x1, y2 - y1))
        dx, dy = (x2 - x1) / length * 9, (y2 - y1) / length * 9
        kind, name = (("next-line", "next"), "next-text") if motif == 1 else (("arrow", "head"), "small")
        parts.append(arrow([(x1 + dx, y1 + dy), (x2 - dx, y2 - dy)], *kind))
        up = -8 if y1 < 125 and y2 < 125 else 18
        middle = (x1 + x2) / 2, (y1 + y2) / 2 + up
        anchor = "end" if x2 < 480 else "start" if x1 < 500 else "middle"
        parts.append(text(*middle, f"motif {motif}", name, anchor))
    return [*parts, *(disc(x, y, "node", 7) for x, y in spots)]
