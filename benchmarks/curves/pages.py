"""Curves for the pages of what trains by rungs: successive halving, Hyperband and BOHB, over virtual seconds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.page import Panel, draw

from .clock import FULL
from .picture import LOWEST
from .summary import Floats

STRATEGIES = ("random", "tpe", "bohb")
"""What the pages show."""
CALLED = {FULL: "all in full", "halving": "halving", "hyperband": "hyperband"}
RIVALS = {
    "random search, in full": ("random", FULL),
    "random+hyperband": ("random", "hyperband"),
    "tpe+hyperband": ("tpe", "hyperband"),
}
"""Who stands behind BOHB."""
COMMAND = "python benchmarks/curves/multi_fidelity.py --pages docs/algorithms/pictures"

Curves = Mapping[tuple[str, str], Floats]
"""Regret by strategy and scheduler: (seeds, times)."""


def write_pages(folder: Path, at: Floats, curves: Curves) -> None:
    """The three pictures; `at` are the times."""
    folder.mkdir(parents=True, exist_ok=True)
    for scheduler in ("halving", "hyperband"):
        panels = [_under(scheduler, name, at, curves) for name in ("random", "tpe")]
        _write(folder, scheduler, panels, list(CALLED.values()))
    rivals = {name: curves[key] for name, key in RIVALS.items()}
    _write(folder, "bohb", [Panel("192 networks", at, curves["bohb", "hyperband"], rivals)], list(RIVALS))


def _under(scheduler: str, strategy: str, at: Floats, curves: Curves) -> Panel:
    behind = {called: curves[strategy, other] for other, called in CALLED.items() if other != scheduler}
    return Panel(f"{strategy} proposes", at, curves[strategy, scheduler], behind)


def _write(folder: Path, name: str, panels: list[Panel], others: list[str]) -> None:
    picture = draw(name, panels, others, along="virtual seconds", lowest=LOWEST, command=COMMAND)
    (folder / f"{name}_curve.svg").write_text(picture + "\n", "utf-8")
