"""What evolution of one objective shares: a population, parents by tournament, children by mutation, one at a time.

An algorithm of this kind says who leaves when a child joins (`regularized_evolution`, `tournament_evolution`). Births
are counted in the order of results, not of proposals, so any number of workers may run ahead; a candidate outside a
limit loses to one inside (constraint domination); a copied result (a repeated proposal) is not a birth.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from random import Random

from netwright.core.candidate import Candidate
from netwright.core.errors import InputError
from netwright.core.events import Failed, Finished, Lost
from netwright.core.objective import Goal
from netwright.core.trial import Fidelity, Proposal, TrialId
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction
from netwright.strategies.shared.lineage import Lineage
from netwright.strategies.shared.operators import mutate
from netwright.strategies.shared.population import Member, beats, result_of


class Evolution(Lineage):
    """Evolution of `population` members; the best of `sample` drawn ones (with replacement) has a child.

    With `inherit` the child starts from its parent's weights.
    """

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
        inherit: bool = False,
    ) -> None:
        super().__init__(space, goal, seed=seed, costs=costs)
        if population < 1 or sample < 1:
            raise InputError(f"population and sample must be at least 1, but got {population} and {sample}")
        self.population = population
        self.sample = sample
        self.inherit = inherit
        self.members: deque[Member] = deque(maxlen=population)
        self._first = goal.first
        self._open: dict[TrialId, Candidate] = {}

    def draw(self, rng: Random, drawn: Sequence[Candidate]) -> Proposal:
        """A random candidate until the population is full, then a child of the best of a few of its members."""
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
        """A birth; in a full population somebody makes room."""
        candidate = self._open.pop(event.trial, None)
        result = result_of(self._first, event)
        if candidate is not None and result is not None:
            if len(self.members) == self.population:
                self._make_room(event.trial)
            results = {self.fidelity.epochs: result}
            self.members.append(Member(event.trial, candidate, results, trained=event.status != "infeasible"))

    @abstractmethod
    def _make_room(self, birth: TrialId) -> None:
        """Take a member out of the full population, which the child of trial `birth` is about to join."""

    def on_failed(self, event: Failed | Lost) -> None:
        """A failure is never a member, so never a parent."""
        self._open.pop(event.trial, None)

    def on_promoted(self, trial: TrialId, fidelity: Fidelity, event: Finished | Failed | Lost) -> None:
        """A member was trained on: it is compared on the higher rung with those that were there, too."""
        for member in self.members:
            if member.trial == trial:
                member.learn(self._first, fidelity.epochs, event)
