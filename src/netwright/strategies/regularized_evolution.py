"""Regularized (aging) evolution: the population is a queue; whoever has been in it longest leaves, however good.

Real, Aggarwal, Huang, Le, "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019,
arXiv 1802.01548. A lineage lives on only while its children train well again, so one lucky evaluation dies of age.

Where this deviates: births are counted in the order of results, not of proposals; the first objective is compared
by constraint domination, so a candidate outside a limit loses to one inside; mutations are those of `spaces`
(`operators.KINDS`), without the identity; a copied result (a repeated proposal) is not a birth.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from random import Random

from netwright.core.candidate import Candidate
from netwright.core.errors import InputError
from netwright.core.events import Failed, Finished, Lost
from netwright.core.objective import Goal
from netwright.core.trial import Fidelity, Proposal, TrialId
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction, Strategy
from netwright.strategies.operators import mutate
from netwright.strategies.population import Member, beats, result_of


class RegularizedEvolution(Strategy):
    """Aging evolution of `population` members; the best of `sample` drawn ones (with replacement) has a child."""

    name = "regularized-evolution"
    kind = "evolution"

    def __init__(
        self,
        space: SearchSpace,
        goal: Goal,
        *,
        seed: int,
        costs: CostFunction,
        population: int = 16,
        sample: int = 5,
    ) -> None:
        super().__init__(space, goal, seed=seed, costs=costs)
        if population < 1 or sample < 1:
            raise InputError(f"population and sample must be at least 1, but got {population} and {sample}")
        self.population = population
        self.sample = sample
        self.members: deque[Member] = deque(maxlen=population)
        self._first = Goal(goal.objectives[:1], goal.limits)
        self._open: dict[TrialId, Candidate] = {}

    def ask(self) -> Iterator[Proposal]:
        """Random candidates until the queue is full of results, then children of its members."""
        return self.novel(self._draw)

    def _draw(self, rng: Random) -> Proposal:
        if len(self.members) < self.population:
            return self.propose(self.space.sample(rng), origin="random")
        parent = self.members[rng.randrange(self.population)]
        for _ in range(self.sample - 1):
            rival = self.members[rng.randrange(self.population)]
            if beats(rival, parent):
                parent = rival
        child = mutate(self.space, parent.candidate, rng)
        return self.propose(child, origin="mutation", parents=(parent.trial,))

    def on_asked(self, trial: TrialId, proposal: Proposal, repeated: bool) -> None:
        """Keep the candidate until its result comes."""
        if not repeated:
            self._open[trial] = proposal.candidate

    def on_finished(self, event: Finished) -> None:
        """A birth; with a full queue, the death of the oldest."""
        candidate = self._open.pop(event.trial, None)
        result = result_of(self._first, event)
        if candidate is not None and result is not None:
            self.members.append(Member(event.trial, candidate, {self.fidelity.epochs: result}))

    def on_failed(self, event: Failed | Lost) -> None:
        """A failure is never a member, so never a parent."""
        self._open.pop(event.trial, None)

    def on_promoted(self, trial: TrialId, fidelity: Fidelity, event: Finished | Failed | Lost) -> None:
        """A member was trained on: it is compared on the higher rung with those that were there, too."""
        for member in self.members:
            if member.trial == trial:
                member.learn(self._first, fidelity.epochs, event)
