"""Files are written whole or not at all."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netwright.core.errors import StorageError
from netwright.core.files import TEMPORARY, atomic_write, storing, sweep, write_bytes, write_text


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_text(path, "é")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_bytes(path, b"old")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as temporary:
        temporary.write_bytes(b"half")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.fault(12)
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_refuses_leaves_the_old_file(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    write_bytes(path, b"old")

    def refuse(*arguments: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(OSError, match="Input/output"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_disk_refuses_is_said_with_what_was_to_be_written() -> None:
    with (
        pytest.raises(StorageError, match=r"the page must be writable, .*No space left.*free space"),
        storing("the page"),
    ):
        raise OSError(28, "No space left on device")
    with pytest.raises(StorageError, match=r"^said already$"), storing("the page"):
        raise StorageError("said already")
    with pytest.raises(ZeroDivisionError), storing("the page"):
        raise ZeroDivisionError


def test_what_reaches_the_name_was_synced_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (order.append("fsync"), fsync(descriptor))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (order.append("replace"), replace(a, b))[1])
    write_bytes(tmp_path / "a", b"new")
    assert order[:2] == ["fsync", "replace"]


@pytest.mark.fault(2)
def test_what_killed_writers_left_is_swept(tmp_path: Path) -> None:
    write_bytes(tmp_path / "kept", b"1")
    (tmp_path / f".kept.12ab{TEMPORARY}").write_bytes(b"half")
    (tmp_path / ".hidden").write_bytes(b"2")
    assert [path.name for path in sweep(tmp_path)] == [f".kept.12ab{TEMPORARY}"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", "kept"]


WRITER = """
import sys
from pathlib import Path
from netwright.core.files import write_bytes

print("go", flush=True)
while True:
    for letter in b"ab":
        write_bytes(Path(sys.argv[1]), bytes([letter]) * 2_000_000)
"""


@pytest.mark.fault(2)
def test_killed_writers_leave_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    """Forty real SIGKILLs at random moments; what the killed writers had under way is swept."""
    path = tmp_path / "checkpoint"
    write_bytes(path, b"a" * 2_000_000)
    rng = random.Random(1)
    swept = 0
    for _ in range(40):
        with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(rng.uniform(0.0, 0.02))
            writer.kill()
        content = path.read_bytes()
        assert (len(content), len(set(content))) == (2_000_000, 1)
        swept += len(sweep(tmp_path))
        assert list(tmp_path.iterdir()) == [path]
    assert swept >= 5, "the kills came while a file was under way"


@pytest.mark.attack(24)
def test_a_planted_link_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", tmp_path / "a"
    victim.write_text("precious")
    path.symlink_to(victim)
    write_bytes(path, b"mine")
    assert victim.read_text() == "precious"
    assert not path.is_symlink()
    assert path.read_bytes() == b"mine"
