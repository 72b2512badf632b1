"""Pictures of the search: the front, the strips of the comparison, best so far, where the time went, the timeline.

Inline SVG, drawn here once for wide and once for narrow screens. Colour has one meaning on the whole page (winner,
front, other candidates, baselines, failed) and shape repeats it: ring, disc, dot, square or bar, cross-hatch. Marks
that stand for a trial carry its number (`data-trial`), from which the page's script makes hover and selection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netwright.core.measurement import Measurement
from netwright.core.objective import Limit
from netwright.reports import words
from netwright.reports.axes import (
    Frame,
    Scale,
    bottom_axis,
    box,
    cost_scale,
    label,
    left_axis,
    line,
    linear_ticks,
    path,
    quality_form,
    quality_scale,
    time_form,
)
from netwright.reports.comparison import Comparison
from netwright.reports.markup import Markup, join, tag
from netwright.reports.tables import BestSoFar, CandidateRow, Span, Timeline, TimeRow

MOST_DOTS = 1_200


@dataclass(frozen=True, slots=True)
class Reference:
    """A baseline on the front: a square where its cost is known, else a line across."""

    name: str
    trial: int
    quality: Measurement
    costs: Mapping[str, Measurement]


# -- the front ---------------------------------------------------------------------------------------------------------


def plot_front(
    rows: Sequence[CandidateRow],
    references: Sequence[Reference],
    *,
    metric: str,
    cost: str,
    limits: Sequence[Limit],
    says: str,
    frame: Frame,
) -> Markup:
    """Validation quality against one cost; `rows` are all candidates, thinned here where there are too many."""
    shown = [row for row in rows if cost in row.costs]
    qualities, costs = _extent(shown, references, metric, cost, limits)
    left, top, right, bottom = frame.inner
    samples = max((row.quality.samples for row in shown), default=1)
    y = quality_scale(metric, qualities, bottom, top, samples)
    if metric == "loss":
        y = Scale(y.kind, y.low, y.high, top, bottom)
    x = cost_scale(costs, left, right)
    marked = sorted((row for row in shown if row.front or row.final or row.winner), key=lambda row: row.winner)
    kept = {row.trial for row in marked}
    dots = thinned([row for row in shown if row.trial not in kept], x, y, cost)
    return frame.svg(
        says,
        left_axis(frame, y, words.axis_title(metric) + ", validation", quality_form(metric)),
        _limits(frame, x, y, metric, cost, limits),
        bottom_axis(frame, x, words.axis_title(cost), words.short, 7 if frame.width > 500 else 5),
        tag("g", {"class": "dots"}, *(_dot(row, x, y, cost) for row in dots)),
        _staircase([row for row in shown if row.front], x, y, cost, metric, frame),
        _reference_lines(frame, references, y, cost),
        join(_front_mark(row, x, y, cost) for row in marked),
        join(_reference_square(reference, x, y, cost, frame) for reference in references if cost in reference.costs),
    )


def thinned(rows: Sequence[CandidateRow], x: Scale, y: Scale, cost: str) -> list[CandidateRow]:
    """At most `MOST_DOTS` rows that look like all of them: one for each spot, the spots as small as that allows."""
    spot = 1.0
    kept = list(rows)
    while len(kept) > MOST_DOTS:
        spot *= 1.4
        first: dict[tuple[int, int], CandidateRow] = {}
        for row in rows:
            place = int(x(row.costs[cost].value) / spot), int(y(row.quality.value) / spot)
            first.setdefault(place, row)
        kept = list(first.values())
    return kept


def _extent(
    rows: Sequence[CandidateRow],
    references: Sequence[Reference],
    metric: str,
    cost: str,
    limits: Sequence[Limit],
) -> tuple[list[float], list[float]]:
    qualities: list[float] = []
    for entry in (*(row.quality for row in rows), *(reference.quality for reference in references)):
        qualities.append(entry.value)
    for row in rows:
        if row.front:
            qualities += [v for v in (row.quality.low, row.quality.high) if v is not None]
    costs = [max(row.costs[cost].value, 1e-6) for row in rows]
    costs += [max(reference.costs[cost].value, 1e-6) for reference in references if cost in reference.costs]
    for limit in limits:
        if limit.metric == metric:
            qualities.append(limit.bound)
        elif limit.metric == cost and limit.bound > 0:
            costs += [limit.bound, limit.bound * 1.15]
    return qualities or [0.5], costs or [1.0]


def _limits(frame: Frame, x: Scale, y: Scale, metric: str, cost: str, limits: Sequence[Limit]) -> Markup:
    """A line at each limit, the forbidden side shaded."""
    left, top, right, bottom = frame.inner
    shades: list[Markup] = []
    lines: list[Markup] = []
    for limit in limits:
        below = limit.comparison in ("<=", "<")
        if limit.metric == cost:
            at = x(limit.bound)
            shades.append(
                box(at if below else left, top, right - at if below else at - left, bottom - top, "forbidden")
            )
            lines.append(line(at, top, at, bottom, "limit"))
            lines.append(label(at - 5, bottom - 7, str(limit), anchor="end", class_="limit-label"))
        elif limit.metric == metric:
            at = y(limit.bound)
            upper = below == (metric != "loss")
            shades.append(
                box(left, top if upper else at, right - left, at - top if upper else bottom - at, "forbidden")
            )
            lines.append(line(left, at, right, at, "limit"))
            lines.append(label(left + 6, at - 5, str(limit), class_="limit-label"))
    return join((*shades, *lines))


def _dot(row: CandidateRow, x: Scale, y: Scale, cost: str) -> Markup:
    place = {"cx": x(row.costs[cost].value), "cy": y(row.quality.value), "r": 3}
    return tag("circle", {**place, "class": "out" if row.violation > 0 else None, "data-trial": row.trial})


def _front_mark(row: CandidateRow, x: Scale, y: Scale, cost: str) -> Markup:
    kind = "winner" if row.winner else "front" if row.front else "final"
    at, up = x(row.costs[cost].value), y(row.quality.value)
    parts = [_whisker(row.quality, at, y), _sideways(row.costs[cost], up, x)]
    if row.winner:
        parts.append(tag("circle", {"cx": at, "cy": up, "r": 10, "class": "ring"}))
    parts.append(tag("circle", {"cx": at, "cy": up, "r": 5 if kind != "final" else 4, "class": "disc"}))
    says = f"trial {row.trial}{', winner' if row.winner else ''}: {row.words}"
    named = {"data-trial": row.trial, "tabindex": 0, "role": "button", "aria-label": says}
    return tag("g", {"class": f"mark {kind}", **named}, *parts)


def _whisker(entry: Measurement, x: float, y: Scale) -> Markup | None:
    if entry.low is None or entry.high is None:
        return None
    return line(x, y(entry.low), x, y(entry.high), "whisker")


def _sideways(entry: Measurement, y: float, x: Scale) -> Markup | None:
    if entry.low is None or entry.high is None:
        return None
    return line(x(max(entry.low, 1e-6)), y, x(max(entry.high, 1e-6)), y, "whisker")


def _staircase(rows: Sequence[CandidateRow], x: Scale, y: Scale, cost: str, metric: str, frame: Frame) -> Markup | None:
    """The border of what is dominated, within this picture: level until a better network begins."""
    if len(rows) < 2:
        return None
    better = min if metric == "loss" else max
    points: list[tuple[float, float]] = []
    best: float | None = None
    for row in sorted(rows, key=lambda row: row.costs[cost].value):
        if best is not None and better(best, row.quality.value) == best:
            continue
        at = x(row.costs[cost].value)
        points += [(at, y(best if best is not None else row.quality.value)), (at, y(row.quality.value))]
        best = row.quality.value
    points.append((frame.inner[2], points[-1][1]))
    return path(points, "staircase")


def _reference_lines(frame: Frame, references: Sequence[Reference], y: Scale, cost: str) -> Markup:
    """Models without this cost, as lines across; names are moved apart where lines are close."""
    left, _, right, _ = frame.inner
    parts: list[Markup] = []
    taken: list[float] = []
    for reference in sorted((r for r in references if cost not in r.costs), key=lambda r: y(r.quality.value)):
        at = y(reference.quality.value)
        name_at = at - 5
        while any(abs(name_at - other) < 13 for other in taken):
            name_at += 13
        taken.append(name_at)
        mark = line(left, at, right, at, "reference")
        name = label(right - 4, name_at, reference.name, anchor="end", class_="reference-label")
        parts.append(tag("g", {"class": "mark baseline", "data-trial": reference.trial}, mark, name))
    return join(parts)


def _reference_square(reference: Reference, x: Scale, y: Scale, cost: str, frame: Frame) -> Markup:
    at, up = x(reference.costs[cost].value), y(reference.quality.value)
    near_right = at > frame.inner[2] - 90
    name = label(
        at - 10 if near_right else at + 10,
        up + 4,
        reference.name,
        anchor="end" if near_right else "start",
        class_="reference-label",
    )
    named = {"data-trial": reference.trial, "tabindex": 0, "role": "button", "aria-label": reference.name}
    return tag(
        "g",
        {"class": "mark baseline", **named},
        _whisker(reference.quality, at, y),
        box(at - 5, up - 5, 10, 10, "square"),
        name,
    )


# -- the comparison ----------------------------------------------------------------------------------------------------


def plot_strips(comparisons: Sequence[Comparison], metric: str) -> tuple[list[Markup], Markup]:
    """One strip for each comparison (the difference with its interval around zero) and the axis they share."""
    bounds = [
        v for c in comparisons for v in (c.difference.low, c.difference.high, c.difference.value) if v is not None
    ]
    low, high = min(0.0, *bounds), max(0.0, *bounds)
    margin = (high - low) * 0.08 or 0.01
    width = 280.0
    x = Scale("linear", low - margin, high + margin, 6, width - 6)
    scale = 100.0 if metric in words.PERCENT else 1.0
    strips = []
    for entry in comparisons:
        gap = entry.difference
        says = words.difference(metric, gap.value, gap.low or 0.0, gap.high or 0.0)
        frame = Frame(width, 26)
        strips.append(
            frame.svg(
                says,
                line(x(0), 0, x(0), 26, "zero"),
                line(x(gap.low or 0.0), 13, x(gap.high or 0.0), 13, f"gap {entry.outcome}"),
                tag("circle", {"cx": x(gap.value), "cy": 13, "r": 4.5, "class": f"gap {entry.outcome}"}),
                class_="strip",
            )
        )
    ticks = linear_ticks(x.low, x.high, 4)
    digits = max(0, *(len(f"{tick * scale:.6g}".partition(".")[2]) for tick in ticks))

    def tick_label(tick: float) -> Markup:
        at = x(tick)
        anchor = "start" if at < 16 else "end" if at > width - 16 else "middle"
        return label(at, 12, words.signed_fixed(tick * scale, digits), anchor=anchor, class_="tick")

    axis = Frame(width, 16).svg("axis of the differences", *map(tick_label, ticks), class_="strip")
    return strips, axis


# -- how the search went -----------------------------------------------------------------------------------------------


def plot_best(best: BestSoFar, references: Sequence[Reference], *, metric: str, says: str, frame: Frame) -> Markup:
    """Best validation quality so far against training time, over the band of what random draws give."""
    left, top, right, bottom = frame.inner
    values = [step.quality.value for step in best.steps]
    values += [bound for row in best.random for bound in (row.low, row.high)]
    values += [reference.quality.value for reference in references]
    samples = best.steps[-1].quality.samples if best.steps else 1
    y = quality_scale(metric, values, bottom, top, samples)
    if metric == "loss":
        y = Scale(y.kind, y.low, y.high, top, bottom)
    x = Scale("time", 0.0, max(best.seconds, best.random[-1].seconds if best.random else 0.0, 1.0), left, right)
    upper = [(x(row.seconds), y(row.high)) for row in best.random]
    lower = [(x(row.seconds), y(row.low)) for row in reversed(best.random)]
    stairs: list[tuple[float, float]] = []
    for step in best.steps:
        at, up = x(step.seconds), y(step.quality.value)
        stairs += [(at, stairs[-1][1]), (at, up)] if stairs else [(at, up)]
    if stairs:
        stairs.append((x(best.seconds), stairs[-1][1]))
    return frame.svg(
        says,
        left_axis(frame, y, words.axis_title(metric) + ", validation", quality_form(metric), 6),
        bottom_axis(frame, x, "training time, all workers together", time_form, 6 if frame.width > 500 else 3),
        path([*upper, *lower], "band", closed=True) if best.random else None,
        path([(x(row.seconds), y(row.mean)) for row in best.random], "random") if best.random else None,
        _reference_lines(frame, [Reference(r.name, r.trial, r.quality, {}) for r in references], y, ""),
        path(stairs, "best") if stairs else None,
        *(
            tag(
                "circle",
                {"cx": x(s.seconds), "cy": y(s.quality.value), "r": 3.5, "class": "step", "data-trial": s.trial},
            )
            for s in best.steps
        ),
    )


def plot_time(rows: Sequence[TimeRow], frame: Frame) -> Markup:
    """One bar of all the workers' time, divided by what it went to."""
    total = sum(row.seconds for row in rows) or 1.0
    left, top, right, bottom = frame.inner
    x = left
    parts: list[Markup] = []
    for row in rows:
        width = (right - left) * row.seconds / total
        parts.append(
            box(
                x,
                top,
                max(width - 1, 0.5),
                bottom - top,
                f"time {row.what.replace(' ', '-')}",
                tag("title", None, row.what),
            )
        )
        x += width
    says = ", ".join(f"{row.what} {100 * row.seconds / total:.0f} %" for row in rows)
    return frame.svg(f"Time of all workers: {says}", *parts)


