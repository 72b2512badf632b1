"""What a person gives from Python, made fit for a search: data as paths, names or arrays, spaces as names or objects."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netwright.core.errors import InputError, SpaceError
from netwright.core.task import TaskSpec
from netwright.data.catalog import arrays_data
from netwright.data.dataset import Dataset
from netwright.experiment.opening import OpenData
from netwright.experiment.run import data_of
from netwright.experiment.settings import ARRAYS, PYTHON_SPACE, Settings
from netwright.spaces.catalog import SpaceMaker
from netwright.spaces.space import Space

PathLike = str | os.PathLike[str]
SpaceLike = str | Space | Callable[[TaskSpec], Space]

LONGEST_NAME = 80
"""How much of the name of the data is kept in the name of a folder."""


@dataclass(frozen=True, slots=True)
class GivenData:
    """Data as they were given: what the settings say of them, and how they are opened.

    `flat` says that they are known to be features and no pictures.
    """

    name: str
    split: str | None
    groups: str | None
    open: OpenData
    flat: bool = False


def given_data(
    data: PathLike | ArrayLike,
    labels: ArrayLike | None,
    split: PathLike | ArrayLike | None,
    groups: PathLike | ArrayLike | None,
) -> GivenData:
    """A path or name with CSV files for split and groups, or arrays with labels. Raises InputError for a mixture."""
    if labels is None:
        return GivenData(
            _text("data", data),
            None if split is None else _text("split", split),
            None if groups is None else _text("groups", groups),
            data_of,
        )
    images = _array("data", data)
    parts = None if split is None else _array("split", split)
    numbers = None if groups is None else _array("groups", groups)

    def open_arrays(settings: Settings, folder: Path, expected: str | None) -> Dataset:
        return arrays_data(
            images,
            labels,
            folder,
            split=parts,
            groups=numbers,
            size=settings.size,
            seed=settings.seed or 0,
            expected=expected,
        )

    return GivenData(ARRAYS, None, None, open_arrays, flat=images.ndim == 2)


def load_data(
    data: PathLike | ArrayLike,
    folder: PathLike | None = None,
    *,
    labels: ArrayLike | None = None,
    split: PathLike | ArrayLike | None = None,
    groups: PathLike | ArrayLike | None = None,
    size: str | int | None = None,
    seed: int = 0,
) -> Dataset:
    """Data as a search sees them: decoded images, labels, split, findings. The arguments are those of `search`.

    They are decoded into `folder`; without one into a temporary folder that lives as long as the result. Raises
    DataError.
    """
    found = given_data(data, labels, split, groups)
    settings = Settings(found.name, split=found.split, groups=found.groups, size=size_text(size), seed=seed)
    if folder is not None:
        return found.open(settings, Path(folder), None)
    place = Path(tempfile.mkdtemp(prefix="netwright-"))
    try:
        dataset = found.open(settings, place, None)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    weakref.finalize(dataset, shutil.rmtree, place, ignore_errors=True)
    return dataset


def space_maker(space: SpaceLike | None) -> SpaceMaker | None:
    """What makes the space for a task, or None for one that is named. Raises SpaceError for what is no space."""
    if space is None or isinstance(space, str):
        return None
    if isinstance(space, Space):
        return lambda task: space
    if not callable(space):
        raise SpaceError(
            "space must be a name, FILE.py:NAME, a Space, or a function of the task that returns one, but got "
            f"{type(space).__name__}"
        )

    def make(task: TaskSpec) -> Space:
        made = space(task)
        if not isinstance(made, Space):
            raise SpaceError(f"the function given as space must return a Space, but it returned {type(made).__name__}")
        return made

    return make


def space_name(space: SpaceLike | None, flat: bool) -> str | None:
    """What the settings say of a space; features are searched in `mlp` unless another one is given."""
    if space is None:
        return "mlp" if flat else None
    return space if isinstance(space, str) else PYTHON_SPACE


def size_text(size: str | int | None) -> str | None:
    """A size of images as the settings hold it."""
    return None if size is None else str(size)


def texts(values: Any) -> tuple[Any, ...] | None:
    """One text or several; what is neither is left to `Settings` to refuse."""
    several = isinstance(values, Iterable) and not isinstance(values, str)
    return None if values is None else tuple(values) if several else (values,)


def new_folder(parent: Path, name: str) -> Path:
    """A new folder in `parent`, named by the date and by the data."""
    known = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(name.replace("\0", "")).resolve().stem)
    kept = known[:LONGEST_NAME].strip("-.") or "run"
    first = f"{datetime.now(UTC).astimezone():%Y-%m-%d}-{kept}"
    number = 1
    while True:
        folder = parent / (first if number == 1 else f"{first}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return folder


def _text(name: str, value: PathLike | ArrayLike) -> str:
    if not isinstance(value, str | os.PathLike):
        hint = "; arrays need labels=… beside them" if name == "data" else ""
        raise InputError(f"{name} must be a path or a name, but got {type(value).__name__}{hint}")
    return os.fspath(value)


def _array(name: str, value: PathLike | ArrayLike) -> NDArray[Any]:
    if isinstance(value, str | os.PathLike):
        raise InputError(f"beside labels=…, {name} must be an array, but got {value!r}; labels are for arrays alone")
    return np.asarray(value)
