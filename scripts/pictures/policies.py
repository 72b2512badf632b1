"""Policies that learn from rewards, and the rewards."""

from __future__ import annotations

import numpy as np

from netwright.core.reward import FORMS
from netwright.reports.axes import Scale, line, path
from netwright.reports.markup import Markup
from netwright.strategies.models.policy import LogitsTable, Path, score_gradient
from netwright.strategies.reinforce import Advantages
from scripts.pictures.marks import Point, area, arrow, bar, disc, ring, text
from scripts.pictures.sheet import sheet

ANSWERS = ("pool", "3x3", "5x5", "7x7")
WORTH = (0.85, 0.89, 0.92, 0.88)
"""The mean reward of a candidate with each answer."""
TRIALS = 160


def _learn() -> np.ndarray:
    """Probabilities of the answers before each trial, and after the last: the project's own rule. (trials + 1, answers)"""
    rng = np.random.default_rng(1)
    table, advantages = LogitsTable(0.1), Advantages()
    row = table.row("kernel", len(ANSWERS), ordered=False)
    priors = np.full((1, len(ANSWERS)), 1 / len(ANSWERS))
    seen = []
    for _ in range(TRIALS):
        ask = Path(np.array([row]), np.array([0]), priors)
        chances = table.probabilities(ask)[0]
        answer = int(rng.choice(len(ANSWERS), p=chances))
        seen.append(chances)
        taken = Path(np.array([row]), np.array([answer]), priors)
        weight = advantages.of(WORTH[answer] + float(rng.normal(0, 0.04)), moves=True)
        table.ascend(taken.rows, score_gradient(taken, table.log_probabilities(taken), np.array([weight])))
    return np.array([*seen, table.probabilities(ask)[0]])


def reinforce() -> Markup:
    """One step as bars, and the policy over a whole search as a stack."""
    chances = _learn()
    x, y = Scale("linear", 0, TRIALS, 300, 560), Scale("linear", 0, 1, 182, 36)
    foot = 150
    parts: list[Markup] = []
    for place, name in enumerate(ANSWERS):
        at = 48 + 50 * place
        parts.append(bar(at, foot, 60, "belief-area", 30))
        parts.append(text(at, foot + 18, name, "small", "middle"))
    parts += [
        line(24, foot, 222, foot, "base"),
        ring(148, foot + 14, 15),
        bar(148, foot, 86, "belief", 30),
        arrow([(148, foot - 92), (148, foot - 112)], "next-line", "next"),
        *(arrow([(at, foot - 64), (at, foot - 52)], "arrow") for at in (48, 98, 198)),
        text(124, 26, "better than usual: likelier", "next-text", "middle"),
        text(148, foot + 46, "drawn", "chance-text", "middle"),
    ]
    below = np.zeros(TRIALS + 1)
    for place, name in enumerate(ANSWERS):
        above = below + chances[:, place]
        upper: list[Point] = [(x(n), y(float(v))) for n, v in enumerate(above)]
        lower: list[Point] = [(x(n), y(float(v))) for n, v in enumerate(below)]
        parts.append(area(upper, lower, "belief" if place == 2 else "belief-area" if place % 2 else "other-area"))
        middle = float((above[-1] + below[-1]) / 2)
        if chances[-1, place] > 0.06:
            parts.append(text(570, y(middle) + 4, name, "strong"))
        middle = float((above[0] + below[0]) / 2)
        parts.append(text(292, y(middle) + 4, name, "small", "end"))
        below = above
    return sheet(
        "REINFORCE: answers of good candidates become likelier",
        "Left, the probabilities of four answers; one was drawn, its candidate did better than usual, so its probability "
        "rises and the others fall. Right, the four probabilities over a search, from even to mostly one answer.",
        *parts,
        line(300, 182, 560, 182, "base"),
        text(560, 200, "trials", "small", "end"),
        text(300, 200, 0, "small", "middle"),
        text(430, 26, "probability of each answer", "belief-text", "middle"),
    )