def plot_timeline(timeline: Timeline, frame: Frame, says: str) -> Markup:
    """A lane for each worker, a bar for each attempt; bars too short to see are joined with their neighbours."""
    left, top, right, bottom = frame.inner
    x = Scale("time", 0.0, max(timeline.seconds, 1e-6), left, right)
    lanes = max(timeline.lanes, 1)
    height = (bottom - top) / lanes
    parts: list[Markup] = []
    for lane in range(lanes):
        y = top + lane * height
        parts.append(label(left - 7, y + height / 2 + 4, lane + 1, anchor="end", class_="tick"))
        spans = [span for span in timeline.spans if span.lane == lane]
        parts += [
            box(begin, y + 2, end - begin - 0.4, height - 4, f"span {kind}", *_named(trials))
            for begin, end, kind, trials in _joined(spans, x)
        ]
    for at, seconds in timeline.pauses:
        pause = tag("title", None, f"not running for {words.duration(seconds)}")
        parts.append(tag("g", None, line(x(at), top - 4, x(at), bottom, "pause"), pause))
    return frame.svg(
        says,
        bottom_axis(frame, x, "time since the start, pauses left out", time_form, 8 if frame.width > 500 else 3),
        label(2, top - 8, "worker", class_="axis"),
        *parts,
    )


def _named(trials: Sequence[int]) -> tuple[Markup, ...]:
    text = f"trial {trials[0]}" if len(trials) == 1 else f"{len(trials)} trials, {trials[0]} to {trials[-1]}"
    return (tag("title", None, text),)


def _joined(spans: Sequence[Span], x: Scale) -> list[tuple[float, float, str, list[int]]]:
    """(begin, end, kind, trials) in pixels, at least 0.8 wide each."""
    bars: list[tuple[float, float, str, list[int]]] = []
    for span in spans:
        begin, end = x(span.begin), max(x(span.end), x(span.begin) + 0.8)
        if bars:
            before, until, kind, trials = bars[-1]
            small = until - before < 1.6 or end - begin < 1.6
            if kind == span.kind and small and begin - until < 0.8:
                bars[-1] = (before, max(end, until), kind, [*trials, span.trial])
                continue
            begin = max(begin, until)
        bars.append((begin, max(end, begin), span.kind, [span.trial]))
    return bars
