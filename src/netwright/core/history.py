"""The trials of a run as its events tell them: what reports, tables and the Python interface read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from netwright.core.events import (
    Asked,
    Cancelled,
    Clock,
    Failed,
    Finished,
    Lost,
    Noted,
    Retried,
    Started,
    Stored,
)
from netwright.core.measurement import Measurement
from netwright.core.trial import Proposal, Status, TrialId


@dataclass(slots=True)
class Trial:
    """One trial with everything that became of it. Times are wall-clock seconds since the epoch, for display."""

    id: TrialId
    source: str
    proposal: Proposal
    status: Status = "asked"
    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    artefacts: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    detail: str = ""
    worker: str = ""
    attempts: int = 0
    asked_at: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    reused_from: TrialId | None = None


@dataclass(slots=True)
class History:
    """All trials by id, the facts of the run by topic (in order), and the budget used so far."""

    trials: dict[TrialId, Trial] = field(default_factory=dict)
    notes: list[tuple[float, str, Mapping[str, Any]]] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    last_at: float = 0.0

    @classmethod
    def of(cls, stored: Iterable[Stored]) -> History:
        """Fold the events of a ledger."""
        history = cls()
        for entry in stored:
            history.add(entry)
        return history

    def note(self, topic: str) -> Mapping[str, Any] | None:
        """The latest fact of a topic, or None."""
        return next((data for _, name, data in reversed(self.notes) if name == topic), None)

    def counts(self) -> dict[str, int]:
        """Number of trials by status."""
        counts: dict[str, int] = {}
        for trial in self.trials.values():
            counts[trial.status] = counts.get(trial.status, 0) + 1
        return counts

    def add(self, entry: Stored) -> None:
        """Take in one event, in ledger order."""
        event = entry.event
        self.last_at = entry.at
        match event:
            case Asked(source, trials):
                for number, proposal in trials:
                    self.trials[number] = Trial(number, source, proposal, asked_at=entry.at)
            case Clock(seconds, cpu_seconds):
                self.seconds, self.cpu_seconds = seconds, cpu_seconds
            case Noted(topic, data):
                self.notes.append((entry.at, topic, data))
            case _:
                self._close(self.trials[event.trial], entry)

    def _close(self, trial: Trial, entry: Stored) -> None:
        match entry.event:
            case Started(_, attempt, worker):
                trial.status, trial.worker, trial.attempts = "running", worker, attempt
                trial.started_at, trial.ended_at = entry.at, None
                return
            case Finished() as event:
                trial.status = event.status
                trial.measurements, trial.artefacts, trial.notes = event.measurements, event.artefacts, event.notes
                trial.seconds, trial.cpu_seconds = event.seconds, event.cpu_seconds
                trial.reused_from = event.reused_from
            case Failed() as event:
                trial.status, trial.reason, trial.detail = event.status, event.reason, event.detail
                trial.seconds, trial.cpu_seconds = event.seconds, event.cpu_seconds
            case Lost(_, reason, _):
                trial.status, trial.reason = "lost", reason
            case Retried(_, _, reason, _, _):
                trial.status, trial.reason = "asked", reason
            case Cancelled(_, reason, _):
                trial.status, trial.reason = "cancelled", reason
        trial.ended_at = entry.at
