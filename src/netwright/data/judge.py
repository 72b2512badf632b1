"""What decoded data say about themselves: unreadable files, classes, balance, duplicates, groups on two sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from netwright.core.text import plain
from netwright.data.decode import ImageError, TooManyPixels
from netwright.data.findings import Finding, count, enumerate_some, named
from netwright.data.source import PARTS, TEST, TRAIN, VALIDATION, Labels, Parts

SKIP_SHARE = 0.01
IMBALANCE = 20
FEW_IMAGES = 60
MANY_CLASSES = 1000


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is judged: entries of images that were read, in order; `groups` may be absent."""

    names: Sequence[str]
    labels: Labels
    parts: Parts
    digests: Sequence[bytes]
    classes: tuple[str, ...]
    groups: NDArray[np.int64] | None


def judge(evidence: Evidence) -> list[Finding]:
    """Every finding about images that could be read."""
    return [
        *_classes(evidence),
        *_coverage(evidence),
        *_balance(evidence),
        *_duplicates(evidence),
        *_groups(evidence),
    ]


def judge_unreadable(errors: Mapping[str, ImageError], total: int) -> Iterator[Finding]:
    """Files that could not be read are left out as long as they are few: one, or 1 % of all."""
    few = len(errors) <= max(1, int(total * SKIP_SHARE))
    for kind, large in (("corrupt", False), ("too large", True)):
        faulty = {name: error for name, error in errors.items() if isinstance(error, TooManyPixels) == large}
        if faulty:
            reasons = enumerate_some(f"{name} ({plain(str(error))})" for name, error in faulty.items())
            yield Finding(
                "warn" if few else "stop",
                kind,
                f"{count(len(faulty), 'image')} of {total:,} cannot be read"
                + (f" and are left out: {reasons}" if few else f"; more than 1 % is too many to leave out: {reasons}"),
                "replace or remove them" if kind == "corrupt" else "shrink them, or remove them",
                named(faulty),
            )


def _classes(evidence: Evidence) -> Iterator[Finding]:
    sizes = np.bincount(evidence.labels, minlength=len(evidence.classes))
    gone = [name for name, size in zip(evidence.classes, sizes, strict=True) if size == 0]
    single = [name for name, size in zip(evidence.classes, sizes, strict=True) if size == 1]
    if len(evidence.classes) < 2:
        yield Finding(
            "stop",
            "one class",
            f"there must be at least 2 classes, but all images are {enumerate_some(evidence.classes)}",
            "add a folder (or label) for each further class",
        )
    if gone:
        yield Finding(
            "stop",
            "empty class",
            f"{count(len(gone), 'class', 'classes')} without any readable image: {enumerate_some(gone)}",
            "add images, or remove the class",
        )
    if single:
        all_single = len(single) == len(evidence.classes)
        yield Finding(
            "stop" if all_single else "warn",
            "single image",
            f"{count(len(single), 'class', 'classes')} with a single image: {enumerate_some(single)}"
            + ("; labels that never repeat are no classes" if all_single else "; it trains, and is never tested"),
            "add images, join classes, or remove them",
        )
    if len(evidence.classes) > MANY_CLASSES:
        yield Finding(
            "warn",
            "many classes",
            f"{len(evidence.classes):,} classes; up to {MANY_CLASSES:,} have been tried",
            "check that the labels are classes",
        )


def _coverage(evidence: Evidence) -> Iterator[Finding]:
    for part in (TRAIN, VALIDATION):
        if not (evidence.parts == part).any():
            yield Finding(
                "stop",
                "empty part",
                f"the {PARTS[part]} part has no image",
                "give it images (equal ones count as one), or leave the split to us",
            )
    trained = set(evidence.labels[evidence.parts == TRAIN].tolist())
    untrained = [evidence.classes[label] for label in sorted(set(evidence.labels.tolist()) - trained)]
    if untrained and trained:
        yield Finding(
            "stop",
            "untrained class",
            f"{count(len(untrained), 'class', 'classes')} without a training image: {enumerate_some(untrained)}",
            "move images of it to the train part, or give groups that let it",
        )
    for part in (VALIDATION, TEST):
        present = set(evidence.labels[evidence.parts == part].tolist())
        lacking = [evidence.classes[label] for label in sorted(trained - present)]
        if present and lacking:
            yield Finding(
                "warn",
                "missing class",
                f"{count(len(lacking), 'class', 'classes')} not in the {PARTS[part]} part: {enumerate_some(lacking)}",
                "nothing is measured for them there; add images if they matter",
            )


