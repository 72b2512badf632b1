"""Exporting a trial's network, and deleting what neither report nor export needs."""

from __future__ import annotations

import shutil
from pathlib import Path

from netwright.core.errors import InputError
from netwright.core.history import Trial
from netwright.core.measurement import Measurement
from netwright.core.trial import TrialId
from netwright.data.dataset import Dataset
from netwright.experiment.outcome import outcome
from netwright.experiment.view import view_of
from netwright.export.card import Card
from netwright.export.folder import export
from netwright.ledger.blobs import Blobs
from netwright.ledger.lock import RunLock
from netwright.loop import LARGE_ARTEFACTS
from netwright.reports.comparison import compute_tested
from netwright.reports.verdict import verdict
from netwright.reports.view import RunView
from netwright.spaces.shapes import plan


def export_trial(run: Path, number: TrialId | None = None, target: Path | None = None) -> tuple[Path, TrialId]:
    """Write the network of a trial (the winner, or the best so far) as a folder; give the folder and the trial.

    Raises InputError for a trial that has no network, or whose weights were not kept.
    """
    view = view_of(run, images=False)
    if number is None:
        number = view.roles.winner
    if number is None:
        best = outcome(run)["best"]
        if best is None:
            raise InputError(f"{run.name} has no trained network yet; let the search go on")
        number = int(best["trial"])
    trial = view.trial(number)
    if trial is None or trial.proposal.candidate.architecture is None:
        what = "there is no such trial" if trial is None else "it is a classic model"
        raise InputError(f"a trial to export must be a network of this run; trial {number}: {what}")
    weights = view.files(number, "weights")
    if weights is None:
        raise InputError(
            f"the weights of trial {number} were not kept; those of the finalists and the hand-made network are, and until "
            "`netwright clean` those of the front"
        )
    from safetensors.numpy import load_file

    data = Dataset.open(run / "data")
    folder = export(
        target or run / "export",
        plan=plan(trial.proposal.candidate.architecture, data.task),
        task=data.task,
        weights=load_file(weights),
        decode_settings=data.decode.to_json(),
        card=_card(view, trial, data),
    )
    return folder, number


def _card(view: RunView, trial: Trial, data: Dataset) -> Card:
    tested = compute_tested(view)
    measurements: list[tuple[str, Measurement]] = list(trial.measurements.items())
    measurements += [(view.metric.metric, tested.values[trial.id])] if trial.id in tested.values else []
    judged = verdict(view, tested) if trial.id == view.roles.winner else None
    return Card(
        data=data.name,
        fingerprint=data.fingerprint,
        counts={part: len(data.indices(part)) for part in ("train", "validation", "test")},
        measurements=measurements,
        key=trial.proposal.candidate.key,
        limits=[
            str(limit)
            for limit in view.goal.limits
            if limit.metric in trial.measurements and limit.violation(trial.measurements[limit.metric].value) == 0
        ],
        verdict=judged.headline if judged else "",
        licence=data.licence,
        caveats=judged.remarks if judged else (),
        recipe=trial.proposal.candidate.recipe,
    )


def clean_run(run: Path) -> tuple[int, int]:
    """Delete working files, and weights and checkpoints of trials that no report shows; give bytes and files freed.

    The winner, the finalists and the baselines keep theirs. A run that is cleaned can still go on: trials whose
    checkpoint is gone begin anew when they are promoted. Raises RunLocked while a search works on it.
    """
    with RunLock(run):
        return _clean(run)


def _clean(run: Path) -> tuple[int, int]:
    view = view_of(run, images=False)
    roles = view.roles
    kept_trials = {roles.winner, roles.handmade, roles.linear, roles.forest, *roles.finalists}
    if roles.winner is None:
        best = outcome(run)["best"]
        kept_trials.add(int(best["trial"]) if best else None)
    keep: set[str] = set((view.history.note("test") or {}).get("answers", {}).values())
    for trial in view.history.trials.values():
        wanted = trial.id in kept_trials
        keep.update(blob for name, blob in trial.artefacts.items() if wanted or name not in LARGE_ARTEFACTS)
    blobs = Blobs(run / "blobs")
    freed = files = 0
    for name in list(blobs.hashes()):
        if name not in keep:
            freed += blobs.size(name)
            files += 1
            blobs.delete(name)
    for folder in ("work", "partial"):
        for path in (run / folder).rglob("*"):
            if path.is_file():
                freed += path.stat().st_size
                files += 1
        shutil.rmtree(run / folder, ignore_errors=True)
    return freed, files
