"""Every number of the report, computed once: the page draws this and `report.json` is this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from netwright.core.measurement import Measurement
from netwright.core.text import plain, public
from netwright.core.trial import TrialId
from netwright.reports import words
from netwright.reports.answers import (
    Calibration,
    Confusion,
    Epoch,
    Mistake,
    compute_calibration,
    compute_confusion,
    compute_curve,
    compute_mistakes,
)
from netwright.reports.comparison import Tested, compute_tested, compute_validated, worker_seconds
from netwright.reports.figures import Reference
from netwright.reports.importance import Importance, compute_importance
from netwright.reports.network import Block, compute_blocks, compute_differences
from netwright.reports.promoted import PromotedRow, compute_promoted
from netwright.reports.scores import Scores, compute_scores
from netwright.reports.tables import (
    BestSoFar,
    CandidateRow,
    FailureRow,
    Timeline,
    TimeRow,
    TrialRow,
    compute_best_so_far,
    compute_candidates,
    compute_failures,
    compute_time,
    compute_timeline,
    compute_trials,
)
from netwright.reports.verdict import Verdict, verdict
from netwright.reports.view import RunView

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Story:
    """What a report tells, in its order. `shown` is the trial whose network and answers are shown first."""

    view: RunView
    facts: Mapping[str, Any]
    tested: Tested
    verdict: Verdict
    candidates: tuple[CandidateRow, ...]
    references: tuple[Reference, ...]
    shown: TrialId | None
    blocks: tuple[Block, ...]
    differences: tuple[str, ...]
    confusion: Confusion | None
    calibration: Calibration | None
    mistakes: tuple[Mistake, ...]
    curve: tuple[Epoch, ...]
    importance: Importance
    scores: Scores | None
    best: BestSoFar
    promoted: tuple[PromotedRow, ...]
    time: tuple[TimeRow, ...]
    timeline: Timeline
    failures: tuple[FailureRow, ...]
    trials: tuple[TrialRow, ...]

    @property
    def front(self) -> tuple[CandidateRow, ...]:
        """The candidates on the front, best quality first."""
        return tuple(row for row in self.candidates if row.front)


def tell(view: RunView) -> Story:
    """Compute everything."""
    on_test = view.split == "test"
    tested = compute_tested(view) if on_test else compute_validated(view)
    candidates = tuple(compute_candidates(view, tested.values if on_test else {}))
    winner = view.roles.winner
    shown = winner if winner is not None else next((row.trial for row in candidates if row.front), None)
    return Story(
        view=view,
        facts=_public(view.facts),
        tested=tested,
        verdict=verdict(view, tested),
        candidates=candidates,
        references=_references(view),
        shown=shown,
        blocks=tuple(compute_blocks(view, shown)),
        differences=tuple(differences_of(view, shown)),
        confusion=compute_confusion(view, winner),
        calibration=compute_calibration(view, winner),
        mistakes=tuple(compute_mistakes(view, winner)),
        curve=tuple(compute_curve(view, winner)),
        importance=compute_importance(view),
        scores=compute_scores(view),
        best=compute_best_so_far(view),
        promoted=tuple(compute_promoted(view)),
        time=tuple(compute_time(view)),
        timeline=compute_timeline(view),
        failures=tuple(compute_failures(view)),
        trials=tuple(compute_trials(view)),
    )


def differences_of(view: RunView, number: TrialId | None) -> list[str]:
    """What makes a trial's network differ from the hand-made one, in words."""
    trial, handmade = view.trial(number), view.trial(view.roles.handmade)
    if trial is None or handmade is None or trial is handmade:
        return []
    return compute_differences(
        compute_blocks(view, trial.id),
        trial.proposal.candidate,
        compute_blocks(view, handmade.id),
        handmade.proposal.candidate,
    )


def _references(view: RunView) -> tuple[Reference, ...]:
    roles = view.roles
    named = (("hand-made", roles.handmade), ("random forest", roles.forest), ("linear model", roles.linear))
    made = []
    for name, number in named:
        trial = view.trial(number)
        quality = trial.measurements.get(view.metric.metric) if trial else None
        if trial is not None and quality is not None:
            network = trial.proposal.candidate.kind == "network"
            made.append(Reference(name, trial.id, quality, trial.measurements if network else {}))
    return tuple(made)


def report_json(story: Story) -> dict[str, Any]:
    """The numbers of the page as one JSON object."""
    view = story.view
    return {
        "schema": SCHEMA,
        "verdict": story.verdict.text,
        "won": story.verdict.won,
        "metric": view.metric.metric,
        "goal": view.goal.to_json(),
        "winner": view.roles.winner,
        view.split: {str(number): value.to_json() for number, value in story.tested.values.items()},
        "test_reads": view.test_reads,
        "comparisons": _json(story.verdict.comparisons),
        "baselines": _json(story.references),
        "front": _json(story.front),
        "counts": view.history.counts(),
        "worker_seconds": worker_seconds(view),
        "network": {"blocks": _json(story.blocks), "differences": list(story.differences)},
        "confusion": _json(story.confusion),
        "calibration": _json(story.calibration),
        "mistakes": _json(story.mistakes),
        "curve": _json(story.curve),
        "importance": _json(story.importance),
        "scores": _json(story.scores),
        "best_so_far": _json(story.best),
        "promoted": _json(story.promoted),
        "time": _json(story.time),
        "failures": _json([_without_detail(row) for row in story.failures]),
        "trials": _json(story.trials),
        "facts": story.facts,
    }


def _without_detail(row: FailureRow) -> dict[str, object]:
    return {field.name: getattr(row, field.name) for field in fields(row) if field.name != "detail"}


def _json(value: Any) -> Any:
    if isinstance(value, Measurement):
        return value.to_json()
    if is_dataclass(value):
        return {field.name: _json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _json(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_json(entry) for entry in value]
    return value


def _public(value: Any) -> Any:
    """Facts without control characters, credentials and absolute paths."""
    if isinstance(value, str):
        return public(plain(value))
    if isinstance(value, Mapping):
        return {public(plain(str(name))): _public(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_public(entry) for entry in value]
    return value if value is None or isinstance(value, bool | int | float) else words.scalar(value)
