"""Scales and axes of the pictures: where a value lies in pixels, which values are labelled, and how."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from netwright.reports import words
from netwright.reports.markup import Markup, join, tag

Kind = Literal["linear", "log", "error", "time"]


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps [low, high] to pixels [begin, end].

    `time` is linear, in seconds, with ticks at whole minutes and hours. `log` needs positive values. `error` is for
    shares near 1: equal distances are equal ratios of what is missing to 1, so that the step from 90 to 95 % is as
    wide as that from 95 to 97.5 %; values count as at most `1 - floor`.
    """

    kind: Kind
    low: float
    high: float
    begin: float
    end: float
    floor: float = 1e-4

    def __call__(self, value: float) -> float:
        """The pixel of `value`, kept within the axis."""
        low, high, here = self._along(self.low), self._along(self.high), self._along(value)
        share = (here - low) / (high - low) if high != low else 0.5
        return self.begin + min(1.0, max(0.0, share)) * (self.end - self.begin)

    def _along(self, value: float) -> float:
        if self.kind == "log":
            return math.log(max(value, 1e-300))
        if self.kind == "error":
            return -math.log(max(1 - value, self.floor))
        return value

    def ticks(self, most: int) -> list[float]:
        """At most about `most` plain values within the axis."""
        if self.kind == "error":
            return self._spread(_SHARES, most)
        if self.kind == "log":
            return self._log_ticks(most)
        if self.kind == "time":
            step = next((t for t in _TIMES if t * most >= self.high - self.low), None)
            if step is not None:
                return [step * i for i in range(int(self.low // step), int(self.high // step) + 1)]
        return linear_ticks(self.low, self.high, most)

    def _log_ticks(self, most: int) -> list[float]:
        exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for multiples in ((1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
            ticks = [m * 10.0**e for e in exponents for m in multiples if self.low <= m * 10.0**e <= self.high]
            if len(ticks) <= most:
                return ticks if len(ticks) > 1 else linear_ticks(self.low, self.high, most)
        return self._spread(ticks, most)

    def _spread(self, values: Sequence[float], most: int) -> list[float]:
        """Those of `values` inside the axis that lie at least a label's width apart, from the better end."""
        apart = abs(self.end - self.begin) / max(most, 1)
        chosen: list[float] = []
        for value in sorted((v for v in values if self.low <= v <= self.high), reverse=True):
            if not chosen or abs(self(value) - self(chosen[-1])) >= apart * 0.8:
                chosen.append(value)
        return chosen[::-1]


_SHARES = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995)


_TIMES = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


def time_form(seconds: float) -> str:
    """A tick of a time axis."""
    return words.duration(seconds) if seconds else "0"


def linear_ticks(low: float, high: float, most: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten within [low, high], at most about `most`."""
    if high <= low:
        return [low]
    rough = (high - low) / max(most, 1)
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(m * unit for m in (1, 2, 5, 10) if m * unit >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture's size and its inner edges, in pixels."""

    width: float
    height: float
    left: float = 48
    right: float = 12
    top: float = 12
    bottom: float = 40

    @property
    def inner(self) -> tuple[float, float, float, float]:
        """(left, top, right, bottom) of the plot itself."""
        return self.left, self.top, self.width - self.right, self.height - self.bottom

    def svg(self, says: str, *children: object, class_: str = "plot") -> Markup:
        """The picture; `says` is what it shows, for those who cannot see it."""
        box = f"0 0 {self.width:g} {self.height:g}"
        return tag("svg", {"viewBox": box, "class": class_, "role": "group", "aria-label": says}, *children)


def label(x: float, y: float, content: object, *, anchor: str = "start", class_: str | None = None) -> Markup:
    """A text at a point; `anchor` is start, middle or end."""
    where = {"x": float(x), "y": float(y), "text-anchor": None if anchor == "start" else anchor, "class": class_}
    return tag("text", where, content)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return tag("line", {"x1": float(x1), "y1": float(y1), "x2": float(x2), "y2": float(y2), "class": class_})


def box(x: float, y: float, width: float, height: float, class_: str, *children: object) -> Markup:
    """A rectangle."""
    sides = {"x": float(x), "y": float(y), "width": float(max(0.0, width)), "height": float(max(0.0, height))}
    return tag("rect", {**sides, "class": class_}, *children)


def path(points: Sequence[tuple[float, float]], class_: str, *, closed: bool = False) -> Markup:
    """A line through points, or an area within them."""
    drawn = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return tag("path", {"d": f"M{drawn}{'Z' if closed else ''}", "class": class_})


def left_axis(frame: Frame, scale: Scale, title: str, form: Callable[[float], str], most: int = 7) -> Markup:
    """Labels and faint lines for the values at the left, with the axis title above them."""
    left, top, right, _ = frame.inner
    parts: list[Markup] = []
    for value in scale.ticks(most):
        y = scale(value)
        parts.append(line(left, y, right, y, "grid"))
        parts.append(label(left - 7, y + 4, form(value), anchor="end", class_="tick"))
    parts.append(label(2, top - 10, title, class_="axis"))
    return join(parts)


def bottom_axis(frame: Frame, scale: Scale, title: str, form: Callable[[float], str], most: int = 7) -> Markup:
    """Labels for the values at the bottom, with the axis title below them."""
    left, _, right, bottom = frame.inner
    parts = [line(left, bottom, right, bottom, "base")]
    for value in scale.ticks(most):
        x = scale(value)
        anchor = "end" if x > right - 12 and frame.right < 16 else "middle"
        parts.append(line(x, bottom, x, bottom + 4, "base"))
        parts.append(label(x, bottom + 17, form(value), anchor=anchor, class_="tick"))
    parts.append(label((left + right) / 2, frame.height - 4, title, anchor="middle", class_="axis"))
    return join(parts)


def quality_scale(metric: str, values: Sequence[float], begin: float, end: float, samples: int) -> Scale:
    """The scale of a quality metric that holds `values`: by error for shares, logarithmic for losses."""
    low, high = min(values), max(values)
    if metric == "loss":
        low = max(low, 1e-4)
        return Scale("log", low / 1.1, max(high, low * 1.01) * 1.1, begin, end)
    floor = max(1e-5, 0.4 / max(samples, 1))
    near, far = max(1 - high, floor), max(1 - low, floor)
    far = max(far, near * 1.5)
    return Scale("error", max(0.0, 1 - far * 1.12), 1 - near / 1.12, begin, end, floor / 1.12)


def cost_scale(values: Sequence[float], begin: float, end: float) -> Scale:
    """A logarithmic scale that holds `values` with a margin."""
    low, high = min(values), max(values)
    if high < low * 1.5:
        low, high = low / 1.5, high * 1.5
    margin = (high / low) ** 0.05
    return Scale("log", low / margin, high * margin, begin, end)


def quality_form(metric: str) -> Callable[[float], str]:
    """How ticks of a quality metric are written: `92 %` without the sign, which the title carries."""
    if metric in words.PERCENT:
        return lambda value: f"{value * 100:.6g}"
    return lambda value: f"{value:.4g}"
