"""NSGA-II in steady state: several objectives and limits, one child at a time, no generations.

Deb, Pratap, Agarwal, Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", IEEE TEC 6(2), 2002.
Parents win binary tournaments on (rank, crowding); a child is a uniform crossover by address, mutated; whoever is
last in the last front leaves. Limits by constraint domination.

Where this deviates: (mu + 1) instead of generations, so that no worker waits; costs on a logarithmic metric are
spread on its logarithm; members trained to different rungs are compared on the highest rung both have reached, and
spread on the highest that their whole front has; the child is mutated in exactly one decision, and has two parents in
half of the cases instead of nine in ten (better on the toy of the algorithm's page).
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from netwright.core.candidate import Candidate
from netwright.core.errors import InputError
from netwright.core.events import Failed, Finished, Lost
from netwright.core.objective import Goal
from netwright.core.pareto import crowding
from netwright.core.trial import Fidelity, Proposal, TrialId
from netwright.spaces.variation import crossover
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction, Drawing
from netwright.strategies.operators import mutate
from netwright.strategies.population import FAILED, Member, better, common_epochs, result_of


class NSGA2(Drawing):
    """Steady-state NSGA-II with `population` members; a child has two parents with probability `crossover`."""

    name = "nsga2"
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
    ) -> None:
        super().__init__(space, goal, seed=seed, costs=costs)
        if population < 2 or not 0 <= crossover <= 1:
            raise InputError(
                f"population must be at least 2 and crossover within 0 … 1, but got {population} and {crossover}"
            )
        self.population = population
        self.crossover = crossover
        self.members: list[Member] = []
        self._open: dict[TrialId, Candidate] = {}
        self._dominators: list[int] = []  # for each member, a bit for every member that beats it
        self._standing: list[tuple[int, float]] | None = None  # what `standing` found since the last change

    def draw(self, rng: Random, drawn: Sequence[Candidate]) -> Proposal:
        """A random candidate until there are `population` members, then a child of them."""
        if len(self.members) < self.population:
            return self.propose(self.space.sample(rng), origin="random")
        mother, father = self._tournament(rng), self._tournament(rng)
        if mother is father or rng.random() >= self.crossover:
            child = mutate(self.space, mother.candidate, rng)
            return self.propose(child, origin="mutation", parents=(mother.trial,))
        child = mutate(self.space, crossover(self.space, mother.candidate, father.candidate, rng), rng)
        return self.propose(child, origin="crossover", parents=(mother.trial, father.trial))

    def _tournament(self, rng: Random) -> Member:
        standing = self.standing()
        a, b = rng.randrange(len(self.members)), rng.randrange(len(self.members))
        return self.members[b if standing[b] < standing[a] else a]

    def on_asked(self, trial: TrialId, proposal: Proposal, repeated: bool) -> None:
        """Keep the candidate until its result comes; a repeated one would fill the first front with itself."""
        if not repeated:
            self._open[trial] = proposal.candidate

    def on_finished(self, event: Finished) -> None:
        """A new member; above `population` the last of the last front leaves."""
        candidate = self._open.pop(event.trial, None)
        result = result_of(self.goal, event)
        if candidate is None or result is None:
            return
        self.members.append(Member(event.trial, candidate, {self.fidelity.epochs: result}))
        self._dominators.append(0)
        self._compare(len(self.members) - 1)
        if len(self.members) > self.population:
            last = self._fronts()[-1]
            distances = self._crowding(last)
            self._remove(min(zip(distances, [-i for i in last], last, strict=True))[2])

    def on_failed(self, event: Failed | Lost) -> None:
        """A failure is never a member, so never a parent."""
        self._open.pop(event.trial, None)

    def on_promoted(self, trial: TrialId, fidelity: Fidelity, event: Finished | Failed | Lost) -> None:
        """A member was trained on: it is compared on the higher rung with those that were there, too."""
        for index, member in enumerate(self.members):
            if member.trial == trial:
                member.learn(self.goal, fidelity.epochs, event)
                self._compare(index)

    # -- standing --------------------------------------------------------------------------------------------------

    def standing(self) -> list[tuple[int, float]]:
        """(rank, -crowding) of each member: the smaller wins. Kept until the population changes."""
        if self._standing is None:
            self._standing = [(0, 0.0)] * len(self.members)
            for rank, front in enumerate(self._fronts()):
                for i, distance in zip(front, self._crowding(front), strict=True):
                    self._standing[i] = (rank, -distance)
        return self._standing

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
        self._standing = None

    def _fronts(self) -> list[list[int]]:
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

    def _crowding(self, front: list[int]) -> list[float]:
        """Crowding distances on the highest rung that the whole front has reached; 0 where limits are broken."""
        epochs = common_epochs(*(self.members[i] for i in front))
        results = [self.members[i].results.get(epochs, FAILED) for i in front]
        if any(result.violation > 0 for result in results):
            return [0.0] * len(front)
        return crowding([result.spread for result in results])

    def _remove(self, index: int) -> None:
        """Take a member out, and its bit from all others."""
        del self.members[index], self._dominators[index]
        low = (1 << index) - 1
        self._dominators = [(bits & low) | (bits >> (index + 1) << index) for bits in self._dominators]
        self._standing = None
