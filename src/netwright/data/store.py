"""From a source to a stored data set: one pass decodes, notices what is odd and writes; nothing is decoded twice."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from netwright.core.candidate import canonical_json
from netwright.core.errors import DataError, RunChanged, StorageError
from netwright.core.files import TEMPORARY, atomic_write, sweep, write_text
from netwright.core.task import TaskSpec
from netwright.core.text import plain
from netwright.data.dataset import FORMAT, PIECE_BYTES, RECORD, Dataset, fingerprint_of
from netwright.data.decode import DecodeSettings, ImageError, Pixels
from netwright.data.findings import Finding
from netwright.data.judge import Evidence, judge, judge_unreadable
from netwright.data.source import TRAIN, Labels, Parts, Source
from netwright.data.split import complete_split, keep_copies_together

Progress = Callable[[int, int], None]
"""Called with the number of images done and the number of all."""

PROGRESS_STEP = 32
RARE = 3
"""Classes are weighted when the largest has more than this many times the images of the smallest."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What one pass found. `kept` are the positions of images that could be read, in whose order the rest is."""

    settings: DecodeSettings
    kept: NDArray[np.int64]
    names: tuple[str, ...]
    labels: Labels
    parts: Parts
    groups: NDArray[np.int64] | None
    how_split: str
    grey: bool
    skipped: tuple[tuple[str, str], ...]
    findings: tuple[Finding, ...]


