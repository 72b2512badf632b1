"""What is asked of the file system before a search begins."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from netwright.core.errors import StorageError
from netwright.ledger import filesystem
from netwright.ledger.filesystem import probe_writable, remote_filesystem


def test_a_writable_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    """The probe leaves nothing behind."""
    probe_writable(tmp_path / "runs" / "signs")
    assert list((tmp_path / "runs" / "signs").iterdir()) == []


@pytest.mark.fault(12)
def test_a_read_only_folder_is_refused_at_the_start(unprivileged: Path) -> None:
    """The message names the folder and the reason."""
    unprivileged.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(65534)
    with pytest.raises(StorageError, match=f"{unprivileged} is not: Permission denied"):
        probe_writable(unprivileged)


@pytest.mark.fault(12)
@pytest.mark.parametrize("code", [errno.EIO, errno.EDQUOT, errno.EROFS, errno.ENOSPC])
def test_a_failing_disk_is_refused_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """A disk that takes the write but not the sync is found too, and nothing is left on it."""

    def failing(handle: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(filesystem.os, "fsync", failing)
    with pytest.raises(StorageError, match=f"{tmp_path} is not: {os.strerror(code)}"):
        probe_writable(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault(12)
def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    """The folder's name is taken by a file."""
    (tmp_path / "run").write_text("mine")
    with pytest.raises(StorageError, match="run"):
        probe_writable(tmp_path / "run")
    assert (tmp_path / "run").read_text() == "mine"


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        ("/dev/sda / ext4 rw 0 0\n", None),
        ("/dev/sda / ext4 rw 0 0\nserver:/home {} nfs4 rw 0 0\n", "nfs4"),
        ("//server/share {} cifs rw 0 0\n/dev/sda / ext4 rw 0 0\n", "cifs"),
        ("/dev/sda / ext4 rw 0 0\nme@host: {} fuse.sshfs rw 0 0\n", "fuse.sshfs"),
        ("server:/ / nfs rw 0 0\ntmpfs {} tmpfs rw 0 0\n", None),
        ("server:/ / nfs rw 0 0\nserver:/ {} nfs rw 0 0\n/dev/sdb {} xfs rw 0 0\n", None),
    ],
)
def test_the_innermost_mount_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, kind: str | None
) -> None:
    """As the mount table lists them; of two mounts on one point the later is seen. Spaces in names are escaped there."""
    folder = tmp_path / "a folder"
    (folder / "runs").mkdir(parents=True)
    text = table.replace("{}", str(folder).replace(" ", "\\040"))
    monkeypatch.setattr(filesystem.Path, "read_text", lambda self, **_: text)
    assert remote_filesystem(folder / "runs") == kind


def test_platforms_without_a_mount_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The type is not known there, and nothing is claimed."""

    def absent(self: Path, **_: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(filesystem.Path, "read_text", absent)
    assert remote_filesystem(tmp_path) is None
