"""A run folder as reports see it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from netwright.core.errors import RunError
from netwright.core.history import History, Trial
from netwright.core.trial import FINISHED, TrialId
from netwright.data.dataset import RECORD, Dataset
from netwright.experiment.ladder import Ladder
from netwright.experiment.outcome import goal_of, is_fidelity, measured_side_by_side, read_history
from netwright.experiment.settings import ARRAYS, PYTHON_SPACE, Settings
from netwright.ledger.blobs import Blobs
from netwright.reports.view import Roles, RunView, origin_of


def view_of(folder: Path, *, images: bool | None = None) -> RunView:
    """Everything a report may show of a run, as far as it has come. `images` overrides the run's own setting.

    Raises RunError before the data are decoded, and for a run of `netwright fidelity`: a report is about a search.
    """
    history = read_history(folder)
    if is_fidelity(history):
        raise RunError(f"{folder} holds no search but a fidelity report; to read it: netwright status {folder}")
    settings = Settings.from_json(history.note("settings") or {"data": ""})
    if not (folder / "data" / RECORD).exists():
        raise RunError(f"{folder} is the folder of a run that has not decoded its data yet; start the search again")
    data = Dataset.open(folder / "data")
    blobs = Blobs(folder / "blobs")
    answers: Mapping[str, str] = (history.note("test") or {}).get("answers", {})

    def files(trial: TrialId, name: str) -> Path | None:
        known = history.trials.get(trial)
        blob = answers.get(str(trial)) if name == "test" else known.artefacts.get(name) if known else None
        return blobs.get(blob) if blob is not None and blob in blobs else None

    test = data.indices("test")
    labels = np.asarray(data.labels)
    pictures = data.task.inputs[0] in (1, 3) and not data.decode.flat
    with_images = pictures and len(test) > 0 and (settings.images if images is None else images)
    measured_side_by_side(history)
    return RunView(
        history=history,
        goal=goal_of(history),
        task=data.task,
        facts=_facts(folder, history, settings, data),
        roles=roles_of(history),
        files=files,
        test_labels=labels[test] if len(test) else None,
        validation_labels=labels[data.indices("validation")],
        test_names=[data.files[i] for i in test] if with_images else (),
        image=(lambda index: np.asarray(data.images[test[index]])) if with_images else None,
    )


def roles_of(history: History) -> Roles:
    """Which trial stands for what: baselines by their note, finalists as far as they were trained."""
    baseline = {
        str(trial.proposal.notes.get("role")): trial.id
        for trial in history.trials.values()
        if trial.source == "baseline" and trial.status == "completed"
    }
    measured = history.note("measured")
    finals = [
        trial
        for trial in history.trials.values()
        if trial.source == "final" and trial.status in FINISHED and trial.reused_from is None
    ]
    return Roles(
        handmade=baseline.get("handmade"),
        linear=baseline.get("linear"),
        forest=baseline.get("forest"),
        best_random=_best_random(history, finals),
        finalists=tuple(trial.id for trial in finals),
        winner=measured["winner"] if measured is not None and measured["winner"] in history.trials else None,
    )


def _best_random(history: History, finals: Sequence[Trial]) -> TrialId | None:
    """The best final training, by validation, of a random candidate: of the rival's where one ran, else of any."""
    goal, rival = goal_of(history), any(trial.source == "rival" for trial in history.trials.values())

    def drawn(trial: Trial) -> bool:
        if not rival:
            return trial.proposal.notes.get("role") == "random" or origin_of(history, trial) == "random"
        parent = history.trials.get(trial.proposal.parents[0]) if trial.proposal.parents else None
        return parent is not None and parent.source == "rival"

    found = [
        (goal.violation(trial.measurements), cost, trial.id)
        for trial in finals
        if (cost := goal.quality.cost(trial.measurements)) is not None and drawn(trial)
    ]
    return min(found)[2] if found else None


