"""A run's state in lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netwright.core.history import History
from netwright.core.measurement import Measurement
from netwright.core.metrics import METRICS
from netwright.experiment.outcome import fidelity_of, fidelity_outcome, is_fidelity, outcome, read_history
from netwright.experiment.settings import Settings
from netwright.experiment.view import budget_in_words
from netwright.ledger.lock import holder
from netwright.reports.fidelity_words import fidelity_lines
from netwright.reports.words import duration, measured


def status_of(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """How far the run in `folder` has come: what `--json` prints, and the same in lines."""
    history = read_history(folder)
    if not is_fidelity(history):
        found = outcome(folder, history)
        return found, [*_begun(folder, history), *_reached(found)]
    fidelity = fidelity_of(history)
    return fidelity_outcome(folder, history, fidelity), [*_begun(folder, history), *fidelity_lines(fidelity)]


def _reached(found: Mapping[str, Any]) -> list[str]:
    """The best of a search, and its verdict."""
    lines = []
    best = found["best"]
    if best is not None:
        values = [
            f"{METRICS[name].title} {_said(name, best['measurements'][name])}"
            for name in ("accuracy", "auc", "parameters", "latency")
            if name in best["measurements"]
        ]
        lines.append(f"best: trial {best['trial']}, {', '.join(values)} ({len(found['front'])} on the front)")
    lines.append(found["verdict"])
    return lines


def _begun(folder: Path, history: History) -> list[str]:
    """Who works there, and what was used and done."""
    settings = Settings.from_json(history.note("settings") or {"data": ""})
    driver = holder(folder)
    counts = ", ".join(f"{number} {status}" for status, number in sorted(history.counts().items())) or "none yet"
    return [
        f"{folder.name}: {'running, process ' + str(driver.pid) if driver else 'not running'}",
        f"used {_used(history, settings)} of {budget_in_words(settings)}",
        f"trials: {counts}",
    ]


def _used(history: History, settings: Settings) -> str:
    """In the budget's own unit."""
    by_clock = duration(history.seconds)
    return by_clock if settings.cpu_seconds is None else f"{history.cpu_seconds:.0f} CPU seconds (in {by_clock})"


def _said(metric: str, entry: Mapping[str, Any]) -> str:
    return measured(metric, Measurement(entry["value"], entry["unit"], *(entry["interval"] or (None, None))))
