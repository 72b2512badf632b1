"""Populations: who has a child, who leaves, and what a child takes over."""

from __future__ import annotations

import numpy as np

from netwright.reports.axes import Scale, box, line, path
from netwright.reports.markup import Markup, join
from scripts.pictures.marks import arrow, bar, best, disc, gone, lines, proposed, ring, text
from scripts.pictures.sheet import sheet

FOOT = 152
QUALITIES = (74, 46, 92, 60, 38, 82, 54, 70, 50, 64)
"""Of ten members, as heights of their bars."""


def regularized_evolution() -> Markup:
    """A queue by age: the best of a sample has a child at the young end, the oldest leaves at the other."""
    sample, xs = (1, 3, 5, 6, 8), [104 + 44 * place for place in range(10)]
    parent = max(sample, key=lambda place: QUALITIES[place])
    return sheet(
        "Regularized evolution: the best of a sample has a child, the oldest leaves",
        "Ten members in a queue by age, as bars of their quality. Five are drawn, the best of them has a child that joins "
        "at the young end; the oldest leaves, although it is better than most.",
        _members(xs, parent, sample, leaving=0),
        arrow([(xs[0] - 14, FOOT - 37), (46, FOOT - 37)], "arrow"),
        gone(34, FOOT - 37),
        text(24, FOOT - 56, "leaves", "gone-text"),
        _child(xs[parent], QUALITIES[parent], 584),
        text(584, 22, "a child: one decision changed", "next-text", "end"),
        text(xs[0], FOOT + 19, "oldest", "small", "middle"),
        text(xs[9], FOOT + 19, "youngest", "small", "middle"),
        text(xs[5], FOOT + 44, "a few are drawn, the best of them is the parent", "chance-text", "middle"),
    )


def tournament_evolution() -> Markup:
    """Two are drawn: the better has a child, the worse makes room for it."""
    pair, xs = (2, 6), [64 + 44 * place for place in range(10)]
    parent, loser = pair
    return sheet(
        "Tournament evolution: of two, the better has a child, the worse leaves",
        "Ten members as bars of their quality, in no order. Two are drawn; the better has a child, which joins the "
        "population, and the worse leaves.",
        _members(xs, parent, pair, leaving=loser),
        gone(xs[loser], FOOT - QUALITIES[loser] - 14),
        text(xs[loser] + 14, FOOT - QUALITIES[loser] - 26, "the worse leaves", "gone-text"),
        _child(xs[parent], QUALITIES[parent], 584),
        text(584, 22, "the better has a child", "next-text", "end"),
        text((xs[2] + xs[6]) / 2, 188, "two are drawn", "chance-text", "middle"),
    )


def _members(xs: list[int], parent: int, sample: tuple[int, ...], leaving: int) -> Markup:
    """The population as bars; the parent is blue, who leaves is pale, who was drawn has a ring below."""
    parts = [line(min(xs) - 16, FOOT, 608, FOOT, "base")]
    for place, x in enumerate(xs):
        name = "best" if place == parent else "gone-area" if place == leaving else "other"
        parts.append(bar(x, FOOT, QUALITIES[place], name, 22))
        if place in sample:
            parts.append(ring(x, FOOT + 14, 6))
    return join(parts)


def _child(parent: float, height: float, x: float) -> Markup:
    """An arrow from the parent over the others to the child that joins."""
    over = [(parent, FOOT - height - 6), (parent + 20, 24), (x - 10, 14), (x, FOOT - 40)]
    return join([arrow(over, "next-line", "next"), proposed(x, FOOT - 26, 9)])


# -- population based training -----------------------------------------------------------------------------------------

INTERVALS, MEMBERS = 9, 6


def population_training() -> Markup:
    """Six members under the rule: each interval the last takes the first one's weights and perturbs its rate."""
    rates, starts, winner = _train()
    x = Scale("linear", 0, INTERVALS, 96, 560)
    y = Scale("log", 0.008, 1.2, 186, 18)
    parts: list[Markup] = [line(96, 186, 560, 186, "base")]
    parts += [text(88, y(rate) + 4, f"{rate:g}", "small", "end") for rate in (0.01, 0.1, 1)]
    parts += [text(x(step), 203, step, "small", "middle") for step in range(INTERVALS + 1)]
    parts.append(_schedule(rates, starts, winner, x, y))
    return sheet(
        "Population based training: the weak go on from the weights of the strong",
        "Learning rates of six members over nine intervals. After each interval the weakest ends, and goes on from the "
        "weights of the best with a perturbed rate: lines that branch. The schedule of the final best is in blue.",
        *parts,
        text(24, 24, "rate", "small"),
        text(x(4) + 10, y(0.045), "× ends, and goes on from the best:", "gone-text"),
        text(x(4) + 10, y(0.045) + 17, "its weights, 0.8 or 1.2 times its rate", "small"),
        text(24, 203, "interval", "small"),
    )


