"""The marks that pictures are made of: trials of every kind, texts, arrows, bars. Positions are pixels of the sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence

from netwright.reports.axes import box, label, line, path
from netwright.reports.markup import Markup, join, tag

Point = tuple[float, float]


def disc(x: float, y: float, class_: str, radius: float = 4.5) -> Markup:
    """A filled circle."""
    return tag("circle", {"cx": float(x), "cy": float(y), "r": radius, "class": class_})


def trial(x: float, y: float) -> Markup:
    """Any other trial."""
    return disc(x, y, "other", 3.5)


def best(x: float, y: float) -> Markup:
    """The best so far, or the parent: a disc in a ring."""
    return join([disc(x, y, "best", 4.5), disc(x, y, "best-line", 8)])


def proposed(x: float, y: float, size: float = 7) -> Markup:
    """What is proposed next: a diamond."""
    return path([(x, y - size), (x + size, y), (x, y + size), (x - size, y)], "next", closed=True)


def gone(x: float, y: float, size: float = 5) -> Markup:
    """What leaves: a cross."""
    return join(
        [
            line(x - size, y - size, x + size, y + size, "gone-line"),
            line(x - size, y + size, x + size, y - size, "gone-line"),
        ]
    )


def ring(x: float, y: float, radius: float = 8, class_: str = "chance-line") -> Markup:
    """Around what was drawn at random."""
    return disc(x, y, class_, radius)


def text(x: float, y: float, content: object, class_: str | None = None, anchor: str = "start") -> Markup:
    """A line of text."""
    return label(x, y, content, anchor=anchor, class_=class_)


def lines(x: float, y: float, content: Sequence[str], class_: str | None = None, anchor: str = "start") -> Markup:
    """Lines of text one below the other, the first at y."""
    return join(text(x, y + 17 * place, row, class_, anchor) for place, row in enumerate(content))


def arrow(points: Sequence[Point], class_: str = "arrow", head: str = "head") -> Markup:
    """A line through points with a head at its end; of four points a Bézier curve is made."""
    (x1, y1), (x2, y2) = points[-2], points[-1]
    angle = math.atan2(y2 - y1, x2 - x1)
    neck = x2 - 7 * math.cos(angle), y2 - 7 * math.sin(angle)
    wings = [(neck[0] - side * 4 * math.sin(angle), neck[1] + side * 4 * math.cos(angle)) for side in (1, -1)]
    if len(points) == 4:
        bent = " ".join(f"{x:.1f} {y:.1f}" for x, y in (points[1], points[2], neck))
        drawn = tag("path", {"d": f"M{points[0][0]:.1f} {points[0][1]:.1f}C{bent}", "class": class_})
    else:
        drawn = path([*points[:-1], neck], class_)
    return join([drawn, path([(x2, y2), *wings], head, closed=True)])


def bar(x: float, foot: float, height: float, class_: str, width: float = 14) -> Markup:
    """An upright bar that stands on `foot`, x its middle."""
    return box(x - width / 2, foot - height, width, height, class_)


def steps(points: Sequence[Point], class_: str) -> Markup:
    """A staircase: each value holds until the next x."""
    stairs = list(points[:1])
    for x, y in points[1:]:
        stairs += [(x, stairs[-1][1]), (x, y)]
    return path(stairs, class_)


def area(upper: Sequence[Point], lower: Sequence[Point], class_: str) -> Markup:
    """What lies between two lines."""
    return path([*upper, *reversed(lower)], class_, closed=True)
