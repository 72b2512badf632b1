"""What a report is made from. This is the whole contract between a run and the pages that show it.

Trials
    `history` holds every trial (`core.history`). Sources: `search`, or any name but these: `baseline`, `rival` (a
    random search beside the search, where one was asked for), `final`, `probe`, `test`. A proposal's `origin` is
    random, start, mutation, crossover, screened (chosen by a score), promotion, baseline or final; trials of no
    epochs were scored, not trained. The facts with topic `test` are readings of the
    test split, counted by their `stage`; the last one may hold `measurements` ({trial: {metric: measurement}}), which
    are then shown as they are.

Artefact files, by trial (`files(trial, name)`; None where a file was not kept)
    curve        JSON: a list with one object an epoch: epoch, train_loss, validation_accuracy, validation_loss,
                 lr, seconds; any but `epoch` may be missing
    layers       JSON: a list of the network's steps: name, op, block, group, address, shape, parameters, macs
                 (as `core.plan.Step`), and `milliseconds` where a step was timed
    validation   .npy, float32 (validation images, classes): probabilities
    test         .npy, float32 (test images, classes): probabilities of the exported network, or of a classic model

Facts (all optional; what is missing is left out of the page)
    command      str: the command line as it was given        resume        str: the command that goes on
    export       str: where the network lies, relative         predict       str: the command that uses it
    seed         int                                           versions      {name: version}
    machine      {name: text}                                  strategy      str
    space        {name, size: int | None, fingerprint}         workers       int
    score        str: what untrained networks were scored by   trains       bool: whether the search trained any
    budget       str, in words (`10 minutes`)                  epochs        [int]: rungs, then the full training
                                                               epoch_images  int
    created      str: a date
    data         {name, images, classes: {label: images}, split: {train, validation, test}, how_split, size,
                 fingerprint, licence, findings: [{severity, message, unnamed: without names of files}]}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.core.history import History, Trial
from netwright.core.measurement import Split
from netwright.core.metrics import QUALITY
from netwright.core.objective import Goal, Objective
from netwright.core.task import TaskSpec
from netwright.core.trial import TrialId

Image = NDArray[np.uint8]

APART = frozenset({"baseline", "rival", "final", "probe", "test"})
"""Sources of trials that are not the search's own."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Which trials stand for what, all by the training whose network would be exported (or the fitted model).

    `handmade`, `linear`, `forest` are baselines; `best_random` is the best final training of a random candidate;
    `finalists` are the trials of the final stage that were trained, and `winner` is the one that is exported.
    """

    handmade: TrialId | None = None
    linear: TrialId | None = None
    forest: TrialId | None = None
    best_random: TrialId | None = None
    finalists: tuple[TrialId, ...] = ()
    winner: TrialId | None = None


@dataclass(frozen=True, slots=True)
class RunView:
    """A run as reports see it.

    `test_labels` are the true classes of the test split, int (test images,), and `test_names` what to call each
    image (a file name relative to the data; empty where there is none). `image(index)` gives test image `index` as
    uint8 (height, width, channels); None leaves images and their names out of the report. `validation_labels` are
    those of the validation split; where there are no test images, all that can be said is said by them.
    """

    history: History
    goal: Goal
    task: TaskSpec
    facts: Mapping[str, Any] = field(default_factory=dict)
    roles: Roles = field(default_factory=Roles)
    files: Callable[[TrialId, str], Path | None] = lambda trial, name: None
    test_labels: NDArray[np.integer[Any]] | None = None
    test_names: Sequence[str] = ()
    validation_labels: NDArray[np.integer[Any]] | None = None
    image: Callable[[int], Image] | None = None

    @property
    def metric(self) -> Objective:
        """What quality means here."""
        return self.goal.quality

    @property
    def costs(self) -> tuple[Objective, ...]:
        """The other objectives; parameters where there is none."""
        others = tuple(objective for objective in self.goal.objectives if objective.metric not in QUALITY)
        return others or (Objective("parameters", "min"),)

    def searched(self) -> list[Trial]:
        """The trials of the search itself, by id; those that copy the answer of an earlier one are none."""
        trials = self.history.trials.values()
        return [trial for trial in trials if trial.source not in APART and trial.reused_from is None]

    @property
    def test_reads(self) -> int:
        """How often the test split was read: once in each final stage."""
        stages = [data.get("stage") for _, topic, data in self.history.notes if topic == "test"]
        return len(set(stages) - {None}) + stages.count(None)

    def trial(self, number: TrialId | None) -> Trial | None:
        """A trial by its id, or None."""
        return None if number is None else self.history.trials.get(number)

    def test_answers(self, number: TrialId | None) -> NDArray[np.float64] | None:
        """Test probabilities of a trial, (test images, classes), or None where it was not tested."""
        return self._answers(number, "test", self.test_labels)

    def validation_answers(self, number: TrialId | None) -> NDArray[np.float64] | None:
        """Validation probabilities of a trial, (validation images, classes), or None where they were not kept."""
        return self._answers(number, "validation", self.validation_labels)

    @property
    def split(self) -> Split:
        """The split that quality is judged on: test, or validation where there are no test images."""
        return "validation" if self.test_labels is None else "test"

    def judged_answers(
        self, number: TrialId | None
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]] | tuple[None, None]:
        """Probabilities of a trial and the true classes on the split that quality is judged on, as far as kept."""
        test = self.split == "test"
        answers = self.test_answers(number) if test else self.validation_answers(number)
        labels = self.test_labels if test else self.validation_labels
        return (None, None) if answers is None or labels is None else (answers, labels.astype(np.int64))

    def _answers(
        self, number: TrialId | None, split: str, labels: NDArray[np.integer[Any]] | None
    ) -> NDArray[np.float64] | None:
        path = None if number is None else self.files(number, split)
        if path is None or labels is None:
            return None
        answers = np.load(path, allow_pickle=False).astype(np.float64)
        fits = answers.ndim == 2 and answers.shape == (len(labels), self.task.outputs)
        return answers if fits else None


def origin_of(history: History, trial: Trial) -> str:
    """How the candidate came to be: the origin at the root of its promotions and final trainings."""
    seen = set()
    while trial.proposal.origin in ("promotion", "final") and trial.proposal.parents and trial.id not in seen:
        seen.add(trial.id)
        parent = history.trials.get(trial.proposal.parents[0])
        if parent is None:
            break
        trial = parent
    return trial.proposal.origin
