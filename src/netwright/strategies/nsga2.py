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

from netwright.core.objective import Goal
from netwright.core.pareto import crowding
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction
from netwright.strategies.shared.pareto_evolution import ParetoEvolution
from netwright.strategies.shared.population import Member


class NSGA2(ParetoEvolution):
    """Steady-state NSGA-II with `population` members; a child has two parents with probability `crossover`."""

    name = "nsga2"

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
        super().__init__(
            space, goal, seed=seed, costs=costs, population=population, crossover=crossover, inherit=inherit
        )
        self._standing: list[tuple[int, float]] | None = None  # what `standing` found since the last change

    def _parent(self, rng: Random) -> Member:
        """The winner of a tournament of two."""
        standing = self.standing()
        a, b = rng.randrange(len(self.members)), rng.randrange(len(self.members))
        return self.members[b if standing[b] < standing[a] else a]

    def _worth(self, front: Sequence[int]) -> list[float]:
        """Crowding distances; 0 where limits are broken."""
        costs = self.spread(front)
        return [0.0] * len(front) if costs is None else crowding(costs)

    def standing(self) -> list[tuple[int, float]]:
        """(rank, -crowding) of each member: the smaller wins. Kept until the population changes."""
        if self._standing is None:
            self._standing = [(0, 0.0)] * len(self.members)
            for rank, front in enumerate(self.fronts()):
                for i, distance in zip(front, self._worth(front), strict=True):
                    self._standing[i] = (rank, -distance)
        return self._standing

    def _changed(self) -> None:
        self._standing = None