def _train() -> tuple[np.ndarray, list[list[int]], int]:
    """Rates (intervals, members); for each after the first interval the member that it starts from; the best at the end."""
    rng = np.random.default_rng(3)
    rates = np.empty((INTERVALS, MEMBERS))
    rates[0] = [0.7, 0.36, 0.16, 0.07, 0.03, 0.013]
    skill = np.zeros(MEMBERS)
    starts: list[list[int]] = []
    for step in range(INTERVALS):
        wanted = 0.4 * 0.72**step
        skill += np.exp(-0.5 * np.log(rates[step] / wanted) ** 2)
        if step == INTERVALS - 1:
            break
        first, last = int(skill.argmax()), int(skill.argmin())
        rates[step + 1] = rates[step]
        rates[step + 1, last] = rates[step, first] * rng.choice([0.8, 1.2])
        skill[last] = skill[first]
        starts.append([first if member == last else member for member in range(MEMBERS)])
    return rates, starts, int(skill.argmax())


def _schedule(rates: np.ndarray, starts: list[list[int]], winner: int, x: Scale, y: Scale) -> Markup:
    """Every interval as a line, branches as curves; the chain of starts of the best on top of them."""
    parts: list[Markup] = []
    chain = [winner]
    for step in range(INTERVALS - 2, -1, -1):
        chain.insert(0, starts[step][chain[0]])
    for step in range(INTERVALS):
        for member in range(MEMBERS):
            level = y(float(rates[step, member]))
            name = "best-line" if chain[step] == member else "other-line thin"
            parts.append(line(x(step) + 9, level, x(step + 1), level, name))
            if step + 1 == INTERVALS:
                continue
            origin = starts[step][member]
            branched = origin != member
            above = y(float(rates[step + 1, member]))
            begin = y(float(rates[step, origin]))
            on_chain = chain[step + 1] == member
            link = "best-line" if on_chain else "next-line" if branched else "other-line thin"
            parts.append(path([(x(step + 1), begin), (x(step + 1) + 9, above)], link))
            if branched:
                parts.append(gone(x(step + 1) + 2, level, 4))
    end = y(float(rates[-1, chain[-1]]))
    return join([*parts, best(x(INTERVALS), end), text(x(INTERVALS) + 14, end + 4, "best", "best-text")])


# -- weights -----------------------------------------------------------------------------------------------------------

CELL = 13
KEPT, COPIES = 4, (1, 3)
"""Channels of the parent, and which of them the child has twice."""


def weight_inheritance() -> Markup:
    """A layer is widened and another one added, and the function stays: tensors as tables of their weights."""
    parent = [_table(40, 62, 4, 3, {}), arrow([(88, 88), (118, 88)]), _table(128, 68, 3, 4, {})]
    wide = {(4 + place, column): "chance" for place in range(len(COPIES)) for column in range(3)}
    identity = {(row, column): "next" if row == column else "panel" for row in range(6) for column in range(6)}
    child = [
        _table(262, 62, 6, 3, wide),
        arrow([(310, 100), (340, 100)]),
        _table(350, 62, 6, 6, identity),
        arrow([(438, 100), (468, 100)]),
        _shares(478, 81),
    ]
    return sheet(
        "Weight inheritance: the child begins as the function that its parent is",
        "Left, two layers of a parent as tables of weights; right, those of its child: the first layer has copies of two "
        "channels, the layer that is new is the identity, and the last one divides the weights of what was copied.",
        text(40, 34, "parent", "strong"),
        text(262, 34, "child", "strong"),
        *parent,
        *child,
        text(40, 136, "4 channels", "small"),
        text(128, 128, "reads 4", "small"),
        lines(262, 162, ["4 kept,", "2 copied"], "small"),
        lines(350, 162, ["a new layer:", "the identity"], "small"),
        lines(478, 140, ["reads 6: weights", "of copies shared"], "small"),
        join(disc(x, 205, name) for x, name in ((44, "good"), (138, "chance"), (326, "next"))),
        text(54, 209, "copied", "good-text"),
        text(148, 209, "a copy, at random", "chance-text"),
        text(336, 209, "new", "next-text"),
        text(616, 209, "the same function", "strong", "end"),
    )


def _table(x: float, y: float, rows: int, columns: int, other: dict[tuple[int, int], str]) -> Markup:
    """Weights as squares, copied ones where nothing else is said."""
    return join(
        box(x + CELL * column, y + CELL * row, CELL - 2, CELL - 2, other.get((row, column), "good"))
        for row in range(rows)
        for column in range(columns)
    )


def _shares(x: float, y: float) -> Markup:
    """Three outputs of six channels: a channel that was copied, and its copy, have half of each weight."""
    parts: list[Markup] = []
    for row in range(3):
        for column in range(KEPT + len(COPIES)):
            shared = column in COPIES or column >= KEPT
            height = (CELL - 2) / 2 if shared else CELL - 2
            name = "chance" if column >= KEPT else "good"
            parts.append(box(x + CELL * column, y + CELL * row, CELL - 2, CELL - 2, "panel"))
            parts.append(box(x + CELL * column, y + CELL * row + CELL - 2 - height, CELL - 2, height, name))
    return join(parts)
