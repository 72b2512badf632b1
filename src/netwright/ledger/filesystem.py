"""What the ledger asks of the file system: can it be written, is it remote, and is there a little room for the end."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from netwright.core.errors import StorageError

RESERVE_BYTES = 1 << 20

_REMOTE = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "glusterfs", "gpfs", "lustre"}
    | {"ncpfs", "nfs", "nfs4", "ocfs2", "smb3", "smbfs", "virtiofs"}
)


def probe_writable(folder: Path) -> None:
    """Write, sync, rename and delete a small file in `folder`, which is made if absent.

    A search calls it first, so that a read-only, full or failing disk is found at the start and not after an hour.
    Raises StorageError that names the folder and the reason.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".probe-", dir=folder)
        renamed = f"{name}-renamed"
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(bytes(4096))
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, renamed)
        finally:
            for leftover in (name, renamed):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(leftover)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(
            f"the output folder must be writable, but {folder} is not: {reason}. Mend that or choose another folder."
        ) from error


def remote_filesystem(path: Path) -> str | None:
    """The type of the file system that holds `path` where it is a remote one (nfs, cifs, fuse …), else None.

    Reads the mount table of Linux; elsewhere the type is not known and None is returned.
    """
    try:
        table = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    place = path.resolve()
    found, depth = "", -1
    for line in table.splitlines():
        _, mount, kind, *_ = line.split(" ")
        point = Path(mount.encode().decode("unicode_escape") if "\\" in mount else mount)
        if place.is_relative_to(point) and len(point.parts) >= depth:
            found, depth = kind, len(point.parts)
    return found if found in _REMOTE or found.startswith("fuse") else None


class Reserve:
    """A file that takes up room on purpose: deleted when the disk is full, it leaves enough for an orderly end."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def fill(self) -> None:
        """Take the room, with bytes that no file system compresses away. Does without where there is none."""
        with contextlib.suppress(OSError):
            if self._path.exists() and self._path.stat().st_size == RESERVE_BYTES:
                return
            with self._path.open("wb") as file:
                file.write(os.urandom(RESERVE_BYTES))
                file.flush()
                os.fsync(file.fileno())

    def release(self) -> bool:
        """Give the room back. True when there was a reserve."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
