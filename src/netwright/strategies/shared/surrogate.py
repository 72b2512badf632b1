"""What strategies share that fit a model to results: the results, their order, and numbers that a model is fitted to.

Modelled are values, or ranks where no decision is a number (`targets.py`); candidates outside a limit rank below all
others, by how far, failures last, and what was trained further ranks above what was not. Parameters and MACs are
computed, not modelled, where there are several objectives.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from statistics import fmean, pstdev

from netwright.core.candidate import Candidate
from netwright.core.errors import CandidateError
from netwright.core.events import Failed, Finished, Lost
from netwright.core.measurement import Measurement
from netwright.core.metrics import METRICS
from netwright.core.objective import Goal
from netwright.core.seeding import derive
from netwright.core.trial import Fidelity, Proposal, TrialId
from netwright.spaces.choices import Integer, Real
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction, Drawing
from netwright.strategies.shared.population import FAILED, Member, Result, result_of, spread_scale
from netwright.strategies.shared.ranking import best_first
from netwright.strategies.shared.targets import Reading, ranks, values

MOST_REMEMBERED = 2_000
"""Beyond so many results half of them are forgotten, which bounds the cost of an ask: see `some` for which."""
UNBUILDABLE = 1e3
"""How many standard deviations below all others a network lies that cannot be built."""


class Surrogate(Drawing):
    """Keeps the results that a model is fitted to. A subclass hears of new results by `on_learned`."""

    kind = "model"
    multi_objective = True

    def __init__(self, space: SearchSpace, goal: Goal, *, seed: int, costs: CostFunction) -> None:
        super().__init__(space, goal, seed=seed, costs=costs)
        self.members: dict[TrialId, Member] = {}
        self.underway: dict[TrialId, Candidate] = {}
        self.at_random: set[TrialId] = set()
        self.numbers = False  # whether any decision so far was one

    @abstractmethod
    def on_learned(self) -> None:
        """There is a new result."""

    # -- telling ---------------------------------------------------------------------------------------------------

    def on_asked(self, trial: TrialId, proposal: Proposal, repeated: bool) -> None:
        """Keep the candidate until its result comes."""
        if not repeated:
            self.underway[trial] = proposal.candidate
            self.numbers = self.numbers or self._has_numbers(proposal.candidate)
            if proposal.origin == "random":
                self.at_random.add(trial)

    def on_finished(self, event: Finished) -> None:
        """One more result."""
        candidate, result = self.underway.pop(event.trial, None), result_of(self.goal, event)
        if candidate is not None and result is not None:
            self._learn(event.trial, candidate, result)

    def on_failed(self, event: Failed | Lost) -> None:
        """A failure is the worst result; of a lost trial nothing is known."""
        candidate = self.underway.pop(event.trial, None)
        if candidate is not None and isinstance(event, Failed):
            self._learn(event.trial, candidate, FAILED)

    def on_promoted(self, trial: TrialId, fidelity: Fidelity, event: Finished | Failed | Lost) -> None:
        """A candidate was trained on."""
        if trial in self.members:
            self.members[trial].learn(self.goal, fidelity.epochs, event)
            self.on_learned()

    def _learn(self, trial: TrialId, candidate: Candidate, result: Result) -> None:
        self.members[trial] = Member(trial, candidate, {self.fidelity.epochs: result})
        if len(self.members) > MOST_REMEMBERED:
            kept = some(self.best_first(sorted(self.members)), MOST_REMEMBERED // 2, self.seed)
            self.members = {trial: self.members[trial] for trial in sorted(kept)}
            self.at_random &= self.members.keys() | self.underway.keys()
        self.on_learned()

    # -- results as numbers ----------------------------------------------------------------------------------------

    def candidates(self, trials: Iterable[TrialId]) -> list[Candidate]:
        """Of these trials."""
        return [self.members[trial].candidate for trial in trials]

    def feasible(self, trials: Iterable[TrialId]) -> list[TrialId]:
        """Those that are inside all limits."""
        return [trial for trial in trials if latest(self.members[trial])[1].violation == 0]

    def best_first(self, trials: Sequence[TrialId]) -> list[TrialId]:
        """The order of `ranking` among those that were trained as far; those trained further come first."""
        results = {trial: latest(self.members[trial]) for trial in trials}
        order: list[TrialId] = []
        for epochs in sorted({epochs for epochs, _ in results.values()}, reverse=True):
            rung = [trial for trial in trials if results[trial][0] == epochs]
            order += [rung[i] for i in best_first([results[trial][1] for trial in rung])]
        return sorted(order, key=lambda trial: results[trial][1].violation)

    def targets(self, trials: Sequence[TrialId], index: int) -> list[float]:
        """Objective `index` of these trials as a model is fitted to it, larger is better: see `targets.py`."""
        readings = [self._reading(trial, index) for trial in trials]
        return values(readings) if self.numbers else ranks(readings)

    def _has_numbers(self, candidate: Candidate) -> bool:
        choices = self.space.choices(candidate.decisions).values()
        return any(isinstance(choice, Integer | Real) for choice in choices)

    def _reading(self, trial: TrialId, index: int) -> Reading:
        results = self.members[trial].results
        epochs, result = latest(self.members[trial])
        if result.violation > 0:
            return Reading(0.0, 0.0, epochs, result.violation, random=False)
        first = results[min(results)]
        if first.violation > 0:
            first = result
        return Reading(-result.spread[index], -first.spread[index], epochs, 0.0, random=trial in self.at_random)

    def known(self, index: int) -> bool:
        """Whether objective `index` is computed for every candidate instead of being modelled."""
        return len(self.goal.objectives) > 1 and METRICS[self.goal.objectives[index].metric].needs == "arithmetic"


class Known:
    """Objective `index` by arithmetic, larger is better, on the scale of the results of `trials`, which are feasible.

    `reached` are the values of these trials.
    """

    def __init__(self, strategy: Surrogate, index: int, trials: Sequence[TrialId]) -> None:
        costs = [latest(strategy.members[trial])[1].spread[index] for trial in trials]
        self.goal = Goal((strategy.goal.objectives[index],))
        self.costs = strategy.costs
        self.center, self.scale = fmean(costs), max(pstdev(costs), 1e-9)
        self.reached = [self._scaled(cost) for cost in costs]

    def values(self, candidates: Sequence[Candidate]) -> list[float]:
        """Of each candidate; what cannot be built is as bad as can be."""
        return [self._value(candidate) for candidate in candidates]

    def _value(self, candidate: Candidate) -> float:
        metric = self.goal.objectives[0].metric
        try:
            value = getattr(self.costs(candidate.architecture), metric)  # type: ignore[arg-type]
        except CandidateError:
            return -UNBUILDABLE
        (cost,) = spread_scale(self.goal, self.goal.costs({metric: Measurement(value)}) or ())
        return self._scaled(cost)

    def _scaled(self, cost: float) -> float:
        return (self.center - cost) / self.scale


def latest(member: Member) -> tuple[int, Result]:
    """The result after most epochs, and these."""
    return max(member.results.items(), key=lambda item: item[0])


def some(order: Sequence[TrialId], most: int, seed: int) -> list[TrialId]:
    """All of `order`, or `most` of them: the first half of these from its front, the others at random."""
    if len(order) <= most:
        return list(order)
    rest = sorted(order[most // 2 :], key=lambda trial: derive(seed, "kept", trial))
    return [*order[: most // 2], *rest[: most - most // 2]]
