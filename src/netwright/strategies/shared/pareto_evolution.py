"""What evolution of several objectives shares: a population in fronts, one child at a time, no generations.

An algorithm of this kind says who become parents and who of the last front leaves (`nsga2`, `hypervolume_evolution`).
A child is a uniform crossover by address, mutated in one decision, or a mutation of one parent. Fronts are made by
constraint domination: a candidate inside all limits beats one outside, the less violation wins. Members trained to
different rungs are compared on the highest rung that both have reached. A copied result (a repeated proposal) is not a
birth, and a failure never a member.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from random import Random

from netwright.core.candidate import Candidate
from netwright.core.errors import InputError
from netwright.core.events import Failed, Finished, Lost
from netwright.core.objective import Goal
from netwright.core.pareto import Costs
from netwright.core.trial import Fidelity, Proposal, TrialId
from netwright.spaces.variation import crossover
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction
from netwright.strategies.shared.lineage import Lineage
from netwright.strategies.shared.operators import mutate
from netwright.strategies.shared.population import FAILED, Member, better, common_epochs, result_of


class ParetoEvolution(Lineage):
    """(mu + 1) evolution of `population` members; a child has two parents with probability `crossover`.

    With `inherit` it starts from the weights of the first.
    """

    kind = "evolution"
    multi_objective = True

    def __init__(
        self,
        space: SearchSpace,
        goal: Goal,
        *,
        seed: int,
        costs: CostFunction,
        population: int = 12,
        crossover: float = 0.5,
        inherit: bool = False,
    ) -> None:
        super().__init__(space, goal, seed=seed, costs=costs)
        if population < 2 or not 0 <= crossover <= 1:
            raise InputError(
                f"population must be at least 2 and crossover within 0 … 1, but got {population} and {crossover}"
            )
        self.population = population
        self.crossover = crossover
        self.inherit = inherit
        self.members: list[Member] = []
        self._open: dict[TrialId, Candidate] = {}
        self._dominators: list[int] = []  # for each member, a bit for every member that beats it

    def draw(self, rng: Random, drawn: Sequence[Candidate]) -> Proposal:
        """A random candidate until there are `population` members, then a child of them."""
        if len(self.members) < self.population:
            return self.propose(self.space.sample(rng), origin="random")
        mother, father = self._parent(rng), self._parent(rng)
        if mother is father or rng.random() >= self.crossover:
            child = mutate(self.space, mother.candidate, rng)
            return self.propose(child, origin="mutation", parents=(mother.trial,))
        child = mutate(self.space, crossover(self.space, mother.candidate, father.candidate, rng), rng)
        return self.propose(child, origin="crossover", parents=(mother.trial, father.trial))

    @abstractmethod
    def _parent(self, rng: Random) -> Member:
        """A member of the full population, to have a child."""

    @abstractmethod
    def _worth(self, front: Sequence[int]) -> list[float]:
        """What each of these members, indices of one front, is worth to it: who is worth least leaves."""

    def on_asked(self, trial: TrialId, proposal: Proposal, repeated: bool) -> None:
        """Keep the candidate until its result comes; a repeated one would fill the first front with itself."""
        if not repeated:
            self._open[trial] = proposal.candidate

    def on_finished(self, event: Finished) -> None:
        """A new member; above `population` the one of the last front that is worth least leaves, of equals the latest."""
        candidate = self._open.pop(event.trial, None)
        result = result_of(self.goal, event)
        if candidate is None or result is None:
            return
        results = {self.fidelity.epochs: result}
        self.members.append(Member(event.trial, candidate, results, trained=event.status != "infeasible"))
        self._dominators.append(0)
        self._compare(len(self.members) - 1)
        if len(self.members) > self.population:
            last = self.fronts()[-1]
            self._remove(min(zip(self._worth(last), [-i for i in last], last, strict=True))[2])

    def on_failed(self, event: Failed | Lost) -> None:
        """A failure is never a member, so never a parent."""
        self._open.pop(event.trial, None)

    def on_promoted(self, trial: TrialId, fidelity: Fidelity, event: Finished | Failed | Lost) -> None:
        """A member was trained on: it is compared on the higher rung with those that were there, too."""
        for index, member in enumerate(self.members):
            if member.trial == trial:
                member.learn(self.goal, fidelity.epochs, event)
                self._compare(index)

    # -- fronts ----------------------------------------------------------------------------------------------------

    def fronts(self) -> list[list[int]]:
        """Indices of the members by front. Comparisons on different rungs may form a cycle: then the members with the
        fewest dominators left are the next front."""
        fronts: list[list[int]] = []
        left, alive = list(range(len(self.members))), (1 << len(self.members)) - 1
        while left:
            above = [(self._dominators[i] & alive).bit_count() for i in left]
            fewest = min(above)
            fronts.append([i for i, count in zip(left, above, strict=True) if count == fewest])
            left = [i for i, count in zip(left, above, strict=True) if count != fewest]
            alive = sum(1 << i for i in left)
        return fronts

    def spread(self, front: Sequence[int]) -> list[Costs] | None:
        """Costs, as distances are measured in, on the highest rung that the whole front has reached; None where there
        is none, or limits are broken."""
        epochs = common_epochs(*(self.members[i] for i in front))
        results = [self.members[i].results.get(epochs, FAILED) for i in front]
        return None if any(result.violation > 0 for result in results) else [result.spread for result in results]

    def _compare(self, index: int) -> None:
        """Set the bits of who beats whom for one member against all others."""
        member, bit, own = self.members[index], 1 << index, 0
        for other, rival in enumerate(self.members):
            self._dominators[other] &= ~bit
            if other == index:
                continue
            epochs = common_epochs(rival, member)
            if not epochs:
                continue
            theirs, ours = rival.results[epochs], member.results[epochs]
            if better(theirs, ours):
                own |= 1 << other
            elif better(ours, theirs):
                self._dominators[other] |= bit
        self._dominators[index] = own
        self._changed()

    def _remove(self, index: int) -> None:
        """Take a member out, and its bit from all others."""
        del self.members[index], self._dominators[index]
        low = (1 << index) - 1
        self._dominators = [(bits & low) | (bits >> (index + 1) << index) for bits in self._dominators]
        self._changed()

    def _changed(self) -> None:
        """The population, or who beats whom in it, is another than before."""
