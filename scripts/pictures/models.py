"""Strategies with a model: what they believe is computed by the models that they search with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from netwright.reports.axes import Scale, box, line, path
from netwright.reports.markup import Markup, join
from netwright.strategies.auto import LAYER_SECONDS, MODEL_SECONDS, model_share
from netwright.strategies.models.acquisition import log_expected_improvement
from netwright.strategies.models.ensemble import train
from netwright.strategies.models.gaussian import GaussianProcess, Kernel, Rows
from netwright.strategies.models.parzen import Mixture, Numbers
from netwright.strategies.models.trees import Forest, grow
from scripts.pictures.marks import Point, area, arrow, best, disc, lines, proposed, ring, text, trial
from scripts.pictures.sheet import sheet

Array = NDArray[np.float64]
LEFT, RIGHT = 24.0, 470.0
GRID = np.linspace(0, 1, 321)
SEEN = np.array([0.06, 0.2, 0.34, 0.46, 0.71, 0.93])
"""Where the trials of the two pictures of expected improvement lie."""


def toy(x: Array) -> Array:
    """A quality of one decision, of mean 0 and variance about 1 over `SEEN`."""
    wave = 0.9 * np.sin(9.0 * x + 0.4) + 1.2 * x
    seen = 0.9 * np.sin(9.0 * SEEN + 0.4) + 1.2 * SEEN
    scaled: Array = (wave - seen.mean()) / seen.std()
    return scaled


def gaussian_process() -> Markup:
    """The posterior of the project's own process, and where it expects to improve most."""

    def rows(x: Array) -> Rows:
        return Rows(np.zeros((len(x), 0), np.int64), x[:, None])

    process = GaussianProcess(rows(SEEN), toy(SEEN), Kernel(np.array([26.0]), 1e-3))
    return sheet(
        "Gaussian process: a guess and a doubt for every candidate",
        "Above, six results, and a curve through them whose band is wide where nothing is known; below, the improvement "
        "that is expected. The candidate where it is largest is proposed next.",
        *_improvement(lambda x: process.predict(rows(x)), ()),
        text(RIGHT + 8, 84, "mean ± 2 sd", "belief-text"),
        text(RIGHT + 8, 101, "a guess and a doubt", "small"),
    )


def forest() -> Markup:
    """The trees of the project's own forest, their mean and their spread."""
    trees = grow(SEEN[:, None], toy(SEEN), trees=30, seed=3)
    model = Forest.of(trees, SEEN[:, None], toy(SEEN))
    alone = [Forest.of([tree], SEEN[:, None], toy(SEEN)).predict(GRID[:, None])[0] for tree in trees[:8]]
    return sheet(
        "Random forest: trees that disagree where little is known",
        "Above, six results, a few of the trees as staircases, their mean and the band of their spread; below, the "
        "improvement that is expected. The candidate where it is largest is proposed next.",
        *_improvement(lambda x: model.predict(x[:, None]), alone),
        text(RIGHT + 8, 84, "mean ± 2 sd", "belief-text"),
        lines(RIGHT + 8, 101, ["of thirty trees:", "where they disagree,", "little is known"], "small"),
    )


def _improvement(predict: Callable[[Array], tuple[Array, Array]], alone: Sequence[Array]) -> list[Markup]:
    """Results, belief and best so far above; expected improvement and what is proposed next below."""
    mean, sd = predict(GRID)
    seen = toy(SEEN)
    gain = np.exp(log_expected_improvement(mean, sd, seen.max()))
    at = int(gain.argmax())
    x = Scale("linear", 0, 1, LEFT, RIGHT)
    y = Scale("linear", float((mean - 2 * sd).min()), float((mean + 2 * sd).max()), 142, 12)
    up = Scale("linear", 0, float(gain.max()), 204, 160)

    level = y(float(seen.max()))
    return [
        area(_curve(x, y, mean + 2 * sd), _curve(x, y, mean - 2 * sd), "belief-area"),
        join(path(_curve(x, y, values), "belief-line thin faint") for values in alone),
        path(_curve(x, y, mean), "belief-line"),
        line(LEFT, level, RIGHT, level, "best-line dash thin"),
        line(LEFT, 204, RIGHT, 204, "base"),
        area(_curve(x, up, gain), _curve(x, up, 0 * gain), "promise-area"),
        path(_curve(x, up, gain), "promise-line"),
        line(x(float(GRID[at])), y(float(mean[at])), x(float(GRID[at])), 204, "next-line thin dash"),
        join(trial(x(float(a)), y(float(b))) for a, b in zip(SEEN, seen, strict=True) if b < seen.max()),
        best(x(float(SEEN[seen.argmax()])), level),
        proposed(x(float(GRID[at])), y(float(mean[at]))),
        text(RIGHT + 8, level + 4, "best so far", "best-text"),
        lines(RIGHT + 8, 178, ["expected", "improvement"], "promise-text"),
        text(x(float(GRID[at])) + 12, 158, "next", "next-text"),
    ]


