"""A fresh process for every attempt, on this machine, with a deadline and a memory cap.

The driver talks to one keeper process (`keeper`), which imported torch once and forks a worker (`worker`) for each job:
nothing leaks from trial to trial, and a worker is killed without harm to the others. Linux in full; on macOS workers
end with the driver by their channel alone and memory is read by psutil (not tested there); Windows cannot fork.
"""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from netwright.core.errors import InputError, NetwrightError, StorageError
from netwright.core.job import (
    Allowance,
    AttemptEvent,
    AttemptFinished,
    AttemptProgress,
    AttemptStarted,
    Job,
    Work,
)
from netwright.core.trial import TrialId
from netwright.executors.base import Executor
from netwright.executors.verdicts import Ending, log_tail, raised, verdict
from netwright.executors.wire import (
    BadRecord,
    Lines,
    Record,
    encode,
    evaluated_from_json,
    job_to_json,
    work_to_json,
)

PRELOAD = ("torch", "torch._dynamo", "numpy")
"""Imported once, before any worker is forked. Names of modules only: nothing may run there but their import.

`torch._dynamo` is what the first optimiser of a process imports by itself, which takes half a second of every trial
otherwise. A caller adds the modules of its work; one that starts threads on import (onnxruntime) must not be among them.
"""

PREEMPTION_GRACE = 30.0
"""Seconds that a worker has, after SIGTERM, to write a checkpoint."""

KEEPER_SECONDS = 5.0
KEEPER_LOG = "keeper.txt"
_KEEPER = """
import sys
control, sys.path[:], sys.argv[1:] = int(sys.argv[1]), sys.argv[2:], []
from netwright.executors.keeper import main
main(control)
"""
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@dataclass(slots=True)
class _Attempt:
    """What the driver knows of a worker: `outcome` is the last word it sent, `error` what was wrong with it."""

    job: Job
    allowance: Allowance
    channel: socket.socket
    log: Path
    worker: str
    lines: Lines = field(default_factory=Lines)
    outcome: Record | None = None
    announced: bool = False
    preempted: bool = False
    error: str = ""


