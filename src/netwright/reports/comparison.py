"""The winner against each of its rivals on the same images, by a paired bootstrap.

Both are scored on the same resampled images, so that what is hard for both does not blur the difference. Without a
test split the same is done on the validation images.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from netwright.core.history import Trial
from netwright.core.measurement import Measurement, Split
from netwright.core.metrics import METRICS, QUALITY
from netwright.core.seeding import derive
from netwright.core.trial import FINISHED, UNTRAINED, TrialId
from netwright.reports import quality, words
from netwright.reports.view import APART, RunView, origin_of

Outcome = Literal["beats", "equal", "worse"]

SAME = 1.1  # two budgets are called the same when neither is more than that many times the other


@dataclass(frozen=True, slots=True)
class Comparison:
    """The winner against one rival, on the test split, or the validation split where there is no test split.

    `difference` is the winner's value minus the rival's; `outcome` says whether its 90 % interval lies wholly on the
    better side (`beats`), on the worse side (`worse`) or on both (`equal`). `cost_ratios` are the rival's cost over
    the winner's where both were measured: parameters, latency and every cost in an objective or a limit of the goal.
    """

    role: str
    name: str
    trial: TrialId
    value: Measurement
    difference: Measurement
    outcome: Outcome
    cost_ratios: Mapping[str, float] = field(default_factory=dict)


def rivals(view: RunView) -> list[tuple[str, str, TrialId]]:
    """(role, name, trial) of all that the winner is held against, as far as they exist."""
    roles = view.roles
    named = (
        ("handmade", "the hand-made network", roles.handmade),
        ("forest", "the random forest", roles.forest),
        ("linear", "the linear model", roles.linear),
        ("best_random", f"the best of {words.plural(random_count(view), 'random candidate')}", best_random(view)),
    )
    return [(role, name, trial) for role, name, trial in named if trial is not None]


def best_random(view: RunView) -> TrialId | None:
    """The best random candidate of the final stage: the winner where it is one, of the rival's where one ran."""
    winner = view.trial(view.roles.winner)
    if winner is None or not has_rival(view):
        drawn = winner is not None and origin_of(view.history, winner) == "random"
    else:
        parent = view.trial(winner.proposal.parents[0]) if winner.proposal.parents else None
        drawn = parent is not None and parent.source == "rival"
    return view.roles.winner if drawn else view.roles.best_random


def random_count(view: RunView) -> int:
    """How many distinct random candidates were trained, or scored where the search trained none."""
    scores = all(trial.proposal.fidelity == UNTRAINED for trial in view.searched())
    source = "rival" if has_rival(view) else None
    return len(
        {
            (trial.proposal.candidate.key, tuple(sorted(trial.proposal.candidate.recipe.items())))
            for trial in view.history.trials.values()
            if trial.proposal.origin == "random"
            and (scores or trial.proposal.fidelity != UNTRAINED)
            and trial.status in FINISHED
            and trial.status != "infeasible"
            and source in (None, trial.source)
        }
    )


def has_rival(view: RunView) -> bool:
    """Whether a random search of its own ran beside the search."""
    return any(trial.source == "rival" for trial in view.history.trials.values())


def worker_seconds(view: RunView) -> dict[str, float]:
    """Seconds that workers spent on trials, by source; the search's own sources are taken together as `search`."""
    spent: dict[str, float] = {}
    for trial in view.history.trials.values():
        source = trial.source if trial.source in APART else "search"
        spent[source] = spent.get(source, 0.0) + trial.seconds
    return spent


def rival_name(view: RunView) -> str:
    """`same-budget random search`, or, where the times differ, `random search with 0.6 times the time`."""
    spent = worker_seconds(view)
    search, rival = spent.get("search", 0.0), spent.get("rival", 0.0)
    if search <= 0 or rival <= 0:
        return "random search"
    if max(search / rival, rival / search) <= SAME:
        return "same-budget random search"
    return f"random search with {words.times(rival / search)} the time"


