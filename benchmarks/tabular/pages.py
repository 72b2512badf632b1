"""Curves for the pages of the strategies: one SVG a strategy, from the searches that are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.page import Panel, draw

from .summary import BySeed, Curve

YARDSTICKS = {"random": "random search", "local-search": "local search", "optuna-tpe": "Optuna's TPE"}
"""Who stands behind every strategy but itself, and what it is called."""
COMMAND = "python benchmarks/tabular/strategies.py --kept --pages docs/algorithms/pictures"


def file_of(strategy: str) -> str:
    """`NAME_curve.svg`, with the name as Python would write it."""
    return f"{strategy.replace('-', '_')}_curve.svg"


def write_pages(
    folder: Path,
    strategies: Sequence[str],
    curves: Mapping[str, Mapping[str, BySeed]],
    names: Mapping[str, str],
    lowest: float,
) -> None:
    """The picture of each strategy from the curves by data set and strategy; `names` are those of the data sets."""
    folder.mkdir(parents=True, exist_ok=True)
    for strategy in strategies:
        panels = [_panel(names[data], strategy, found) for data, found in curves.items()]
        picture = draw(strategy, panels, list(YARDSTICKS.values()), along="queries", lowest=lowest, command=COMMAND)
        (folder / file_of(strategy)).write_text(picture + "\n", "utf-8")


def _panel(name: str, strategy: str, found: Mapping[str, BySeed]) -> Panel:
    behind = {
        called: _stacked(found[other]) for other, called in YARDSTICKS.items() if other != strategy and other in found
    }
    queries = len(next(curve for seeds in found.values() for curve in seeds.values()))
    regret = _stacked(found[strategy]) if strategy in found else np.empty((0, queries))
    return Panel(name, np.arange(1, queries + 1, dtype=np.float64), regret, behind)


def _stacked(seeds: BySeed) -> Curve:
    """(seeds, queries), by seed, whatever the order in which they were run."""
    return np.array([seeds[seed] for seed in sorted(seeds)])
