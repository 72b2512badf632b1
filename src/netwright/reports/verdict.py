"""The answer in a few sentences, the first of which stands alone: is the network good, and was the search worth it?

The winner is held against the hand-made network, the linear model, the random forest and the best random candidate
on the same test images, by a paired bootstrap: both are scored on the same resampled images, so that what is hard for
both does not blur the difference. A negative answer is said as plainly as a positive one. Without a test split the
same is done on the validation images, and it is said that those figures flatter.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import sqrt

from netwright.core.history import Trial
from netwright.core.measurement import Measurement
from netwright.core.metrics import QUALITY
from netwright.core.text import plain, public
from netwright.core.trial import FINISHED, OPEN, UNTRAINED, TrialId
from netwright.reports import quality, words
from netwright.reports.comparison import (
    Comparison,
    Outcome,
    Tested,
    compare,
    compute_tested,
    compute_validated,
    has_rival,
    random_count,
    ratios,
    rival_name,
)
from netwright.reports.scores import about_scores
from netwright.reports.view import RunView, origin_of

CLEARLY = 1.05  # two networks differ in a cost when one has that many times the cost of the other
MUCH = 1.5  # a finalist is remarked on only when it is that many times smaller than the winner
CHANCE = 2.576  # two-sided 99 %: a gap between validation and test is remarked on only when it is hardly chance


@dataclass(frozen=True, slots=True)
class Verdict:
    """What can be said of the winner, sentence by sentence.

    `bad_news` comes first where the search did not pay; `reached` says what the winner does, `against` how it stands
    against its rivals, `remarks` what a careful reader must know. `won` is False where there are bad news, and None
    where nothing was compared.
    """

    reached: str
    bad_news: str = ""
    against: str = ""
    remarks: tuple[str, ...] = ()
    winner: Measurement | None = None
    comparisons: tuple[Comparison, ...] = ()
    won: bool | None = None

    @property
    def headline(self) -> str:
        """The answer in one sentence: the bad news where there are any."""
        return self.bad_news or f"{self.reached}."

    @property
    def lead(self) -> str:
        """What follows the headline."""
        against = f"{_capital(self.against)}." if self.against else ""
        return " ".join(filter(None, (f"{self.reached}." if self.bad_news else "", against)))

    @property
    def text(self) -> str:
        """All sentences."""
        core = f"{self.reached}; {self.against}." if self.against else f"{self.reached}."
        return " ".join(filter(None, (self.bad_news, core, *self.remarks)))


def verdict(view: RunView, tested: Tested | None = None) -> Verdict:
    """Compare the winner with every baseline that was tested. `tested` is computed where it is not given."""
    winner = view.trial(view.roles.winner)
    if winner is None:
        return Verdict(_no_winner(view))
    tested = compute_validated(view) if view.test_labels is None else tested or compute_tested(view)
    value = tested.values.get(winner.id)
    broken = _broken_limits(view, winner)
    if value is None:
        return Verdict(_untested(view, winner), broken, won=False if broken else None)
    comparisons = compare(view, winner, tested)
    bad_news = " ".join(filter(None, (broken, _bad_news(view, comparisons))))
    remarks = (
        _about_answers(winner, tested),
        _about_costs(comparisons),
        _about_training(view, winner),
        _about_smaller(view, winner, tested),
        _about_random(view, comparisons),
        about_scores(view),
        _about_validation(view, winner, value),
        _about_test(view),
    )
    return Verdict(
        reached=f"{_size(winner)} reaches {_reading(view.metric.metric, value)} on {_images(value)}",
        bad_news=bad_news,
        against=_clauses(view, comparisons),
        remarks=tuple(filter(None, remarks)),
        winner=value,
        comparisons=tuple(comparisons),
        won=_won(comparisons, bad_news),
    )


def _by_role(comparisons: list[Comparison], role: str) -> Comparison | None:
    return next((entry for entry in comparisons if entry.role == role), None)


def _won(comparisons: list[Comparison], bad_news: str) -> bool | None:
    """Whether the search was worth it, which is whether there are no bad news.

    It was when its network is better than the hand-made one, or equal and cheaper (`_pays`); where there is no
    hand-made network, when it is better than every classic model. It was not when a classic model or the best random
    candidate is better. Without any rival but random candidates that are no better, nothing was compared: None.
    """
    if bad_news:
        return False
    return True if any(entry.role != "best_random" for entry in comparisons) else None


def _pays(view: RunView, handmade: Comparison) -> bool:
    """Whether a network as good as the hand-made one is cheaper, and not dearer in a cost that the goal is about."""
    dearer = {metric for metric, ratio in handmade.cost_ratios.items() if ratio * CLEARLY <= 1}
    return _cheaper(handmade) != "" and not dearer & (view.goal.metrics - QUALITY)


_COSTS = {
    "parameters": ("fewer parameters", "as many parameters"),
    "latency": ("lower latency", "the latency"),
    "macs": ("fewer multiply-accumulates", "as many multiply-accumulates"),
    "memory": ("less memory", "the memory"),
    "training_seconds": ("less training time", "the training time"),
}
"""How a cost is said to be lower, and to be higher, after `3 times`."""


def _cheaper(comparison: Comparison) -> str:
    """`5.3 times fewer parameters and 2.1 times lower latency`, or nothing."""
    ratios = comparison.cost_ratios
    return words.listed(
        [f"{words.times(ratios[m])} {less}" for m, (less, _) in _COSTS.items() if ratios.get(m, 1.0) >= CLEARLY]
    )


def _dearer(comparison: Comparison) -> str:
    """`5.3 times as many parameters and 2.1 times the latency`, or nothing."""
    ratios = comparison.cost_ratios
    return words.listed(
        [f"{words.times(1 / ratios[m])} {more}" for m, (_, more) in _COSTS.items() if ratios.get(m, 1.0) * CLEARLY <= 1]
    )


# -- sentences ---------------------------------------------------------------------------------------------------------


def _no_winner(view: RunView) -> str:
    searched = view.searched()
    finished = sum(trial.status in FINISHED for trial in searched)
    if not searched:
        return "Nothing was searched yet"
    if finished == 0 and not any(trial.status in OPEN for trial in searched):
        return f"No network was found: {_all_of(len(searched))} failed{_commonest(searched)}"
    if finished == 0:
        return "No trial has finished yet"
    outside = [trial for trial in searched if trial.status == "infeasible"]
    if len(outside) == finished and not any(trial.status in OPEN for trial in searched):
        candidates = words.plural(len(outside), "candidate")
        return f"No network was found: of {candidates} none was within {_limits(view, outside)}"
    return f"No network was chosen yet: {words.plural(finished, 'trial')} finished{_best_so_far(view, searched)}"


def _limits(view: RunView, outside: list[Trial]) -> str:
    """The limits that any of these trials breaks, as they were given."""
    broken = [
        str(limit)
        for limit in view.goal.limits
        if any(limit.violation(t.measurements[limit.metric].value) for t in outside if limit.metric in t.measurements)
    ]
    return words.listed(broken) or "the limits"


def _broken_limits(view: RunView, winner: Trial) -> str:
    """That no network is within the limits, where the winner is not."""
    if view.goal.violation(winner.measurements) == 0:
        return ""
    return f"No network within the limits was found; the one exported breaks {_limits(view, [winner])}."


def _best_so_far(view: RunView, trials: list[Trial]) -> str:
    """What the best trial within the limits reached on validation images."""
    metric = view.metric
    measured = [
        trial.measurements[metric.metric]
        for trial in trials
        if trial.status != "infeasible"
        and metric.metric in trial.measurements
        and view.goal.violation(trial.measurements) == 0
    ]
    if not measured:
        return ", none of them within the limits" if view.goal.limits else ""
    pick = max if metric.direction == "max" else min
    best = pick(measured, key=lambda entry: entry.value)
    return f", the best with {_reading(metric.metric, best)} on validation images"


def _commonest(trials: list[Trial]) -> str:
    """The reason that most trials gave, where they gave any."""
    reasons = Counter(trial.reason for trial in trials if trial.reason)
    if not reasons:
        return ""
    reason, times = reasons.most_common(1)[0]
    return f", {words.count(times)} of them with: {words.clipped(public(plain(reason)), 160)}"


def _all_of(number: int) -> str:
    return "the only trial" if number == 1 else f"all {words.count(number)} trials"


def _untested(view: RunView, winner: Trial) -> str:
    measurement = winner.measurements.get(view.metric.metric)
    known = f" with {words.measured(view.metric.metric, measurement)} on validation images" if measurement else ""
    answers, _ = view.judged_answers(winner.id)
    if answers is not None:
        images, title = words.plural(len(answers), f"{view.split} image"), words.title(view.metric.metric)
        return f"The best network{known} was tested, but the {images} are of one class, of which {title} has no value"
    return f"The best network so far{known} was not tested yet, so nothing can be said about images it never saw"


def _bad_news(view: RunView, comparisons: list[Comparison]) -> str:
    """Where the search did not pay: the rival that says so most plainly."""
    handmade = _by_role(comparisons, "handmade")
    exported = handmade is not None and handmade.trial == view.roles.winner
    classics = [entry for role in ("forest", "linear") if (entry := _by_role(comparisons, role))]
    for classic in classics:
        if classic.outcome == "worse":
            which = "; the network that is exported is the hand-made one" if exported else ""
            return f"{_capital(classic.name)} wins, with {_reading(view.metric.metric, classic.value)}{which}."
    if exported:
        return "The search did not beat the hand-made network, so that one is exported."
    if handmade is None:
        level = [classic.name for classic in classics if classic.outcome == "equal"]
        if level:
            return f"The search did not beat {words.listed(level)}."
    elif handmade.outcome == "worse" or (handmade.outcome == "equal" and not _pays(view, handmade)):
        return "The search did not beat the hand-made network."
    random = _by_role(comparisons, "best_random")
    if random is None or random.outcome != "worse":
        return ""
    name = rival_name(view) if has_rival(view) else random.name
    return f"{_capital(name)} does better, with {_reading(view.metric.metric, random.value)}."


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


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
    text = words.measured(metric, value)
    article = "an" if name[0] in "aeiou" else "a"
    return f"{text} {name}" if metric in words.PERCENT else f"{article} {name} of {text}"


def _images(value: Measurement) -> str:
    if value.split == "validation":
        return words.plural(value.samples, "validation image")
    return f"{words.plural(value.samples, 'image')} it never saw"


def _about_answers(winner: Trial, tested: Tested) -> str:
    if winner.id in tested.samples:
        return ""
    return "Its answers to these images are no longer kept, so it is compared with nothing."


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


def _about_training(view: RunView, winner: Trial) -> str:
    """A remark when the winner was trained longer, or shorter, than the hand-made network."""
    handmade = view.trial(view.roles.handmade)
    if handmade is None:
        return ""
    own, other = winner.proposal.fidelity.epochs, handmade.proposal.fidelity.epochs
    if own == other:
        return ""
    theirs = words.plural(other, "epoch") if 1 in (own, other) else words.count(other)
    return f"It was trained for {words.plural(own, 'epoch')}, the hand-made network for {theirs}."


def _about_smaller(view: RunView, winner: Trial, tested: Tested) -> str:
    """The smallest finalist that cannot be told from the winner, where it is much smaller."""
    smallest: tuple[float, TrialId] | None = None
    if winner.id not in tested.samples:
        return ""
    for number in view.roles.finalists:
        rival = view.trial(number)
        if number == winner.id or rival is None or number not in tested.samples:
            continue
        ratio = ratios(rival, winner).get("parameters", 0.0)  # how much larger the winner is
        low, high = quality.interval(tested.samples[winner.id] - tested.samples[number])
        if ratio >= MUCH and low <= 0 <= high and (smallest is None or ratio > smallest[0]):
            smallest = ratio, number
    if smallest is None:
        return ""
    return (
        f"Trial {smallest[1]} of the final stage has {words.times(smallest[0])} fewer parameters, and no difference "
        "between it and the winner can be told on these images."
    )


def _about_random(view: RunView, comparisons: list[Comparison]) -> str:
    entry = _by_role(comparisons, "best_random")
    if entry is None:
        return _without_random(view)
    if has_rival(view):
        name = rival_name(view)
        if entry.trial == view.roles.winner:
            return f"The winner comes from {name}, so nothing shows that searching helped."
        who = "the hand-made network" if view.roles.winner == view.roles.handmade else "the search"
        against = {
            "beats": f"{_capital(who)} beats {name}",
            "equal": f"{_capital(name)} does as well as {who}",
            "worse": f"{_capital(name)} does better than {who}",
        }[entry.outcome]
        return f"{against} (difference {_difference(view, entry)})."
    share = random_share(view)
    spent = "training" if view.facts.get("trains", True) else "scoring"
    used = f"Random candidates used {words.fixed(100 * share, 0)} % of the search's {spent} time"
    if entry.trial == view.roles.winner:
        return f"{used}; the winner itself is one of them, so nothing shows that searching beyond random draws helped."
    return f"{used}; the difference to the best of them is {_difference(view, entry)}."


def _without_random(view: RunView) -> str:
    """Why the winner is held against no random candidate, where the search tried any."""
    if not random_count(view):
        return ""
    finals = [trial for trial in view.history.trials.values() if trial.source == "final"]
    cut_off = any(trial.status in OPEN and trial.proposal.notes.get("role") == "random" for trial in finals)
    reason = (
        "the final training of the best random candidate was cut off"
        if cut_off
        else "no random candidate was trained to the end"
    )
    return f"{_capital(reason)}, so nothing shows that searching beyond random draws helped."


def random_share(view: RunView) -> float:
    """Share of the search's worker time that random candidates used, with the promotions of those candidates."""
    total = random = 0.0
    trains = view.facts.get("trains", True)
    for trial in view.searched():
        if trains and trial.proposal.fidelity == UNTRAINED:
            continue
        total += trial.seconds
        random += trial.seconds * (origin_of(view.history, trial) == "random")
    return random / total if total else 0.0


def _difference(view: RunView, entry: Comparison) -> str:
    gap = entry.difference
    return words.difference(view.metric.metric, gap.value, gap.low or 0.0, gap.high or 0.0)


def _about_validation(view: RunView, winner: Trial, test: Measurement) -> str:
    """A remark when validation and test differ by more than chance."""
    metric = view.metric.metric
    validation = winner.measurements.get(metric)
    if validation is None or validation.split != "validation" or test.split != "test":
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
    if view.test_labels is None:
        return (
            "There was no test split: these are the images by which the network was chosen, so its figures flatter; "
            "measure it on images of your own."
        )
    reads = view.test_reads
    if reads == 0:
        return ""
    if reads == 1:
        return "The test images were read once, after every choice was made."
    return (
        f"The test images were read {reads} times, once in each final stage: whoever chose to go on after seeing a "
        "result has used them for choosing, and the figures flatter a little."
    )
