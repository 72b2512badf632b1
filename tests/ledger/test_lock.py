"""One driver a run folder, also against killed drivers, recycled process numbers and other hosts."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from netwright.core.errors import RunLocked, StorageError
from netwright.ledger import lock
from netwright.ledger.lock import LOCK_NAME, Holder, RunLock, born, holder

DRIVER = """
import sys, time
from pathlib import Path
from netwright.core.errors import RunLocked
from netwright.ledger.lock import RunLock

try:
    lock = RunLock(Path(sys.argv[1]))
except RunLocked as error:
    print(error, flush=True)
else:
    print("driving", flush=True)
    time.sleep(60)
"""


@contextmanager
def _driver(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that tries to drive the folder, and the line it prints."""
    process = subprocess.Popen([sys.executable, "-c", DRIVER, folder], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _sign(folder: Path, other: Holder) -> None:
    (folder / LOCK_NAME).write_text(json.dumps({"host": other.host, "pid": other.pid, "born": other.born}))


@pytest.mark.fault(16)
def test_the_second_driver_is_refused_by_name(tmp_path: Path) -> None:
    """Two real processes: the second says who holds the folder; when the first is killed the third gets it."""
    with _driver(tmp_path) as (first, line):
        assert line == "driving"
        with _driver(tmp_path) as (_, refusal):
            assert f"process {first.pid} on host {socket.gethostname()}" in refusal
        with pytest.raises(RunLocked, match=f"process {first.pid} on host"):
            RunLock(tmp_path)
        named = holder(tmp_path)
        assert named is not None
        assert named.pid == first.pid
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert holder(tmp_path) is None
        with _driver(tmp_path) as (_, line):
            assert line == "driving"


@pytest.mark.fault(16)
def test_one_process_cannot_drive_a_folder_twice(tmp_path: Path) -> None:
    """Neither can a notebook that calls search twice at once."""
    with RunLock(tmp_path), pytest.raises(RunLocked, match=f"process {os.getpid()} "):
        RunLock(tmp_path)


def test_released_twice_and_taken_again(tmp_path: Path) -> None:
    """After an orderly end nobody is named."""
    taken = RunLock(tmp_path)
    taken.release()
    taken.release()
    assert holder(tmp_path) is None
    with RunLock(tmp_path):
        named = holder(tmp_path)
        assert named is not None
        assert named.pid == os.getpid()


@pytest.fixture
def without_flock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system or platform without flock: the name in the file must do."""
    monkeypatch.setattr(lock, "_flock", lambda handle: None)


@pytest.mark.fault(16)
@pytest.mark.usefixtures("without_flock")
def test_a_live_process_is_believed_without_flock(tmp_path: Path) -> None:
    """The holder's number and time of birth are those of a running process."""
    _sign(tmp_path, Holder(socket.gethostname(), os.getppid(), born(os.getppid())))
    with pytest.raises(RunLocked, match=f"process {os.getppid()} "):
        RunLock(tmp_path)


@pytest.mark.fault(16)
@pytest.mark.usefixtures("without_flock")
def test_a_recycled_process_number_is_not_mistaken_for_the_driver(tmp_path: Path) -> None:
    """The number lives, but it was born at another time: the driver is dead and the lock is stale."""
    _sign(tmp_path, Holder(socket.gethostname(), os.getppid(), "another boot/1"))
    assert holder(tmp_path) is None
    RunLock(tmp_path).release()


@pytest.mark.fault(16)
@pytest.mark.usefixtures("without_flock")
def test_a_dead_process_is_not_waited_for(tmp_path: Path) -> None:
    """A zombie is dead too."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    number, birth = child.pid, born(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert born(number) == ""
    child.wait()
    _sign(tmp_path, Holder(socket.gethostname(), number, birth))
    RunLock(tmp_path).release()


@pytest.mark.fault(16)
def test_another_host_is_believed_on_a_network_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it lives cannot be seen from here, so the lock is not broken and the way out is named."""
    _sign(tmp_path, Holder("elsewhere", 1234, "x"))
    monkeypatch.setattr(lock, "remote_filesystem", lambda path: "nfs")
    with pytest.raises(RunLocked, match=rf"process 1234 on host elsewhere.*delete .*{LOCK_NAME}"):
        RunLock(tmp_path)
    (tmp_path / LOCK_NAME).unlink()
    RunLock(tmp_path).release()


@pytest.mark.fault(16)
def test_on_a_local_disk_the_kernel_knows_better_than_a_host_name(tmp_path: Path) -> None:
    """A container that died and came back under another host name goes on with its own folder."""
    _sign(tmp_path, Holder("the-container-before", 1, "x"))
    RunLock(tmp_path).release()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"host": 1}', "\x00" * 100])
def test_a_mangled_lock_file_does_not_lock_anybody_out(tmp_path: Path, content: str) -> None:
    """A half-written name names nobody."""
    (tmp_path / LOCK_NAME).write_text(content)
    assert holder(tmp_path) is None
    RunLock(tmp_path).release()


@pytest.mark.attack(24)
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A planted link does not make the lock truncate somebody's file."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / LOCK_NAME).symlink_to(victim)
    with pytest.raises(StorageError):
        RunLock(tmp_path)
    assert victim.read_text() == "precious"


def test_started_programs_do_not_keep_the_lock(tmp_path: Path) -> None:
    """A child that outlives its driver does not lock the folder."""
    taken = RunLock(tmp_path)
    script = "print('up', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        os.close(taken._handle)  # as the kernel does when the driver is killed
        RunLock(tmp_path).release()
        child.communicate(b"\n")
