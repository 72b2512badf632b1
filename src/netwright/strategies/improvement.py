"""What strategies share that try next what is expected to improve most on the best, by whatever model of the results.

Jones, Schonlau, Welch, "Efficient Global Optimization of Expensive Black-Box Functions", 1998. A strategy of this kind
says how much candidates promise (`gains`); here is where that is looked for. A share of the proposals stays random,
whatever the model believes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from netwright.core.candidate import Candidate
from netwright.core.objective import Goal
from netwright.core.trial import Proposal
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction
from netwright.strategies.operators import mutate
from netwright.strategies.promising import Gains, most_promising
from netwright.strategies.surrogate import Known, Surrogate

if TYPE_CHECKING:
    from netwright.strategies.models.acquisition import Array

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


class Predictor(Protocol):
    """A model of one objective over rows of some kind."""

    def predict(self, rows: Any) -> tuple[Array, Array]:
        """Mean and standard deviation (rows each)."""


def reached(axes: Sequence[Predictor | Known], rows: Any) -> Array:
    """What the candidates of `rows` have reached as far as is known, an axis an objective: (rows, axes)."""
    import numpy as np

    return np.column_stack([axis.reached if isinstance(axis, Known) else axis.predict(rows)[0] for axis in axes])


def predicted(axes: Sequence[Predictor | Known], rows: Any, candidates: Sequence[Candidate]) -> tuple[Array, Array]:
    """Mean and standard deviation of candidates, whose rows are `rows`: (candidates, axes) each."""
    import numpy as np

    pairs = [
        (axis.values(candidates), np.zeros(len(candidates))) if isinstance(axis, Known) else axis.predict(rows)
        for axis in axes
    ]
    return np.column_stack([mean for mean, _ in pairs]), np.column_stack([sd for _, sd in pairs])
