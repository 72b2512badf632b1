"""A finished run as benchmarks read it: the winner and what it is held against, with numbers on the test split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from netwright.core.history import Trial
from netwright.experiment.outcome import Standing, measured_side_by_side, read_history


def read_run(folder: Path) -> dict[str, Any]:
    """`winner`, `handmade`, `linear`, `forest` and a list `finalists`; `trials` by status; CPU and active seconds."""
    history = read_history(folder)
    measured_side_by_side(history)
    standing = Standing.of(history)
    finalists = {int(trial) for trial in standing.tested}

    def said(trial: Trial) -> dict[str, Any]:
        record: dict[str, Any] = {"trial": trial.id, "key": trial.proposal.candidate.key}
        for name, measurement in standing.measurements(trial).items():
            record[name] = measurement.value
            if measurement.low is not None:
                record[f"{name}_interval"] = [measurement.low, measurement.high]
        return record

    tested = [trial for trial in history.trials.values() if trial.id in finalists]
    found: dict[str, Any] = {
        str(trial.proposal.notes["role"]): said(trial) for trial in tested if trial.source == "baseline"
    }
    found["finalists"] = [said(trial) for trial in tested if trial.source != "baseline"]
    found["winner"] = None if standing.winner is None else said(history.trials[standing.winner])
    return {
        **found,
        "verdict": standing.verdict,
        "trials": history.counts(),
        "cpu_seconds": history.cpu_seconds,
        "seconds": history.seconds,
    }