def _balance(evidence: Evidence) -> Iterator[Finding]:
    sizes = np.bincount(evidence.labels, minlength=len(evidence.classes))
    if sizes.min() > 0 and sizes.max() > IMBALANCE * sizes.min():
        rare, common = int(sizes.argmin()), int(sizes.argmax())
        yield Finding(
            "warn",
            "imbalance",
            f"class {evidence.classes[common]} has {sizes[common]:,} images and class {evidence.classes[rare]} "
            f"{sizes[rare]:,}, more than {IMBALANCE} times fewer",
            "look at balanced accuracy; more images of rare classes help most",
        )
    if len(evidence.labels) < FEW_IMAGES:
        yield Finding(
            "warn",
            "few images",
            f"{count(len(evidence.labels), 'image')}; below {FEW_IMAGES} no comparison of networks means much",
            "add images",
        )


def _duplicates(evidence: Evidence) -> Iterator[Finding]:
    """Images whose decoded pixels are equal: within a part, in two parts, and under two labels."""
    same: dict[bytes, list[int]] = {}
    for index, digest in enumerate(evidence.digests):
        same.setdefault(digest, []).append(index)
    repeated = [members for members in same.values() if len(members) > 1]
    contradicting = [members for members in repeated if len({int(evidence.labels[i]) for i in members}) > 1]
    if contradicting:
        yield Finding(
            "warn",
            "contradiction",
            f"{count(len(contradicting), 'picture')} that are in the data under different labels: "
            + enumerate_some(_pair(evidence, members) for members in contradicting),
            "keep the right one",
            named(evidence.names[i] for members in contradicting for i in members),
        )
    for part, title in enumerate(PARTS):
        inside = [[i for i in members if evidence.parts[i] == part] for members in repeated]
        extra = [members for members in inside if len(members) > 1]
        number = sum(len(members) - 1 for members in extra)
        if number:
            yield Finding(
                "warn",
                "duplicate",
                f"{count(number, 'exact duplicate')} inside the {title} part: "
                + enumerate_some(_pair(evidence, members) for members in extra),
                "remove all but one of each; they count more than once",
                named(evidence.names[i] for members in extra for i in members),
            )
    for one, other in combinations(range(len(PARTS)), 2):
        shared = [members for members in repeated if {one, other} <= {int(evidence.parts[i]) for i in members}]
        if shared:
            yield Finding(
                "warn",
                "leak",
                f"{count(len(shared), 'picture')} in both the {PARTS[one]} and the {PARTS[other]} part: "
                + enumerate_some(_pair(evidence, members) for members in shared),
                f"remove them from one; results on {PARTS[other]} are too good by them",
                named(evidence.names[i] for members in shared for i in members),
            )


def _pair(evidence: Evidence, members: list[int]) -> str:
    return " = ".join(evidence.names[i] for i in members[:3]) + (" = …" if len(members) > 3 else "")


def _groups(evidence: Evidence) -> Iterator[Finding]:
    if evidence.groups is None:
        return
    sides = np.unique(np.stack([evidence.groups, evidence.parts.astype(np.int64)]), axis=1)[0]
    crossing = np.flatnonzero(np.bincount(sides) > 1)
    if len(crossing):
        where = np.isin(evidence.groups, crossing)
        yield Finding(
            "warn",
            "split group",
            f"{count(len(crossing), 'group')} on more than one side of the given split",
            "give a split that keeps groups whole, or leave the split to us",
            named(evidence.names[i] for i in np.flatnonzero(where).tolist()),
        )