def ppo() -> Markup:
    """The clipped gain, for an answer that did well and for one that did not."""
    return sheet(
        "PPO: no gain from moving far",
        "The gain of an answer over the ratio of its probability now and when it was drawn. Left, for a good result: it "
        "rises until the ratio is 1.2, and is flat beyond. Right, for a bad one: it is flat below 0.8. Dashed, unclipped.",
        *_gain(40, 1.0, "a good result: likelier, up to 1.2 times"),
        *_gain(352, -1.0, "a bad result: rarer, down to 0.8 times"),
    )


def _gain(left: float, advantage: float, title: str) -> list[Markup]:
    ratios = np.linspace(0.5, 1.5, 101)
    clipped = np.minimum(ratios * advantage, np.clip(ratios, 0.8, 1.2) * advantage)
    x = Scale("linear", 0.5, 1.5, left, left + 248)
    y = Scale("linear", 0.4 if advantage > 0 else -1.6, 1.6 if advantage > 0 else -0.4, 172, 40)

    def points(values: np.ndarray) -> list[Point]:
        return [(x(float(r)), y(float(v))) for r, v in zip(ratios, values, strict=True)]

    edge = 1.2 if advantage > 0 else 0.8
    beyond = (edge, 1.5) if advantage > 0 else (0.5, edge)
    move = (1.0, 1.17) if advantage > 0 else (1.0, 0.83)
    flat = float(edge * advantage)
    return [
        text(left, 22, title, "strong"),
        area([(x(beyond[0]), 34), (x(beyond[1]), 34)], [(x(beyond[0]), 172), (x(beyond[1]), 172)], "panel"),
        line(left, 172, left + 248, 172, "base"),
        *(line(x(r), 172, x(r), 176, "base") for r in (0.5, 0.8, 1.0, 1.2, 1.5)),
        *(text(x(r), 190, f"{r:g}", "small", "middle") for r in (0.5, 0.8, 1.0, 1.2, 1.5)),
        path(points(ratios * advantage), "other-line dash thin"),
        path(points(clipped), "promise-line"),
        disc(x(1.0), y(advantage), "belief", 5),
        arrow([(x(move[0]), y(advantage) + 16), (x(move[1]), y(float(move[1] * advantage)) + 16)], "next-line", "next"),
        text((x(beyond[0]) + x(beyond[1])) / 2, y(flat) + 34, "no gain", "promise-text", "middle"),
        text(left + 124, 210, "probability now / when drawn", "small", "middle"),
    ]


def rewards() -> Markup:
    """The three forms over the cost, for one quality, from the functions that the strategies use."""
    parts: list[Markup] = []
    said = {"soft": "a preference", "hard": "a limit", "absolute": "a target"}
    costs = np.linspace(0.25, 2.5, 226)
    for place, (name, (form, weight)) in enumerate(FORMS.items()):
        left = 40 + 202 * place
        x = Scale("linear", 0.25, 2.5, left, left + 164)
        y = Scale("linear", 0.3, 1.05, 172, 44)
        values = [form(0.9, float(cost), 1.0, weight) or 0.0 for cost in costs]
        parts += [
            text(left, 22, name, "strong"),
            text(left + 164, 22, said[name], "small", "end"),
            line(left, 172, left + 164, 172, "base"),
            line(x(1.0), 36, x(1.0), 172, "rule"),
            text(x(1.0), 190, "target", "small", "middle"),
            path([(x(float(c)), y(v)) for c, v in zip(costs, values, strict=True)], "promise-line"),
            line(left, y(0.9), left + 164, y(0.9), "other-line thin dash"),
            text(left + 164, 190, "cost", "small", "end"),
        ]
    return sheet(
        "Rewards: quality and a cost as one number",
        "The reward of a network of quality 0.9 over its cost: the soft form falls slowly everywhere, the hard one is flat up "
        "to the target and falls beyond, the absolute one is highest at the target and falls on both sides.",
        *parts,
        text(614, 66, "quality 0.9", "small", "end"),
    )
