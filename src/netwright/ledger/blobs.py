"""Files by the hash of their content: checkpoints, networks, curves. A name that is a hash can hold nothing else."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from netwright.core.errors import StorageError
from netwright.core.files import atomic_write, sweep, sync_folder

Hash = str
"""64 hexadecimal digits: SHA-256 of the content, as `sha256sum` prints it."""

_NAME = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """A folder of blobs, for its owner alone (mode 0700). Made if absent.

    One process puts and deletes (the driver); any number may get.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not folder.is_dir() or folder.is_symlink():
            raise StorageError(f"blobs must lie in a folder of their own, but {folder} is none.")

    def sweep(self) -> list[Path]:
        """Remove what a killed `put` left half done; gives the removed paths. For the driver, before it begins."""
        return sweep(self._folder)

    def put(self, path: Path) -> Hash:
        """Move the file at `path` in and return its hash; content that is there already is not stored twice.

        The content is on the disk before its name appears. Raises StorageError for what is not a regular file of its
        own (a link, a folder), and where the folder cannot be written.
        """
        try:
            name = _digest_of_regular_file(path)
            self._move(path, self._folder / name)
        except OSError as error:
            if isinstance(error, StorageError):
                raise
            raise StorageError(f"{path} cannot be kept in {self._folder}: {error.strerror or error}.") from error
        return name

    def _move(self, path: Path, target: Path) -> None:
        if target.exists():
            path.unlink()
            return
        try:
            path.chmod(0o600)
            with path.open("rb+") as file:
                os.fsync(file.fileno())
            path.rename(target)
            sync_folder(self._folder)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            with atomic_write(target) as temporary:
                os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
                shutil.copyfile(path, temporary)
            path.unlink()

    def get(self, name: Hash) -> Path:
        """Where the content lies, to be read only. Raises StorageError when it is not there, or not what was put in."""
        path = self._path(name)
        if not path.is_file():
            raise StorageError(f"the file {name} is not in {self._folder}; it was removed or lost.")
        if not self.intact(name):
            raise StorageError(
                f"the file {name} in {self._folder} is damaged: its content is no longer what was stored. "
                f"`netwright doctor {self._folder.parent}` removes it; what is needed of it is then made again."
            )
        return path

    def delete(self, name: Hash) -> None:
        """Remove a blob. One that is not there is removed already."""
        self._path(name).unlink(missing_ok=True)

    def hashes(self) -> Iterator[Hash]:
        """Every blob, in no order."""
        return (entry.name for entry in os.scandir(self._folder) if _NAME.fullmatch(entry.name))

    def size(self, name: Hash | None = None) -> int:
        """Bytes of one blob, or of all. A blob that is not there counts 0."""
        names = self.hashes() if name is None else (name,)
        return sum(_size(self._path(name)) for name in names)

    def intact(self, name: Hash) -> bool:
        """Whether the blob is there and its content still has its hash."""
        path = self._path(name)
        return path.is_file() and _digest_of_regular_file(path) == name

    def __contains__(self, name: Hash) -> bool:
        return self._path(name).is_file()

    def _path(self, name: Hash) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"the name of a blob must be 64 hexadecimal digits, but got {name!r}")
        return self._folder / name


def _digest_of_regular_file(path: Path) -> Hash:
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise StorageError(f"what is kept must be a regular file, but {path} is none.")
        return hashlib.file_digest(file, "sha256").hexdigest()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