class RowWriter:
    """Writes a `.npy` file of `uint8` rows one by one, so that memory stays small and a full disk is an error."""

    def __init__(self, path: Path, expected: int, shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self.rows = 0
        self.file = path.open("wb")
        self._header(expected)

    def __enter__(self) -> Self:
        """Rows may be written."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Put the true number of rows into the header and sync the file."""
        with self.file:
            if kind is None:
                self.file.seek(0)
                self._header(self.rows)
                self.file.flush()
                os.fsync(self.file.fileno())

    def write(self, rows: Pixels) -> None:
        """Append rows (n, *shape)."""
        self.file.write(np.ascontiguousarray(rows).data)
        self.rows += len(rows)

    def _header(self, rows: int) -> None:
        # NumPy pads headers so that a change of the first length does not change the header's size.
        record = {"descr": "|u1", "fortran_order": False, "shape": (rows, *self.shape)}
        np.lib.format.write_array_header_1_0(self.file, record)


def survey(
    source: Source,
    groups: NDArray[np.int64] | None,
    *,
    size: str | None,
    seed: int,
    shares: tuple[float, float] | None,
    staged: Path | None,
    progress: Progress | None,
) -> Survey:
    """Decode all of a source, into the file `staged` when one is given.

    `shares` of validation and test are for a split that is made; without them no part that is missing is made.
    """
    if shares is None:
        parts, movable, how_split = source.parts, np.zeros(len(source.labels), bool), "as given"
    else:
        parts, movable, how_split = complete_split(source.labels, source.parts, groups, seed=seed, shares=shares)
    settings = source.settle(size, parts)
    digests, errors, grey = _decode(source, settings, staged, progress)
    names = [plain(key.encode("utf-8", "replace").decode()) for key in source.keys]
    kept = np.array([index for index in range(len(names)) if index not in errors], np.int64)
    if groups is None:
        parts = keep_copies_together(parts, source.labels, movable, digests)
    evidence = Evidence(
        names=[names[index] for index in kept],
        labels=source.labels[kept],
        parts=parts[kept],
        digests=[digests[index] for index in kept],
        classes=source.classes,
        groups=None if groups is None else groups[kept],
    )
    faults = {names[index]: error for index, error in errors.items()}
    return Survey(
        settings=settings,
        kept=kept,
        names=tuple(evidence.names),
        labels=evidence.labels,
        parts=evidence.parts,
        groups=evidence.groups,
        how_split=how_split,
        grey=grey,
        skipped=tuple((name, plain(str(error))) for name, error in faults.items()),
        findings=(*source.notice(), *judge_unreadable(faults, len(names)), *judge(evidence)),
    )


def _decode(
    source: Source, settings: DecodeSettings, staged: Path | None, progress: Progress | None
) -> tuple[dict[int, bytes], dict[int, ImageError], bool]:
    """Digest of each image's pixels, the errors of those that cannot be read, and whether all colours are grey."""
    digests: dict[int, bytes] = {}
    errors: dict[int, ImageError] = {}
    total = len(source.labels)
    grey = settings.channels == 3 and not settings.flat
    with ExitStack() as stack:
        writer = None if staged is None else stack.enter_context(RowWriter(staged, total, settings.shape))
        for index, image in enumerate(source.read(settings)):
            if isinstance(image, ImageError):
                errors[index] = image
            else:
                digests[index] = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()
                grey = grey and bool((image == image[:, :, :1]).all())
                if writer is not None:
                    writer.write(image[None])
            if progress is not None and ((index + 1) % PROGRESS_STEP == 0 or index + 1 == total):
                progress(index + 1, total)
    return digests, errors, grey


def stop_if_unfit(findings: Sequence[Finding]) -> None:
    """Raise DataError with every finding that forbids a search."""
    stops = [finding for finding in findings if finding.severity == "stop"]
    if stops:
        raise DataError("\n".join(f"{finding.message}; {finding.fix}" for finding in stops))


def store(
    source: Source,
    groups: NDArray[np.int64] | None,
    folder: Path,
    request: Mapping[str, Any],
    *,
    shares: tuple[float, float] | None,
    expected: str | None,
    progress: Progress | None,
) -> Dataset:
    """Decode a source and put it into `folder`, in place of what was there once everything is known to be well.

    Raises DataError when a finding forbids a search, RunChanged when the fingerprint is not the expected one (the folder
    then stays as it was), StorageError when the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        try:
            staged = folder / f".images{TEMPORARY}"
            found = survey(
                source,
                groups,
                size=request["size"],
                seed=request["seed"],
                shares=shares,
                staged=staged,
                progress=progress,
            )
            stop_if_unfit(found.findings)
            return _commit(source, found, staged, folder, request, expected)
        finally:
            sweep(folder)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(
            f"the decoded data cannot be written: {error.strerror or error}; make room and go on"
        ) from error


def _commit(
    source: Source, found: Survey, staged: Path, folder: Path, request: Mapping[str, Any], expected: str | None
) -> Dataset:
    settings = found.settings
    if found.grey:
        settings = DecodeSettings(settings.height, settings.width, 1, settings.resample, settings.low, settings.high)
        staged = _to_grey(staged, settings)
    images: Pixels = np.load(staged, mmap_mode="r", allow_pickle=False)
    fingerprint = fingerprint_of(images, found.labels, found.parts, source.classes, settings)
    if expected is not None and fingerprint != expected:
        raise RunChanged(
            "a run that goes on must keep its data, but the images, labels, split or reading rule "
            f"are not those this run began with (fingerprint {fingerprint[:12]}, was {expected[:12]}). "
            "Restore them, choose another --out, or add --allow-changed."
        )
    record = {
        "format": FORMAT,
        "name": source.name,
        "task": describe_task(images, found.labels, found.parts, source.classes).to_json(),
        "decode": settings.to_json(),
        "fingerprint": fingerprint,
        "request": dict(request),
        "groups": found.groups is not None,
        "findings": [finding.to_json() for finding in found.findings],
        "skipped": [list(entry) for entry in found.skipped],
        "licence": source.licence,
        "how_split": found.how_split,
    }
    del images
    (folder / RECORD).unlink(missing_ok=True)
    os.replace(staged, folder / "images.npy")
    _save(folder / "labels.npy", found.labels)
    _save(folder / "split.npy", found.parts)
    if found.groups is not None:
        _save(folder / "groups.npy", found.groups)
    write_text(folder / "files.json", canonical_json(list(found.names)))
    write_text(folder / RECORD, canonical_json(record))
    return Dataset.open(folder)


def _to_grey(staged: Path, settings: DecodeSettings) -> Path:
    """The same pictures with one channel, for colours that are all grey."""
    images: Pixels = np.load(staged, mmap_mode="r", allow_pickle=False)
    result = staged.with_name(f".grey{TEMPORARY}")
    step = max(1, PIECE_BYTES // max(1, images[:1].nbytes))
    with RowWriter(result, len(images), settings.shape) as writer:
        for start in range(0, len(images), step):
            writer.write(images[start : start + step, :, :, :1])
    return result


def _save(path: Path, array: NDArray[Any]) -> None:
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def describe_task(images: Pixels, labels: Labels, parts: Parts, classes: tuple[str, ...]) -> TaskSpec:
    """Shape, classes, and of the training part the mean and standard deviation a channel, on the [0, 1] scale.

    A deviation is never below one grey level. Classes are weighted when the largest has more than `RARE` times the
    images of the smallest: by the inverse square root of their size, with mean 1.
    """
    training = np.flatnonzero(parts == TRAIN)
    channels = images.shape[3]
    sums, squares = np.zeros(channels, np.int64), np.zeros(channels, np.int64)
    step = max(1, PIECE_BYTES // max(1, images[:1].nbytes))
    for start in range(0, len(training), step):
        piece = images[training[start : start + step]].reshape(-1, channels)
        sums += piece.sum(axis=0, dtype=np.int64)
        squares += np.square(piece, dtype=np.uint32).sum(axis=0, dtype=np.int64)
    pixels = max(1, len(training) * images.shape[1] * images.shape[2])
    mean = sums / pixels
    deviation = np.sqrt(np.maximum(squares / pixels - mean**2, 0.0))
    return TaskSpec(
        inputs=(channels, images.shape[1], images.shape[2]),
        labels=classes,
        mean=tuple((mean / 255).tolist()),
        std=tuple((np.maximum(deviation, 1.0) / 255).tolist()),
        class_weights=_class_weights(np.bincount(labels[training], minlength=len(classes))),
    )


def _class_weights(sizes: NDArray[np.int64]) -> tuple[float, ...] | None:
    sizes = np.maximum(sizes, 1)
    if sizes.max() <= RARE * sizes.min():
        return None
    weights = sizes**-0.5
    return tuple((weights / weights.mean()).tolist())
