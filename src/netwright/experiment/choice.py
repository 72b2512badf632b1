"""Which trials matter: the fronts so far, and the winner. All of it by validation data alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from netwright.core.candidate import Candidate
from netwright.core.events import Finished
from netwright.core.measurement import Measurement, Measurements
from netwright.core.objective import Goal, Objective
from netwright.core.pareto import Costs, dominates
from netwright.core.trial import Proposal, TrialId

OVERFITTED = 1.25
"""A candidate overfits when its loss on validation images is so many times that in its last epoch of training."""
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
    began: int | None = None

    @property
    def candidate(self) -> tuple[object, ...]:
        """Architecture and recipe, as a key."""
        return candidate_key(self.proposal.candidate)

    def is_of(self, other: Entry) -> bool:
        """Whether the other one is of the same candidate."""
        return self.proposal.candidate.key == other.proposal.candidate.key and self.candidate == other.candidate

    @property
    def epochs(self) -> int:
        """How long it was trained, in all."""
        return self.proposal.fidelity.epochs


def candidate_key(candidate: Candidate) -> tuple[object, ...]:
    """Architecture and recipe of a candidate, to be compared and hashed."""
    return (candidate.key, *sorted(candidate.recipe.items()))


def entry_of(goal: Goal, proposal: Proposal, event: Finished) -> Entry | None:
    """A result as the choice sees it; None where an objective is missing, or the training was stopped early."""
    costs = goal.costs(event.measurements)
    if event.status != "completed" or costs is None:
        return None
    return Entry(
        event.trial,
        proposal,
        costs,
        goal.violation(event.measurements),
        event.measurements,
        overfits=_overfits(proposal, event),
        resumed=bool(event.notes.get("resumed")),
        began=event.notes.get("began"),
    )


def _overfits(proposal: Proposal, event: Finished) -> bool:
    """Whether the loss on validation images is far above that in training, where the two can be compared.

    The loss of the network as it is scored: that within a training, at its full learning rate, rises and falls.
    """
    train, validation = event.notes.get("train_loss"), event.measurements.get("loss")
    if train is None or validation is None or proposal.candidate.recipe.get("label_smoothing"):
        return False
    return bool(validation.value > OVERFITTED * train)


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
        self._place(entry, self.fronts.setdefault(entry.epochs, []))
        if entry.proposal.origin == "promotion":
            candidate = hash(entry.candidate)
            self._highest[candidate] = max(entry.epochs, self._highest.get(candidate, 0))
        if self._is_random(entry) and (self.random is None or self._better(entry, self.random)):
            self.random = entry

    def _place(self, entry: Entry, front: list[Entry]) -> None:
        """Where it belongs on a front, on which every candidate stands once."""
        twin = next((other for other in front if entry.is_of(other)), None)
        if twin is not None and not _beats(entry, twin):
            return
        if len(self.goal.objectives) == 1:
            front[:] = [other for other in front if other is not twin] + [entry]
            front.sort(key=lambda one: (one.violation, one.costs))
            del front[KEPT_OF_A_RUNG:]
        elif not any(_beats(other, entry) for other in front):
            front[:] = [other for other in front if not _beats(entry, other)]
            front.append(entry)

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
        """Feasible first, then the longer trained, then by quality."""
        first = lead(self.goal)
        return (a.violation, -a.epochs, a.costs[first], a.costs) < (b.violation, -b.epochs, b.costs[first], b.costs)

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
        first = lead(self.goal)
        return sorted(found, key=lambda entry: (entry.violation, entry.costs[first], entry.costs))

    def front(self) -> list[Entry]:
        """The front over all rungs; best quality first."""
        return undominated(self.longest())


def undominated(entries: Sequence[Entry]) -> list[Entry]:
    """Those that no other one beats."""
    return [a for a in entries if not any(_beats(b, a) for b in entries)]


def _beats(a: Entry, b: Entry) -> bool:
    return dominates(a.costs, b.costs, a.violation, b.violation)


def lead(goal: Goal) -> int:
    """The objective by which candidates are ordered: that of quality where there is one, else the first."""
    measure = goal.quality
    return goal.objectives.index(measure) if measure in goal.objectives else 0


def winner(goal: Goal, finished: Mapping[TrialId, Measurements]) -> TrialId:
    """The finalist to export.

    The best by the quality objective among those inside all limits, unless another one is not worse by more than the
    best one's standard error, and cheaper in the next objective.
    """
    best_violation = min(goal.violation(m) for m in finished.values())
    inside = {t: m for t, m in finished.items() if goal.violation(m) == best_violation}
    measure = goal.quality
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
