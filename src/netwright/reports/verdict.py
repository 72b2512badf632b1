"""One sentence that answers the question: is the network good, and was the search worth it?

The winner is held against the hand-made network, the linear model, the random forest and the best random candidate
on the same test images, by a paired bootstrap: both are scored on the same resampled images, so that what is hard for
both does not blur the difference. A negative answer is said as plainly as a positive one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Literal

import numpy as np

from netwright.core.history import Trial
from netwright.core.measurement import Measurement
from netwright.core.metrics import METRICS
from netwright.core.seeding import derive
from netwright.core.trial import FINISHED, TrialId
from netwright.reports import quality, words
from netwright.reports.view import RunView

Outcome = Literal["beats", "equal", "worse"]
CHANCE = 2.576  # two-sided 99 %: a gap between validation and test is remarked on only when it is hardly chance


@dataclass(frozen=True, slots=True)
class Comparison:
    """The winner against one rival, on the test split.

    `difference` is the winner's value minus the rival's; `outcome` says whether its 90 % interval lies wholly on the
    better side (`beats`), on the worse side (`worse`) or on both (`equal`). `cost_ratios` are the rival's cost over
    the winner's, by metric, where both were measured.
    """

    role: str
    name: str
    trial: TrialId
    value: Measurement
    difference: Measurement
    outcome: Outcome
    cost_ratios: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`headline` answers; `remarks` say what a careful reader must know. `won` is None where nothing could be compared."""

    headline: str
    remarks: tuple[str, ...]
    metric: str
    winner: Measurement | None
    comparisons: tuple[Comparison, ...]
    won: bool | None

    @property
    def text(self) -> str:
        """All sentences."""
        return " ".join((self.headline, *self.remarks))


def verdict(view: RunView) -> Verdict:
    """Compare the winner with every baseline that was tested."""
    metric = view.metric.metric
    winner = view.trial(view.roles.winner)
    if winner is None:
        return Verdict(_no_winner(view), (), metric, None, (), None)
    answers = view.test_answers(winner.id)
    if answers is None or view.test_labels is None:
        return Verdict(_untested(view, winner), (), metric, None, (), None)
    value, comparisons = _compare(view, winner)
    won = _won(comparisons)
    remarks = [
        _about_random(view, comparisons),
        _about_costs(comparisons),
        _about_validation(view, winner, value),
        _about_test(view),
    ]
    headline = _headline(view, winner, value, comparisons)
    return Verdict(headline, tuple(filter(None, remarks)), metric, value, tuple(comparisons), won)


def rivals(view: RunView) -> list[tuple[str, str, TrialId]]:
    """(role, name, trial) of all that the winner is held against, as far as they exist."""
    roles = view.roles
    named = (
        ("handmade", "the hand-made network", roles.handmade),
        ("forest", "the random forest", roles.forest),
        ("linear", "the linear model", roles.linear),
        ("best_random", f"the best of {words.plural(random_count(view), 'random candidate')}", roles.best_random),
    )
    return [(role, name, trial) for role, name, trial in named if trial is not None]


def random_count(view: RunView) -> int:
    """How many distinct random candidates were trained."""
    source = "rival" if has_rival(view) else None
    return len(
        {
            (trial.proposal.candidate.key, tuple(sorted(trial.proposal.candidate.recipe.items())))
            for trial in view.history.trials.values()
            if trial.proposal.origin == "random"
            and trial.status in FINISHED
            and trial.status != "infeasible"
            and source in (None, trial.source)
        }
    )


def has_rival(view: RunView) -> bool:
    """Whether a random search with the same budget ran beside the search."""
    return any(trial.source == "rival" for trial in view.history.trials.values())


def _compare(view: RunView, winner: Trial) -> tuple[Measurement, list[Comparison]]:
    labels = np.asarray(view.test_labels, dtype=np.int64)
    tested = [(role, name, number, view.test_answers(number)) for role, name, number in rivals(view)]
    known = [(role, name, number, answers) for role, name, number, answers in tested if answers is not None]
    own = view.test_answers(winner.id)
    several = [answers for answers in (own, *(entry[3] for entry in known)) if answers is not None]
    metric = view.metric
    seed = derive(int(view.facts.get("seed", 0)), "verdict")
    samples = quality.resample(metric.metric, several, labels, seed)  # (winner and rivals, resamples)
    values = [quality.value(metric.metric, answers, labels) for answers in several]
    unit = METRICS[metric.metric].unit

    def measurement(number: float, drawn: quality.Floats) -> Measurement:
        low, high = quality.interval(drawn)
        return Measurement(number, unit, low, high, len(labels), "measured", "test")

    comparisons = []
    for place, (role, name, number, _) in enumerate(known, start=1):
        gap = measurement(values[0] - values[place], samples[0] - samples[place])
        comparisons.append(
            Comparison(
                role,
                name,
                number,
                measurement(values[place], samples[place]),
                gap,
                _outcome(gap, metric.direction),
                _ratios(winner, view.trial(number)) if number != winner.id else {},
            )
        )
    return measurement(values[0], samples[0]), comparisons


