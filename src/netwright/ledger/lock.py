"""One driver a run folder: a file that names host and process, under a lock that the kernel takes away from the dead.

The kernel's lock (flock) decides on a local disk. On a network file system it may not reach other hosts, and on
Windows there is none: there the process named in the file decides, and a name from another host is always believed.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import psutil

from netwright.core.errors import RunLocked, StorageError
from netwright.ledger.filesystem import remote_filesystem

LOCK_NAME = "driver.lock"


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that works on a run folder. `born` tells it from a later process with the same number."""

    host: str
    pid: int
    born: str

    def here(self) -> bool:
        """Whether it was started on this host."""
        return self.host == socket.gethostname()

    def alive(self) -> bool:
        """Whether it runs on this host now."""
        return self.here() and born(self.pid) == self.born


class RunLock:
    """Held from construction to `release` (or the end of a `with` block, or the death of the process).

    Raises RunLocked, which names the other driver's host and process, and StorageError where no lock file can be
    made. The lock is not handed down to programs that the process starts.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK_NAME
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        except OSError as error:
            raise StorageError(f"the run folder must be writable, but {path} is not: {error.strerror}.") from error
        try:
            self._take(folder)
        except BaseException:
            os.close(self._handle)
            raise

    def _take(self, folder: Path) -> None:
        locked = _flock(self._handle)
        if locked is False:
            raise RunLocked(_refusal(folder, _named_holder(self._handle)))
        holder = _read(self._handle)
        proven = locked is True and remote_filesystem(folder) is None
        if holder is not None and not proven and (holder.alive() or not holder.here()):
            raise RunLocked(_refusal(folder, holder))
        _write(self._handle, Holder(socket.gethostname(), os.getpid(), born(os.getpid())))

    def release(self) -> None:
        """Let the next driver in. Releasing twice is allowed."""
        if self._handle >= 0:
            os.ftruncate(self._handle, 0)
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def holder(folder: Path) -> Holder | None:
    """Who works on the folder: a live process of this host, or one of another host that did not sign off. For display."""
    try:
        handle = os.open(folder / LOCK_NAME, os.O_RDONLY)
    except OSError:
        return None
    try:
        named = _read(handle)
    finally:
        os.close(handle)
    return named if named is not None and (named.alive() or not named.here()) else None


def born(pid: int) -> str:
    """When a process was started, as text that no later process of this number shares; empty when there is none."""
    if sys.platform == "linux":
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            return ""
        state, ticks = fields[0], fields[19]  # fields 3 and 22 of proc(5); a zombie holds nothing any more
        return "" if state in "ZX" else f"{boot}/{ticks}"
    try:
        return f"{psutil.Process(pid).create_time():.0f}"
    except psutil.Error:
        return ""


def _flock(handle: int) -> bool | None:
    """True when taken, False when another process has it, None where the file system or platform has no such lock."""
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _refusal(folder: Path, other: Holder | None) -> str:
    if other is None:
        return f"{folder} is in use by another process; wait until it ends, or choose another folder."
    sentence = f"{folder} is in use by process {other.pid} on host {other.host}; "
    if other.here():
        return sentence + "wait until it ends, stop it with Ctrl-C, or choose another folder."
    return sentence + f"wait until it ends. If that process is gone for certain, delete {folder / LOCK_NAME}."


def _named_holder(handle: int) -> Holder | None:
    """The other driver's name, with a moment's patience: it may have the lock and not yet have signed."""
    for _ in range(20):
        named = _read(handle)
        if named is not None:
            return named
        time.sleep(0.02)
    return None


def _read(handle: int) -> Holder | None:
    os.lseek(handle, 0, os.SEEK_SET)
    try:
        record = json.loads(os.read(handle, 4096))
        return Holder(str(record["host"]), int(record["pid"]), str(record["born"]))
    except (ValueError, KeyError, TypeError):
        return None


def _write(handle: int, holder: Holder) -> None:
    os.ftruncate(handle, 0)
    os.lseek(handle, 0, os.SEEK_SET)
    os.write(handle, json.dumps(asdict(holder)).encode())
    os.fsync(handle)
