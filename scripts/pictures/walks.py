"""Strategies without a model or a population: random, grid and local search."""

from __future__ import annotations

from itertools import islice

import numpy as np

from netwright.core.objective import parse_goal
from netwright.reports.axes import Scale, box, line, path
from netwright.reports.markup import Markup, join, tag
from netwright.strategies import GridSearch
from netwright.testing.toys import Grid, toy_costs
from scripts.pictures.marks import arrow, best, disc, lines, proposed, ring, steps, text, trial
from scripts.pictures.sheet import sheet

SIZE = 24


def random() -> Markup:
    """Independent draws in a space of two decisions, and the best so far."""
    rng = np.random.default_rng(12)
    points = rng.random((SIZE + 1, 2))
    quality = np.exp(-4 * ((points[:, 0] - 0.62) ** 2 + 2 * (points[:, 1] - 0.4) ** 2))
    leader = int(quality[:SIZE].argmax())
    x, y = Scale("linear", 0, 1, 54, 274), Scale("linear", 0, 1, 164, 28)
    at, up = Scale("linear", 1, SIZE, 372, 604), Scale("linear", 0, 1, 186, 28)
    so_far = np.maximum.accumulate(quality[:SIZE])
    spots = [(x(float(a)), y(float(b))) for a, b in points]
    return sheet(
        "Random search: every candidate is drawn on its own",
        "Left, candidates scattered evenly over a space of two decisions, each with a value of its own in both; right, "
        "their results in turn, and the best so far as a staircase. The next draw knows nothing of the others.",
        box(44, 18, 240, 156, "panel"),
        join(line(a, 178, a, 185, "chance-line thin") for a, _ in spots[:SIZE]),
        join(line(33, b, 40, b, "chance-line thin") for _, b in spots[:SIZE]),
        join(trial(a, b) for place, (a, b) in enumerate(spots[:SIZE]) if place != leader),
        best(*spots[leader]),
        proposed(*spots[SIZE]),
        text(164, 206, "a new value of each decision, each time", "chance-text", "middle"),
        line(372, 186, 604, 186, "base"),
        join(trial(at(n + 1), up(float(q))) for n, q in enumerate(quality[:SIZE]) if n != leader),
        steps([(at(n + 1), up(float(q))) for n, q in enumerate(so_far)], "best-line"),
        best(at(leader + 1), up(float(quality[leader]))),
        text(604, up(float(so_far[-1])) - 12, "best so far", "best-text", "end"),
        text(604, 206, "trials", "small", "end"),
        text(360, 24, "quality", "small", "start"),
    )


def grid() -> Markup:
    """The order in which the strategy tries nine candidates, and how a grid of numbers is refined."""
    space = Grid((3, 3))
    search = GridSearch(space, parse_goal(["accuracy"], []), seed=4, costs=toy_costs)
    order = [Grid.point(proposal.candidate) for proposal in islice(search.ask(), 9)]
    parts: list[Markup] = []
    for place, (column, row) in enumerate(order):
        left, top = 92 + 54 * column, 36 + 46 * row
        name = "best-area" if place < 3 else "panel"
        parts.append(tag("rect", {"x": left, "y": top, "width": 48, "height": 40, "rx": 4, "class": name}))
        parts.append(text(left + 24, top + 26, place + 1, "strong", "middle"))
    x, y = Scale("linear", 0, 8, 392, 584), Scale("linear", 0, 8, 172, 40)
    for level, (stride, name, radius) in enumerate(((4, "best", 5.5), (2, "good", 4.0), (1, "other", 2.5))):
        for a in range(0, 9, stride):
            for b in range(0, 9, stride):
                coarser = 2 * stride
                if level == 0 or a % coarser or b % coarser:
                    parts.append(disc(x(a), y(b), name, radius))
    return sheet(
        "Grid search: every candidate once, in an order that is even from the start",
        "Left, nine candidates of two decisions, numbered as they are tried: the first three have all values of the first "
        "decision. Right, numbers: three values of each, then five, then nine, the new between the old.",
        *parts,
        text(92, 22, "the order: branches take turns", "strong"),
        text(380, 22, "numbers: 3 values, then 5, then 9", "strong"),
        join(disc(a, 200, name) for a, name in ((396, "best"), (466, "good"), (536, "other"))),
        join(text(a, 204, name, "small") for a, name in ((406, "3 x 3"), (476, "5 x 5"), (546, "9 x 9"))),
        text(170, 192, "first decision", "small", "middle"),
        lines(82, 98, ["second", "decision"], "small", "end"),
    )


