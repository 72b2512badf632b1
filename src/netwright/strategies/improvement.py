"""What strategies share that try next what is expected to improve most on the best, by whatever model of the results.

Jones, Schonlau, Welch, "Efficient Global Optimization of Expensive Black-Box Functions", 1998. A strategy of this kind
says how much candidates promise (`gains`); here is where that is looked for. A share of the proposals stays random,
whatever the model believes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from random import Random
from typing import ClassVar

from netwright.core.candidate import Candidate
from netwright.core.objective import Goal
from netwright.core.trial import Proposal
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction
from netwright.strategies.operators import mutate
from netwright.strategies.promising import Gains, most_promising
from netwright.strategies.surrogate import Surrogate

STARTUP = 10
"""Random candidates before the first model."""


class ExpectedImprovement(Surrogate):
    """Random candidates, then those that promise most, each as if the ones before it had come in as predicted."""

    random_share: ClassVar[float]
    """Share of the proposals after `STARTUP` results that are random."""

    def __init__(self, space: SearchSpace, goal: Goal, *, seed: int, costs: CostFunction) -> None:
        super().__init__(space, goal, seed=seed, costs=costs)
        self._looked: Random | None = None  # the proposal that was last looked for, by its random state

    @abstractmethod
    def best(self) -> list[Candidate]:
        """The candidates that rank highest, the first of all before the others."""

    @abstractmethod
    def gains(self, waiting: Sequence[Candidate], rng: Random) -> Gains:
        """How much candidates promise while `waiting` are under way."""

    def draw(self, rng: Random, drawn: Sequence[Candidate]) -> Proposal:
        """A random candidate, or the most promising new one; a mutation of the best where none is, or when called again."""
        again, self._looked = self._looked is rng, rng
        if len(self.members) < STARTUP or (not again and rng.random() < self.random_share):
            return self.propose(self.space.sample(rng), origin="random")
        best = self.best()
        if not again:
            gains = self.gains([*self.underway.values(), *drawn], rng)
            taken = {self.propose(candidate, origin="").identity() for candidate in drawn}
            for candidate in most_promising(self.space, gains, best, rng):
                proposal = self.propose(candidate, origin="model")
                identity = proposal.identity()
                if identity not in taken and bytes.fromhex(identity) not in self.seen and self.excess(candidate) == 0:
                    return proposal
        return self.propose(mutate(self.space, best[0], rng), origin="mutation")
