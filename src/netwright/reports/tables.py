"""Typed rows computed from the trials of a run: candidates and the front, failures, time, progress, all trials.

`reports.view` says what a run must hand over. Every function here takes a `RunView` and gives frozen rows with plain
numbers; `reports.figures` draws them and `reports.story` puts them into `report.json`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, inf, lgamma

from netwright.core.candidate import digest
from netwright.core.history import Trial
from netwright.core.measurement import Measurement
from netwright.core.objective import Objective
from netwright.core.pareto import Costs, dominates
from netwright.core.text import plain, public
from netwright.core.trial import FAILED, TrialId
from netwright.reports import words
from netwright.reports.view import APART, RunView

LOW, HIGH = 0.05, 0.95


def in_words(trial: Trial) -> str:
    """What a trial trains, in one line."""
    candidate = trial.proposal.candidate
    if candidate.architecture is None:
        return {"forest": "random forest", "linear": "logistic regression"}.get(candidate.kind, candidate.kind)
    return words.chain_in_words(candidate.architecture.layers)


# -- candidates and the front ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """A candidate with its longest training; the winner with the one that is exported.

    `quality` is of validation images, `test` of test images where it was tested. `violation` is 0 within all limits.
    `final` marks a training of the final stage.
    """

    trial: TrialId
    words: str
    key: str
    epochs: int
    quality: Measurement
    costs: Mapping[str, Measurement]
    test: Measurement | None
    violation: float
    final: bool
    front: bool = False
    winner: bool = False


def compute_candidates(view: RunView, tested: Mapping[TrialId, Measurement]) -> list[CandidateRow]:
    """All candidates of search and final stage that were measured, and the winner; best quality first, the front marked.

    The front is taken over quality and all costs of the goal, within the limits where anything is within them: over
    the finalists once there are any, for they were trained alike and to the end, and over all candidates before.
    """
    longest: dict[str, Trial] = {}
    for trial in view.history.trials.values():
        candidate = trial.proposal.candidate
        ours = trial.source not in APART or trial.source == "final" or trial.id == view.roles.winner
        if candidate.kind != "network" or not ours:
            continue
        if trial.status not in ("completed", "stopped") or view.metric.metric not in trial.measurements:
            continue
        name = digest([candidate.key, dict(candidate.recipe)], 8)
        if name not in longest or _rank(view, trial) >= _rank(view, longest[name]):
            longest[name] = trial
    trials = list(longest.values())
    finalists = [trial for trial in trials if trial.id in view.roles.finalists]
    front = _front(view, finalists or trials)
    costs = cost_names(view)
    rows = [_candidate(view, trial, costs, tested, trial.id in front) for trial in trials]
    sign = -1 if view.metric.direction == "max" else 1
    return sorted(rows, key=lambda row: (sign * row.quality.value, row.trial))


def _rank(view: RunView, trial: Trial) -> tuple[bool, bool, int]:
    """Which of several trainings of a candidate stands for it: the exported one, else a final one, else the longest."""
    return trial.id == view.roles.winner, trial.source == "final", trial.proposal.fidelity.epochs


def _candidate(
    view: RunView, trial: Trial, names: Sequence[str], tested: Mapping[TrialId, Measurement], on_front: bool
) -> CandidateRow:
    costs = {name: trial.measurements[name] for name in names if name in trial.measurements}
    return CandidateRow(
        trial=trial.id,
        words=in_words(trial),
        key=trial.proposal.candidate.key,
        epochs=trial.proposal.fidelity.epochs,
        quality=trial.measurements[view.metric.metric],
        costs=costs,
        test=tested.get(trial.id),
        violation=view.goal.violation(trial.measurements),
        final=trial.source == "final",
        front=on_front,
        winner=trial.id == view.roles.winner,
    )


def cost_names(view: RunView) -> list[str]:
    """Costs worth a column: those of the goal and its limits, then parameters, MACs and latency as far as measured."""
    named = [objective.metric for objective in view.costs]
    named += [limit.metric for limit in view.goal.limits if limit.metric != view.metric.metric]
    measured = {name for trial in view.history.trials.values() for name in trial.measurements}
    named += [name for name in ("parameters", "macs", "latency") if name in measured]
    return list(dict.fromkeys(named))


def _front(view: RunView, trials: Sequence[Trial]) -> set[TrialId]:
    """Non-dominated trials: each is compared with the front so far alone, best quality first."""
    objectives: tuple[Objective, ...] = (view.metric, *view.costs)
    scored: list[tuple[float, Costs, TrialId]] = []
    for trial in trials:
        costs = [objective.cost(trial.measurements) for objective in objectives]
        known = tuple(cost for cost in costs if cost is not None)
        if len(known) == len(objectives):
            scored.append((view.goal.violation(trial.measurements), known, trial.id))
    front: list[tuple[float, Costs, TrialId]] = []
    for violation, costs_, number in sorted(scored):
        if not any(dominates(other, costs_, outside, violation) for outside, other, _ in front):
            front = [e for e in front if not dominates(costs_, e[1], violation, e[0])]
            front.append((violation, costs_, number))
    return {number for _, _, number in front}


# -- failures ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FailureRow:
    """Trials that failed for one reason (numbers aside), with one of them as an example."""

    status: str
    reason: str
    trials: int
    seconds: float
    example: TrialId
    words: str
    detail: str


def compute_failures(view: RunView) -> list[FailureRow]:
    """Failures grouped by status and reason, the commonest first."""
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in view.history.trials.values():
        if trial.status in FAILED or trial.status == "lost":
            groups.setdefault((trial.status, _cause(trial.reason)), []).append(trial)
    rows = [
        FailureRow(
            status,
            public(plain(group[0].reason)),
            len(group),
            sum(trial.seconds for trial in group),
            group[0].id,
            in_words(group[0]),
            group[0].detail,
        )
        for (status, _), group in groups.items()
    ]
    return sorted(rows, key=lambda row: (-row.trials, row.example))


def _cause(reason: str) -> str:
    return re.sub(r"#\w+|\d[\d,.]*", "#", reason)


# -- time --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TimeRow:
    """How many seconds of the workers went where."""

    what: str
    seconds: float
    trials: int


def compute_time(view: RunView) -> list[TimeRow]:
    """Where the time of all workers went; `waiting` is what is left of active time times workers."""
    parts = {"baselines": [0.0, 0], "search": [0.0, 0], "final training": [0.0, 0], "failed": [0.0, 0]}
    for trial in view.history.trials.values():
        if trial.seconds <= 0:
            continue
        what = (
            "failed"
            if trial.status in FAILED or trial.status == "lost"
            else {"baseline": "baselines", "final": "final training", "test": "final training"}.get(
                trial.source, "search"
            )
        )
        parts[what][0] += trial.seconds
        parts[what][1] += 1
    rows = [TimeRow(what, seconds, int(trials)) for what, (seconds, trials) in parts.items() if trials]
    workers = int(view.facts.get("workers") or 0)
    waiting = view.history.seconds * workers - sum(row.seconds for row in rows)
    if workers and waiting > 0:
        rows.append(TimeRow("waiting", waiting, 0))
    return rows


@dataclass(frozen=True, slots=True)
class Span:
    """One attempt on the timeline: seconds since the first one began, pauses of the run taken out."""

    trial: TrialId
    lane: int
    begin: float
    end: float
    kind: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """Attempts by lane; `pauses` are where (and for how long) the run was not running."""

    spans: tuple[Span, ...]
    lanes: int
    seconds: float
    pauses: tuple[tuple[float, float], ...]


def compute_timeline(view: RunView) -> Timeline:
    """Which trials ran beside each other. A trial takes the lowest lane that is free: lanes stand for workers."""
    began = [
        (trial.started_at, trial.ended_at or view.history.last_at, trial)
        for trial in view.history.trials.values()
        if trial.started_at is not None
    ]
    began.sort(key=lambda entry: (entry[0], entry[2].id))
    spans: list[Span] = []
    pauses: list[tuple[float, float]] = []
    free: list[float] = []
    latest = origin = began[0][0] if began else 0.0
    for begin, end, trial in began:
        if begin - latest > 60.0:
            pauses.append((latest - origin, begin - latest))
            origin += begin - latest
        end = max(begin, end)
        lane = next((i for i, until in enumerate(free) if until <= begin + 1e-3), len(free))
        if lane == len(free):
            free.append(end)
        free[lane] = end
        latest = max(latest, end)
        spans.append(Span(trial.id, lane, begin - origin, end - origin, _kind(trial)))
    return Timeline(tuple(spans), len(free), max((span.end for span in spans), default=0.0), tuple(pauses))


def _kind(trial: Trial) -> str:
    if trial.status in FAILED or trial.status in ("lost", "cancelled"):
        return "failed"
    return "baseline" if trial.source == "baseline" else "final" if trial.source in ("final", "test") else "search"


# -- best so far -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """A new best: after so many seconds of training (summed over workers), by this trial."""

    seconds: float
    quality: Measurement
    trial: TrialId


@dataclass(frozen=True, slots=True)
class Expected:
    """What the best of `candidates` random draws is on average, with the middle 90 % of draws, and what they cost."""

    seconds: float
    candidates: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class BestSoFar:
    """Progress of the search by training time, and of random search as far as the run's own random trials tell."""

    steps: tuple[Step, ...]
    seconds: float
    random: tuple[Expected, ...]
    random_candidates: int


