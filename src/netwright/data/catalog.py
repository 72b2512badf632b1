"""Where data come from: a folder, an archive, a known name, or arrays, each opened as one decoded data set."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netwright.core.errors import DataError, Untrusted
from netwright.core.text import plain
from netwright.data.archives import holds_idx, read_fashion_mnist, read_idx, read_npz
from netwright.data.arrays import read_arrays, read_digits
from netwright.data.dataset import Dataset, read_record
from netwright.data.images import read_folder
from netwright.data.source import Source
from netwright.data.split import SHARE, read_groups, read_split
from netwright.data.store import Progress, store

NAMED: dict[str, Callable[[], Source]] = {"digits": read_digits, "fashion-mnist": read_fashion_mnist}
"""Data sets known by name. A folder or file of that name comes first."""

PICKLES = frozenset({".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".dill"})
ARCHIVES = frozenset({".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar", ".zst"})


def open_data(
    source: str | Path,
    folder: str | Path,
    *,
    split: str | Path | None = None,
    groups: str | Path | None = None,
    size: str | None = None,
    seed: int = 0,
    expected: str | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """The data at `source`, decoded once into `folder`.

    `source` is a folder of class folders, a folder with train/, val/ and test/, an `.npz` in the MedMNIST convention, a
    folder of IDX files, or a name in `NAMED`. `split` and `groups` are CSV files (`file,split` and `file,group`),
    `size` is `48x64` (height x width) or the longest side. What lies in `folder` is taken without decoding when names,
    sizes and time stamps of the source, the two files, size and seed are those it was made from, and its fingerprint
    is right. With `expected`, a fingerprint, other data raise RunChanged and leave the folder as it was.

    Raises DataError or Untrusted for data that cannot be used, StorageError when the folder cannot be written.
    """
    found = find_source(source)
    request = {
        "signature": found.signature,
        "split": _file_hash(split),
        "groups": _file_hash(groups),
        "size": size,
        "seed": seed,
    }
    stored = _reusable(Path(folder), request, expected)
    if stored is not None:
        return stored
    found, numbers = apply_files(found, split, groups)
    return store(found, numbers, Path(folder), request, shares=(SHARE, SHARE), expected=expected, progress=progress)


def arrays_data(
    images: ArrayLike,
    labels: ArrayLike,
    folder: str | Path,
    *,
    split: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    classes: Sequence[str] | None = None,
    size: str | None = None,
    seed: int = 0,
    shares: tuple[float, float] = (SHARE, SHARE),
    expected: str | None = None,
) -> Dataset:
    """Arrays from Python as a data set in `folder`: images (N, height, width), (N, height, width, channels), or flat
    features (N, F), which become pictures of 1 x 1 pixel with a channel a feature.

    `uint8` is taken as it is. Everything else is rounded to 256 levels between the least and the greatest value of the
    training part; features between a pair of bounds each, which leave out values far beyond the middle 98 %. The bounds
    are in `Dataset.decode`. `split` holds 0, 1 or 2 an image and is kept as it is, even without a test part; without it
    one is made with these shares of validation and test. `groups` holds any value an image. `classes`
    names the labels 0, 1, …; without it the distinct labels, sorted, are the classes. With `expected`, a fingerprint,
    other data raise RunChanged and leave the folder as it was. Raises DataError.
    """
    pixels, values = np.asarray(images), np.asarray(labels)
    values = _plain_text(values)
    parts = None if split is None else np.asarray(split)
    found = read_arrays("arrays", pixels, values, parts, classes)
    numbers = None if groups is None else _number_groups(np.asarray(groups), len(found.labels))
    request = {
        "signature": found.signature,
        "split": None if shares == (SHARE, SHARE) else list(shares),
        "groups": None if numbers is None else hashlib.blake2b(numbers.tobytes(), digest_size=16).hexdigest(),
        "size": size,
        "seed": seed,
    }
    stored = _reusable(Path(folder), request, expected)
    if stored is not None:
        return stored
    return store(
        found,
        numbers,
        Path(folder),
        request,
        shares=shares if parts is None else None,
        expected=expected,
        progress=None,
    )


def find_source(source: str | Path) -> Source:
    """What lies at a path or is known by a name, listed but not decoded.

    Raises DataError when nothing is there or it is of no known kind, Untrusted for files that run code when read.
    """
    path = Path(source)
    try:
        there = path.exists()
        if str(source) in NAMED and (not there or (path / "run.toml").is_file()):
            return NAMED[str(source)]()  # the folder of a run that was called after its data holds none
        if there and path.is_dir():
            return read_idx(path, name=plain(path.resolve().name)) if holds_idx(path) else read_folder(path)
    except OSError as error:
        raise DataError(f"{plain(path.name)} cannot be read: {error.strerror or error}") from error
    if there:
        return _find_file(path)
    if "://" in str(source):
        raise DataError(f"data must be on this machine, but got an address: {plain(str(source))}; fetch it first")
    raise DataError(f"there is no {plain(str(source))}; give a folder, an .npz file, or one of {', '.join(NAMED)}")


def _find_file(path: Path) -> Source:
    ending = path.suffix.lower()
    if ending == ".npz":
        return read_npz(path)
    name = plain(path.name)
    if ending in PICKLES:
        raise Untrusted(f"{name} is a pickle, which can run code when it is read, and is never opened; save an .npz")
    if ending in ARCHIVES:
        raise DataError(f"{name} must be unpacked first; give the folder it unpacks to")
    if ending == ".npy":
        raise DataError(f"{name} has no labels; save images and labels together with numpy.savez")
    raise DataError(f"data must be a folder of class folders or an .npz file, but got the file {name}")


def apply_files(
    source: Source, split: str | Path | None, groups: str | Path | None
) -> tuple[Source, NDArray[np.int64] | None]:
    """The source with the parts of a split file, and the group numbers of a groups file. Raises DataError."""
    if split is not None:
        source = replace(source, parts=read_split(Path(split), source.keys))
    return source, None if groups is None else read_groups(Path(groups), source.keys)


def _number_groups(groups: NDArray[Any], images: int) -> NDArray[np.int64]:
    if groups.shape != (images,):
        raise DataError(
            f"groups must have one value for each of the {images:,} images, but the shape is {groups.shape}"
        )
    numbers = np.unique(_plain_text(groups), return_inverse=True)[1]
    return numbers.astype(np.int64)


def _plain_text(values: NDArray[Any]) -> NDArray[Any]:
    """Objects and texts of any length as texts of one length, which can be sorted and hashed; others as they are."""
    return values.astype(object).astype(str) if values.dtype.kind in "OT" else values


def _reusable(folder: Path, request: dict[str, Any], expected: str | None) -> Dataset | None:
    record = read_record(folder)
    if record is None or not request["signature"] or record.get("request") != request:
        return None
    try:
        dataset = Dataset.open(folder)
    except DataError:
        return None
    if expected not in (None, dataset.fingerprint) or not dataset.verify():
        return None
    return dataset


def _file_hash(path: str | Path | None) -> str | None:
    if path is None:
        return None
    try:
        return hashlib.blake2b(Path(path).read_bytes(), digest_size=16).hexdigest()
    except OSError as error:
        raise DataError(f"{plain(Path(path).name)} cannot be read: {error.strerror or error}") from error