def _facts(folder: Path, history: History, settings: Settings, data: Dataset) -> dict[str, Any]:
    driver, about, ladder = history.note("driver"), history.note("about"), history.note("ladder")
    space = history.note("space") or {}
    steps = Ladder.from_json(ladder) if ladder else None
    bounds = {name: getattr(settings, name) for name in ("minutes", "trials", "cpu_seconds")}
    more = replace(settings, **{name: 2 * bound for name, bound in bounds.items() if bound is not None})
    facts: dict[str, Any] = {
        "command": command(settings, folder),
        "resume": command(more, folder),
        "predict": f"netwright predict {shlex.quote(_shown(folder))} image.jpg a_folder/ --csv answers.csv",
        "export": "export",
        "seed": settings.seed,
        "strategy": strategy_in_words(settings),
        "score": settings.score,
        "trains": settings.trains,
        "workers": settings.workers,
        "budget": budget_in_words(settings),
        "space": {**space, "fingerprint": (about or {}).get("space", "")},
        "data": data_facts(data),
    }
    if steps is not None:
        facts["epochs"] = [*steps.rungs, steps.epochs]
        facts["epoch_images"] = steps.epoch_images
    if driver is not None:
        facts["versions"] = {
            "netwright": driver["netwright"],
            "python": driver["python"],
            **driver["libraries"],
        }
        facts["machine"] = {"system": driver["system"], "cores": str(driver["cores"]), "processor": driver["processor"]}
    first = next((at for at, topic, _ in history.notes if topic == "driver"), None)
    if first is not None:
        facts["created"] = datetime.fromtimestamp(first, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
    return facts


def data_facts(data: Dataset) -> dict[str, Any]:
    """What reports and the terminal say about a data set."""
    channels, height, width = data.task.inputs
    counts = data.class_counts()
    return {
        "name": data.name,
        "images": len(data),
        "classes": {label: int(count) for label, count in zip(data.task.labels, counts, strict=True)},
        "split": {part: len(data.indices(part)) for part in ("train", "validation", "test")},
        "how_split": data.how_split,
        "size": [height, width, channels],
        "fingerprint": data.fingerprint,
        "licence": data.licence,
        "findings": [
            {"severity": f.severity, "message": f.message, "unnamed": f"{f.kind}; {f.fix}" if f.files else f.message}
            for f in data.findings
        ],
    }


def strategy_in_words(settings: Settings) -> str:
    """The strategy, the score that it goes by, and whether children inherit."""
    words = [_shown(settings.strategy or "")]
    if settings.score is not None:
        words.append(f"{'screened by' if settings.trains else 'by'} {settings.score}")
    if settings.inherit:
        words.append("weights inherited")
    return ", ".join(words)


def budget_in_words(settings: Settings) -> str:
    """`10 minutes`, `30 trials` …"""
    bounds = []
    if settings.minutes is not None:
        bounds.append(f"{settings.minutes:g} minutes")
    if settings.cpu_seconds is not None:
        bounds.append(f"{settings.cpu_seconds:g} CPU seconds")
    if settings.trials is not None:
        bounds.append(f"{settings.trials} trials")
    return " and ".join(bounds)


def command(settings: Settings, folder: Path) -> str:
    """The command line that gives these settings, or the call from Python; absolute paths by their last name alone."""
    if settings.data == ARRAYS or settings.space == PYTHON_SPACE:
        return _python_call(settings, folder)
    parts = ["netwright", "search", _shown(settings.data)]
    for option, value in _given(settings).items():
        parts.append(f"--{option.replace('_', '-')}")
        if value is not True:
            parts.append(f"{value:g}" if isinstance(value, float) else str(value))
    for option, values in (("objective", settings.objectives), ("limit", settings.limits)):
        for value in values or ():
            parts += [f"--{option}", value]
    return shlex.join([*parts, "--out", _shown(folder)])


def _python_call(settings: Settings, folder: Path) -> str:
    """The call that gives these settings, for data or a space that exist in Python alone."""
    arguments = ["images, labels=labels" if settings.data == ARRAYS else repr(_shown(settings.data))]
    for option, value in _given(settings).items():
        arguments.append(f"{option}={'space' if value == PYTHON_SPACE else repr(value)}")
    arguments += [f"{name}={list(said)!r}" for name in ("objectives", "limits") if (said := getattr(settings, name))]
    return f"nw.search({', '.join(arguments)}, out={_shown(folder)!r})"


def _given(settings: Settings) -> dict[str, Any]:
    """The options that have one value, as far as they were given."""
    record = settings.to_json()
    names = ("minutes", "trials", "cpu_seconds", "epochs", "strategy", "space", "size", "rival", "screen", "seed")
    given = {name: record[name] for name in names if record[name] is not None}
    given |= {
        name: _shown(record[name]) for name in ("strategy", "space", "split", "groups") if record[name] is not None
    }
    defaults = Settings(settings.data).complete().to_json()
    return given | {
        name: record[name]
        for name in ("precision", "executor", "inherit")
        if record[name] not in (None, defaults[name])
    }


def _shown(path: str | Path) -> str:
    """A path as it was typed; an absolute one by its last name, so that no page tells how a machine is laid out."""
    path = Path(path)
    return path.name if path.is_absolute() else str(path)
