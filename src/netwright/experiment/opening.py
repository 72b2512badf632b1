"""Opening a run folder: who may write it, what it is about, and whether that is still so.

The order is chosen so that a wrong option or a changed file is refused before anything is recorded, and so that a
folder that cannot be written is refused at the start and not after an hour.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from netwright.budget import Stopwatch
from netwright.core.candidate import Candidate
from netwright.core.errors import InputError, RunChanged
from netwright.core.events import Clock, Noted
from netwright.core.files import storing, write_text
from netwright.core.objective import Goal
from netwright.core.own import is_file
from netwright.core.task import TaskSpec
from netwright.core.text import public
from netwright.data.dataset import Dataset
from netwright.evaluation import work
from netwright.executors import Executor, InlineExecutor, LocalExecutor
from netwright.executors.local import PRELOAD
from netwright.experiment.settings import PYTHON_SPACE, Settings, available_cores, resume
from netwright.hardware.device import device_card
from netwright.ledger.base import Ledger
from netwright.ledger.blobs import Blobs
from netwright.ledger.filesystem import probe_writable
from netwright.ledger.lock import LOCK_NAME, RunLock
from netwright.ledger.sqlite import SqliteLedger
from netwright.spaces.catalog import SpaceMaker, find_space
from netwright.spaces.catalog import make_space as catalog_space
from netwright.spaces.space import Space
from netwright.strategies import Strategy, find_strategy, parts_of

LEDGER_FILE = "ledger.sqlite"
RUN_FILE = "run.toml"
TRAINING = "netwright.evaluation.trained"
"""Imported once, before workers are forked from there."""
LIBRARIES = ("torch", "numpy", "scikit-learn", "onnxruntime")

OpenData = Callable[[Settings, Path, str | None], Dataset]
"""Opens the data of settings in a folder; with a fingerprint, refuses any other data and leaves the folder alone."""


@dataclass(slots=True)
class Opened:
    """A run folder that this process may write, and everything that was found or decided about it."""

    folder: Path
    settings: Settings
    goal: Goal
    data: Dataset
    space: Space
    reference: Candidate
    strategy: type[Strategy]
    ledger: Ledger
    blobs: Blobs
    executor: Executor
    stopwatch: Stopwatch
    facts: list[Noted]
    resumed: bool
    purpose: str

    def fact(self, topic: str) -> Mapping[str, Any] | None:
        """The latest fact of a topic, or None."""
        return next((fact.data for fact in reversed(self.facts) if fact.topic == topic), None)

    def note(self, topic: str, data: Mapping[str, Any]) -> None:
        """Record a fact of the run."""
        fact = Noted(topic, data)
        self.ledger.append([fact])
        self.facts.append(fact)


def open_run(
    given: Settings,
    folder: Path,
    open_data: OpenData,
    stack: ExitStack,
    *,
    make_space: SpaceMaker | None,
    allow_changed: bool,
    head_start: float,
    purpose: str = "search",
) -> Opened:
    """Open or make a run folder; `stack` closes what is opened. `purpose` is the command that it belongs to.

    `head_start` are seconds this driver had already used; what passes here, decoding above all, is added to them.
    Raises InputError for a folder of something else, RunLocked, RunChanged, RunVersion, RunCorrupt, StorageError,
    DataError, SpaceError; each says what to do.
    """
    began = time.monotonic()
    _refuse_other_folders(folder)
    probe_writable(folder)
    stack.enter_context(RunLock(folder))
    ledger = stack.enter_context(SqliteLedger(folder / LEDGER_FILE))
    facts = [stored.event for stored in ledger.facts() if isinstance(stored.event, Noted)]
    latest = {fact.topic: fact.data for fact in facts}
    settings = given.complete()
    _refuse_another_purpose(folder, latest, purpose)
    if "settings" in latest:
        settings = resume(Settings.from_json(latest["settings"]), given, allow_changed=allow_changed).complete()
    before = latest.get("about", {})
    # Wrong names are said before anything is decoded.
    make_space = make_space or _named_space(settings, anew=given.space is not None)
    strategy = _named_strategy(settings, anew=given.strategy is not None)
    data = open_data(settings, folder / "data", None if allow_changed else before.get("data"))
    space = make_space(data.task)
    about = {"data": data.fingerprint, "space": space.fingerprint}
    if not allow_changed:
        _refuse_changed_space(space, before)
    blobs = _swept(folder, other=bool(before) and about != before)
    executor = _executor(settings, folder)
    stack.callback(executor.close)
    earlier = _seconds_so_far(ledger) if facts else 0.0
    opened = Opened(
        folder=folder,
        settings=settings,
        goal=settings.goal,
        data=data,
        space=space,
        reference=space.reference or _reference(data),
        strategy=strategy,
        ledger=ledger,
        blobs=blobs,
        executor=executor,
        stopwatch=Stopwatch(earlier, head_start + time.monotonic() - began),
        facts=facts,
        resumed="settings" in latest,
        purpose=purpose,
    )
    _record(opened, latest, about)
    return opened


def _refuse_changed_space(space: Space, before: Mapping[str, Any]) -> None:
    if before.get("space", space.fingerprint) != space.fingerprint:
        raise RunChanged(
            f"a run that goes on must keep its space, but {space.name} has changed since the run began. Restore it, "
            "choose another --out, or add --allow-changed: then old and new trials stand side by side."
        )


def _swept(folder: Path, *, other: bool) -> Blobs:
    """The blobs of a run, with what a killed driver left cleared away; trainings under way too, where data or space are
    `other` ones now."""
    blobs = Blobs(folder / "blobs")
    blobs.sweep()
    shutil.rmtree(folder / "work", ignore_errors=True)
    if other:
        shutil.rmtree(folder / "partial", ignore_errors=True)
    return blobs


def _executor(settings: Settings, folder: Path) -> Executor:
    if settings.executor == "inline":
        return InlineExecutor(work)
    return LocalExecutor(work, workers=settings.workers or 1, logs_folder=folder / "logs", preload=(*PRELOAD, TRAINING))


def _record(opened: Opened, latest: Mapping[str, Mapping[str, Any]], about: Mapping[str, str]) -> None:
    """Note what this driver is about, as far as that is new, in the ledger and for people to read."""
    settings = opened.settings
    for topic, fact in (("purpose", {"command": opened.purpose}), ("settings", settings.to_json()), ("about", about)):
        if latest.get(topic) != fact:
            opened.note(topic, fact)
    opened.note("driver", _driver())
    with storing(f"{opened.folder / RUN_FILE}"):
        write_text(opened.folder / RUN_FILE, _run_toml(settings, about))


def _refuse_other_folders(folder: Path) -> None:
    """A run keeps to a folder of its own; what is hidden, and the lock of a driver that came no further, is no matter."""
    if (folder / LEDGER_FILE).exists() or not folder.is_dir() or not os.access(folder, os.R_OK):
        return
    if any(entry.name != LOCK_NAME and not entry.name.startswith(".") for entry in folder.iterdir()):
        raise InputError(
            f"a run must have a folder of its own, but {folder} holds other files and no {LEDGER_FILE}; choose another "
            "--out"
        )


def _refuse_another_purpose(folder: Path, latest: Mapping[str, Mapping[str, Any]], purpose: str) -> None:
    """A folder goes on with the command that it began with; one that names none began with a search."""
    if "settings" in latest and (began := latest.get("purpose", {}).get("command", "search")) != purpose:
        raise RunChanged(
            f"a run folder goes on with the command that it began with, netwright {began}, but {folder} was given to "
            f"netwright {purpose}; choose another --out"
        )


def _seconds_so_far(ledger: Ledger) -> float:
    """What earlier drivers used. The whole ledger is read, so that a damaged one is refused before it is added to."""
    seconds = 0.0
    for stored in ledger.replay():
        if isinstance(stored.event, Clock):
            seconds = stored.event.seconds
    return seconds


def _named_space(settings: Settings, *, anew: bool) -> SpaceMaker:
    """The space of the settings. A file is run only where it was named `anew`: what a run folder names is data."""
    name = settings.space or ""
    if name == PYTHON_SPACE:
        return _space_from_python
    if is_file(name) and not anew:
        raise RunChanged(
            "the space of this run is in a file of Python, which is run only when it is named; to go on, add "
            f"--space {shlex.quote(name)}"
        )
    return find_space(name)


def _named_strategy(settings: Settings, *, anew: bool) -> type[Strategy]:
    """The strategy of the settings, under the same rule."""
    name, _ = parts_of(settings.strategy or "")
    if is_file(name) and not anew:
        raise RunChanged(
            "the strategy of this run is in a file of Python, which is run only when it is named; to go on, add "
            f"--strategy {shlex.quote(settings.strategy or '')}"
        )
    found = find_strategy(name)
    if is_file(name) and not found.trains:
        raise InputError(
            f"a strategy in a file must train its candidates (trains = True), but {found.__name__} does not"
        )
    return found


def _space_from_python(task: TaskSpec) -> Space:
    raise RunChanged(
        "the space of this run was given from Python and is not stored with it; go on from Python with the same "
        "space: nw.search(…, space=…)"
    )


def _reference(data: Dataset) -> Candidate:
    """The hand-made network for spaces that bring none."""
    name = "mlp" if data.decode.flat else "chain"
    reference = catalog_space(name, data.task).reference
    if reference is None:
        raise TypeError(f"the {name} space must have a reference network")
    return reference


def _driver() -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "process": os.getpid(),
        "netwright": metadata.version("netwright"),
        "python": platform.python_version(),
        "libraries": versions(LIBRARIES),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": device_card()["cpu"],
        "cores": available_cores(),
    }


def versions(names: Sequence[str]) -> dict[str, str]:
    """Versions of installed distributions; one that goes by another name (onnxruntime-gpu) is left out."""
    found = {}
    for name in names:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _run_toml(settings: Settings, about: Mapping[str, str]) -> str:
    """The settings for people to read; the ledger holds what counts."""
    lines = ["# What this run was asked for. Written for reading; the ledger holds what counts.", "", "[search]"]
    for name, value in settings.to_json().items():
        if value is not None:
            lines.append(f"{name} = {_toml(value)}")
    lines += ["", "[fingerprints]", *(f"{name} = {_toml(value)}" for name, value in about.items()), ""]
    return "\n".join(lines)


def _toml(value: Any) -> str:
    import json

    return public(json.dumps(value, ensure_ascii=False))
