"""Blobs: content by its hash, whole or not at all, for its owner alone."""

from __future__ import annotations

import hashlib
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.core.errors import StorageError
from netwright.ledger import blobs as module
from netwright.ledger.blobs import Blobs


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def _file(folder: Path, content: bytes, name: str = "checkpoint.safetensors") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_put_moves_and_names_by_content(tmp_path: Path, blobs: Blobs) -> None:
    """The name is what sha256sum prints; the file is gone from where it was."""
    source = _file(tmp_path, b"weights")
    name = blobs.put(source)
    assert name == hashlib.sha256(b"weights").hexdigest()
    assert blobs.get(name).read_bytes() == b"weights"
    assert not source.exists()
    assert name in blobs
    assert list(blobs.hashes()) == [name]
    assert blobs.size() == blobs.size(name) == 7
    assert blobs.intact(name)


def test_the_same_content_is_kept_once(tmp_path: Path, blobs: Blobs) -> None:
    """Two trials with one curve share it."""
    assert blobs.put(_file(tmp_path, b"x", "a")) == blobs.put(_file(tmp_path, b"x", "b"))
    assert len(list(blobs.hashes())) == 1
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["blobs"]


def test_what_is_deleted_is_gone_and_said(tmp_path: Path, blobs: Blobs) -> None:
    """Deleting again is no error; getting it is, and names it."""
    name = blobs.put(_file(tmp_path, b"x"))
    blobs.delete(name)
    blobs.delete(name)
    assert name not in blobs
    assert blobs.size() == blobs.size(name) == 0
    assert not blobs.intact(name)
    with pytest.raises(StorageError, match=name):
        blobs.get(name)


def test_changed_content_is_noticed(tmp_path: Path, blobs: Blobs) -> None:
    """A flipped byte makes a blob that is not intact."""
    name = blobs.put(_file(tmp_path, b"weights"))
    blobs.get(name).write_bytes(b"wEights")
    assert not blobs.intact(name)
    with pytest.raises(StorageError, match="damaged.*netwright doctor"):
        blobs.get(name)


def test_content_from_another_file_system_is_copied_whole(
    tmp_path: Path, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scratch disk for jobs works too, and a crash in between leaves nothing half."""
    elsewhere = Path("/dev/shm") / f"netwright-{os.getpid()}"
    if not elsewhere.parent.is_dir() or elsewhere.parent.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system here")
    try:
        elsewhere.write_bytes(b"weights")
        monkeypatch.setattr(module.shutil, "copyfile", _failing_copy)
        with pytest.raises(StorageError, match="device is gone"):
            blobs.put(elsewhere)
        assert elsewhere.read_bytes() == b"weights"
        assert list((tmp_path / "blobs").iterdir()) == []
        monkeypatch.undo()
        assert blobs.get(blobs.put(elsewhere)).read_bytes() == b"weights"
        assert not elsewhere.exists()
    finally:
        elsewhere.unlink(missing_ok=True)


def _failing_copy(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes()[:3])
    raise OSError("the device is gone")


@pytest.mark.fault(2)
def test_a_killed_put_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    """Every name that exists after kill -9 has its content; left-overs are swept."""
    script = """
import os, sys
from pathlib import Path
from netwright.ledger.blobs import Blobs

folder = Path(sys.argv[1])
blobs = Blobs(folder / "blobs")
print("go", flush=True)
while True:
    source = folder / "source"
    source.write_bytes(os.urandom(200_000))
    blobs.put(source)
"""
    for wait in (0.0, 0.01, 0.02, 0.04):
        writer = subprocess.Popen([sys.executable, "-c", script, tmp_path], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        signal.sigtimedwait([], wait)
        writer.kill()
        writer.wait()
        writer.stdout.close()
        blobs = Blobs(tmp_path / "blobs")
        blobs.sweep()
        names = {entry.name for entry in (tmp_path / "blobs").iterdir()}
        assert names == set(blobs.hashes())
        assert all(blobs.intact(name) for name in names)


def test_left_overs_are_swept_and_blobs_are_not(tmp_path: Path, blobs: Blobs) -> None:
    """What a killed copy left is removed by the next driver."""
    name = blobs.put(_file(tmp_path, b"x"))
    half = tmp_path / "blobs" / f".{'0' * 64}.12345678.partial"
    half.write_bytes(b"half")
    assert blobs.sweep() == [half]
    assert list(blobs.hashes()) == [name]


@pytest.mark.attack(11)
@given(
    st.text() | st.sampled_from(["../../etc/passwd", "/etc/passwd", "a" * 63, "A" * 64, "a" * 64 + "\n", "C:\\x", ""])
)
def test_only_hashes_are_names(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """No text leads out of the folder, for reading or for deleting."""
    blobs = Blobs(tmp_path_factory.getbasetemp() / "names")
    for access in (blobs.get, blobs.delete, blobs.intact, blobs.size, blobs.__contains__):
        with pytest.raises(ValueError, match="64 hexadecimal digits"):
            access(name)


@pytest.mark.attack(24)
@pytest.mark.parametrize("kind", ["link", "folder", "fifo", "missing"])
def test_only_regular_files_are_kept(tmp_path: Path, blobs: Blobs, kind: str) -> None:
    """A link in a job's folder does not pull somebody's file into the run, and a pipe does not hang the driver."""
    secret = _file(tmp_path, b"secret", "secret")
    source = tmp_path / "artefact"
    if kind == "link":
        source.symlink_to(secret)
    elif kind == "folder":
        source.mkdir()
    elif kind == "fifo":
        os.mkfifo(source)
    with pytest.raises(StorageError):
        blobs.put(source)
    assert secret.read_bytes() == b"secret"
    assert list(blobs.hashes()) == []


@pytest.mark.attack(24)
def test_blobs_are_for_their_owner_alone(tmp_path: Path, blobs: Blobs) -> None:
    """Weights may be private: nobody else may list or read them, nor plant a folder in their place."""
    name = blobs.put(_file(tmp_path, b"x"))
    assert stat.S_IMODE((tmp_path / "blobs").stat().st_mode) == 0o700
    assert stat.S_IMODE(blobs.get(name).stat().st_mode) == 0o600
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "planted").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="folder of their own"):
        Blobs(tmp_path / "planted")