def tpe() -> Markup:
    """Two densities, as the strategy builds them, and the draw at which their ratio is largest."""
    rng = np.random.default_rng(7)
    tried = rng.random(40)
    value = np.exp(-(((tried - 0.68) / 0.13) ** 2)) + 0.55 * np.exp(-(((tried - 0.2) / 0.1) ** 2))
    value += rng.normal(0, 0.06, 40)
    order = np.argsort(-value)
    good = np.isin(np.arange(40), order[:4])
    column = [Numbers(0.0, 1.0)]
    likely, unlikely = Mixture(column, tried[good, None]), Mixture(column, tried[~good, None])
    low, high = (np.exp(density.log_density(GRID[:, None])) for density in (unlikely, likely))
    drawn = np.sort(likely.draw(24, rng)[:, 0])
    ratio = likely.log_density(drawn[:, None]) - unlikely.log_density(drawn[:, None])
    chosen = float(drawn[ratio.argmax()])
    x = Scale("linear", 0, 1, LEFT, RIGHT)
    y = Scale("linear", float(value.min()), float(value.max()), 88, 16)
    up = Scale("linear", 0, float(max(low.max(), high.max())), 190, 104)
    bound = y(float(value[order[3:5]].mean()))
    points = list(zip(tried, value, good, strict=True))
    return sheet(
        "TPE: likely among the good, unlikely among the others",
        "Above, forty results, of which the best tenth is called good; below, a density of the good ones, one of the "
        "others, and draws from the first. The draw with the largest ratio of the two is proposed next.",
        line(LEFT, bound, RIGHT, bound, "rule"),
        join(trial(x(float(a)), y(float(b))) for a, b, is_good in points if not is_good),
        join(disc(x(float(a)), y(float(b)), "good", 5) for a, b, is_good in points if is_good),
        line(LEFT, 190, RIGHT, 190, "base"),
        *(
            join(
                [
                    area(_curve(x, up, values), _curve(x, up, 0 * values), f"{name}-area"),
                    path(_curve(x, up, values), f"{name}-line"),
                ]
            )
            for values, name in ((low, "other"), (high, "good"))
        ),
        join(line(x(float(a)), 194, x(float(a)), 204, "chance-line thin") for a in drawn),
        line(x(chosen), up(float(high[np.abs(GRID - chosen).argmin()])), x(chosen), 199, "next-line thin dash"),
        proposed(x(chosen), 199),
        text(RIGHT + 8, 30, "the best tenth", "good-text"),
        text(RIGHT + 8, 74, "all others"),
        text(RIGHT + 8, 128, "l, of the good", "good-text"),
        text(RIGHT + 8, 152, "g, of the others"),
        text(RIGHT + 8, 180, "draws from l", "chance-text"),
        text(RIGHT + 8, 204, "largest l / g", "next-text"),
    )


def _curve(x: Scale, y: Scale, values: Array) -> list[Point]:
    return [(x(float(a)), y(float(b))) for a, b in zip(GRID, values, strict=True)]


