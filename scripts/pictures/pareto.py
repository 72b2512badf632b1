"""Several objectives: fronts, room around a member, and the area that it alone dominates."""

from __future__ import annotations

from netwright.core.pareto import crowding, dominates, fronts
from netwright.reports.axes import Scale, box, path
from netwright.reports.markup import Markup, join
from scripts.pictures.marks import Point, arrow, disc, gone, text
from scripts.pictures.sheet import sheet

LEFT, FOOT, TOP, RIGHT = 44.0, 190.0, 14.0, 372.0


def _axes() -> Markup:
    return join(
        [
            arrow([(LEFT, FOOT), (RIGHT, FOOT)]),
            arrow([(LEFT, FOOT), (LEFT, TOP)]),
            text(RIGHT, FOOT + 18, "error", "small", "end"),
            text(LEFT - 8, TOP + 8, "cost", "small", "end"),
        ]
    )


COSTS: tuple[Point, ...] = (
    (0.05, 0.93), (0.09, 0.72), (0.18, 0.55), (0.36, 0.37), (0.54, 0.22), (0.76, 0.12), (0.95, 0.07),
    (0.24, 0.86), (0.33, 0.64), (0.56, 0.5), (0.8, 0.33),
    (0.62, 0.83),
)  # fmt: skip
"""Error and cost of twelve members."""


def nsga2() -> Markup:
    """Members by front, and within a front by the room around them; the last of the order leaves."""
    ranks = fronts(len(COSTS), lambda a, b: dominates(COSTS[a], COSTS[b]))
    x = Scale("linear", 0, 1, LEFT + 10, RIGHT - 70)
    y = Scale("linear", 0, 1, FOOT - 8, TOP + 6)
    rooms = {
        member: room for front in ranks for member, room in zip(front, crowding([COSTS[m] for m in front]), strict=True)
    }
    order = [member for front in ranks for member in sorted(front, key=lambda m: -rooms[m])]
    last = order[-1]
    parts: list[Markup] = []
    for number, front in enumerate(ranks):
        along_front = sorted(front, key=lambda m: COSTS[m])
        name = "best-line" if number == 0 else "other-line thin dash"
        parts.append(path([(x(COSTS[m][0]), y(COSTS[m][1])) for m in along_front], name))
        end = COSTS[along_front[-1]]
        parts.append(
            text(x(end[0]) + 10, y(end[1]) + 4, f"front {number + 1}", "best-text" if number == 0 else "small")
        )
    inner = sorted(ranks[0], key=lambda m: COSTS[m])
    widest = max(range(1, len(inner) - 1), key=lambda place: rooms[inner[place]])
    before, after = COSTS[inner[widest - 1]], COSTS[inner[widest + 1]]
    parts.append(
        box(x(before[0]), y(before[1]), x(after[0]) - x(before[0]), y(after[1]) - y(before[1]), "promise-area")
    )
    for number, front in enumerate(ranks):
        for m in front:
            spot = x(COSTS[m][0]), y(COSTS[m][1])
            parts.append(gone(*spot) if m == last else disc(*spot, "best" if number == 0 else "other", 5))
    return sheet(
        "NSGA-II: by front, and within a front by the room around a member",
        "Twelve members by error and cost, sorted into fronts. A box between its neighbours shows the room around one "
        "member. Right, all in order: front first, then room; the last of the last front leaves.",
        _axes(),
        *parts,
        *_order(order, ranks, last),
    )


def _order(order: list[int], ranks: list[list[int]], last: int) -> list[Markup]:
    """The population in order, the best at the left."""
    number = {member: place for place, front in enumerate(ranks) for member in front}
    parts = [
        text(404, 34, "1. the front", "best-text"),
        text(404, 58, "2. the room around it", "promise-text"),
        text(404, 75, "between its neighbours", "small"),
        text(404, 118, "so the order is", "small"),
    ]
    at = 404.0
    for place, member in enumerate(order):
        if place and number[member] != number[order[place - 1]]:
            at += 10
        name = "best" if number[member] == 0 else "other"
        parts.append(gone(at + 6, 138) if member == last else disc(at + 6, 138, name, 5))
        at += 15.5
    parts += [
        text(404, 170, "parents win", "small"),
        text(404, 186, "tournaments", "small"),
        text(at, 170, "the last", "gone-text", "end"),
        text(at, 186, "leaves", "gone-text", "end"),
    ]
    return parts


def hypervolume_evolution() -> Markup:
    """What the front dominates up to a reference, and which part of it each member alone adds."""
    front: list[Point] = [(0.1, 0.9), (0.17, 0.6), (0.29, 0.5), (0.4, 0.27), (0.62, 0.22), (0.86, 0.1)]
    x = Scale("linear", 0, 1, LEFT, RIGHT - 14)
    y = Scale("linear", 0, 1, FOOT, TOP + 6)
    parts: list[Markup] = []
    outline: list[Point] = [(front[0][0], 1.0)]
    for place, (error, cost) in enumerate(front):
        outline += [(error, outline[-1][1]), (error, cost)]
        beside = front[place + 1][0] if place + 1 < len(front) else 1.0
        outline.append((beside, cost))
    region = [*outline, (1.0, 1.0)]
    parts.append(path([(x(a), y(b)) for a, b in region], "other-area", closed=True))
    added = {}
    for place in range(1, len(front) - 1):
        error, cost = front[place]
        beside, above = front[place + 1][0], front[place - 1][1]
        added[place] = (beside - error) * (above - cost)
        parts.append(box(x(error), y(above), x(beside) - x(error), y(cost) - y(above), "promise"))
    least = min(added, key=added.__getitem__)
    for place, (error, cost) in enumerate(front):
        parts.append(gone(x(error), y(cost)) if place == least else disc(x(error), y(cost), "best", 5))
    bars = sorted(added.items(), key=lambda item: -item[1])
    for place, (member, volume) in enumerate(bars):
        name = "gone" if member == least else "promise"
        parts.append(box(404, 96 + 22 * place, 1500 * volume, 14, name))
        if member == least:
            parts.append(text(404 + 1500 * volume + 10, 108 + 22 * place, "the least leaves", "gone-text"))
    return sheet(
        "SMS-EMOA: the member leaves that adds least area",
        "A front by error and cost, the area that it dominates, and in orange the part that each member alone adds. "
        "Right, these parts as bars: the member of the smallest leaves. The ends of the front stay.",
        _axes(),
        *parts,
        text(404, 34, "the area that a member", "promise-text"),
        text(404, 51, "alone dominates", "promise-text"),
        text(404, 74, "(the ends of the front stay)", "small"),
    )
