"""A data set as it lies in a folder: decoded images in a memory-mapped array, labels, split, and how it was read.

The folder holds `images.npy`, `labels.npy`, `split.npy`, perhaps `groups.npy`, `files.json`, and `dataset.json`, which is
written last: without it there is no data set. Workers open the folder and share its pages.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from netwright.core.candidate import canonical_json
from netwright.core.errors import DataError
from netwright.core.task import TaskSpec
from netwright.data.decode import DecodeSettings, Pixels
from netwright.data.findings import Finding, count
from netwright.data.source import PARTS, Labels, Parts

FORMAT = 1
RECORD = "dataset.json"
PIECE_BYTES = 16 * 2**20

PartName = Literal["train", "validation", "test"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images (N, height, width, channels) `uint8`, labels (N,), split (N,) with 0 train, 1 validation, 2 test.

    `images` is memory-mapped, copy on write: changing it changes no file. `groups` numbers what must stay together,
    where that was said. `fingerprint` covers images, labels, split, class names and reading rule. `skipped` are
    images that could not be read, each with its reason. `how_split` is a sentence.
    """

    folder: Path
    name: str
    images: Pixels
    labels: Labels
    split: Parts
    groups: NDArray[np.int64] | None
    task: TaskSpec
    decode: DecodeSettings
    fingerprint: str
    findings: tuple[Finding, ...]
    skipped: tuple[tuple[str, str], ...]
    licence: str | None
    how_split: str

    @classmethod
    def open(cls, folder: str | Path) -> Dataset:
        """The data set in `folder`. Raises DataError when there is none or its files do not fit together.

        Contents are not read, so this is quick for any size; `verify` does that.
        """
        folder = Path(folder)
        record = read_record(folder)
        if record is None:
            raise DataError(f"{folder.name} holds no data set of this version of netwright; open the data again")
        try:
            dataset = cls(
                folder=folder,
                name=record["name"],
                images=_load(folder / "images.npy", np.uint8, memory_mapped=True),
                labels=_load(folder / "labels.npy", np.int64),
                split=_load(folder / "split.npy", np.uint8),
                groups=_load(folder / "groups.npy", np.int64) if record["groups"] else None,
                task=TaskSpec.from_json(record["task"]),
                decode=DecodeSettings.from_json(record["decode"]),
                fingerprint=record["fingerprint"],
                findings=tuple(Finding.from_json(finding) for finding in record["findings"]),
                skipped=tuple((name, reason) for name, reason in record["skipped"]),
                licence=record["licence"],
                how_split=record["how_split"],
            )
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise DataError(
                f"{folder.name} holds a data set that cannot be read ({error}); remove the folder"
            ) from error
        number = len(dataset.images)
        per_image: list[NDArray[Any]] = [
            dataset.labels,
            dataset.split,
            *([] if dataset.groups is None else [dataset.groups]),
        ]
        if dataset.images.shape[1:] != dataset.decode.shape or any(array.shape != (number,) for array in per_image):
            raise DataError(f"{folder.name} holds arrays that do not fit together; remove the folder")
        return dataset

    def __len__(self) -> int:
        """How many images."""
        return len(self.labels)

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The display name of each image, relative to the data. For people's eyes: not to be used as a path."""
        return tuple(json.loads((self.folder / "files.json").read_text("utf-8")))

    def indices(self, part: PartName) -> NDArray[np.int64]:
        """Where the images of a part are, in ascending order."""
        return np.flatnonzero(self.split == PARTS.index(part))

    def class_counts(self, part: PartName | None = None) -> NDArray[np.int64]:
        """How many images each class has, in one part or in all."""
        labels = self.labels if part is None else self.labels[self.indices(part)]
        return np.bincount(labels, minlength=self.task.outputs)

    def verify(self) -> bool:
        """Whether the arrays still have the fingerprint; reads all of them."""
        return fingerprint_of(self.images, self.labels, self.split, self.task.labels, self.decode) == self.fingerprint

    def describe(self) -> str:
        """A few lines for the terminal: count, size, classes and their balance, split, what was left out."""
        channels, height, width = self.task.inputs
        if self.decode.flat:
            what = f"{count(len(self), 'example')} of {count(channels, 'feature')}"
        else:
            tone = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
            what = f"{count(len(self), 'image')}, {width} x {height} pixels (width x height), {tone}"
        sizes = self.class_counts()
        balance = f"{sizes.min():,} to {sizes.max():,} each" if sizes.min() != sizes.max() else f"{sizes.min():,} each"
        if self.task.class_weights is not None:
            balance += "; rare classes weigh more in training"
        parts: tuple[PartName, ...] = ("train", "validation", "test")
        split = ", ".join(f"{part} {len(self.indices(part)):,}" for part in parts)
        lines = [
            f"{self.name}: {what}",
            f"{self.task.outputs:,} classes, {balance}",
            f"split: {split} ({self.how_split})",
        ]
        if self.licence:
            lines.append(f"licence: {self.licence}")
        lines += [f"{finding.severity}: {finding.message} ({finding.fix})" for finding in self.findings]
        return "\n".join(lines)


def read_record(folder: Path) -> Mapping[str, Any] | None:
    """`dataset.json`, or None when it is absent, damaged or of another version."""
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and record.get("format") == FORMAT else None


def fingerprint_of(
    images: Pixels, labels: Labels, split: Parts, classes: tuple[str, ...], decode: DecodeSettings
) -> str:
    """32 hexadecimal digits of what a network could learn from: pixels, labels, split, class names, reading rule."""
    hashed = hashlib.blake2b(digest_size=16)
    hashed.update(canonical_json([list(images.shape), list(classes), decode.to_json()]).encode())
    step = max(1, PIECE_BYTES // max(1, images[:1].nbytes))
    for start in range(0, len(images), step):
        hashed.update(np.ascontiguousarray(images[start : start + step]).data)
    hashed.update(np.ascontiguousarray(labels, "<i8").data)
    hashed.update(np.ascontiguousarray(split).data)
    return hashed.hexdigest()


def _load(path: Path, dtype: type[np.generic], *, memory_mapped: bool = False) -> NDArray[Any]:
    array: NDArray[Any] = np.load(path, mmap_mode="c" if memory_mapped else None, allow_pickle=False)
    if array.dtype != dtype:
        raise ValueError(f"{path.name} must hold {np.dtype(dtype)}, but holds {array.dtype}")
    return array
