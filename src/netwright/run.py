"""Searching from Python: start a run or go on with it, and read everything that it holds.

A `Run` is a folder and nothing else: every answer is read from what the folder holds now, also while another process
searches there. Nothing in it is ever unpickled.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netwright.core.candidate import Candidate
from netwright.core.errors import DataError, InputError
from netwright.core.history import History, Trial
from netwright.core.measurement import Measurement
from netwright.core.metrics import METRICS
from netwright.core.trial import TrialId
from netwright.data.dataset import Dataset
from netwright.data.decode import prepare_array
from netwright.experiment.outcome import LEDGER_FILE, Standing, measured_side_by_side
from netwright.experiment.run import run_search
from netwright.experiment.settings import Settings
from netwright.experiment.words import status_of
from netwright.export.predict import Predictor
from netwright.given import PathLike, SpaceLike, given_data, new_folder, size_text, space_maker, space_name, texts
from netwright.ledger.sqlite import read
from netwright.reports.words import measured, title

if TYPE_CHECKING:
    import pandas

RUNS = Path("runs")
"""Where a search without `out` makes its folder."""


@dataclass(frozen=True, slots=True, repr=False)
class Network:
    """A trained network of a run.

    `key` is that of its architecture; `measurements` are by name, those on the test split begin with `test_`.
    """

    trial: TrialId
    key: str
    measurements: Mapping[str, Measurement]
    candidate: Candidate

    def __repr__(self) -> str:
        said = [
            f"{title(name)} {measured(name, measurement)}"
            for name, measurement in self.measurements.items()
            if name in ("accuracy", "parameters", "latency")
        ]
        return f"<network of trial {self.trial}: {', '.join(said)}>"


class Run:
    """The run in `folder`. Raises InputError when that is not the folder of a run."""

    def __init__(self, folder: PathLike) -> None:
        self.folder = Path(folder)
        if not (self.folder / LEDGER_FILE).exists():
            raise InputError(
                f"{folder} is not the folder of a run (it holds no {LEDGER_FILE}); give the out of a search"
            )
        self._history = History()
        self._position = 0

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    def __str__(self) -> str:
        return "\n".join(status_of(self.folder)[1])

    def __reduce__(self) -> tuple[type[Run], tuple[Path]]:
        """A copy, also in another process, is the same folder."""
        return Run, (self.folder,)

    @property
    def best(self) -> Network | None:
        """The network that was exported, or the best trial so far; None before any has finished."""
        history = self._read()
        standing = Standing.of(history)
        return None if standing.winner is None else _network(standing, history.trials[standing.winner])

    @property
    def front(self) -> list[Network]:
        """The networks that no other one beats in every objective, best first objective first."""
        history = self._read()
        standing = Standing.of(history)
        return [_network(standing, history.trials[trial]) for trial in standing.front]

    @property
    def trials(self) -> pandas.DataFrame:
        """A row a trial: id, source, origin, status, reason, parents, epochs, key, a column a measurement, seconds."""
        return trials_table(self._read().trials.values())

    @property
    def verdict(self) -> str:
        """How good the network is and whether the search was worth it, in words."""
        return Standing.of(self._read()).verdict

    @property
    def report(self) -> Path | None:
        """The page that shows it all; None before it is written."""
        return _existing(self.folder / "report.html")

    @property
    def export(self) -> Path | None:
        """The folder with the network, which runs without netwright; None before it is written."""
        return _existing(self.folder / "export")

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, in the order of `predict_proba`."""
        return Dataset.open(self.folder / "data").task.labels

    def predict(self, images: ArrayLike | PathLike | Sequence[PathLike]) -> NDArray[np.str_]:
        """The likeliest class of each image, by name, (N,). See `predict_proba`."""
        names: NDArray[np.str_] = np.array(self.labels)[self.predict_proba(images).argmax(axis=1)]
        return names

    def predict_proba(self, images: ArrayLike | PathLike | Sequence[PathLike]) -> NDArray[np.float32]:
        """The probability of each class for each image, (N, classes), by the exported network.

        `images` are arrays of the kind the search was given, (N, height, width), (N, height, width, channels) or
        (N, features), or paths of pictures, of folders of them (sorted), of `.npy` or `.npz` files. Raises InputError
        before there is a network, DataError for an image that cannot be read, ValueError for arrays that do not fit.
        """
        if self.export is None:
            raise InputError(f"{self.folder} has no exported network yet; let the search end")
        predictor = Predictor(self.export)
        paths = _paths(images)
        if paths is None:
            return predictor.probabilities(prepare_array(np.asarray(images), predictor.settings))
        rows = []
        for answer in predictor.predict(paths):
            if answer.probabilities is None:
                raise DataError(f"every image must be readable, but {answer.file} is not: {answer.error}; leave it out")
            rows.append(answer.probabilities)
        return np.array(rows, np.float32).reshape(len(rows), len(predictor.labels))

    def _read(self) -> History:
        """The history, with what was recorded since it was last read."""
        for stored in read(self.folder / LEDGER_FILE, after=self._position):
            self._history.add(stored)
            self._position = stored.position
        measured_side_by_side(self._history)
        return self._history


