"""Scores of untrained networks: what one of them looks at, and two ways to search by one."""

from __future__ import annotations

import numpy as np

from netwright.reports.axes import box, line
from netwright.reports.markup import Markup
from scripts.pictures.marks import arrow, bar, disc, gone, lines, proposed, ring, text
from scripts.pictures.sheet import sheet

SCORES = (0.42, 0.9, 0.3, 0.66, 0.15, 0.78, 0.52, 0.24, 0.6, 0.36)
KEEP = (1, 5)
LUCKY = 7


def screening() -> Markup:
    """Ten candidates, their scores, and the three that are trained, one of them by chance."""
    parts: list[Markup] = []
    lanes = [24 + 18.5 * place for place in range(10)]
    for place, (y, score) in enumerate(zip(lanes, SCORES, strict=True)):
        chosen = place in KEEP
        name = "promise" if chosen else "promise-area"
        parts.append(disc(78, y, "other", 4.5))
        parts.append(box(176, y - 6, 150 * score, 12, name))
        if chosen or place == LUCKY:
            parts.append(
                arrow(
                    [(176 + 150 * score + 8, y), (398, y)],
                    "good-line" if chosen else "chance-line",
                    "good" if chosen else "chance",
                )
            )
            parts.append(box(410, y - 6, 92, 12, "good" if chosen else "chance"))
        else:
            parts.append(gone(176 + 150 * score + 12, y, 4))
    return sheet(
        "Screening: a score says who is trained",
        "Ten candidates, and the scores of their untrained networks as bars. The two best by score and one that was drawn "
        "by chance are trained; of the seven others nothing becomes known.",
        *parts,
        lines(78, 212, ["10 proposed"], "small", "middle"),
        text(220, 212, "score, untrained", "promise-text", "middle"),
        text(456, 212, "3 are trained", "good-text", "middle"),
        lines(520, lanes[1] + 4, ["by score"], "good-text"),
        lines(520, lanes[5] + 4, ["by score"], "good-text"),
        lines(520, lanes[7] + 4, ["by chance"], "chance-text"),
    )


def training_free() -> Markup:
    """A population by score: a random member has a child, the worst leaves, and only the final stage trains."""
    heights = (104, 96, 88, 82, 74, 68, 58, 50, 40)
    parent, foot = 4, 160
    xs = [48 + 40 * place for place in range(len(heights))]
    parts: list[Markup] = [line(24, foot, 442, foot, "base")]
    for place, (x, height) in enumerate(zip(xs, heights, strict=True)):
        leaves = place == len(heights) - 1
        parts.append(bar(x, foot, height, "gone-area" if leaves else "promise", 22))
    parts += [
        gone(xs[-1], foot - 54),
        text(xs[-1] + 6, foot + 18, "worst leaves", "gone-text", "middle"),
        ring(xs[parent], foot + 14, 6),
        text(xs[parent] + 12, foot + 18, "any member", "chance-text"),
        arrow([(xs[parent], foot - 80), (xs[parent] + 20, 36), (400, 30), (426, foot - 94)], "next-line", "next"),
        bar(428, foot, 76, "promise-area", 22),
        proposed(428, foot - 84),
        text(430, 30, "a child, scored", "next-text", "middle"),
        text(xs[0] - 12, 30, "scores of untrained networks", "promise-text"),
        arrow([(xs[0], foot + 8), (xs[0], 206), (470, 206), (512, 150)]),
        box(488, 96, 128, 46, "good-area"),
        text(552, 116, "final stage:", "small", "middle"),
        text(552, 133, "the best trained", "good-text", "middle"),
    ]
    return sheet(
        "Search without training: evolution by score, training at the end",
        "A population as bars of its scores, the best at the left. Any member has a child, which is scored, and the member "
        "with the worst score leaves. Only in the final stage the best are trained.",
        *parts,
    )


# -- one score ---------------------------------------------------------------------------------------------------------

IMAGES, UNITS = 6, 22


def _codes(scale: float) -> np.ndarray:
    """Which units of a random layer are on for each image: (images, units). The larger the bias, the fewer differ."""
    rng = np.random.default_rng(8)
    images = rng.normal(size=(IMAGES, 12))
    weights = rng.normal(size=(12, UNITS))
    return images @ weights + scale * 4.0 * rng.normal(size=UNITS) > 0


def zero_cost() -> Markup:
    """NASWOT on two random layers: codes of a batch, and the determinant of their likeness."""
    return sheet(
        "Zero-cost scores: one minibatch through an untrained network",
        "Two untrained networks, and which of their units six images turn on, as rows of light and dark squares. In the "
        "first the rows differ, and the score is high; in the second they are alike, and the score is low.",
        *_network(24, 0.3, "tells images apart"),
        *_network(340, 2.6, "takes them for alike"),
    )


def _network(left: float, scale: float, said: str) -> list[Markup]:
    on = _codes(scale)
    likeness = np.array([[float((a == b).sum()) for b in on] for a in on])  # K_nm, units that n and m share
    score = float(np.linalg.slogdet(likeness)[1])
    cells = [
        box(left + 60 + 9.4 * unit, 46 + 19 * image, 8.2, 15, "belief" if on[image, unit] else "panel")
        for image in range(IMAGES)
        for unit in range(UNITS)
    ]
    return [
        text(left, 26, said, "strong"),
        *(text(left + 52, 58 + 19 * image, f"image {image + 1}", "small", "end") for image in range(IMAGES)),
        *cells,
        text(left + 60, 176, "units that are on", "belief-text"),
        text(left + 60, 204, f"naswot = log |det K| = {score:.1f}", "promise-text"),
    ]
