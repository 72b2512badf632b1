"""Which images train, which choose (validation), and which are kept for the last word (test).

Official parts are kept. A missing one is made: all three 70 / 15 / 15; a missing validation or test part from a sixth of
the training part. It is drawn from a seed, with every class in proportion, or by whole groups with the classes as even
as the groups allow. Files with `file,split` and `file,group` say it in the person's own words.
"""

from __future__ import annotations

import csv
import random
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright.core.errors import DataError
from netwright.core.seeding import derive, stream
from netwright.core.text import plain
from netwright.data.findings import enumerate_some
from netwright.data.source import PARTS, TEST, TRAIN, UNASSIGNED, VALIDATION, Labels, Parts

PART_NAMES = {
    "train": TRAIN,
    "training": TRAIN,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "dev": VALIDATION,
    "test": TEST,
    "testing": TEST,
}
SHARE = 0.15
SIXTH = 1 / 6
SPREAD_FROM = 3
"""A class with this many images is in every part, as far as the sizes of the parts allow."""


def complete_split(
    labels: Labels,
    parts: Parts,
    groups: NDArray[np.int64] | None,
    *,
    seed: int,
    shares: tuple[float, float] = (SHARE, SHARE),
) -> tuple[Parts, NDArray[np.bool_], str]:
    """Official parts with what is missing made; `shares` of validation and test where none is official.

    Gives the parts, which images were placed here (and may be moved without touching anything official), and a
    sentence that says how. Raises DataError when there is nothing to train on.
    """
    given = set(np.unique(parts).tolist())
    if UNASSIGNED in given:
        if len(given) > 1:
            raise DataError("either every image must have an official part or none")
        made = make_split(labels, validation=shares[0], test=shares[1], groups=groups, seed=seed)
        return made, np.ones(len(labels), bool), f"made here: {_how(groups, seed)}"
    if TRAIN not in given:
        raise DataError(f"there must be a train part, but got only {', '.join(PARTS[part] for part in sorted(given))}")
    missing = [part for part in (VALIDATION, TEST) if part not in given]
    if not missing:
        return parts.copy(), np.zeros(len(labels), bool), "as given"
    pool = np.flatnonzero(parts == TRAIN)
    share = SHARE if len(missing) == 2 else SIXTH
    drawn = make_split(
        labels[pool],
        validation=share if VALIDATION in missing else 0.0,
        test=share if TEST in missing else 0.0,
        groups=None if groups is None else groups[pool],
        seed=seed,
    )
    result = parts.copy()
    result[pool] = drawn
    words = " and ".join(PARTS[part] for part in missing)
    kept = " and ".join(PARTS[part] for part in (VALIDATION, TEST) if part in given)
    rule = f"{words} made here out of the train part: {_how(groups, seed)}"
    return result, parts == TRAIN, f"{kept} as given; {rule}" if kept else rule