def _outcome(gap: Measurement, direction: str) -> Outcome:
    low, high = gap.low or 0.0, gap.high or 0.0
    if direction == "min":
        low, high = -high, -low
    return "beats" if low > 0 else "worse" if high < 0 else "equal"


def _ratios(winner: Trial, rival: Trial | None) -> dict[str, float]:
    if rival is None or rival.proposal.candidate.kind != "network":
        return {}
    ratios = {}
    for metric in ("parameters", "latency"):
        own, other = winner.measurements.get(metric), rival.measurements.get(metric)
        if own is not None and other is not None and own.value > 0 and other.value > 0:
            ratios[metric] = other.value / own.value
    return ratios


def _by_role(comparisons: list[Comparison], role: str) -> Comparison | None:
    return next((entry for entry in comparisons if entry.role == role), None)


def _won(comparisons: list[Comparison]) -> bool | None:
    """Whether the search was worth it: better than the hand-made network, or equal and clearly smaller or faster,
    and no worse than a classic model."""
    if not comparisons:
        return None
    if any(entry.outcome == "worse" for entry in comparisons):
        return False
    handmade = _by_role(comparisons, "handmade")
    if handmade is None:
        return all(entry.outcome == "beats" for entry in comparisons if entry.role != "best_random")
    return handmade.outcome == "beats" or _cheaper(handmade) != ""


def _cheaper(comparison: Comparison) -> str:
    """`5.3 times fewer parameters and 2.1 times lower latency`, or nothing."""
    ratios = comparison.cost_ratios
    parts = []
    if ratios.get("parameters", 0.0) >= 1.05:
        parts.append(f"{words.times(ratios['parameters'])} fewer parameters")
    if ratios.get("latency", 0.0) >= 1.05:
        parts.append(f"{words.times(ratios['latency'])} lower latency")
    return words.listed(parts)


def _dearer(comparison: Comparison) -> str:
    ratios = comparison.cost_ratios
    parts = []
    if 0 < ratios.get("parameters", 1.0) <= 1 / 1.05:
        parts.append(f"{words.times(1 / ratios['parameters'])} as many parameters")
    if 0 < ratios.get("latency", 1.0) <= 1 / 1.05:
        parts.append(f"{words.times(1 / ratios['latency'])} the latency")
    return words.listed(parts)


# -- sentences ---------------------------------------------------------------------------------------------------------


def _no_winner(view: RunView) -> str:
    counts = view.history.counts()
    finished = sum(number for status, number in counts.items() if status in FINISHED)
    if not view.history.trials:
        return "Nothing was tried yet."
    if finished == 0 and sum(counts.get(status, 0) for status in ("asked", "running", "cancelled")) == 0:
        return f"No network was found: all {words.plural(len(view.history.trials), 'trial')} failed."
    if finished == 0:
        return "No trial has finished yet."
    return f"No network was chosen yet: {words.plural(finished, 'trial')} finished, the final stage has not ended."


def _untested(view: RunView, winner: Trial) -> str:
    measurement = winner.measurements.get(view.metric.metric)
    known = f" with {words.measured(view.metric.metric, measurement)} on validation images" if measurement else ""
    return f"The best network so far{known} was not tested yet, so nothing can be said about images it never saw."


def _headline(view: RunView, winner: Trial, value: Measurement, comparisons: list[Comparison]) -> str:
    reached = f"{_size(winner)} reaches {_reading(view.metric.metric, value)} on {_images(view)} it never saw"
    forest, handmade = _by_role(comparisons, "forest"), _by_role(comparisons, "handmade")
    opening = ""
    if forest is not None and forest.outcome == "worse":
        opening = f"The random forest wins, with {_reading(view.metric.metric, forest.value)}. "
    elif (
        handmade is not None
        and handmade.outcome != "beats"
        and not (handmade.outcome == "equal" and _cheaper(handmade))
    ):
        opening = "The search did not beat the hand-made network. "
    clauses = _clauses(view, comparisons)
    return f"{opening}{reached}{'; ' + clauses if clauses else ''}."