def bananas() -> Markup:
    """Paths as what an ensemble sees, and one draw from what it predicts for each mutation."""
    rng = np.random.default_rng(5)
    paths = (rng.random((30, 12)) < 0.4).astype(float)
    weights = rng.normal(0, 0.6, 12)
    result = paths @ weights + rng.normal(0, 0.1, 30)
    ensemble = train(paths, (result - result.mean()) / result.std(), networks=5, layers=3, width=64, seed=1)
    parent = paths[result.argmax()]
    mutants = np.abs(parent - (rng.random((16, 12)) < 0.22))
    mean, sd = ensemble.predict(mutants)
    order = np.argsort(mean)
    mean, sd = mean[order], sd[order]
    drawn = rng.normal(mean, sd)
    chosen = np.argsort(-drawn)[:4]
    y = Scale(
        "linear", float(np.minimum(mean - 2 * sd, drawn).min()), float(np.maximum(mean + 2 * sd, drawn).max()), 186, 40
    )
    xs = [332 + 19 * place for place in range(len(mean))]
    marks = []
    for place, at in enumerate(xs):
        middle, spread, draw = float(mean[place]), float(sd[place]), float(drawn[place])
        marks.append(
            box(at - 5, y(middle + 2 * spread), 10, y(middle - 2 * spread) - y(middle + 2 * spread), "belief-area")
        )
        marks.append(line(at - 6, y(middle), at + 6, y(middle), "belief-line"))
        marks.append(proposed(at, y(draw)) if place in chosen else ring(at, y(draw), 3.5))
    return sheet(
        "BANANAS: paths, an ensemble, and one draw for each mutation",
        "Left, a network and the paths through it, as a row of zeros and ones; right, for each of sixteen mutations of "
        "the best network what the ensemble predicts, and one value drawn from it. The four highest draws are trained.",
        _paths(),
        arrow([(244, 108), (296, 108)]),
        lines(270, 82, ["five", "networks"], "small", "middle"),
        join(marks),
        text(308, 24, "mean ± 2 sd", "belief-text"),
        text(409, 24, "one draw each", "chance-text"),
        text(528, 24, "trained next", "next-text"),
        text(474, 208, "mutations of the best network", "small", "middle"),
    )


def _paths() -> Markup:
    """A cell of four nodes; one of its paths is followed, and marked in the row of all paths."""
    nodes = [(36.0, 96.0), (92.0, 50.0), (148.0, 96.0), (204.0, 50.0)]
    edges = [(0, 1, "conv"), (1, 2, "pool"), (2, 3, "conv"), (0, 2, ""), (1, 3, "")]
    parts: list[Markup] = []
    for a, b, name in edges:
        (x1, y1), (x2, y2) = nodes[a], nodes[b]
        length = float(np.hypot(x2 - x1, y2 - y1))
        dx, dy = (x2 - x1) / length * 12, (y2 - y1) / length * 12
        followed = {"class_": "best-line", "head": "best"} if name else {}
        parts.append(arrow([(x1 + dx, y1 + dy), (x2 - dx, y2 - dy)], **followed))
    parts += [disc(x, y, "node", 8) for x, y in nodes]
    parts += [
        text(54, 66, "conv", "small", "end"),
        text(118, 88, "pool", "small", "end"),
        text(188, 88, "conv", "small"),
        text(24, 132, "path conv → pool → conv", "best-text"),
    ]
    bits = (0, 1, 0, 0, 1, 0, 1, 0, 0, 1)
    for place, bit in enumerate(bits):
        on = "best" if place == 4 else "other"
        parts.append(box(24 + 20 * place, 148, 18, 18, on if bit else "panel"))
    parts.append(text(24, 184, "which paths there are", "small"))
    return join(parts)


def auto() -> Markup:
    """The share of proposals that the model makes, by what a training takes: the rule of the strategy itself."""
    ask = MODEL_SECONDS + 8 * LAYER_SECONDS
    seconds = np.geomspace(0.05, 60, 241)
    share = [model_share(float(s), ask) for s in seconds]
    x = Scale("log", 0.05, 60, 64, 616)
    y = Scale("linear", 0, 1, 176, 16)
    edge = [(x(float(s)), y(part)) for s, part in zip(seconds, share, strict=True)]
    ticks = [0.1, 1, 5, 18]
    return sheet(
        "Auto: the model makes as many proposals as its asking may cost",
        "The share of proposals made by the Gaussian process, over the seconds of a mean training of a "
        "network of eight layers: 1 percent up to a fifth of a second, rising to 90 percent at 18 seconds. Evolution makes "
        "the others.",
        area([(64, 16), (616, 16)], edge, "other-area"),
        area(edge, [(64, 176), (616, 176)], "belief-area"),
        path(edge, "belief-line"),
        join(text(56, y(part) + 4, f"{part:.0%}".replace("%", " %"), "small", "end") for part in (0, 0.5, 0.9)),
        join(line(64, y(part), 616, y(part), "grid") for part in (0.5, 0.9)),
        line(64, 176, 616, 176, "base"),
        join(line(x(tick), 176, x(tick), 180, "base") for tick in ticks),
        join(text(x(tick), 193, f"{tick:g} s", "small", "middle") for tick in ticks),
        text(340, 212, "mean training so far", "small", "middle"),
        text(180, 88, "evolution proposes"),
        text(180, 105, "an ask: a millisecond", "small"),
        text(608, 124, "the model proposes", "belief-text", "end"),
        text(608, 141, f"an ask: {ask:.1f} s (eight layers)", "small", "end"),
    )
