"""The keeper: a small process that forks a fresh worker for each attempt, watches its limits, and sees it end.

It is a fork server. It imports the preloaded modules (torch and numpy take a second) and never runs anything of them:
no operator, no thread pool, no CUDA context, so that a fork of it is clean. It has one thread. Deadlines and memory are
watched here and not by the driver, which may be busy for seconds; all times are of the monotonic clock.

The driver speaks over one socket: `begin` once, then `start` (with two file descriptors: the worker's channel and its
log) and `end`. The keeper answers `ready`, `started` and `ended`. When the socket closes, or the driver is no longer
its parent, it kills all that is left and exits.
"""

from __future__ import annotations

import gc
import importlib
import os
import selectors
import signal
import socket
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

from netwright.executors import worker
from netwright.executors.memory import beyond, children, cpu_seconds, descendants, oom_kills, resident
from netwright.executors.verdicts import Cause
from netwright.executors.wire import Lines, Record, encode

MEMORY_SECONDS = 0.2
PARENT_SECONDS = 1.0
LAST_SECONDS = 3.0


def main(control: int) -> None:
    """Keep workers until the driver is gone. `control` is the file descriptor of the socket to it."""
    keeper = Keeper(socket.socket(fileno=control))
    keeper.run()


@dataclass(slots=True)
class Child:
    """One living worker. `end_at` is when it is to be killed, and `end_cause` why; `cause` is set once it was."""

    token: int
    process: int
    began: float
    end_at: float | None
    end_cause: Cause
    cap: int | None
    idle: int
    oom_kills: int
    memory: int = 0
    killed_children_cpu: float = 0.0
    cause: Cause | None = None