# -- local search ------------------------------------------------------------------------------------------------------

SIDE, STEP = 7, 20
SEED = 79


def _landscape() -> np.ndarray:
    """A quality of two decisions of seven values, with one summit for a walk along rows and columns."""
    rng = np.random.default_rng(6)
    first, second = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    smooth = np.exp(-(((first - 4.6) / 2.6) ** 2) - ((second - 2.2) / 2.6) ** 2)
    return smooth + 0.16 * rng.random((SIDE, SIDE))


def local_search() -> Markup:
    """Three moments of a climb, computed: the best of ten draws, a better neighbour, and no better neighbour."""
    quality = _landscape()
    rng = np.random.default_rng(SEED)
    drawn = [divmod(int(cell), SIDE) for cell in rng.choice(SIDE * SIDE, 10, replace=False)]
    here = max(drawn, key=lambda cell: quality[cell])
    walk, tried = [here], []
    while True:
        around = _neighbours(here)
        order = [around[place] for place in rng.permutation(len(around))]
        better = next((place for place, cell in enumerate(order) if quality[cell] > quality[here]), None)
        tried.append(order if better is None else order[: better + 1])
        if better is None:
            break
        here = order[better]
        walk.append(here)
    first = [_board(40, quality), *(ring(*_spot(40, cell), 6) for cell in drawn), best(*_spot(40, walk[0]))]
    second = [
        _board(250, quality, walk[0]),
        *(trial(*_spot(250, cell)) for cell in tried[0][:-1]),
        best(*_spot(250, walk[0])),
        arrow([_spot(250, walk[0]), _spot(250, walk[1])], "next-line", "next"),
        proposed(*_spot(250, walk[1])),
    ]
    path_so_far = [_spot(460, cell) for cell in walk]
    third = [
        _board(460, quality, walk[-1]),
        *(trial(*_spot(460, cell)) for cell in tried[-1]),
        path(path_so_far, "best-line thin dash"),
        *(disc(*spot, "best", 3) for spot in path_so_far[:-1]),
        best(*path_so_far[-1]),
    ]
    return sheet(
        "Local search: to a better neighbour, and again, until there is none",
        "Three boards of two decisions, darker where quality is higher. First, the best of ten random draws; then, "
        "neighbours in its row and column are tried until one is better; last, the end of the walk, where no neighbour is.",
        *first,
        *second,
        *third,
        text(40, 24, "best of ten draws", "best-text"),
        text(250, 24, "a better neighbour", "next-text"),
        text(460, 24, "none is better", "strong"),
        lines(40, 196, ["ten random candidates"], "small"),
        lines(250, 196, ["one decision changed:", "row or column"], "small"),
        lines(460, 196, ["a local optimum:", "draw ten again"], "small"),
    )


def _neighbours(cell: tuple[int, int]) -> list[tuple[int, int]]:
    row, column = cell
    in_row = [(row, other) for other in range(SIDE) if other != column]
    return in_row + [(other, column) for other in range(SIDE) if other != row]


def _spot(left: float, cell: tuple[int, int]) -> tuple[float, float]:
    return left + STEP * cell[1] + STEP / 2 - 1, 36 + STEP * cell[0] + STEP / 2 - 1


def _board(left: float, quality: np.ndarray, here: tuple[int, int] | None = None) -> Markup:
    """The candidates, darker where quality is higher; a frame around the neighbourhood of one of them."""
    parts: list[Markup] = []
    low, high = float(quality.min()), float(quality.max())
    for row in range(SIDE):
        for column in range(SIDE):
            shade = 0.06 + 0.44 * (float(quality[row, column]) - low) / (high - low)
            parts.append(
                tag(
                    "rect",
                    {
                        "x": left + STEP * column,
                        "y": 36 + STEP * row,
                        "width": STEP - 2,
                        "height": STEP - 2,
                        "class": "other",
                        "fill-opacity": f"{shade:.2f}",
                    },
                )
            )
    if here is not None:
        row, column = here
        parts.append(box(left - 2, 34 + STEP * row, STEP * SIDE + 2, STEP + 2, "hood"))
        parts.append(box(left - 2 + STEP * column, 34, STEP + 2, STEP * SIDE + 2, "hood"))
    return join(parts)
