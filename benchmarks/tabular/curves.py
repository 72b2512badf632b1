"""Pictures of searches: one SVG a data set, a line a strategy, with the drawing code of netwright's reports."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netwright.reports.axes import Frame, Scale, bottom_axis, label, left_axis, path
from netwright.reports.markup import Markup, join, tag
from scripts.pictures.sheet import stylesheet

from .summary import BySeed

LIGHT = ("#0072b2", "#d55e00", "#00795a", "#b0457f", "#e69f00", "#56b4e9", "#59636e", "#171b20")
DARK = ("#4aa8ec", "#f58a3c", "#33c29a", "#e08fbd", "#f0b83c", "#8fcdf4", "#a3adb8", "#e9ecef")
DASHES = (None, "6 3", "2 3")
APART = 15
"""Pixels between the names at the right."""


def plot_regret(title: str, curves: Mapping[str, BySeed], lowest: float) -> Markup:
    """The mean over seeds after each query. `lowest` is the foot of the logarithmic axis, where what is lower lies too."""
    means = {name: np.mean(list(seeds.values()), axis=0) for name, seeds in curves.items()}
    queries = len(next(iter(means.values())))
    frame = Frame(880, 460, top=40, right=350)
    left, top, right, bottom = frame.inner
    x = Scale("linear", 1, queries, left, right)
    y = Scale("log", lowest, max(float(mean[0]) for mean in means.values()), bottom, top)
    looks = {name: _look(place) for place, name in enumerate(means)}
    lines = [tag("g", looks[name], path(_points(mean, x, y), "curve")) for name, mean in means.items()]
    box = f"0 0 {frame.width:g} {frame.height:g}"
    return tag(
        "svg",
        {"xmlns": "http://www.w3.org/2000/svg", "viewBox": box, "role": "img", "aria-label": title},
        tag("style", None, Markup(stylesheet() + _colours())),
        tag("rect", {"width": frame.width, "height": frame.height, "class": "paper"}),
        left_axis(frame, y, title, lambda value: f"{value:g}"),
        bottom_axis(frame, x, "queries", lambda value: f"{value:g}"),
        join(lines),
        _names({name: [y(float(regret)) for regret in mean] for name, mean in means.items()}, looks, right, bottom),
    )


def _look(place: int) -> dict[str, str | None]:
    return {"class": f"line{place % len(LIGHT)}", "stroke-dasharray": DASHES[place // len(LIGHT) % len(DASHES)]}


def _colours() -> str:
    """The classes of the lines, on light paper and on dark."""
    light, dark = (
        " ".join(f".line{place} {{ stroke: {colour}; }}" for place, colour in enumerate(colours))
        for colours in (LIGHT, DARK)
    )
    curve = ".curve { fill: none; stroke-width: 1.8; }"
    return f"{curve}\n{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n"


def _points(mean: np.ndarray, x: Scale, y: Scale) -> list[tuple[float, float]]:
    return [(x(query), y(float(regret))) for query, regret in enumerate(mean, start=1)]


def _names(
    heights: Mapping[str, list[float]], looks: Mapping[str, dict[str, str | None]], right: float, bottom: float
) -> Markup:
    """Names beside the ends of their lines, pushed upward where they would overlap; of equal ends the quicker below."""
    parts: list[Markup] = []
    free = bottom
    for name in sorted(heights, key=lambda name: (heights[name][-1], sum(heights[name])), reverse=True):
        free = min(free, heights[name][-1])
        parts.append(tag("g", looks[name], path([(right + 6, free), (right + 28, free)], "curve")))
        parts.append(label(right + 34, free + 4, name))
        free -= APART
    return join(parts)
