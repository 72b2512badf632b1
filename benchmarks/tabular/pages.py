"""Curves for the pages of the strategies: one SVG a strategy, from the searches that are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.page import Panel, draw

from .summary import BySeed

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
        called: np.array(list(found[other].values()))
        for other, called in YARDSTICKS.items()
        if other != strategy and other in found
    }
    queries = len(next(iter(behind.values()))[0])
    regret = np.array(list(found.get(strategy, {}).values())).reshape(-1, queries)
    return Panel(name, np.arange(1, queries + 1, dtype=np.float64), regret, behind)
