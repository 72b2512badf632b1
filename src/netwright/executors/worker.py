"""The life of a worker: a process forked for one attempt, which runs the work, sends the outcome and is gone.

It leads a session of its own, so that it and whatever it starts can be killed as one group. It ends itself when the
driver's end of its channel closes; its keeper kills it when it cannot (a C call that holds the interpreter), and the
kernel kills it when the keeper dies (PR_SET_PDEATHSIG; Linux only, elsewhere the channel alone).
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import platform
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal, NoReturn, TextIO

from netwright.core.job import Job
from netwright.executors.verdicts import detail_of, evaluate, sentence, status_of
from netwright.executors.wire import Lines, Record, encode, evaluated_to_json, finite, job_from_json, work_from_json

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3

LAST_WORDS_SECONDS = 0.3

FIRST_TO_GO = 500
"""Added to the kernel's out-of-memory score of a worker, so that neither driver nor keeper is chosen before it."""


def prctl(option: int, value: int) -> bool:
    """Set a property of this process; False where the system has no such call."""
    if not sys.platform.startswith("linux"):
        return False
    return bool(ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) == 0)


def live(channel: socket.socket, log: int, work: Mapping[str, Any], seconds: float | None, keeper: int) -> NoReturn:
    """Be the worker of one attempt. Called in a process that was just forked; never returns.

    `channel` leads to the driver and brings the job, `log` is the file for everything printed, `work` the name of the
    work as `wire.work_to_json` gives it, `seconds` its deadline, `keeper` the parent's process id.
    """
    code = 1
    try:
        _settle(log, keeper)
        if seconds is not None:
            # Shortly before it is killed, it writes into its log where it hangs.
            faulthandler.dump_traceback_later(max(seconds - LAST_WORDS_SECONDS, seconds / 2))
        _run(Connection(channel), work)
        code = 0
    except BaseException as error:  # noqa: BLE001  (a forked process must not return into the keeper's code)
        traceback.print_exception(error)
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        os._exit(code)


def _settle(log: int, keeper: int) -> None:
    os.setsid()
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper:
        os._exit(1)
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write(str(FIRST_TO_GO))
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    for stream in (sys.stdout, sys.stderr):
        _write_through(stream)
    faulthandler.enable()
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Let glibc reuse what a training step frees instead of giving it back to the kernel and faulting it in again.

    Measured on a network of depthwise convolutions: 95 ms of CPU a step instead of 245. Elsewhere it does nothing.
    """
    if sys.platform.startswith("linux") and platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, 2**30)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def _write_through(stream: TextIO) -> None:
    """A killed process loses what it had not yet written."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _run(connection: Connection, work: Mapping[str, Any]) -> None:
    job = connection.receive_job()
    connection.watch()
    try:
        evaluated = evaluate(work_from_json(work), job, connection.report)
        if connection.told_to_stop and connection.preempted:
            connection.send({"yielded": True})
        else:
            connection.send({"finished": evaluated_to_json(evaluated), "stopped": connection.told_to_stop})
    except BaseException as error:  # noqa: BLE001  (whatever it is, it ends this attempt and nothing else)
        with suppress(Exception):
            traceback.print_exception(error)
        failure = {"status": status_of(error), "reason": sentence(error), "detail": detail_of(error)}
        connection.send({"failed": failure})


class Connection:
    """The worker's end of its channel. The main thread reports; a second one watches for the driver's end and SIGTERM."""

    def __init__(self, channel: socket.socket) -> None:
        self.told_to_stop = False
        self.preempted = False
        self._channel = channel
        self._lines = Lines()
        self._lock = threading.Lock()
        self._stop = False

    def receive_job(self) -> Job:
        """Wait for the job: the first record on the channel."""
        records: list[Record] = []
        while not records:
            chunk = self._channel.recv(2**16)
            if not chunk:
                end_group()
            records = self._lines.feed(chunk)
        self._take(records[1:])
        return job_from_json(records[0])

    def report(self, record: Mapping[str, Any]) -> Literal["go", "stop"]:
        """Send one progress record. A stop that the driver sent before this call is seen by it."""
        with self._lock:
            self._listen()
            self._send({"progress": finite(record)})
            self.told_to_stop = self.told_to_stop or self._stop or self.preempted
            return "stop" if self.told_to_stop else "go"

    def send(self, record: Record) -> None:
        """Send the outcome."""
        with self._lock:
            self._send(record)

    def watch(self) -> None:
        """From now on end with the driver, and take SIGTERM as a request to stop."""
        wake, written = socket.socketpair()
        wake.setblocking(False)
        written.setblocking(False)
        # The wakeup descriptor is written by the C-level handler: the watcher hears of SIGTERM even while the main
        # thread sits in a long call and cannot run a Python handler.
        signal.signal(signal.SIGTERM, lambda number, frame: None)
        signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
        os.register_at_fork(after_in_child=_default_signals)
        threading.Thread(target=self._watch, args=(wake, written), daemon=True, name="netwright-watch").start()

    def _watch(self, wake: socket.socket, written: socket.socket) -> NoReturn:
        while True:
            ready, _, _ = select.select([self._channel, wake], [], [])
            if wake in ready and signal.SIGTERM in wake.recv(64):
                with self._lock:
                    self.preempted = True
                    self._send({"preempted": True})
            if self._channel in ready:
                with self._lock:
                    self._listen()

    def _listen(self) -> None:
        """Take in what has arrived, without waiting."""
        with suppress(BlockingIOError):
            chunk = self._channel.recv(2**16, socket.MSG_DONTWAIT)
            if not chunk:
                end_group()
            self._take(self._lines.feed(chunk))

    def _take(self, records: list[Record]) -> None:
        self._stop = self._stop or any("stop" in record for record in records)

    def _send(self, record: Record) -> None:
        line = encode(record)
        try:
            self._channel.sendall(line)
        except OSError:
            end_group()


def _default_signals() -> None:
    """In a child of the worker (a data loader's process): SIGTERM ends it, and is not taken for the worker's own."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def end_group() -> NoReturn:
    """The driver is gone: end this process and all that it started."""
    with suppress(OSError):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
