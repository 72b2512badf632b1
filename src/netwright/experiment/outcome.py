"""What a run has come to, as one JSON object: the same for a running and an ended search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netwright.core.events import Finished
from netwright.core.history import History, Trial
from netwright.core.measurement import Measurement, Measurements, measurements_from_json
from netwright.core.objective import Goal
from netwright.core.trial import TrialId
from netwright.experiment.choice import Standings, entry_of
from netwright.experiment.ladder import Ladder
from netwright.reports.fidelity import FidelityReport, compute_fidelity
from netwright.reports.fidelity_words import fidelity_verdict

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


def measured_side_by_side(history: History) -> None:
    """Let the trials of the last stage carry what was measured of them in the same rounds."""
    for trial, record in (history.note("measured") or {}).get("measurements", {}).items():
        known = history.trials.get(int(trial))
        if known is not None:
            known.measurements = {**known.measurements, **measurements_from_json(record)}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run stands: after a final stage its winner and front, before one the best of the trials so far.

    `tested` are measurements on the test split, by trial and metric. Trials that a mended ledger lost are left out.
    """

    winner: TrialId | None
    front: Sequence[TrialId]
    verdict: str
    tested: Mapping[TrialId, Measurements]

    @classmethod
    def of(cls, history: History) -> Standing:
        """Read it from a history."""
        stage = history.note("outcome")
        if stage is not None:
            winner: TrialId | None = stage["winner"] if stage["winner"] in history.trials else None
            front: list[TrialId] = [trial for trial in stage["front"] if trial in history.trials]
        else:
            standings = standings_of(goal_of(history), history.trials.values())
            front = [entry.trial for entry in standings.front()]
            winner = front[0] if front else None
        records = (history.note("test") or {}).get("measurements", {})
        return cls(
            winner,
            front,
            stage["verdict"] if stage else _before_the_verdict(history),
            {int(trial): measurements_from_json(record) for trial, record in records.items()},
        )

    def measurements(self, trial: Trial) -> dict[str, Measurement]:
        """Everything measured of a trial; the names of those on the test split begin with `test_`."""
        tested = self.tested.get(trial.id, {})
        return {**trial.measurements, **{f"test_{name}": measurement for name, measurement in tested.items()}}


def _before_the_verdict(history: History) -> str:
    if history.note("stage") is None:
        return "The search has not reached its final stage yet."
    return "The final stage has begun; it has not come to its end yet."


def outcome(folder: Path, history: History | None = None) -> dict[str, Any]:
    """`run`, `trials`, `best`, `front`, `verdict`, `export`, `report` of a run folder, whose `history` may be read already.

    Measurements carry value, unit, interval and split. After a final stage `best` and `front` are its networks; before
    one they are the best of the trials so far.
    """
    history = history or read_history(folder)
    measured_side_by_side(history)
    standing = Standing.of(history)

    def network(number: TrialId) -> dict[str, Any]:
        trial = history.trials[number]
        measurements = {name: said(measurement) for name, measurement in standing.measurements(trial).items()}
        return {"trial": number, "architecture": trial.proposal.candidate.key, "measurements": measurements}

    return {
        "run": folder.name,
        "trials": history.counts(),
        "best": None if standing.winner is None else network(standing.winner),
        "front": [network(trial) for trial in standing.front],
        "verdict": standing.verdict,
        "export": "export" if (folder / "export" / "model.onnx").exists() else None,
        "report": "report.html" if (folder / "report.html").exists() else None,
    }


def said(measurement: Measurement) -> dict[str, Any]:
    """A measurement for people's programs: value, unit, interval, split."""
    interval = None if measurement.low is None else [measurement.low, measurement.high]
    return {
        "value": measurement.value,
        "unit": measurement.unit,
        "interval": interval,
        "split": measurement.split,
    }


# -- of `netwright fidelity` -------------------------------------------------------------------------------------------


def is_fidelity(history: History) -> bool:
    """Whether a run is one of `netwright fidelity`."""
    return (history.note("purpose") or {}).get("command") == "fidelity"


def fidelity_of(history: History) -> FidelityReport:
    """What a run of `netwright fidelity` has found so far."""
    fact, ladder = history.note("fidelity") or {}, history.note("ladder")
    steps = Ladder.from_json(ladder) if ladder else None
    return compute_fidelity(
        history,
        goal_of(history).quality,
        rungs=steps.rungs if steps else (),
        epochs=steps.epochs if steps else 0,
        asked=fact.get("networks", 0),
        pass_epochs=fact.get("pass_epochs", 1),
    )


def fidelity_outcome(folder: Path, history: History, found: FidelityReport) -> dict[str, Any]:
    """The same as one JSON object."""
    return {"run": folder.name, "trials": history.counts(), **found.to_json(), "verdict": fidelity_verdict(found)}
