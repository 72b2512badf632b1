"""A run's state in lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netwright.core.measurement import Measurement
from netwright.core.metrics import METRICS
from netwright.experiment.outcome import outcome, read_history
from netwright.experiment.settings import Settings
from netwright.experiment.view import budget_in_words
from netwright.ledger.lock import holder
from netwright.reports.words import duration, measured


def status_lines(folder: Path) -> list[str]:
    """How far the search in `folder` has come."""
    history = read_history(folder)
    settings = Settings.from_json(history.note("settings") or {"data": ""})
    found = outcome(folder)
    driver = holder(folder)
    counts = ", ".join(f"{number} {status}" for status, number in sorted(found["trials"].items())) or "none yet"
    lines = [
        f"{folder.name}: {'running, process ' + str(driver.pid) if driver else 'not running'}",
        f"used {duration(history.seconds)} of {budget_in_words(settings)}",
        f"trials: {counts}",
    ]
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


def _said(metric: str, entry: Mapping[str, Any]) -> str:
    return measured(metric, Measurement(entry["value"], entry["unit"], *(entry["interval"] or (None, None))))