def search(
    data: PathLike | ArrayLike,
    *,
    labels: ArrayLike | None = None,
    out: PathLike | None = None,
    minutes: float | None = None,
    trials: int | None = None,
    cpu_seconds: float | None = None,
    epochs: int | None = None,
    strategy: str | None = None,
    space: SpaceLike | None = None,
    workers: int | None = None,
    objectives: str | Sequence[str] | None = None,
    limits: str | Sequence[str] | None = None,
    split: PathLike | ArrayLike | None = None,
    groups: PathLike | ArrayLike | None = None,
    size: str | int | None = None,
    rival: str | None = None,
    screen: str | None = None,
    executor: str | None = None,
    precision: str | None = None,
    stop: str | None = None,
    seed: int | None = None,
    images: bool | None = None,
    inherit: bool | None = None,
    allow_changed: bool = False,
    verbose: bool = True,
) -> Run:
    """Search for a network, train the best ones to the end, test and export the winner, write the report.

    `data` is a path or a name, as on the command line, or an array of images (N, height, width[, channels]) or of
    features (N, F) with `labels` (N,). `out` is the run folder; the same call on the same folder goes on, and bounds
    are totals for the folder. Without `out` a new folder is made in `runs/`. Without `minutes`, `trials` or
    `cpu_seconds` a search takes ten minutes. `space` is a name, `"FILE.py:NAME"`, a Space, or a function of the task
    that returns one. `split` and `groups` are CSV files for a path; for arrays, 0 (train), 1 (validation) or 2 (test)
    an image, and any value an image. `images=False` keeps images out of the report, `verbose=False` keeps the
    terminal still. Everything else is as on the command line.

    Works in notebooks and in plain scripts: workers never import the caller's program, so no
    `if __name__ == "__main__"` is needed. Raises the errors of `netwright.core.errors`, KeyboardInterrupt when Ctrl-C
    stopped the search (what was done is kept; the same call goes on).
    """
    found = given_data(data, labels, split, groups)
    make_space = space_maker(space)
    settings = Settings(
        data=found.name,
        minutes=minutes,
        trials=trials,
        cpu_seconds=cpu_seconds,
        epochs=epochs,
        strategy=strategy,
        space=space_name(space, found.flat),
        workers=workers,
        objectives=texts(objectives),
        limits=texts(limits),
        size=size_text(size),
        split=found.split,
        groups=found.groups,
        rival=rival,
        screen=screen,
        executor=executor,
        precision=precision,
        stop=stop,
        seed=seed,
        images=images,
        inherit=inherit,
    )
    folder = new_folder(RUNS, found.name) if out is None else Path(out)
    try:
        ended = run_search(
            settings, folder, found.open, make_space=make_space, allow_changed=allow_changed, quiet=not verbose
        )
    except InputError:
        if out is None:  # refused before anything was trained
            shutil.rmtree(folder, ignore_errors=True)
        raise
    if ended.interrupted:
        raise KeyboardInterrupt(f"the search was stopped; the same call with out={str(folder)!r} goes on")
    return Run(folder)


def open_run(folder: PathLike) -> Run:
    """The run in a folder, ended or still running, by whatever means it was started. Raises InputError."""
    return Run(folder)


def trials_table(trials: Iterable[Trial]) -> pandas.DataFrame:
    """Trials as a table: id, source, origin, status, reason, parents, epochs, key, a column a measurement, seconds.

    Where weights were inherited, `ancestor_epochs` says how long they had been trained before.
    """
    import pandas

    rows = list(trials)
    columns: dict[str, list[Any]] = {
        "id": [trial.id for trial in rows],
        "source": [trial.source for trial in rows],
        "origin": [trial.proposal.origin for trial in rows],
        "status": [trial.status for trial in rows],
        "reason": [trial.reason for trial in rows],
        "parents": [trial.proposal.parents for trial in rows],
        "epochs": [trial.proposal.fidelity.epochs for trial in rows],
        "key": [trial.proposal.candidate.key for trial in rows],
    }
    ancestors = [trial.notes.get("ancestor_epochs", 0) for trial in rows]
    if any(ancestors):
        columns["ancestor_epochs"] = ancestors
    for name in METRICS:
        known = [trial.measurements.get(name) for trial in rows]
        if any(measurement is not None for measurement in known):
            columns[name] = [np.nan if measurement is None else measurement.value for measurement in known]
    columns["seconds"] = [trial.seconds for trial in rows]
    return pandas.DataFrame(columns)


def _paths(images: ArrayLike | PathLike | Sequence[PathLike]) -> list[PathLike] | None:
    """The paths, or None for an array."""
    if isinstance(images, str | os.PathLike):
        return [images]
    if isinstance(images, Sequence) and images and all(isinstance(image, str | os.PathLike) for image in images):
        return list(images)
    return None


def _network(standing: Standing, trial: Trial) -> Network:
    candidate = trial.proposal.candidate
    return Network(trial.id, candidate.key, standing.measurements(trial), candidate)


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None
