"""A search as a scikit-learn classifier: for pipelines, cross-validation and grids, on images or flat features.

Every `fit` is a search of its own. It keeps a part of the data for validation and none for a test, since testing is
what `cross_val_score` or a split of your own is for. A fitted classifier holds the exported network as bytes: it can be
copied and stored like any other estimator, and needs no folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from netwright.core.errors import InputError, NetwrightError
from netwright.data.catalog import arrays_data
from netwright.data.dataset import Dataset
from netwright.data.decode import prepare_array
from netwright.experiment.run import run_search
from netwright.experiment.settings import ARRAYS, Settings
from netwright.export.predict import Predictor
from netwright.given import SpaceLike, new_folder, space_maker, space_name, texts
from netwright.run import Run

LARGEST_SEED = 2**31 - 1


class NetworkClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Searches for a network, and classifies with the best one.

    X is an array of images, (N, height, width) or (N, height, width, channels), or of features, (N, F); `uint8` is
    taken as it is, everything else is rounded to 256 levels between the least and the greatest value. y holds numbers
    or words, one a sample.

    Args:
        minutes, trials, cpu_seconds: bounds of one `fit`; without any of them it takes ten minutes.
        epochs: length of a full training; by data and budget.
        space: name, `"FILE.py:NAME"`, Space, or function of the task; `"mlp"` for features, `"chain"` for images.
        strategy, objectives, limits, precision: as of `netwright.search`.
        validation: the share of the data by which networks are chosen.
        executor, workers: `"local"`, a process a trial, or `"inline"`, all in this process.
        random_state: an int makes a fit repeatable where time plays no part: bounded by `trials` alone, with
            `precision="fp32"` and the inline executor.
        folder: where run folders are kept, a new one for each fit; None keeps none.
        verbose: show the search in the terminal.

    Attributes:
        classes_: the classes, in the order of `predict_proba`.
        n_features_in_: the second dimension of X, as everywhere in scikit-learn: of images that is their height.
        shape_: the shape of one sample.
        verdict_: how good the network is, and how it stands against a hand-made network, a forest and a linear model.
        trials_: a DataFrame, a row a trial.
        best_: the chosen network with its measurements.
        run_: the run, where `folder` was given; else None.
    """

    def __init__(
        self,
        *,
        minutes: float | None = None,
        trials: int | None = None,
        cpu_seconds: float | None = None,
        epochs: int | None = None,
        space: SpaceLike | None = None,
        strategy: str | None = None,
        objectives: str | Sequence[str] | None = None,
        limits: str | Sequence[str] | None = None,
        validation: float = 0.15,
        executor: str = "local",
        workers: int | None = None,
        precision: str | None = None,
        random_state: int | np.random.RandomState | None = None,
        folder: str | os.PathLike[str] | None = None,
        verbose: bool = False,
    ) -> None:
        self.minutes = minutes
        self.trials = trials
        self.cpu_seconds = cpu_seconds
        self.epochs = epochs
        self.space = space
        self.strategy = strategy
        self.objectives = objectives
        self.limits = limits
        self.validation = validation
        self.executor = executor
        self.workers = workers
        self.precision = precision
        self.random_state = random_state
        self.folder = folder
        self.verbose = verbose

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:  # noqa: N803
        """Search, train and choose. Raises ValueError for data that do not fit, NetwrightError when no network was found.

        Raises KeyboardInterrupt when Ctrl-C stopped the search.
        """
        if not 0 < self.validation < 1:
            raise InputError(f"validation must be a share between 0 and 1, but got {self.validation!r}")
        images, y = validate_data(self, X, y, allow_nd=True, ensure_min_samples=2)
        check_classification_targets(y)
        classes, labels = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(f"there must be at least 2 classes, but y holds one class, {classes[0]!r}, alone")
        seed = int(check_random_state(self.random_state).randint(LARGEST_SEED))
        with self._run_folder() as place:
            self._search(images, labels, [str(value) for value in classes.tolist()], seed, place)
            run = Run(place)
            if run.export is None or run.best is None:
                reason = run.trials.reason.replace("", np.nan).dropna()
                raise NetwrightError(
                    "no network was found; give more trials or time"
                    + (f". The last trial that failed: {reason.iloc[-1]}" if len(reason) else "")
                )
            files = {path.name: path.read_bytes() for path in run.export.iterdir()}
            verdict, trials, best = run.verdict, run.trials, run.best
        self.classes_, self.shape_, self.files_ = classes, images.shape[1:], files
        self.verdict_, self.trials_, self.best_ = verdict, trials, best
        self.run_ = None if self.folder is None else run
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """The likeliest class of each sample, (N,)."""
        best = self.predict_proba(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[best]
        return labels

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """The probability of each class for each sample, (N, classes)."""
        check_is_fitted(self, "files_")
        images = validate_data(self, X, reset=False, allow_nd=True)
        if images.shape[1:] != self.shape_:
            raise ValueError(f"samples must have the shape {self.shape_}, as in fit, but got {images.shape[1:]}")
        predictor = Predictor(self.files_)
        answers = predictor.probabilities(prepare_array(images, predictor.settings)).astype(np.float64)
        normalised: NDArray[np.float64] = answers / answers.sum(axis=1, keepdims=True)
        return normalised

    def export(self, folder: str | os.PathLike[str]) -> Path:
        """Write the network as a folder that runs without netwright, and give the folder, which must be new."""
        check_is_fitted(self, "files_")
        place = Path(folder)
        try:
            place.mkdir(parents=True)
        except FileExistsError as error:
            raise InputError(f"an export needs a new folder, but {place} is there; choose another one") from error
        for name, content in self.files_.items():
            (place / name).write_bytes(content)
        return place

    def __sklearn_tags__(self) -> Tags:
        """Images are taken as well as features; what time decides is not repeatable."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        timed = self.minutes is not None or self.cpu_seconds is not None or self.trials is None
        tags.non_deterministic = timed or self.executor != "inline" or self.precision in (None, "auto")
        return tags

    @contextmanager
    def _run_folder(self) -> Iterator[Path]:
        if self.folder is None:
            with TemporaryDirectory(prefix="netwright-") as place:
                yield Path(place)
        else:
            yield new_folder(Path(self.folder), "fit")

    def _search(
        self, images: NDArray[Any], labels: NDArray[np.int64], names: Sequence[str], seed: int, place: Path
    ) -> None:
        def open_it(settings: Settings, folder: Path, expected: str | None) -> Dataset:
            shares = (self.validation, 0.0)
            return arrays_data(images, labels, folder, classes=names, seed=seed, shares=shares, expected=expected)

        settings = Settings(
            data=ARRAYS,
            minutes=self.minutes,
            trials=self.trials,
            cpu_seconds=self.cpu_seconds,
            epochs=self.epochs,
            strategy=self.strategy,
            space=space_name(self.space, images.ndim == 2),
            workers=self.workers,
            objectives=texts(self.objectives),
            limits=texts(self.limits),
            executor=self.executor,
            precision=self.precision,
            seed=seed,
        )
        ended = run_search(
            settings,
            place,
            open_it,
            make_space=space_maker(self.space),
            quiet=not self.verbose,
            page=self.folder is not None,
        )
        if ended.interrupted:
            raise KeyboardInterrupt