class Keeper:
    """See the module."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._lines = Lines()
        self._descriptors: deque[int] = deque()
        self._children: dict[int, Child] = {}
        self._work: Record = {}
        self._driver = os.getppid()
        self._open = True
        self._read_memory_at = 0.0
        self._adopts = worker.prctl(worker.PR_SET_CHILD_SUBREAPER, 1)
        self._wake, self._wake_written = socket.socketpair()
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Serve until the driver is gone."""
        self._listen_to_signals()
        self._selector.register(self._control, selectors.EVENT_READ, self._receive)
        self._selector.register(self._wake, selectors.EVENT_READ, self._drain_wake)
        while self._open and os.getppid() == self._driver:
            for key, _ in self._selector.select(self._patience()):
                key.data()
            self._reap()
            self._enforce()
        self._end_all()

    def _listen_to_signals(self) -> None:
        self._wake.setblocking(False)
        self._wake_written.setblocking(False)
        signal.set_wakeup_fd(self._wake_written.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        # Ctrl-C and the end of a node are the driver's and the workers' to answer; the keeper outlives both.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)

    def _drain_wake(self) -> None:
        with suppress(BlockingIOError):
            self._wake.recv(4096)

    def _patience(self) -> float:
        """Seconds until something is due."""
        due = [child.end_at for child in self._children.values() if child.end_at is not None and child.cause is None]
        if any(child.cap is not None for child in self._children.values()):
            due.append(self._read_memory_at + MEMORY_SECONDS)
        return min(PARENT_SECONDS, max(0.0, min(due, default=PARENT_SECONDS + time.monotonic()) - time.monotonic()))

    # -- the driver's words ----------------------------------------------------------------------------------------

    def _receive(self) -> None:
        try:
            chunk, descriptors, _, _ = socket.recv_fds(self._control, 2**16, 16)
        except ConnectionError:
            chunk, descriptors = b"", []
        self._descriptors.extend(descriptors)
        self._open = bool(chunk)
        for record in self._lines.feed(chunk) if chunk else ():
            if "begin" in record:
                self._begin(record["begin"])
            elif "start" in record:
                self._start(record)
            elif "end" in record:
                self._end_later(record)

    def _begin(self, settings: Record) -> None:
        self._work = settings["work"]
        self._driver = settings["driver"]
        for name in settings["preload"]:
            # A module that is not installed is missed, and named, by the trial that needs it.
            with suppress(ImportError):
                importlib.import_module(name)
        # What is frozen is not touched by a worker's garbage collection, so that its pages stay shared.
        gc.collect()
        gc.freeze()
        self._send({"ready": True})

    def _start(self, record: Record) -> None:
        channel, log = self._descriptors.popleft(), self._descriptors.popleft()
        seconds, now = record["seconds"], time.monotonic()
        try:
            process = self._fork(channel, log, seconds)
        except OSError as error:
            ended = {"ended": record["start"], "code": 0, "cause": "unstarted", "error": str(error)}
            self._send({**ended, "seconds": 0.0, "cpu_seconds": 0.0})
            return
        finally:
            os.close(channel)
            os.close(log)
        self._children[process] = Child(
            token=record["start"],
            process=process,
            began=now,
            end_at=None if seconds is None else now + seconds,
            end_cause="timeout",
            cap=record["bytes"],
            idle=resident(os.getpid()),
            oom_kills=oom_kills(),
        )
        self._send({"started": record["start"]})

    def _fork(self, channel: int, log: int, seconds: float | None) -> int:
        keeper = os.getpid()
        process = os.fork()
        if process == 0:
            try:
                self._forget()
                worker.live(socket.socket(fileno=channel), log, self._work, seconds, keeper)
            finally:
                os._exit(1)
        return process

    def _forget(self) -> None:
        """In a new worker: let go of what is the keeper's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        self._selector.close()
        for end in (self._control, self._wake, self._wake_written):
            end.close()
        for descriptor in self._descriptors:
            os.close(descriptor)

    def _end_later(self, record: Record) -> None:
        for child in self._children.values():
            if child.token == record["end"]:
                end_at = time.monotonic() + record["after"]
                if child.end_at is None or end_at < child.end_at:
                    child.end_at, child.end_cause = end_at, record["cause"]

    # -- limits and ends -------------------------------------------------------------------------------------------

    def _enforce(self) -> None:
        now = time.monotonic()
        read_memory = now >= self._read_memory_at + MEMORY_SECONDS
        if read_memory:
            self._read_memory_at = now
        for child in self._children.values():
            if child.cause is not None:
                continue
            if child.end_at is not None and now >= child.end_at:
                self._kill(child, child.end_cause)
            elif child.cap is not None and read_memory:
                self._read_memory(child, child.cap)

    def _read_memory(self, child: Child, cap: int) -> None:
        reading = beyond(child.process, child.idle)
        if reading is None:
            return  # killed, it gave its memory back before it could be reaped: the reading before this one counts
        child.memory = reading
        if reading > cap:
            self._kill(child, "memory")

    def _kill(self, child: Child, cause: Cause) -> None:
        # Killed together, the worker cannot wait for its children, and their time would be counted nowhere.
        child.killed_children_cpu = sum(cpu_seconds(process) for process in descendants(child.process))
        child.cause = cause
        with suppress(ProcessLookupError):
            os.kill(child.process, signal.SIGKILL)

    def _reap(self) -> None:
        """Take leave of every process that ended, and tell the driver of the workers among them."""
        while True:
            try:
                process, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if process == 0:
                return
            child = self._children.pop(process, None)
            if child is not None:
                # Where orphans are not adopted (no subreaper), the group is all that can be found of them.
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process, signal.SIGKILL)
                self._tell_ended(child, os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime)
            self._sweep()

    def _tell_ended(self, child: Child, code: int, cpu: float) -> None:
        self._send(
            {
                "ended": child.token,
                "code": code,
                "cause": child.cause,
                "seconds": time.monotonic() - child.began,
                "cpu_seconds": cpu + child.killed_children_cpu,
                "memory": child.memory,
                "oom_killed": code == -signal.SIGKILL and oom_kills() > child.oom_kills,
            }
        )

    def _sweep(self) -> None:
        """Kill what dead workers left behind in sessions of its own; as their reaper, the keeper has inherited it."""
        if not self._adopts:
            return
        for process in children(os.getpid()):
            with suppress(ProcessLookupError):
                if process not in self._children and os.getsid(process) not in self._children:
                    os.kill(process, signal.SIGKILL)

    def _send(self, record: Record) -> None:
        try:
            self._control.sendall(encode(record))
        except OSError:
            self._open = False

    def _end_all(self) -> None:
        last = time.monotonic() + LAST_SECONDS
        while time.monotonic() < last:
            for process in self._children:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            self._reap()
            if not self._children and not children(os.getpid()):
                return
            time.sleep(0.01)