FEWEST_RANDOM = 4


def compute_best_so_far(view: RunView) -> BestSoFar:
    """The best validation quality after each improvement, search trials within the limits alone."""
    sign = 1.0 if view.metric.direction == "max" else -1.0
    spent = 0.0
    steps: list[Step] = []
    ended = [trial for trial in view.searched() if trial.ended_at is not None]
    for trial in sorted(ended, key=lambda trial: (trial.ended_at or 0.0, trial.id)):
        spent += trial.seconds
        quality = trial.measurements.get(view.metric.metric)
        if quality is None or trial.status == "infeasible" or view.goal.violation(trial.measurements) > 0:
            continue
        if not steps or sign * quality.value > sign * steps[-1].quality.value:
            steps.append(Step(spent, quality, trial.id))
    lineages = _random_lineages(view)
    return BestSoFar(tuple(steps), spent, tuple(expected_best(lineages, sign)), len(lineages))


def _random_lineages(view: RunView) -> list[tuple[float, float]]:
    """(best value, seconds) of each random candidate, its promotions included."""
    roots: dict[TrialId, TrialId] = {}
    best: dict[TrialId, float] = {}
    cost: dict[TrialId, float] = {}
    sign = 1.0 if view.metric.direction == "max" else -1.0
    for trial in sorted(view.searched(), key=lambda trial: trial.id):
        proposal = trial.proposal
        if proposal.origin == "random":
            roots[trial.id] = trial.id
        elif proposal.origin == "promotion" and (parent := _answered(view, proposal.parents)) in roots:
            roots[trial.id] = roots[parent]
        else:
            continue
        root = roots[trial.id]
        cost[root] = cost.get(root, 0.0) + trial.seconds
        quality = trial.measurements.get(view.metric.metric)
        if quality is not None and trial.status != "infeasible" and view.goal.violation(trial.measurements) == 0:
            best[root] = max(best.get(root, -1e300), sign * quality.value)
    return [(sign * best[root], cost[root]) for root in best]


