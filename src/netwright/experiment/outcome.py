"""What a run has come to, as one JSON object: the same for a running and an ended search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from netwright.core.events import Finished
from netwright.core.history import History, Trial
from netwright.core.measurement import Measurement
from netwright.core.objective import Goal
from netwright.core.trial import TrialId
from netwright.experiment.choice import Standings, entry_of

LEDGER_FILE = "ledger.sqlite"


def read_history(folder: Path) -> History:
    """Everything the ledger of a run folder holds; works while a search writes. Raises RunError when there is none."""
    from netwright.ledger.sqlite import read

    return History.of(read(folder / LEDGER_FILE))


def goal_of(history: History) -> Goal:
    """Objectives and limits under which the run goes on now."""
    settings = history.note("settings") or {}
    return Goal.from_json({"objectives": settings.get("objectives") or (), "limits": settings.get("limits") or ()})


def standings_of(goal: Goal, trials: Iterable[Trial]) -> Standings:
    """Fronts and the best random trial over the trials of the search."""
    standings = Standings(goal)
    for trial in trials:
        if trial.source == "search":
            entry = entry_of(goal, trial.proposal, Finished(trial.id, trial.status, trial.measurements))
            if entry is not None:
                standings.add(entry)
    return standings


def outcome(folder: Path) -> dict[str, Any]:
    """`run`, `trials`, `best`, `front`, `verdict`, `export`, `report` of a run folder.

    Measurements carry value, unit, interval and split. After a final stage `best` and `front` are its networks; before
    one they are the best of the trials so far.
    """
    history = read_history(folder)
    goal = goal_of(history)
    stage = history.note("outcome")
    if stage is not None:
        winner: TrialId | None = stage["winner"]
        front: list[TrialId] = list(stage["front"])
    else:
        standings = standings_of(goal, history.trials.values())
        front = [entry.trial for entry in standings.front()]
        winner = front[0] if front else None
    tested: Mapping[str, Any] = (history.note("test") or {}).get("measurements", {})
    return {
        "run": folder.name,
        "trials": history.counts(),
        "best": None if winner is None else _network(history.trials[winner], tested),
        "front": [_network(history.trials[trial], tested) for trial in front],
        "verdict": stage["verdict"] if stage else "The search has not reached its final stage yet.",
        "export": "export" if (folder / "export" / "model.onnx").exists() else None,
        "report": "report.html" if (folder / "report.html").exists() else None,
    }


def _network(trial: Trial, tested: Mapping[str, Any]) -> dict[str, Any]:
    measurements = {name: said(measurement) for name, measurement in trial.measurements.items()}
    for name, record in tested.get(str(trial.id), {}).items():
        measurements[f"test_{name}"] = said(Measurement.from_json(record))
    return {"trial": trial.id, "architecture": trial.proposal.candidate.key, "measurements": measurements}


def said(measurement: Measurement) -> dict[str, Any]:
    """A measurement for people's programs: value, unit, interval, split."""
    interval = None if measurement.low is None else [measurement.low, measurement.high]
    return {
        "value": measurement.value,
        "unit": measurement.unit,
        "interval": interval,
        "split": measurement.split,
    }
