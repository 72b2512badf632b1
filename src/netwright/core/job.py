"""A job is data: what a worker is to do, what it may use up, and what it sends back.

The driver and a worker exchange only these records. A worker's answer is a set of measurements and files in the job's
own folder; the driver alone moves the files into the run's blobs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from netwright.core.measurement import Measurement
from netwright.core.trial import Status, TrialId


@dataclass(frozen=True, slots=True)
class Job:
    """`evaluation` names an entry of `evaluation.EVALUATIONS`; `settings` and `proposal` are JSON.

    `inputs` maps names to files the job may read (a checkpoint). `folder` is where it writes; the executor makes it.
    `keep` is the one file beside it that outlives an attempt: what one leaves there, the next one of the trial finds.
    """

    trial: TrialId
    attempt: int
    evaluation: str
    settings: Mapping[str, Any]
    proposal: Mapping[str, Any] | None
    seed: int
    folder: Path
    inputs: Mapping[str, Path] = field(default_factory=dict)
    keep: Path | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one attempt may use: wall `seconds` until it is killed, and `bytes` of memory beyond an idle worker."""

    seconds: float | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What a job found. `artefacts` maps names to file names inside the job's folder; `notes` are JSON facts."""

    measurements: Mapping[str, Measurement]
    artefacts: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)


class Diverged(Exception):  # a result of the candidate, not an error of the program
    """Raised by a job whose loss is not finite."""


class OutOfMemory(Exception):
    """Raised by a job that cannot get memory even with smaller steps."""


Report = Callable[[Mapping[str, Any]], Literal["go", "stop"]]
"""Sends one progress record (JSON) to the driver; the answer "stop" ends the training early but orderly."""


class Work(Protocol):
    """What executors run. Must be importable by name (a module-level function or a `functools.partial` of one)."""

    def __call__(self, job: Job, report: Report) -> Evaluated: ...


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """A worker began."""

    trial: TrialId
    attempt: int
    worker: str


@dataclass(frozen=True, slots=True)
class AttemptProgress:
    """A worker reported."""

    trial: TrialId
    attempt: int
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AttemptFinished:
    """A worker sent its result. `stopped` says that `stop` was asked for and heeded."""

    trial: TrialId
    attempt: int
    evaluated: Evaluated
    seconds: float
    cpu_seconds: float
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """The candidate's own failure. `signal` is set when a signal other than SIGKILL ended the worker."""

    trial: TrialId
    attempt: int
    status: Status
    reason: str
    detail: str
    seconds: float
    cpu_seconds: float
    signal: int | None = None


@dataclass(frozen=True, slots=True)
class AttemptLost:
    """The machine's failure (SIGKILL from outside, SIGTERM of the node). `counts` is False for an announced one."""

    trial: TrialId
    attempt: int
    reason: str
    cpu_seconds: float
    counts: bool = True


AttemptEvent = AttemptStarted | AttemptProgress | AttemptFinished | AttemptFailed | AttemptLost
