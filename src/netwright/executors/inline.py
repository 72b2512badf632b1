"""One job at a time in this process: for tests, debugging, and runs that must be equal to the last event.

The work runs in a thread that goes in lock-step with the driver: it waits in `report` until the driver, having drained
that report, drains again. So the driver hears progress, can stop a trial at any report, and nothing depends on timing.
There is no wall around the work: no deadline and no memory cap can be enforced, what kills it kills the driver, and
what it prints goes where this process prints.
"""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from collections.abc import Mapping
from typing import Any, Literal

from netwright.core.errors import StorageError
from netwright.core.job import (
    Allowance,
    AttemptEvent,
    AttemptFailed,
    AttemptFinished,
    AttemptLost,
    AttemptProgress,
    AttemptStarted,
    Job,
    Work,
)
from netwright.core.trial import TrialId
from netwright.executors.base import Executor
from netwright.executors.verdicts import detail_of, evaluate, raised, sentence, status_of
from netwright.executors.wire import encode, evaluated_from_json, evaluated_to_json, finite


class InlineExecutor(Executor):
    """Runs jobs in this process, one at a time. `work` may be any callable; see the module for what is not enforced."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._attempt: _Attempt | None = None
        self._closed = False

    @property
    def workers(self) -> int:
        return 1

    def slots(self) -> int:
        return 0 if self._closed or self._attempt is not None else 1

    def submit(self, job: Job, allowance: Allowance) -> None:
        """Begin an attempt. The allowance cannot be enforced here."""
        if self.slots() < 1:
            raise ValueError("submit needs a free slot, but the one slot of the inline executor is taken")
        try:
            job.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"the folder of a trial must be writable, but: {error}") from error
        self._attempt = _Attempt(self._work, job)

    def drain(self, timeout: float) -> list[AttemptEvent]:
        if self._attempt is None:
            time.sleep(timeout)
            return []
        events = self._attempt.advance(timeout)
        if events and isinstance(events[-1], AttemptFinished | AttemptFailed | AttemptLost):
            self._attempt = None
        return events

    def stop(self, trial: TrialId, grace: float | None) -> None:
        """As promised, except that force can be used at a `report` only: work that never reports is waited for."""
        if self._attempt is not None and self._attempt.job.trial == trial:
            self._attempt.stop(grace)

    def close(self, grace: float = 0.0) -> None:
        """Stop what runs and wait `grace` seconds for it. Work that does not report by then is left to run out, unheard."""
        self._closed = True
        if self._attempt is not None:
            self._attempt.stop(grace)
            last = time.monotonic() + grace
            while self._attempt is not None and time.monotonic() < last:
                self.drain(last - time.monotonic())
            if self._attempt is not None:
                self._attempt.abandon()
                self._attempt = None


class _Abandoned(BaseException):
    """Unwinds a work that must not go on. Not an Exception, so that the work's own handlers let it pass."""


class _Attempt:
    """A job in its thread. The work waits for its turn in each report; the driver gives it on coming back for more."""

    def __init__(self, work: Work, job: Job) -> None:
        self.job = job
        self._work = work
        self._events: queue.SimpleQueue[AttemptEvent] = queue.SimpleQueue()
        self._turn = threading.Semaphore(0)
        self._owes_turn = False
        self._stop_asked = False
        self._told_to_stop = False
        self._end_at: float | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"netwright-trial-{job.trial}")
        self._thread.start()

    def advance(self, timeout: float) -> list[AttemptEvent]:
        """Let the work go on if its last report was drained; its next events, after at most `timeout` seconds."""
        if self._owes_turn:
            self._owes_turn = False
            self._turn.release()
        try:
            events = [self._events.get(timeout=max(0.0, timeout))]
        except queue.Empty:
            return []
        while not self._events.empty():
            events.append(self._events.get())
        self._owes_turn = isinstance(events[-1], AttemptProgress)
        if not isinstance(events[-1], AttemptStarted | AttemptProgress):
            self._thread.join()
        return events

    def stop(self, grace: float | None) -> None:
        self._stop_asked = True
        if grace is not None:
            self._end_at = time.monotonic() + grace

    def abandon(self) -> None:
        """Let the work run into its end at the next report; nobody listens any more."""
        self.stop(0.0)
        self._turn.release()

    def _report(self, record: Mapping[str, Any]) -> Literal["go", "stop"]:
        self._end_if_due()
        self._events.put(AttemptProgress(self.job.trial, self.job.attempt, json.loads(encode(finite(record)))))
        self._turn.acquire()
        self._end_if_due()
        self._told_to_stop = self._told_to_stop or self._stop_asked
        return "stop" if self._told_to_stop else "go"

    def _end_if_due(self) -> None:
        if self._end_at is not None and time.monotonic() >= self._end_at:
            raise _Abandoned

    def _run(self) -> None:
        self._events.put(AttemptStarted(self.job.trial, self.job.attempt, "inline"))
        began, cpu_began = time.monotonic(), _cpu_seconds()
        outcome = self._outcome()
        seconds, cpu_seconds = time.monotonic() - began, _cpu_seconds() - cpu_began
        trial, attempt = self.job.trial, self.job.attempt
        match outcome:
            case _Abandoned():
                reason = "it was asked to stop and did not end in time"
                self._events.put(AttemptLost(trial, attempt, reason, cpu_seconds, counts=False))
            case BaseException() as error:
                status, reason, detail = status_of(error), sentence(error), detail_of(error)
                self._events.put(raised(self.job, status, reason, detail, seconds, cpu_seconds))
            case evaluated:
                stopped = self._told_to_stop
                self._events.put(AttemptFinished(trial, attempt, evaluated, seconds, cpu_seconds, stopped))

    def _outcome(self) -> Any:
        """An Evaluated as another process would have sent it, or what was raised."""
        try:
            evaluated = evaluate(self._work, self.job, self._report)
            return evaluated_from_json(json.loads(encode(evaluated_to_json(evaluated))))
        except BaseException as error:  # noqa: BLE001  (whatever it is, it ends this attempt and nothing else)
            return error


def _cpu_seconds() -> float:
    """User and system time of this process, all threads, and of children it waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
