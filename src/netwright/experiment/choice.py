"""Which trials matter: the fronts so far, the finalists, and the winner. All of it by validation data alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from netwright.core.candidate import Candidate
from netwright.core.events import Finished
from netwright.core.measurement import Measurement, Measurements
from netwright.core.metrics import METRICS
from netwright.core.objective import Goal, Objective
from netwright.core.pareto import Costs, dominates
from netwright.core.trial import Proposal, TrialId
from netwright.strategies.population import spread_scale

SHARES = ("accuracy", "balanced_accuracy", "auc")
"""Metrics of which 1 is perfect."""
MOST_ERRORS = 3
"""A network that errs so many times as often as the best one is not what anybody would choose for its size."""
OVERFITTED = 1.25
"""A candidate overfits when its loss on validation images is so many times that in training."""
KEPT_OF_A_RUNG = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """A finished trial of a search as the choice sees it."""

    trial: TrialId
    proposal: Proposal
    costs: Costs
    violation: float
    measurements: Measurements
    overfits: bool = False
    resumed: bool = False

    @property
    def candidate(self) -> tuple[object, ...]:
        """Architecture and recipe, as a key."""
        return candidate_key(self.proposal.candidate)

    @property
    def epochs(self) -> int:
        """How long it was trained, in all."""
        return self.proposal.fidelity.epochs


def candidate_key(candidate: Candidate) -> tuple[object, ...]:
    """Architecture and recipe of a candidate, to be compared and hashed."""
    return (candidate.key, *sorted(candidate.recipe.items()))


def entry_of(goal: Goal, proposal: Proposal, event: Finished) -> Entry | None:
    """A result as the choice sees it; None where an objective is missing."""
    costs = goal.costs(event.measurements)
    if event.status not in ("completed", "stopped") or costs is None:
        return None
    return Entry(
        event.trial,
        proposal,
        costs,
        goal.violation(event.measurements),
        event.measurements,
        overfits=_overfits(proposal, event),
        resumed=bool(event.notes.get("resumed")),
    )


def _overfits(proposal: Proposal, event: Finished) -> bool:
    """Whether the loss on validation images is far above that in training, where the two can be compared."""
    train, validation = event.notes.get("train_loss"), event.notes.get("validation_loss")
    if train is None or validation is None or proposal.candidate.recipe.get("label_smoothing"):
        return False
    return bool(validation > OVERFITTED * train)


@dataclass(slots=True)
class Standings:
    """Non-dominated trials on every rung (with one objective, the best few), and the best random one.

    Changed by one finished trial at a time.
    """

    goal: Goal
    fronts: dict[int, list[Entry]] = field(default_factory=dict)
    random: Entry | None = None
    _drawn: set[int] = field(default_factory=set)
    _highest: dict[int, int] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Take in a finished trial; it displaces those of its rung that it dominates."""
        front = self.fronts.setdefault(entry.epochs, [])
        if len(self.goal.objectives) == 1:
            front.append(entry)
            front.sort(key=lambda one: (one.violation, one.costs))
            del front[KEPT_OF_A_RUNG:]
        elif not any(_beats(other, entry) for other in front):
            front[:] = [other for other in front if not _beats(entry, other)]
            front.append(entry)
        if entry.proposal.origin == "promotion":
            candidate = hash(entry.candidate)
            self._highest[candidate] = max(entry.epochs, self._highest.get(candidate, 0))
        if self._is_random(entry) and (self.random is None or self._better(entry, self.random)):
            self.random = entry

    def _is_random(self, entry: Entry) -> bool:
        """Whether the candidate was drawn at random, perhaps trained on since."""
        origin = entry.proposal.origin
        if origin not in ("random", "promotion"):
            return False
        candidate = hash(entry.candidate)
        if origin == "random":
            self._drawn.add(candidate)
        return candidate in self._drawn

    def _better(self, a: Entry, b: Entry) -> bool:
        """Feasible first, then the longer trained, then the first objective."""
        return (a.violation, -a.epochs, a.costs) < (b.violation, -b.epochs, b.costs)

    def kept(self) -> set[TrialId]:
        """Trials whose weights may still be exported."""
        trials = {entry.trial for front in self.fronts.values() for entry in front}
        return trials | ({self.random.trial} if self.random else set())

    def longest(self) -> list[Entry]:
        """What is on the front of its rung, each candidate with its longest training alone; best quality first."""
        found = [
            entry
            for front in self.fronts.values()
            for entry in front
            if entry.epochs >= self._highest.get(hash(entry.candidate), 0)
        ]
        lead = _lead(self.goal)
        return sorted(found, key=lambda entry: (entry.violation, entry.costs[lead], entry.costs))

    def front(self) -> list[Entry]:
        """The front over all rungs; best quality first."""
        return _undominated(self.longest())


def _undominated(entries: Sequence[Entry]) -> list[Entry]:
    return [a for a in entries if not any(_beats(b, a) for b in entries)]


def _beats(a: Entry, b: Entry) -> bool:
    return dominates(a.costs, b.costs, a.violation, b.violation)


