"""What every executor promises: a job goes in, its attempt is heard of, and exactly one final word comes out.

For each submitted job `drain` gives `AttemptStarted`, any number of `AttemptProgress`, and then one of
`AttemptFinished`, `AttemptFailed`, `AttemptLost` (the last alone when no process could be started). Nothing is tried
again here: that is the loop's business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from netwright.core.job import Allowance, AttemptEvent, Job
from netwright.core.trial import TrialId


class Executor(ABC):
    """Runs jobs. Used from one thread; `netwright.testing.executors` holds the suite that every executor passes.

    `isolated` says whether a trial has a process of its own: only then is its allowance enforced, can it be killed,
    and does its crash leave the others alone.
    """

    isolated = False

    @property
    @abstractmethod
    def workers(self) -> int:
        """How many jobs may run at a time."""

    @abstractmethod
    def slots(self) -> int:
        """How many more jobs may be submitted now. It rises when `drain` gives the final word of an attempt."""

    @abstractmethod
    def submit(self, job: Job, allowance: Allowance) -> None:
        """Begin an attempt, and make `job.folder`.

        Raises ValueError when no slot is free, and StorageError when the folder or the log cannot be made.
        """

    @abstractmethod
    def drain(self, timeout: float) -> list[AttemptEvent]:
        """Everything heard of since the last call, in order; waits at most `timeout` seconds for the first event."""

    @abstractmethod
    def stop(self, trial: TrialId, grace: float | None) -> None:
        """Ask a running trial to end: its next `report` answers "stop".

        After `grace` seconds it is ended by force (0: now; None: never), which `drain` tells as an `AttemptLost`
        that does not count. A trial that is not running is left alone.
        """

    @abstractmethod
    def close(self, grace: float = 0.0) -> None:
        """Stop whatever runs, wait at most about `grace` seconds, and leave nothing alive. May be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
