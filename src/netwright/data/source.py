"""What a place that holds images says before any is decoded: names, labels, official parts, and how to read them."""

from __future__ import annotations

import hashlib
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright.core.candidate import digest
from netwright.core.errors import DataError
from netwright.core.text import plain
from netwright.data.decode import DecodeSettings, ImageError, Pixels
from netwright.data.findings import Finding

TRAIN, VALIDATION, TEST, UNASSIGNED = 0, 1, 2, 255
PARTS = ("train", "validation", "test")

LONGEST_SIDE = 64
"""Larger pictures are shrunk until their longest side has this many pixels, unless a size is given."""

SIDE_LIMIT = 1024

SETTLED_SECONDS = 2.0
"""A file touched later than this before it was looked at may change again without a new time stamp."""

Labels = NDArray[np.int64]
Parts = NDArray[np.uint8]

Settle = Callable[[str | None, Parts], DecodeSettings]
Read = Callable[[DecodeSettings], Iterator[Pixels | ImageError]]


@dataclass(frozen=True, slots=True)
class Source:
    """Images that can be read, one entry an image in every list.

    `keys` are how split and group files name the images, `parts` the official split (`UNASSIGNED` where there is
    none). `signature` changes when the source may have changed; empty, it is never trusted. `settle(size, parts)`
    decides the reading rule, `notice()` says what is odd without decoding, `read(settings)` gives each image in turn,
    or the error that says why it cannot be had.
    """

    name: str
    keys: list[str]
    labels: Labels
    classes: tuple[str, ...]
    parts: Parts
    signature: str
    settle: Settle
    read: Read
    notice: Callable[[], Sequence[Finding]] = tuple
    licence: str | None = None


def display_names(names: Iterable[str]) -> tuple[str, ...]:
    """Names of classes made fit to show: no control characters. Raises DataError when two become the same."""
    raw = list(names)
    shown = tuple(plain(name.encode("utf-8", "replace").decode()) or "(no name)" for name in raw)
    name, times = Counter(shown).most_common(1)[0] if shown else ("", 0)
    if times > 1:
        raise DataError(f"classes must have different names, but two are shown as {name!r}; rename one")
    return shown


def class_order(names: Iterable[str]) -> list[str]:
    """Whole numbers by value, everything else by code point."""
    unique = set(names)
    if all(re.fullmatch(r"-?[0-9]{1,18}", name) for name in unique):
        return sorted(unique, key=lambda name: (int(name), name))
    return sorted(unique)


def files_signature(root: Path, files: Iterable[Path]) -> str:
    """A digest of names, sizes and time stamps (modification and status change), without reading any content.

    Editing a file in place sets its change time even where size and modification time are put back. Copying or
    touching the files costs one needless decoding, no more: the fingerprint of the content stays. Empty while a file
    is so young that a second edit could fall on the same time stamp.
    """
    now = time.time()
    entries = []
    newest = 0.0
    for path in files:
        status = path.stat()
        newest = max(newest, status.st_mtime, status.st_ctime)
        name = path.relative_to(root).as_posix().encode("utf-8", "surrogateescape").hex()
        entries.append([name, status.st_size, status.st_mtime_ns, status.st_ctime_ns])
    return "" if newest > now - SETTLED_SECONDS else digest(["files", entries])


def content_hash(*arrays: NDArray[np.generic]) -> str:
    """A digest of the values, types and shapes of arrays."""
    hashed = hashlib.blake2b(digest_size=16)
    for array in arrays:
        hashed.update(f"{array.dtype.str}{array.shape}".encode())
        for start in range(0, len(array), 4096):
            hashed.update(np.ascontiguousarray(array[start : start + 4096]).view(np.uint8).data)
    return hashed.hexdigest()


def target_size(size: str | None, heights: NDArray[np.int64], widths: NDArray[np.int64]) -> tuple[int, int]:
    """(height, width) for pictures of these sizes.

    Their own, when all are equal and the longest side is at most `LONGEST_SIDE`; else the median aspect ratio with
    the longest side at `LONGEST_SIDE`, or at the median longest side where that is less. `size` overrides: `48x64` is
    height x width, `96` the longest side. Raises DataError.
    """
    longest = LONGEST_SIDE
    if size is not None:
        match = re.fullmatch(r"([0-9]{1,5})(?:[x×]([0-9]{1,5}))?", size.strip().lower())
        sides = [int(side) for side in match.groups() if side] if match else []
        if not sides or not all(1 <= side <= SIDE_LIMIT for side in sides):
            raise DataError(
                f"a size must be the longest side (64) or height x width (48x64), 1 to {SIDE_LIMIT}, but got {size!r}"
            )
        if len(sides) == 2:
            return sides[0], sides[1]
        longest = sides[0]
    elif len(set(zip(heights.tolist(), widths.tolist(), strict=True))) == 1:
        longest = min(longest, int(max(heights[0], widths[0])))
        if longest == max(heights[0], widths[0]):
            return int(heights[0]), int(widths[0])
    else:
        longest = min(longest, round(float(np.median(np.maximum(heights, widths)))))
    aspect = float(np.exp(np.median(np.log(widths / heights))))
    if aspect >= 1:
        return max(1, round(longest / aspect)), longest
    return longest, max(1, round(longest * aspect))
