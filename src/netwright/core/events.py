"""What happened, in order. The ledger is a list of these, and the state of a search is what they tell.

`Asked` opens trials; exactly one of `Finished`, `Failed`, `Lost` closes each. `Started`, `Retried` and `Cancelled` say
what became of attempts in between; `Clock` carries the budget over restarts; `Noted` holds facts of the run itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from netwright.core.measurement import Measurement, measurements_from_json, measurements_to_json
from netwright.core.trial import Proposal, Status, TrialId


@dataclass(frozen=True, slots=True)
class Asked:
    """`source` drew these proposals; each is now a trial. This is what advances the source's stream."""

    source: str
    trials: tuple[tuple[TrialId, Proposal], ...]


@dataclass(frozen=True, slots=True)
class Started:
    """A worker began an attempt (counted from 1)."""

    trial: TrialId
    attempt: int
    worker: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """A trial has measurements. `artefacts` maps names to blob hashes; `reused_from` names the trial that was copied."""

    trial: TrialId
    status: Status
    measurements: Mapping[str, Measurement]
    artefacts: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    reused_from: TrialId | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """A trial has none: `status` says of which kind, `reason` in a sentence, `detail` with the tail of its log."""

    trial: TrialId
    status: Status
    reason: str
    detail: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Lost:
    """The machine took the trial away more often than it may be tried again."""

    trial: TrialId
    reason: str
    cpu_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Retried:
    """An attempt ended through no known fault of the candidate; the trial waits for a worker again."""

    trial: TrialId
    attempt: int
    reason: str
    cpu_seconds: float = 0.0
    cause: Literal["lost", "crashed", "preempted"] = "lost"


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Cut off by the budget or by Ctrl-C; asked again when the run goes on."""

    trial: TrialId
    reason: str
    cpu_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Clock:
    """Active seconds of the driver, and CPU seconds of workers, since the run folder was made."""

    seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Noted:
    """A fact of the run: `driver` (host, process, versions), `settings`, `precision`, `stage`, `test` …"""

    topic: str
    data: Mapping[str, Any]


Event = Asked | Started | Finished | Failed | Lost | Retried | Cancelled | Clock | Noted


def event_to_json(event: Event) -> tuple[str, TrialId | None, dict[str, Any]]:
    """(kind, trial, data) as the ledger stores them. `Asked` of several trials has no single trial."""
    match event:
        case Asked(source, trials):
            entries = [{"id": trial, **proposal.to_json()} for trial, proposal in trials]
            return "asked", trials[0][0] if len(trials) == 1 else None, {"source": source, "trials": entries}
        case Started(trial, attempt, worker):
            return "started", trial, {"attempt": attempt, "worker": worker}
        case Finished():
            data: dict[str, Any] = {
                "status": event.status,
                "measurements": measurements_to_json(event.measurements),
                "seconds": event.seconds,
                "cpu_seconds": event.cpu_seconds,
            }
            if event.artefacts:
                data["artefacts"] = dict(event.artefacts)
            if event.reused_from is not None:
                data["reused_from"] = event.reused_from
            if event.notes:
                data["notes"] = dict(event.notes)
            return "finished", event.trial, data
        case Failed(trial, status, reason, detail, seconds, cpu_seconds):
            return (
                "failed",
                trial,
                {
                    "status": status,
                    "reason": reason,
                    "detail": detail,
                    "seconds": seconds,
                    "cpu_seconds": cpu_seconds,
                },
            )
        case Lost(trial, reason, cpu_seconds):
            return "lost", trial, {"reason": reason, "cpu_seconds": cpu_seconds}
        case Retried(trial, attempt, reason, cpu_seconds, cause):
            return (
                "retried",
                trial,
                {"attempt": attempt, "reason": reason, "cpu_seconds": cpu_seconds, "cause": cause},
            )
        case Cancelled(trial, reason, cpu_seconds):
            return "cancelled", trial, {"reason": reason, "cpu_seconds": cpu_seconds}
        case Clock(seconds, cpu_seconds):
            return "clock", None, {"seconds": seconds, "cpu_seconds": cpu_seconds}
        case Noted(topic, facts):
            return "noted", None, {"topic": topic, "data": dict(facts)}


def event_from_json(kind: str, trial: TrialId | None, data: Mapping[str, Any]) -> Event:
    """The inverse of `event_to_json`. Raises ValueError for a kind that is not known."""
    if kind == "asked":
        return Asked(data["source"], tuple((entry["id"], Proposal.from_json(entry)) for entry in data["trials"]))
    if kind == "clock":
        return Clock(data["seconds"], data["cpu_seconds"])
    if kind == "noted":
        return Noted(data["topic"], data["data"])
    if trial is None:
        raise ValueError(f"an event of kind {kind!r} must name a trial")
    if kind == "started":
        return Started(trial, data["attempt"], data["worker"])
    if kind == "finished":
        return Finished(
            trial,
            data["status"],
            measurements_from_json(data["measurements"]),
            data.get("artefacts", {}),
            data["seconds"],
            data["cpu_seconds"],
            data.get("reused_from"),
            data.get("notes", {}),
        )
    if kind == "failed":
        return Failed(trial, data["status"], data["reason"], data["detail"], data["seconds"], data["cpu_seconds"])
    if kind == "lost":
        return Lost(trial, data["reason"], data.get("cpu_seconds", 0.0))
    if kind == "retried":
        return Retried(trial, data["attempt"], data["reason"], data["cpu_seconds"], data["cause"])
    if kind == "cancelled":
        return Cancelled(trial, data["reason"], data.get("cpu_seconds", 0.0))
    raise ValueError(f"an event must be of a known kind, but got {kind!r}")


@dataclass(frozen=True, slots=True)
class Stored:
    """An event as the ledger holds it: its position (from 1) and the wall-clock time of writing (for display only)."""

    position: int
    at: float
    event: Event