def _lead(goal: Goal) -> int:
    """The objective by which candidates are ordered: that of quality where there is one, else the first."""
    measure = quality(goal)
    return goal.objectives.index(measure) if measure in goal.objectives else 0


def finalists(standings: Standings, count: int, floor: float | None) -> list[Entry]:
    """At most `count` trials that are worth a full training, the most promising first.

    The best by quality comes first; each further one adds most hypervolume to those chosen. When nothing on the front
    adds any, the next front is taken: short trainings order candidates only roughly. The reference point is the worst
    of all in every other cost, and in quality `floor` (the cost of a classic model) when any reaches better than that:
    networks that a linear model beats are no finalists, nor are those with `MOST_ERRORS` times the errors of the best.
    """
    everyone = standings.longest()
    left = [entry for entry in everyone if entry.violation == 0] or everyone[:1]
    if not left:
        return []
    bounds = [bound for bound in (floor, _far_from_best(standings.goal, left)) if bound is not None]
    points = _scaled(standings.goal, left, min(bounds, default=None))
    volumes = dict(zip([entry.trial for entry in left], points, strict=True))
    chosen: list[Entry] = []
    while left and len(chosen) < count:
        layer = _undominated(left)
        chosen += _most_volume(layer, volumes, count - len(chosen), first=not chosen)
        left = [entry for entry in left if entry not in layer]
    return chosen


def _far_from_best(goal: Goal, entries: Sequence[Entry]) -> float | None:
    """The cost of so many times the errors of the best; None where quality is no objective, or no share of answers."""
    metric = goal.objectives[_lead(goal)].metric
    if metric not in SHARES:
        return None
    best = entries[0].measurements[metric]
    return MOST_ERRORS * (1 - (best.value if best.low is None else best.low)) - 1


def _most_volume(layer: Sequence[Entry], points: Mapping[TrialId, Costs], count: int, *, first: bool) -> list[Entry]:
    """At most `count` of one front, greedily by hypervolume; `first` lets its best begin, whatever it adds."""
    chosen: list[Entry] = []
    left, volume = list(layer), 0.0
    while left and len(chosen) < count:
        volumes = [_hypervolume([points[entry.trial] for entry in [*chosen, one]]) for one in left]
        best = 0 if first and not chosen else max(range(len(left)), key=lambda i: volumes[i])
        if volumes[best] <= volume + 1e-9 and not (first and not chosen):
            break
        volume = volumes[best]
        chosen.append(left.pop(best))
    return chosen


def _scaled(goal: Goal, entries: Sequence[Entry], floor: float | None) -> list[Costs]:
    """Costs on [0, 1]-like scales with the reference point at 1 in each; logarithmic where the metric is."""
    columns = []
    for index, objective in enumerate(goal.objectives):
        column = [spread_scale(goal, entry.costs)[index] for entry in entries]
        low, high, margin = min(column), max(column), 1.1
        if index == _lead(goal) and METRICS[objective.metric].quality and floor is not None and low < floor < high:
            high, margin = floor, 1.0
        columns.append([(value - low) / (((high - low) or 1.0) * margin) for value in column])
    return list(zip(*columns, strict=True))


def _hypervolume(points: Sequence[Costs]) -> float:
    inside = [point for point in points if all(value < 1 for value in point)]
    if not inside:
        return 0.0
    if len(inside[0]) == 1:
        return 1 - min(point[0] for point in inside)
    import moocore
    import numpy

    return float(moocore.hypervolume(numpy.array(inside), ref=[1.0] * len(inside[0])))


def quality(goal: Goal) -> Objective:
    """The objective that says how good a network is: the first one that needs training, else accuracy."""
    for objective in goal.objectives:
        if METRICS[objective.metric].quality:
            return objective
    return Objective("accuracy", "max")


def winner(goal: Goal, finished: Mapping[TrialId, Measurements]) -> TrialId:
    """The finalist to export.

    The best by the quality objective among those inside all limits, unless another one is not worse by more than the
    best one's standard error, and cheaper in the next objective.
    """
    best_violation = min(goal.violation(m) for m in finished.values())
    inside = {t: m for t, m in finished.items() if goal.violation(m) == best_violation}
    measure = quality(goal)
    best = min(inside, key=lambda t: (_cost(measure, inside[t]), t))
    cheaper = next((o for o in goal.objectives if o.metric != measure.metric), None)
    if cheaper is None:
        return best
    tolerance = _standard_error(inside[best][measure.metric], measure.direction)
    tied = [t for t in inside if _cost(measure, inside[t]) <= _cost(measure, inside[best]) + tolerance]
    return min(tied, key=lambda t: (_cost(cheaper, inside[t]), _cost(measure, inside[t]), t))


def _cost(objective: Objective, measurements: Measurements) -> float:
    cost = objective.cost(measurements)
    return math.inf if cost is None else cost


def _standard_error(measurement: Measurement, direction: str) -> float:
    """From the worse side of the 90 % interval, 1.645 standard errors away: the other side ends at a perfect score."""
    if measurement.low is None or measurement.high is None:
        return 0.0
    return (measurement.value - measurement.low if direction == "max" else measurement.high - measurement.value) / 1.645
