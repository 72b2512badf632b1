"""Writing a file so that a reader sees the old one or the new one, whole, whatever kills the writer in between."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from netwright.core.errors import StorageError

TEMPORARY = ".partial"
"""Ending of files under way; one that is left behind belongs to a killed writer (`sweep`)."""


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary file beside `path` to write to; it takes the place of `path` when the block ends well.

    The file and its folder are synced to disk. When the block raises, `path` is as it was before. The temporary file
    is new each time and readable by its owner's umask. Raises OSError as the file system does.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


@contextmanager
def storing(what: str) -> Iterator[None]:
    """Let what the file system refuses within the block be a StorageError that names `what` could not be written."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(
            f"{what} must be writable, but the disk refused: {error.strerror or error}; free space, and run the same "
            "command again"
        ) from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` atomically, as UTF-8."""
    write_bytes(path, content.encode())


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` durable. Does nothing where folders cannot be opened (Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> list[Path]:
    """Remove what killed writers left in `folder` (not below it); gives the removed paths. Call it with no writer alive."""
    removed = []
    for left in sorted(folder.glob(f".*{TEMPORARY}")):
        left.unlink(missing_ok=True)
        removed.append(left)
    return removed
