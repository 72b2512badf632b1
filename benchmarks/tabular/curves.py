"""Pictures of searches: one SVG a data set, a line a strategy, with the drawing code of netwright's reports."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netwright.reports.axes import Frame, Scale, bottom_axis, label, left_axis, path
from netwright.reports.markup import Markup, join, tag

from .summary import BySeed

COLOURS = ("#0072b2", "#d55e00", "#00795a", "#b0457f", "#e69f00", "#56b4e9", "#59636e", "#171b20")
DASHES = (None, "6 3", "2 3")
APART = 15
"""Pixels between the names at the right."""

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #171b20; } .tick, .axis { fill: #59636e; }
.grid { stroke: #e2e6ea; } .base { stroke: #c9d0d7; } .curve { fill: none; }
"""


def plot_regret(title: str, curves: Mapping[str, BySeed], lowest: float) -> Markup:
    """The mean over seeds after each query. `lowest` is the foot of the logarithmic axis, where what is lower lies too."""
    means = {name: np.mean(list(seeds.values()), axis=0) for name, seeds in curves.items()}
    queries = len(next(iter(means.values())))
    frame = Frame(880, 460, top=40, right=350)
    left, top, right, bottom = frame.inner
    x = Scale("linear", 1, queries, left, right)
    y = Scale("log", lowest, max(float(mean[0]) for mean in means.values()), bottom, top)
    colours = {
        name: (COLOURS[i % len(COLOURS)], DASHES[i // len(COLOURS) % len(DASHES)]) for i, name in enumerate(means)
    }
    lines = [_line(mean, colours[name], x, y) for name, mean in means.items()]
    box = f"0 0 {frame.width:g} {frame.height:g}"
    return tag(
        "svg",
        {"xmlns": "http://www.w3.org/2000/svg", "viewBox": box, "role": "img", "aria-label": title},
        tag("style", None, Markup(STYLE)),
        tag("rect", {"width": frame.width, "height": frame.height, "fill": "#fff"}),
        left_axis(frame, y, title, lambda value: f"{value:g}"),
        bottom_axis(frame, x, "queries", lambda value: f"{value:g}"),
        join(lines),
        _names({name: [y(float(regret)) for regret in mean] for name, mean in means.items()}, colours, right, bottom),
    )


def _line(mean: np.ndarray, colour: tuple[str, str | None], x: Scale, y: Scale) -> Markup:
    points = [(x(query), y(float(regret))) for query, regret in enumerate(mean, start=1)]
    stroke = {"stroke": colour[0], "stroke-dasharray": colour[1], "stroke-width": "1.8"}
    return tag("g", stroke, path(points, "curve"))


def _names(
    heights: Mapping[str, list[float]], colours: Mapping[str, tuple[str, str | None]], right: float, bottom: float
) -> Markup:
    """Names beside the ends of their lines, pushed upward where they would overlap; of equal ends the quicker below."""
    parts: list[Markup] = []
    free = bottom
    for name in sorted(heights, key=lambda name: (heights[name][-1], sum(heights[name])), reverse=True):
        free = min(free, heights[name][-1])
        key = {"stroke": colours[name][0], "stroke-dasharray": colours[name][1], "stroke-width": "1.8"}
        parts.append(tag("g", key, path([(right + 6, free), (right + 28, free)], "curve")))
        parts.append(label(right + 34, free + 4, name))
        free -= APART
    return join(parts)