@dataclass(frozen=True, slots=True)
class Tested:
    """Quality of every tested trial on the test split; and of those whose answers are kept, on the same resampled images."""

    values: Mapping[TrialId, Measurement]
    samples: Mapping[TrialId, quality.Floats]


def compute_tested(view: RunView) -> Tested:
    """Score all baselines and finalists that left test answers, over one set of resampled test images."""
    return _score(view, "test", view.test_labels, view.test_answers)


def compute_validated(view: RunView) -> Tested:
    """The same on the validation images, by which the winner was chosen."""
    return _score(view, "validation", view.validation_labels, view.validation_answers)


def _score(
    view: RunView,
    split: Split,
    true: NDArray[np.integer[Any]] | None,
    answers_of: Callable[[TrialId], NDArray[np.float64] | None],
) -> Tested:
    roles = view.roles
    wanted = dict.fromkeys(
        (roles.winner, roles.handmade, roles.forest, roles.linear, roles.best_random, *roles.finalists)
    )
    trials = [number for number in wanted if number is not None]
    recorded = {number: _recorded(view, number, split) for number in trials}
    values = {number: known for number, known in recorded.items() if known is not None}
    answers = {number: entry for number in trials if (entry := answers_of(number)) is not None}
    if not answers or true is None:
        return Tested(values, {})
    labels = np.asarray(true, dtype=np.int64)
    metric = view.metric.metric
    drawn = quality.resample(metric, list(answers.values()), labels, derive(int(view.facts.get("seed", 0)), "verdict"))
    for place, (number, entry) in enumerate(answers.items()):
        point = quality.value(metric, entry, labels)
        if math.isnan(point):
            return Tested(values, {})
        low, high = quality.interval(drawn[place])
        bootstrapped = Measurement(
            point, METRICS[metric].unit, min(low, point), max(high, point), len(labels), "measured", split
        )
        values.setdefault(number, bootstrapped)
    return Tested(values, dict(zip(answers, drawn, strict=True)))


def _recorded(view: RunView, number: TrialId, split: Split) -> Measurement | None:
    """The measurement that the run itself recorded, so that one number has one interval everywhere."""
    metric = view.metric.metric
    if split == "validation":
        trial = view.trial(number)
        return None if trial is None else trial.measurements.get(metric)
    record = (view.history.note("test") or {}).get("measurements", {}).get(str(number), {}).get(metric)
    return None if record is None else Measurement.from_json(record)


def compare(view: RunView, winner: Trial, tested: Tested) -> list[Comparison]:
    """The winner against every rival that was tested, as far as the answers of both are kept."""
    comparisons = []
    for role, name, number in rivals(view):
        if not {winner.id, number} <= tested.samples.keys():
            continue
        value = tested.values[number]
        low, high = quality.interval(tested.samples[winner.id] - tested.samples[number])
        point = tested.values[winner.id].value - value.value
        gap = Measurement(point, value.unit, low, high, value.samples, "measured", value.split)
        outcome = _outcome(gap, view.metric.direction)
        rival = None if number == winner.id else view.trial(number)
        costs = ratios(winner, rival, ("latency", *sorted(view.goal.metrics - QUALITY)))
        comparisons.append(Comparison(role, name, number, value, gap, outcome, costs))
    return comparisons


def _outcome(gap: Measurement, direction: str) -> Outcome:
    low, high = gap.low or 0.0, gap.high or 0.0
    if direction == "min":
        low, high = -high, -low
    return "beats" if low > 0 else "worse" if high < 0 else "equal"


def ratios(winner: Trial, rival: Trial | None, costs: Iterable[str] = ()) -> dict[str, float]:
    """The rival's cost over the winner's, for parameters and every metric of `costs`, where both were measured."""
    if rival is None or rival.proposal.candidate.kind != "network":
        return {}
    found = {}
    for metric in dict.fromkeys(("parameters", *costs)):
        own, other = winner.measurements.get(metric), rival.measurements.get(metric)
        if own is not None and other is not None and own.value > 0 and other.value > 0:
            found[metric] = other.value / own.value
    return found