def _answered(view: RunView, parents: Sequence[TrialId]) -> TrialId:
    """The trial that was trained for the first of `parents`: itself, or the earlier one whose answer it copies."""
    parent = view.trial(parents[0]) if parents else None
    return 0 if parent is None else parent.reused_from or parent.id


def expected_best(lineages: Sequence[tuple[float, float]], sign: float) -> list[Expected]:
    """The best of k = 1 … n of the n values drawn without replacement: mean and middle 90 %, exact.

    The chance that the value with i smaller ones is the best of k is C(i, k-1) / C(n, k).
    """
    n = len(lineages)
    if n < FEWEST_RANDOM:
        return []
    values = sorted(sign * value for value, _ in lineages)
    each = sum(seconds for _, seconds in lineages) / n
    shown = range(1, n + 1) if n <= 60 else sorted({1, 2, 3, *(round(n * i / 50) for i in range(1, 51))} - {0})
    rows = []
    for k in shown:
        chances = [exp(_log_choose(i, k - 1) - _log_choose(n, k)) for i in range(n)]
        mean = sum(chance * value for chance, value in zip(chances, values, strict=True))
        low, high = _quantile(values, chances, LOW), _quantile(values, chances, HIGH)
        bounds = sorted((sign * low, sign * high))
        rows.append(Expected(k * each, k, sign * mean, bounds[0], bounds[1]))
    return rows