def make_split(
    labels: Labels,
    *,
    validation: float = SHARE,
    test: float = SHARE,
    groups: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> Parts:
    """0 train, 1 validation, 2 test for each label; the shares are of all images.

    Without groups every class is divided in proportion (each share exact to one image over all, each class to about
    one); one image of each class always trains, and classes of three or more are in every part as long as common
    classes can spare the seats, each at most about one below its proportion.
    With groups no group is on two sides.
    Raises DataError when there are too few images or groups for the parts.
    """
    shares = {TRAIN: 1.0 - validation - test, VALIDATION: validation, TEST: test}
    shares = {part: share for part, share in shares.items() if share > 0}
    units = len(labels) if groups is None else len(np.unique(groups))
    if units < len(shares):
        raise DataError(
            f"a split into {len(shares)} parts needs at least {len(shares)} {'images' if groups is None else 'groups'}, "
            f"but there are {units}"
        )
    if groups is not None:
        return _by_group(labels, groups, shares, stream(seed, "split", "groups"))
    return _stratified(labels, shares, seed)


def _stratified(labels: Labels, shares: dict[int, float], seed: int) -> Parts:
    generator = np.random.default_rng(derive(seed, "split"))
    order = generator.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    first_of_class = np.concatenate(([True], np.diff(labels[order]) != 0))
    free = order[~first_of_class] if not first_of_class.all() else order[1:]
    parts = np.zeros(len(labels), np.uint8)
    for part in (TEST, VALIDATION):
        if part in shares:
            wanted = min(max(1, round(len(labels) * shares[part])), len(free))
            # Every k-th of the images sorted by class: each class gives its share, to within one image.
            chosen = (np.arange(wanted) + generator.random()) * len(free) / max(wanted, 1)
            taken = np.zeros(len(free), bool)
            taken[chosen.astype(np.int64)] = True
            _give_every_class_one(labels[free], taken, np.bincount(labels), shares[part])
            parts[free[taken]] = part
            free = free[~taken]
    return parts


def _give_every_class_one(labels: Labels, taken: NDArray[np.bool_], sizes: NDArray[np.int64], share: float) -> None:
    """Exchange images of classes that have their share for those of classes that were passed over.

    The class furthest above its share gives, and stays at most one below it; none of three or more gives its last.
    """
    counts = np.bincount(labels[taken], minlength=len(sizes))
    for label in np.flatnonzero((counts == 0) & (sizes >= SPREAD_FROM)):
        free = np.flatnonzero((labels == label) & ~taken)
        least = np.where(sizes < SPREAD_FROM, 1, 2)
        above = np.where(counts >= least, counts - sizes * share, -np.inf)
        donor = int(above.argmax())
        if above[donor] < 0:
            return
        if len(free):
            taken[np.flatnonzero((labels == donor) & taken)[0]] = False
            taken[free[0]] = True
            counts[donor] -= 1
            counts[label] += 1


def keep_copies_together(
    parts: Parts, labels: Labels, movable: NDArray[np.bool_], digests: Mapping[int, bytes]
) -> Parts:
    """The parts once it is known which images can be read and which are equal (`digests` of those that were read).

    Equal pictures among the movable go to one side, so that none trains and tests. Then every class has an image that
    trains, and every part that was made has an image, where moving can give it one.
    """
    copies: dict[bytes, list[int]] = {}
    for index, digest in digests.items():
        if movable[index]:
            copies.setdefault(digest, []).append(index)
    units = list(copies.values())
    result = parts.copy()
    _place_copies(result, labels, [members for members in units if len(members) > 1])
    read = np.fromiter(digests, np.int64, len(digests))
    for label in np.setdiff1d(labels[read], labels[read][result[read] == TRAIN]):
        holders = [members for members in units if (labels[members] == label).any()]
        if holders:
            result[min(holders, key=len)] = TRAIN
    for part in np.setdiff1d(parts[movable], result[read]):
        sizes = np.bincount(labels[read][result[read] == TRAIN], minlength=labels.max(initial=0) + 1)
        spare = [members for members in units if _can_spare(result[members], labels[members], sizes)]
        if spare:
            result[min(spare, key=lambda members: (result[members[0]] == TEST, len(members)))] = part
    return result


def _place_copies(parts: Parts, labels: Labels, sets: Sequence[list[int]]) -> None:
    """Every set of equal pictures, the largest first, to the side of its first, or where its class has most room.

    Room are the seats that such pictures have been given, by class and part: so they stay in proportion.
    """
    room: Counter[tuple[int, int]] = Counter((int(labels[i]), int(parts[i])) for members in sets for i in members)
    for members in sorted(sets, key=len, reverse=True):
        label, side = int(labels[members[0]]), int(parts[members[0]])
        if room[label, side] < len(members):
            side = max((TRAIN, VALIDATION, TEST), key=lambda part: room[label, part])
        parts[members] = side
        room[label, side] -= len(members)


def _can_spare(parts: Parts, labels: Labels, sizes: NDArray[np.int64]) -> bool:
    """Whether equal pictures may leave their part: the test part, or training where all their classes stay."""
    leaving = np.bincount(labels, minlength=len(sizes))
    return bool(parts[0] == TEST or (parts[0] == TRAIN and (sizes > leaving)[labels].all()))


def _by_group(labels: Labels, groups: NDArray[np.int64], shares: dict[int, float], generator: random.Random) -> Parts:
    """Largest groups first, each to the part whose classes it brings nearest to their share."""
    classes, labels = np.unique(labels, return_inverse=True)
    totals = np.bincount(labels, minlength=len(classes)).astype(np.float64)
    lacking = {part: totals * share for part, share in shares.items()}
    names, groups = np.unique(groups, return_inverse=True)
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(groups))[:-1])
    shuffled = list(range(len(names)))
    generator.shuffle(shuffled)
    shuffled.sort(key=lambda group: -len(members[group]))
    parts = np.zeros(len(labels), np.uint8)
    empty = set(shares)
    for position, group in enumerate(shuffled):
        present, sizes = np.unique(labels[members[group]], return_counts=True)
        last_chance = len(shuffled) - position <= len(empty)
        candidates = sorted(empty) if last_chance else list(shares)
        costs = [
            float(np.sum(sizes * (sizes - 2 * lacking[part][present]) / totals[present] ** 2)) for part in candidates
        ]
        part = candidates[int(np.argmin(costs))]
        parts[members[group]] = part
        lacking[part][present] -= sizes
        empty.discard(part)
    return parts


