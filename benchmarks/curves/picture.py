"""Pictures of the benchmark, with the drawing code of netwright's reports: recorded curves, and regret over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from netwright.reports.axes import Frame, Scale, bottom_axis, label, left_axis, path
from netwright.reports.markup import Markup, join, tag

from .summary import Floats

COLOURS = ("#0072b2", "#d55e00", "#00795a", "#b0457f", "#e69f00", "#56b4e9", "#59636e", "#171b20")
DASHES = {"full": "6 3", "halving": None, "hyperband": "2 3"}
LOWEST = 0.1
"""Points of regret at the foot of the logarithmic axis, where what is lower lies too."""
APART = 15
"""Pixels between the names at the right."""

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #171b20; } .tick, .axis { fill: #59636e; }
.grid { stroke: #e2e6ea; } .base { stroke: #c9d0d7; } .curve { fill: none; }
"""


def plot_regret(title: str, at: Floats, curves: Mapping[tuple[str, str], Floats]) -> Markup:
    """Regret over virtual seconds, a line for each strategy (colour) under each scheduler (dashes). `at`: (times,)"""
    frame = Frame(880, 460, top=40, right=250)
    left, top, right, bottom = frame.inner
    x = Scale("linear", 0, float(at[-1]), left, right)
    y = Scale("log", LOWEST, max(float(curve.max()) for curve in curves.values()), bottom, top)
    strategies = list(dict.fromkeys(strategy for strategy, _ in curves))
    parts: list[Markup] = []
    free = bottom
    for (strategy, scheduler), curve in sorted(curves.items(), key=lambda item: -float(item[1].sum()), reverse=True):
        stroke = {
            "stroke": COLOURS[strategies.index(strategy) % len(COLOURS)],
            "stroke-dasharray": DASHES.get(scheduler, "8 2 2 2"),
            "stroke-width": "1.8",
        }
        points = [(x(float(now)), y(max(float(regret), LOWEST))) for now, regret in zip(at, curve, strict=True)]
        parts.append(tag("g", stroke, path(points, "curve"), path([(right + 6, free), (right + 28, free)], "curve")))
        parts.append(label(right + 34, free + 4, f"{strategy}, {scheduler}"))
        free -= APART
    axes = (
        left_axis(frame, y, title, lambda value: f"{value:g}"),
        bottom_axis(frame, x, "virtual seconds", lambda value: f"{value:g}"),
    )
    return _page(frame, title, *axes, join(parts))


def plot_curves(title: str, epochs: Sequence[int], curves: Sequence[Sequence[float]]) -> Markup:
    """Accuracy by epoch on the trunk, a line a network, the better at the end the darker."""
    frame = Frame(720, 420, top=40, right=20)
    left, top, right, bottom = frame.inner
    x = Scale("log", 1, epochs[-1], left, right)
    y = Scale("error", min(map(min, curves)), max(map(max, curves)), bottom, top)
    order = np.argsort([curve[-1] for curve in curves])
    lines = []
    for place, index in enumerate(order):
        share = place / max(len(order) - 1, 1)
        stroke = {"stroke": COLOURS[0], "stroke-opacity": f"{0.08 + 0.6 * share**3:.2f}", "stroke-width": "1"}
        points = [(x(epoch), y(value)) for epoch, value in enumerate(curves[index], start=1)]
        lines.append(tag("g", stroke, path(points, "curve")))
    axes = (
        left_axis(frame, y, title, lambda value: f"{100 * value:.4g}"),
        bottom_axis(frame, x, "epoch", lambda value: f"{value:g}"),
    )
    return _page(frame, title, *axes, join(lines))


def _page(frame: Frame, title: str, *children: object) -> Markup:
    box = f"0 0 {frame.width:g} {frame.height:g}"
    return tag(
        "svg",
        {"xmlns": "http://www.w3.org/2000/svg", "viewBox": box, "role": "img", "aria-label": title},
        tag("style", None, Markup(STYLE)),
        tag("rect", {"width": frame.width, "height": frame.height, "fill": "#fff"}),
        *children,
    )
