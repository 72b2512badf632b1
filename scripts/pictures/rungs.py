"""Rungs: successive halving, its brackets, and a model of what was trained that far."""

from __future__ import annotations

from functools import partial

import numpy as np

from netwright.reports.axes import Scale, box, line, path
from netwright.reports.markup import Markup, join, tag
from netwright.strategies.hyperband import table
from netwright.strategies.models.parzen import Mixture, Numbers, normal_reference
from scripts.pictures.marks import area, arrow, disc, lines, proposed, ring, text
from scripts.pictures.sheet import sheet


def halving() -> Markup:
    """Twenty-seven candidates as bars as long as their trainings: a staircase."""
    x = Scale("linear", 0, 27, 24, 616)
    rungs = (1, 3, 9, 27)
    parts: list[Markup] = [line(x(epochs), 188, x(epochs), 192, "base") for epochs in (0, *rungs)]
    for place in range(27):
        level = sum(place < 27 // 3**rung for rung in range(1, 4))
        name = "best" if level == 3 else "good" if level else "other"
        parts.append(box(24, 16 + 6.3 * place, x(rungs[level]) - 24, 4.6, name))
    parts += [text(x(epochs), 206, epochs, "small", "middle") for epochs in rungs]
    return sheet(
        "Successive halving: many are trained a little, the best third of them on",
        "Twenty-seven candidates as bars as long as their trainings: all have one epoch, the best nine of them three, "
        "the best three of those nine, and one is trained for all twenty-seven epochs.",
        *parts,
        text(580, 206, "epochs", "small", "end"),
        text(x(9) + 10, 34, "3 go on to 9 epochs, 1 of them to 27", "best-text"),
        text(x(3) + 10, 62, "9 go on to 3 epochs", "good-text"),
        text(x(1) + 10, 134, "27 begin: an epoch each"),
        line(24, 188, 616, 188, "base"),
        lines(
            x(9) + 10,
            120,
            [
                "Whenever a worker is free, the best third",
                "of a rung is looked at, the highest first:",
                "nobody waits for a rung to be full.",
            ],
            "small",
        ),
    )


def hyperband() -> Markup:
    """The paper's table as bars: how many candidates each bracket has on each rung."""
    brackets = table(81)
    top, row = 34.0, 33.0
    levels = [1, 3, 9, 27, 81]
    parts: list[Markup] = []
    for level, epochs in enumerate(levels):
        y = top + row * level
        parts.append(line(118, y + 26, 622, y + 26, "grid"))
        parts.append(text(108, y + 17, f"{epochs} epoch{'s' if epochs > 1 else ''}", "small", "end"))
    for place, bracket in enumerate(brackets):
        middle = 170 + 101 * place
        parts.append(text(middle, 22, f"bracket {len(brackets) - 1 - place}", "small", "middle"))
        for rung, (count, epochs) in enumerate(bracket):
            y = top + row * levels.index(epochs)
            width = max(10 * np.sqrt(count), 8)
            last = epochs == levels[-1]
            parts.append(box(middle - width / 2, y + 2, width, 22, "best" if last else "good" if rung else "other"))
            parts.append(text(middle + width / 2 + 5, y + 18, count))
    return sheet(
        "Hyperband: several halvings side by side, each with another lowest rung",
        "Five columns, the brackets, and how many candidates each has on the rungs of 1, 3, 9, 27 and 81 epochs: the first "
        "begins with 81 candidates of one epoch, the last trains 5 candidates for 81 epochs and trusts no shorter training.",
        *parts,
        join(disc(x, 209, name) for x, name in ((28, "other"), (84, "good"), (178, "best"))),
        text(37, 213, "new", "small"),
        text(93, 213, "promoted", "good-text"),
        text(187, 213, "trained to the end", "best-text"),
        text(622, 213, "trusts short trainings … trusts none", "small", "end"),
    )


def bohb() -> Markup:
    """Results of three rungs, and the densities of the highest that has enough of them."""
    rng = np.random.default_rng(9)
    tried = rng.random(27)
    worth = np.exp(-(((tried - 0.62) / 0.16) ** 2)) + 0.5 * np.exp(-(((tried - 0.2) / 0.12) ** 2))
    seen = [worth + rng.normal(0, noise, 27) for noise in (0.16, 0.05, 0.02)]
    on = [np.arange(27), np.argsort(-seen[0])[:9]]
    on.append(on[1][np.argsort(-seen[1][on[1]])[:3]])
    good = on[1][np.argsort(-seen[1][on[1]])[:2]]
    bad = np.setdiff1d(on[1], good)
    x = Scale("linear", 0, 1, 104, 332)
    parts: list[Markup] = []
    for rung, epochs in enumerate((1, 3, 9)):
        y = 158 - 48 * rung
        parts += [line(104, y, 332, y, "base"), text(96, y + 4, f"{epochs} epoch{'s' if rung else ''}", "small", "end")]
        for place in on[rung]:
            name = "good" if rung == 1 and place in good else "other"
            parts.append(disc(x(float(tried[place])), y, name, 5 if name == "good" else 3.5))
    parts += [
        tag("rect", {"x": 100, "y": 94, "width": 240, "height": 32, "rx": 6, "class": "promise-line"}),
        text(104, 30, "the highest rung with enough results", "promise-text"),
        text(332, 180, "results so far", "small", "end"),
    ]
    return sheet(
        "BOHB: Hyperband's rungs, and a model of the highest with enough results",
        "Left, results on rungs of 1, 3 and 9 epochs; the highest with enough of them is framed. Right, a density of its "
        "good results and one of the others: the next candidate comes from where the first is large beside the second; "
        "a third of all candidates are random.",
        *parts,
        arrow([(350, 110), (384, 110)]),
        *_densities(tried[good], tried[bad]),
    )


def _densities(good: np.ndarray, bad: np.ndarray) -> list[Markup]:
    """Those of BOHB: normal reference widths; the ratio decides among draws from the first."""
    at = np.linspace(0, 1, 241)[:, None]
    column = [Numbers(0.0, 1.0)]
    likely, unlikely = (
        Mixture(column, part[:, None], bandwidth=partial(normal_reference, columns=1)) for part in (good, bad)
    )
    high, low = np.exp(likely.log_density(at)), np.exp(unlikely.log_density(at))
    drawn = likely.draw(64, np.random.default_rng(1), 3.0)
    chosen = float(drawn[(likely.log_density(drawn) - unlikely.log_density(drawn)).argmax(), 0])
    x = Scale("linear", 0, 1, 396, 616)
    y = Scale("linear", 0, float(max(high.max(), low.max())), 158, 52)
    parts: list[Markup] = [line(396, 158, 616, 158, "base")]
    for values, name in ((low, "other"), (high, "good")):
        upper = [(x(float(a)), y(float(b))) for a, b in zip(at[:, 0], values, strict=True)]
        parts += [area(upper, [(a, 158.0) for a, _ in upper], f"{name}-area"), path(upper, f"{name}-line")]
    return [
        *parts,
        proposed(x(chosen), 158),
        text(396, 30, "good", "good-text"),
        text(436, 30, "and others, there"),
        text(x(chosen), 182, "largest ratio", "next-text", "middle"),
        *(ring(408 + 22 * place, 204, 4) for place in range(3)),
        text(472, 208, "a third: random", "chance-text"),
    ]