def _how(groups: NDArray[np.int64] | None, seed: int) -> str:
    if groups is None:
        return f"every class in proportion, seed {seed}"
    return f"by {len(np.unique(groups)):,} whole groups, classes as even as they allow, seed {seed}"


def read_split(path: Path, keys: Sequence[str]) -> Parts:
    """The part of each image from a CSV with the columns file and split (train, validation or val, test)."""
    values = _read_column(path, "split", keys)
    unknown = sorted({value for value in values if value.lower() not in PART_NAMES})
    if unknown:
        raise DataError(f"{path.name}: a split must be train, validation or test, but got {_some(unknown)}")
    return np.array([PART_NAMES[value.lower()] for value in values], np.uint8)


def read_groups(path: Path, keys: Sequence[str]) -> NDArray[np.int64]:
    """A number for the group of each image from a CSV with the columns file and group (any text)."""
    values = _read_column(path, "group", keys)
    if "" in values:
        raise DataError(f"{path.name}: every file must have a group, but {plain(keys[values.index('')])} has none")
    numbers = {value: number for number, value in enumerate(sorted(set(values)))}
    return np.array([numbers[value] for value in values], np.int64)


def _read_column(path: Path, column: str, keys: Sequence[str]) -> list[str]:
    """The column's value for each key; a file must name every image once and nothing else."""
    found: dict[str, str] = {}
    for name, value in _rows(path, column):
        if found.setdefault(name, value) != value:
            both = f"{plain(found[name])} and {plain(value)}"
            raise DataError(f"{path.name}: {plain(name)} is in two {column}s, {both}; keep one line")
    wanted = [_comparable(key) for key in keys]
    unknown = sorted(set(found) - set(wanted))
    missing = [key for key, name in zip(keys, wanted, strict=True) if name not in found]
    faults = []
    if missing:
        faults.append(f"{len(missing):,} images are not in it: {_some(missing)}")
    if unknown:
        faults.append(f"{len(unknown):,} of its files are not in the data: {_some(unknown)}")
    if faults:
        raise DataError(
            f"{path.name} must name every image of the data once, as a path relative to the data folder; "
            + "; ".join(faults)
        )
    return [found[name] for name in wanted]


def _rows(path: Path, column: str) -> list[tuple[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            fields = reader.fieldnames or []
            if "file" not in fields or column not in fields:
                raise DataError(
                    f"{path.name} must begin with a line that names the columns file and {column}, but it begins with "
                    f"{_some(fields) or 'nothing'}"
                )
            return [
                (_comparable(row["file"] or ""), (row[column] or "").strip()) for row in reader if any(row.values())
            ]
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror or error}") from error
    except csv.Error as error:
        raise DataError(f"{path.name} must be a CSV file: {error}") from error


def _some(names: Iterable[str]) -> str:
    return enumerate_some(plain(name) for name in names)


def _comparable(name: str) -> str:
    """One spelling for one file: forward slashes, no leading ./, composed Unicode."""
    return unicodedata.normalize("NFC", name.strip().replace("\\", "/").removeprefix("./"))
