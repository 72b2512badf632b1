"""The curve on a strategy's page: its mean regret and the standard error, in front of others that everyone knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netwright.reports.axes import Scale, line, path
from netwright.reports.markup import Markup, join
from scripts.pictures.marks import area, text
from scripts.pictures.sheet import sheet

Floats = NDArray[np.float64]

HEIGHT = 264
TOP, FOOT = 66.0, 204.0
LEFT, RIGHT, GAP = 56.0, 622.0, 26.0
UNKNOWN = "not measured yet"
DASHES = ("", " dash", " dots")
"""Of the lines behind, in their order."""


@dataclass(frozen=True)
class Panel:
    """What one data set says: `at` (points) are the places along the axis, `regret` (seeds, points) is in points of
    accuracy, `behind` the same of others by name. Without a seed there is nothing to draw in front."""

    name: str
    at: Floats
    regret: Floats
    behind: Mapping[str, Floats]


def draw(
    strategy: str, panels: Sequence[Panel], others: Sequence[str], *, along: str, lowest: float, command: str
) -> Markup:
    """One picture. `others` are all names that may stand behind, so that each has its dashes in every picture; `along`
    is the title of the axis below, and what is less than `lowest` is drawn there."""
    drawn = [curves for panel in panels for curves in (panel.regret, *panel.behind.values()) if len(curves)]
    highest = max((float(curves.mean(axis=0).max()) for curves in drawn), default=1.0)
    y = Scale("log", lowest, highest, FOOT, TOP)
    width = (RIGHT - LEFT - GAP * (len(panels) - 1)) / len(panels)
    dashes = dict(zip(others, DASHES, strict=False))
    names = [name for name in others if any(name in panel.behind for panel in panels)]
    said = seeds_of(panels)
    parts: list[Markup] = [text(12, 50, "regret, points of accuracy", "small")]
    for tick in y.ticks(5):
        shown = f"≤ {tick:g}" if tick <= lowest else f"{tick:g}"
        parts.append(text(LEFT - 8, y(tick) + 4, shown, "small", "end"))
    for place, panel in enumerate(panels):
        left = LEFT + place * (width + GAP)
        parts.append(
            _panel(panel, Scale("linear", float(panel.at[0]), float(panel.at[-1]), left, left + width), y, dashes)
        )
    return sheet(
        f"{strategy}: mean regret over {along}, {said}",
        f"Mean regret of {strategy} over {along}, with a band of one standard error ({', '.join(p.name for p in panels)}); "
        f"behind it, thin and grey: {', '.join(names)}.",
        _keys(strategy, {name: dashes[name] for name in names}),
        *parts,
        text(LEFT, FOOT + 35, said if said == UNKNOWN else f"mean of {said}, ± standard error", "small"),
        text(RIGHT, FOOT + 35, along, "small", "end"),
        text(12, HEIGHT - 10, command, "code"),
        height=HEIGHT,
    )


def seeds_of(panels: Sequence[Panel]) -> str:
    """How many seeds stand behind the strategy's lines, in words."""
    counts = sorted({len(panel.regret) for panel in panels})
    if counts == [0]:
        return UNKNOWN
    numbers = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"{numbers} seed{'' if counts == [1] else 's'}"


def _keys(strategy: str, dashes: Mapping[str, str]) -> Markup:
    """Who is who, above the panels."""
    parts = [line(12, 22, 36, 22, "best-line"), text(44, 26, strategy, "best-text")]
    at = RIGHT
    for name, dash in reversed(list(dashes.items())):
        at -= 7.3 * len(name)
        parts.append(text(at, 26, name, "small"))
        parts.append(line(at - 32, 22, at - 6, 22, f"other-line thin{dash}"))
        at -= 48
    return join(parts)


def _panel(panel: Panel, x: Scale, y: Scale, dashes: Mapping[str, str]) -> Markup:
    """The lines of one data set over its axis."""

    def points(values: Floats) -> list[tuple[float, float]]:
        return [(x(float(a)), y(float(b))) for a, b in zip(panel.at, values, strict=True)]

    parts: list[Markup] = [text(x.end, TOP - 8, panel.name, "strong", "end")]
    parts += [line(x.begin, y(tick), x.end, y(tick), "grid") for tick in y.ticks(5)]
    parts += [text(x(tick), FOOT + 17, f"{tick:g}", "small", "middle") for tick in x.ticks(5)]
    for name, curves in panel.behind.items():
        parts.append(path(points(curves.mean(axis=0)), f"other-line thin{dashes[name]}"))
    if len(panel.regret):
        mean = panel.regret.mean(axis=0)
        error = panel.regret.std(axis=0, ddof=1) / np.sqrt(len(panel.regret)) if len(panel.regret) > 1 else 0 * mean
        parts += [area(points(mean + error), points(mean - error), "best-area"), path(points(mean), "best-line")]
    return join(parts)