def _log_choose(n: int, k: int) -> float:
    return -inf if k > n else lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def _quantile(values: Sequence[float], chances: Sequence[float], share: float) -> float:
    total = 0.0
    for value, chance in zip(values, chances, strict=True):
        total += chance
        if total >= share - 1e-12:
            return value
    return values[-1]


# -- all trials --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One line of the table of all trials."""

    trial: TrialId
    status: str
    origin: str
    epochs: int
    measurements: Mapping[str, Measurement]
    seconds: float
    parents: tuple[TrialId, ...]
    key: str
    words: str
    reason: str
    ancestor_epochs: int = 0
    """How long inherited weights had been trained before."""


def compute_trials(view: RunView) -> list[TrialRow]:
    """Every trial, by id. Text from outside is on one line, without control characters, secrets and paths."""
    rows = []
    for trial in view.history.trials.values():
        origin = trial.proposal.origin or trial.source
        rows.append(
            TrialRow(
                trial.id,
                trial.status,
                plain(origin),
                trial.proposal.fidelity.epochs,
                trial.measurements,
                trial.seconds,
                trial.proposal.parents,
                trial.proposal.candidate.key,
                plain(in_words(trial)),
                public(plain(trial.reason)),
                trial.notes.get("ancestor_epochs", 0),
            )
        )
    return rows


def trials_csv(rows: Sequence[TrialRow]) -> str:
    """All trials as CSV; text that a spreadsheet would take for a formula gets a quote in front."""
    metrics = list(dict.fromkeys(name for row in rows for name in row.measurements))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    intervals = [(name, f"{name}_low", f"{name}_high") for name in metrics]
    header = ["trial", "status", "origin", "epochs", *(column for group in intervals for column in group)]
    inherited = ["ancestor_epochs"] if any(row.ancestor_epochs for row in rows) else []
    last = ["seconds", *inherited, "parents", "key", "network", "reason"]
    writer.writerow([guarded(name) for name in [*header, *last]])
    for row in rows:
        numbers: list[object] = []
        for name in metrics:
            measurement = row.measurements.get(name)
            numbers += ["", "", ""] if measurement is None else [measurement.value, measurement.low, measurement.high]
        parents = " ".join(map(str, row.parents))
        texts = [guarded(text) for text in (parents, row.key, row.words, row.reason)]
        writer.writerow(
            [
                row.trial,
                guarded(row.status),
                guarded(row.origin),
                row.epochs,
                *numbers,
                round(row.seconds, 3),
                *([row.ancestor_epochs] if inherited else []),
                *texts,
            ]
        )
    return out.getvalue()


def guarded(text: str) -> str:
    """A CSV cell that no spreadsheet runs: a quote before `=`, `+`, `-`, `@`, tab and carriage return."""
    return f"'{text}" if text.lstrip(" ")[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") and text else text