class LocalExecutor(Executor):
    """Runs each job in a process of its own.

    `work` is a module-level function, or a `functools.partial` of one with JSON arguments; it is found by name in the
    worker, so it cannot be defined in a notebook or in the script that is being run (InputError). The script itself is
    never imported again: no `if __name__ == "__main__"` is needed. What a worker prints goes to
    `logs_folder/000012-1.txt` (trial, attempt). `threads` is what torch and BLAS use in one worker.
    """

    isolated = True
    start_method = "forkserver"

    def __init__(
        self,
        work: Work,
        *,
        workers: int,
        logs_folder: Path,
        threads: int = 1,
        preload: Sequence[str] = PRELOAD,
    ) -> None:
        if not hasattr(os, "fork"):
            raise InputError("the local executor needs a system that can fork (Linux, macOS); use the inline executor")
        if workers < 1 or threads < 1:
            raise InputError(f"workers and threads must be at least 1, but got {workers} and {threads}")
        self._work = work_to_json(work)
        self._workers = workers
        self._logs_folder = logs_folder.absolute()
        self._threads = threads
        self._preload = tuple(preload)
        self._attempts: dict[int, _Attempt] = {}
        self._last_token = 0
        self._events: list[AttemptEvent] = []
        self._selector = selectors.DefaultSelector()
        self._closed = False
        self._start_keeper()

    @property
    def workers(self) -> int:
        return self._workers

    def slots(self) -> int:
        return 0 if self._closed else self._workers - len(self._attempts)

    def submit(self, job: Job, allowance: Allowance) -> None:
        if self.slots() < 1:
            raise ValueError(f"submit needs a free slot, but {len(self._attempts)} of {self._workers} are taken")
        self._last_token += 1
        log = self._logs_folder / f"{job.trial:06d}-{job.attempt}.txt"
        try:
            job.folder.mkdir(parents=True, exist_ok=True)
            with log.open("wb") as log_file:
                channel = self._send_start(self._last_token, allowance, log_file)
        except OSError as error:
            raise StorageError(f"the folders of a trial must be writable, but: {error}") from error
        taken = {attempt.worker for attempt in self._attempts.values()}
        name = next(name for number in range(1, self._workers + 1) if (name := f"local-{number}") not in taken)
        self._attempts[self._last_token] = _Attempt(job, allowance, channel, log, name)
        self._selector.register(channel, selectors.EVENT_READ, self._last_token)
        with suppress(ConnectionError):  # a worker that died already is told of by the keeper
            channel.sendall(encode(job_to_json(job)))

    def drain(self, timeout: float) -> list[AttemptEvent]:
        self._wait(timeout)
        events, self._events = self._events, []
        return events

    def stop(self, trial: TrialId, grace: float | None) -> None:
        for token, attempt in self._attempts.items():
            if attempt.job.trial == trial:
                with suppress(OSError):
                    attempt.channel.sendall(encode({"stop": True}))
                if grace is not None:
                    self._end(token, grace, "stop")

    def close(self, grace: float = 0.0) -> None:
        if self._closed:
            return
        for attempt in list(self._attempts.values()):
            self.stop(attempt.job.trial, grace)
        last = time.monotonic() + grace + KEEPER_SECONDS
        while self._attempts and time.monotonic() < last:
            self._pump(last - time.monotonic())
        self._release()

    def _release(self) -> None:
        self._closed = True
        self._stop_keeper()
        for attempt in self._attempts.values():
            attempt.channel.close()
        self._attempts.clear()
        self._selector.close()

    # -- the keeper ------------------------------------------------------------------------------------------------

    def _start_keeper(self) -> None:
        self._ready = False
        self._control_lines = Lines()
        self._control, theirs = socket.socketpair()
        variables = {name: str(self._threads) for name in _THREAD_VARIABLES}
        # One order of sets in all workers: without it, equal seeds may give unequal results.
        variables["PYTHONHASHSEED"] = os.environ.get("PYTHONHASHSEED", "0")
        try:
            self._logs_folder.mkdir(parents=True, exist_ok=True)
            with theirs, (self._logs_folder / KEEPER_LOG).open("ab") as log:
                self._keeper = subprocess.Popen(
                    [sys.executable, "-c", _KEEPER, str(theirs.fileno()), *sys.path],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, **variables},
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
        except OSError as error:
            self._control.close()
            raise StorageError(f"the folder of logs must be writable, but: {error}") from error
        self._selector.register(self._control, selectors.EVENT_READ, None)
        begin = {"work": self._work, "preload": self._preload, "driver": os.getpid()}
        with suppress(ConnectionError):
            self._control.sendall(encode({"begin": begin}))

    def _stop_keeper(self) -> None:
        """Close its socket: it kills what is left of the workers, and exits."""
        with suppress(KeyError):
            self._selector.unregister(self._control)
        self._control.close()
        if not self._ready and not self._attempts:
            self._keeper.kill()  # still importing, without a worker; it would not hear of this for seconds
        try:
            self._keeper.wait(KEEPER_SECONDS)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()

    def _keeper_died(self) -> None:
        """Its workers died with it: their attempts are lost, and another keeper takes over."""
        if not self._ready:
            self._release()
            raise NetwrightError(
                "the process that starts workers could not begin; its last words:\n"
                + log_tail(self._logs_folder / KEEPER_LOG)
            )
        self._stop_keeper()
        for token in list(self._attempts):
            self._conclude(token, Ending(0, "unstarted", 0.0, 0.0, error="the process that starts workers died"))
        self._start_keeper()

    def _send_start(self, token: int, allowance: Allowance, log: BinaryIO) -> socket.socket:
        """Ask for a worker; gives the driver's end of the channel to it."""
        ours, theirs = socket.socketpair()
        start = encode({"start": token, "seconds": allowance.seconds, "bytes": allowance.bytes})
        with theirs:
            descriptors = [theirs.fileno(), log.fileno()]
            try:
                socket.send_fds(self._control, [start], descriptors)
            except ConnectionError:
                self._keeper_died()
                socket.send_fds(self._control, [start], descriptors)
        return ours

    def _end(self, token: int, after: float, cause: str) -> None:
        with suppress(OSError):
            self._control.sendall(encode({"end": token, "after": after, "cause": cause}))

    # -- what is heard ---------------------------------------------------------------------------------------------

    def _wait(self, timeout: float) -> None:
        last = time.monotonic() + timeout
        while not self._events and not self._closed:
            left = last - time.monotonic()
            self._pump(max(0.0, left))
            if left <= 0:
                return

    def _pump(self, timeout: float) -> None:
        """Wait once, and take in what has come."""
        for key, _ in self._selector.select(timeout):
            if key.data is None:
                self._hear_keeper()
            elif key.data in self._attempts:
                self._hear_worker(key.data)

    def _hear_keeper(self) -> None:
        try:
            chunk = self._control.recv(2**16)
        except ConnectionError:
            chunk = b""
        if not chunk:
            self._keeper_died()
            return
        for record in self._control_lines.feed(chunk):
            if "ready" in record:
                self._ready = True
            elif "started" in record:
                self._announce(self._attempts[record["started"]])
            elif "ended" in record:
                token = record.pop("ended")
                while self._hear_worker(token):
                    pass
                self._conclude(token, Ending(**record))

    def _hear_worker(self, token: int) -> bool:
        """Take in one chunk from a worker; False when there is nothing to read, or never will be again."""
        attempt = self._attempts[token]
        try:
            chunk = attempt.channel.recv(2**16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except ConnectionError:
            chunk = b""
        try:
            for record in attempt.lines.feed(chunk) if chunk else ():
                self._take(token, attempt, record)
        except (BadRecord, KeyError) as error:
            attempt.error = str(error)
            self._end(token, 0.0, "broken")
            chunk = b""
        if not chunk:
            with suppress(KeyError):
                self._selector.unregister(attempt.channel)
        return bool(chunk)

    def _announce(self, attempt: _Attempt) -> None:
        """Tell of the start once: when the keeper says so, or when the worker's first word comes before that."""
        if not attempt.announced:
            attempt.announced = True
            self._events.append(AttemptStarted(attempt.job.trial, attempt.job.attempt, attempt.worker))

    def _take(self, token: int, attempt: _Attempt, record: Record) -> None:
        self._announce(attempt)
        if "progress" in record:
            self._events.append(AttemptProgress(attempt.job.trial, attempt.job.attempt, record["progress"]))
        elif "preempted" in record:
            attempt.preempted = True
            self._end(token, PREEMPTION_GRACE, "preempted")
        else:
            attempt.outcome = record

    def _conclude(self, token: int, ending: Ending) -> None:
        attempt = self._attempts.pop(token)
        with suppress(KeyError):
            self._selector.unregister(attempt.channel)
        attempt.channel.close()
        self._events.append(_final_word(attempt, ending))


def _final_word(attempt: _Attempt, ending: Ending) -> AttemptEvent:
    """A result that was sent counts, however the process ended after it; without one, the ending speaks."""
    job, outcome = attempt.job, attempt.outcome or {}
    seconds, cpu_seconds = ending.seconds, ending.cpu_seconds
    if "finished" in outcome and not attempt.error:
        try:
            evaluated = evaluated_from_json(outcome["finished"])
            return AttemptFinished(job.trial, job.attempt, evaluated, seconds, cpu_seconds, bool(outcome["stopped"]))
        except (KeyError, TypeError, ValueError) as error:
            attempt.error = str(error)
    tail = log_tail(attempt.log)
    if attempt.error:
        ending = Ending(ending.code, "broken", seconds, cpu_seconds, error=attempt.error)
    elif attempt.preempted:
        ending = Ending(ending.code, "preempted", seconds, cpu_seconds)
    elif "failed" in outcome:
        failure = outcome["failed"]
        return raised(job, failure["status"], failure["reason"], tail or failure["detail"], seconds, cpu_seconds)
    return verdict(job, attempt.allowance, ending, tail)
