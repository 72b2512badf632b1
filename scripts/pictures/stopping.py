"""Stopping rules on learning curves, decided by the rules themselves."""

from __future__ import annotations

import numpy as np

from netwright.reports.axes import Scale, line, path
from netwright.reports.markup import Markup, join
from netwright.stoppers import Curve, MedianRule, PowerLaw
from scripts.pictures.marks import Point, gone, text
from scripts.pictures.sheet import sheet


def stoppers() -> Markup:
    """The median rule and the power law on curves of the same shape."""
    return sheet(
        "Stopping rules: a training that will not come to anything is ended",
        "Left, the median rule: a learning curve whose best value lies below the median of the others' running means is "
        "ended. Right, the power law: a curve whose extrapolation ends below the best end of the others is ended.",
        *_median(),
        *_power_law(),
    )


EPOCHS = np.arange(1, 31)


def _curves() -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    ends = (0.93, 0.9, 0.87, 0.83, 0.78)
    return [end - 0.75 * EPOCHS**-0.6 + rng.normal(0, 0.008, 30) for end in ends]


def _curve(values: np.ndarray, of: int = 30) -> Curve:
    """As a rule sees it, after as many epochs as there are values."""
    return Curve(tuple(range(1, len(values) + 1)), tuple(values.tolist()), of)


def _median() -> list[Markup]:
    others = _curves()
    rng = np.random.default_rng(4)
    weak = 0.62 - 0.5 * EPOCHS**-0.5 + rng.normal(0, 0.008, 30)
    whole = [_curve(curve) for curve in others]
    rule = MedianRule()
    end = next(n for n in range(1, 31) if rule(_curve(weak[:n]), whole))
    first = int(np.ceil(rule.grace * 30))
    medians = [float(np.median([c.mean(first, n) for c in whole])) for n in range(first, 31)]
    x, y = Scale("linear", 1, 30, 24, 296), Scale("linear", 0.1, 0.95, 188, 34)

    def points(values: np.ndarray) -> list[Point]:
        return [(x(n), y(float(v))) for n, v in enumerate(values, start=1)]

    return [
        text(24, 20, "median", "strong"),
        line(24, 188, 296, 188, "base"),
        line(x(first), 40, x(first), 188, "rule"),
        text(x(first) - 5, 206, "a fifth", "small", "middle"),
        join(path(points(curve), "other-line thin") for curve in others),
        path([(x(n), y(value)) for n, value in enumerate(medians, start=first)], "promise-line dash"),
        path(points(weak[:end]), "next-line"),
        gone(x(end), y(float(weak[end - 1]))),
        text(x(end) + 12, y(float(weak[end - 1])) + 26, "ended here", "gone-text"),
        text(296, 130, "median of the others' means", "promise-text", "end"),
        text(296, 206, "epochs", "small", "end"),
    ]


def _power_law() -> list[Markup]:
    others = _curves()
    rng = np.random.default_rng(9)
    weak = 0.74 - 0.6 * EPOCHS**-0.8 + rng.normal(0, 0.007, 30)
    whole = [_curve(curve) for curve in others]
    rule = PowerLaw()
    end = next(n for n in range(5, 31) if rule(_curve(weak[:n]), whole))
    bounds = [(n, rule.extrapolate(_curve(weak[:end], of=n))[0]) for n in range(end + 1, 31)]
    incumbent = max(float(curve[-1]) for curve in others)
    x, y = Scale("linear", 1, 30, 344, 616), Scale("linear", 0.1, 0.95, 188, 34)
    best = [(x(n), y(float(v))) for n, v in enumerate(others[0], start=1)]
    return [
        text(344, 20, "power law", "strong"),
        line(344, 188, 616, 188, "base"),
        path(best, "best-line"),
        line(x(end), y(incumbent), 616, y(incumbent), "best-line dash thin"),
        path([(x(n), y(value)) for n, value in bounds], "belief-line dash"),
        path([(x(n), y(float(v))) for n, v in enumerate(weak[:end], start=1)], "next-line"),
        gone(x(end), y(float(weak[end - 1]))),
        text(x(end) + 2, y(float(weak[end - 1])) + 46, "ended here", "gone-text"),
        text(616, y(incumbent) - 8, "best end of the others", "best-text", "end"),
        text(616, y(bounds[-1][1]) + 38, "where it would end, at most", "belief-text", "end"),
        text(616, 206, "epochs", "small", "end"),
    ]