def _clauses(view: RunView, comparisons: list[Comparison]) -> str:
    """`it beats … and …; it is no better than …; it is worse than …`."""
    metric = view.metric.metric
    groups: dict[Outcome, list[str]] = {"beats": [], "equal": [], "worse": []}
    for entry in comparisons:
        if entry.trial == view.roles.winner:
            continue
        notes = [words.bare(metric, entry.value)]
        if entry.outcome == "equal":
            notes.append("difference not significant")
        groups[entry.outcome].append(f"{entry.name} ({', '.join(notes)})")
    verbs: tuple[tuple[Outcome, str], ...] = (
        ("beats", "it beats"),
        ("equal", "it is not measurably better than" if not groups["worse"] else "it is level with"),
        ("worse", "it is worse than"),
    )
    return "; ".join(f"{verb} {words.listed(groups[outcome])}" for outcome, verb in verbs if groups[outcome])


def _size(winner: Trial) -> str:
    parameters = winner.measurements.get("parameters")
    return f"A network with {words.count(parameters.value)} parameters" if parameters else "The network"


def _reading(metric: str, value: Measurement) -> str:
    name = words.title(metric)
    return (
        f"{words.measured(metric, value)} {name}"
        if metric in words.PERCENT
        else f"{name} {words.measured(metric, value)}"
    )


def _images(view: RunView) -> str:
    return words.plural(0 if view.test_labels is None else len(view.test_labels), "image")


def _about_costs(comparisons: list[Comparison]) -> str:
    handmade = _by_role(comparisons, "handmade")
    if handmade is None:
        return ""
    cheaper, dearer = _cheaper(handmade), _dearer(handmade)
    if handmade.outcome == "equal" and cheaper:
        closing = f", but {dearer}" if dearer else ""
        return f"It answers as well as the hand-made network with {cheaper}{closing}."
    if cheaper and dearer:
        return f"Against the hand-made network it has {cheaper}, but {dearer}."
    if cheaper:
        return f"It has {cheaper} than the hand-made network."
    return f"It takes {dearer} of the hand-made network." if dearer else ""


def _about_random(view: RunView, comparisons: list[Comparison]) -> str:
    entry = _by_role(comparisons, "best_random")
    if entry is None:
        return ""
    if has_rival(view):
        against = {
            "beats": "The search beats same-budget random search",
            "equal": "Same-budget random search does as well as the search",
            "worse": "Same-budget random search does better than the search",
        }[entry.outcome]
        return f"{against} (difference {_difference(view, entry)})."
    share = random_share(view)
    used = f"Random candidates used {words.fixed(100 * share, 0)} % of the search's training time"
    if entry.trial == view.roles.winner:
        return f"{used}; the winner itself is one of them, so nothing shows that searching beyond random draws helped."
    return f"{used}; the difference to the best of them is {_difference(view, entry)}."


def random_share(view: RunView) -> float:
    """Share of the search's worker time that random candidates used, with the promotions of those candidates."""
    total = random = 0.0
    for trial in view.history.trials.values():
        if trial.source in ("baseline", "final", "rival"):
            continue
        total += trial.seconds
        random += trial.seconds * (origin_of(view, trial) == "random")
    return random / total if total else 0.0


def origin_of(view: RunView, trial: Trial) -> str:
    """How the candidate came to be: the origin at the root of its promotions."""
    seen = set()
    while trial.proposal.origin in ("promotion", "final") and trial.proposal.parents and trial.id not in seen:
        seen.add(trial.id)
        parent = view.trial(trial.proposal.parents[0])
        if parent is None:
            break
        trial = parent
    return trial.proposal.origin


def _difference(view: RunView, entry: Comparison) -> str:
    gap = entry.difference
    return words.difference(view.metric.metric, gap.value, gap.low or 0.0, gap.high or 0.0)


def _about_validation(view: RunView, winner: Trial, test: Measurement) -> str:
    """A remark when validation and test differ by more than chance."""
    metric = view.metric.metric
    validation = winner.measurements.get(metric)
    if validation is None or validation.split != "validation":
        return ""
    spreads = [words.half_width(entry) for entry in (validation, test)]
    if None in spreads:
        return ""
    error = sqrt(sum((spread or 0.0) ** 2 for spread in spreads)) / 1.645
    if abs(validation.value - test.value) <= CHANCE * error:
        return ""
    better = (validation.value > test.value) == (view.metric.direction == "max")
    reason = (
        "the test images may come from another source than the training images, or the choice fitted the validation "
        "images; trust the test figure"
        if better
        else "the two splits do not hold the same kind of images"
    )
    return (
        f"On validation images it reached {words.measured(metric, validation)}, "
        f"{'better' if better else 'worse'} than on test images by more than chance: {reason}."
    )


def _about_test(view: RunView) -> str:
    reads = view.test_reads
    if reads == 0:
        return ""
    if reads == 1:
        return "The test images were read once, after every choice was made."
    return (
        f"The test images were read {reads} times, once in each final stage: whoever chose to go on after seeing a "
        "result has used them for choosing, and the figures flatter a little."
    )
