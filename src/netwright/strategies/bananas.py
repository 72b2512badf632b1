"""BANANAS: an ensemble of neural networks predicts, and mutations of the best are ranked by one random draw each.

White, Neiswanger, Savani, "BANANAS: Bayesian Optimization with Neural Architectures for Neural Architecture Search",
AAAI 2021, arXiv 1910.11858. Whenever ten more results are there, an ensemble is trained on paths of the networks, and a
hundred new mutations of the best network are drawn; for each one value is drawn from what the ensemble predicts, by
itself (independent Thompson sampling), and the highest draws are proposed.

Where this deviates: the networks see decisions, sizes and numbers of paths beside which paths there are (`shared/vectors.py`),
and learn ranks or scaled values (`shared/targets.py`), by fewer and wider layers. A mutation changes
one decision; where the best has fewer than a hundred new ones, those of the next best follow. Workers do not wait for a
round to end: they take the next highest draws. Of several objectives each proposal follows a random scalarisation
(ParEGO). A space without layers is searched by its decisions alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netwright.core.candidate import Candidate
from netwright.core.objective import Goal
from netwright.core.seeding import derive, stream
from netwright.core.trial import Proposal
from netwright.spaces.variation import neighbours
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction
from netwright.strategies.shared.operators import mutate
from netwright.strategies.shared.surrogate import Known, Surrogate, some
from netwright.strategies.shared.vectors import Vectors, matrix, varying

if TYPE_CHECKING:
    from random import Random

    import numpy as np

    from netwright.strategies.models.acquisition import Array

STARTUP = 10
"""Random candidates before the first round."""
ROUND = 10
"""A round ends when there are as many more results."""
MUTATIONS, PARENTS = 100, 5
"""A round ranks so many mutations: those of the best network, then those of others among the best."""
NETWORKS, LAYERS, WIDTH = 5, 3, 64
MOST_MODELLED = 300
"""Results that the networks are trained on: the better half by rank, and others at random. It bounds the cost of a round."""


@dataclass(slots=True)
class Round:
    """What was known when a round began: candidates, by objective what is to be learned of them, the best, and proposals.

    `ranking` are the proposals of the round, the best first; None until one is asked for.
    """

    number: int
    candidates: list[Candidate]
    axes: list[list[float] | Known]
    best: list[Candidate]
    proposed: frozenset[bytes]
    ranking: list[tuple[bytes, Proposal]] | None = None


class Bananas(Surrogate):
    """Mutations of the best by independent Thompson sampling from an ensemble of neural networks."""

    name = "bananas"

    def __init__(self, space: SearchSpace, goal: Goal, *, seed: int, costs: CostFunction) -> None:
        super().__init__(space, goal, seed=seed, costs=costs)
        self._vectors = Vectors(space, costs)
        self._round: Round | None = None
        self._news = 0  # results since the round began

    # -- asking ----------------------------------------------------------------------------------------------------

    def draw(self, rng: Random, drawn: Sequence[Candidate]) -> Proposal:
        """A random candidate before the first round, then the highest of its ranking that is left."""
        if self._round is None:
            return self.propose(self.space.sample(rng), origin="random")
        if self._round.ranking is None:
            self._round.ranking = self._ranking(self._round)
        taken = {self.propose(candidate, origin="").identity() for candidate in drawn}
        for identity, proposal in self._round.ranking:
            if identity.hex() not in taken and identity not in self.seen:
                return proposal
        return self.propose(mutate(self.space, rng.choice(self._round.best), rng), origin="mutation")

    # -- a round -----------------------------------------------------------------------------------------------------

    def on_learned(self) -> None:
        """A round begins when there are enough new results: the first one by enough candidates."""
        self._news += 1
        if len(self.members) < STARTUP or (self._round is not None and self._news < ROUND):
            return
        trials = sorted(self.members)
        order = self.best_first(trials)
        kept = sorted(some(order, MOST_MODELLED, self.seed))
        feasible = self.feasible(kept)
        axes: list[list[float] | Known] = [
            Known(self, index, feasible) if feasible and self.known(index) else self.targets(kept, index)
            for index in range(len(self.goal.objectives) if feasible else 1)
        ]
        number = 0 if self._round is None else self._round.number + 1
        self._round = Round(number, self.candidates(kept), axes, self.candidates(order[:PARENTS]), frozenset(self.seen))
        self._news = 0

    def _ranking(self, now: Round) -> list[tuple[bytes, Proposal]]:
        """New mutations of the best, the highest draws first."""
        import numpy as np

        named = self._mutations(now)
        candidates = [proposal.candidate for _, proposal in named]
        seed = derive(self.seed, self.name, "round", now.number)
        generator = np.random.default_rng(seed)
        known, new = ([self._vectors.features(c) for c in which] for which in (now.candidates, candidates))
        names = varying(known)
        rows, of = matrix(names, known), matrix(names, new)
        draws = np.empty((len(candidates), len(now.axes)))
        for index, axis in enumerate(now.axes):
            if isinstance(axis, Known):
                draws[:, index] = np.array(axis.values(candidates)) - max(axis.reached)
            else:
                mean, sd = _predicted(rows, axis, of, derive(seed, "networks", index))
                draws[:, index] = generator.normal(mean, sd) - max(axis)
        return [named[i] for i in _highest_first(draws, generator)]

    def _mutations(self, now: Round) -> list[tuple[bytes, Proposal]]:
        """Up to `MUTATIONS` proposals one decision away from the best: within the limits, none of them made before."""
        found: dict[bytes, Proposal] = {}
        for place, parent in enumerate(now.best):
            rng = stream(self.seed, self.name, "mutations", now.number, place)
            for candidate in neighbours(self.space, parent, rng):
                if len(found) == MUTATIONS:
                    return list(found.items())
                proposal = self.propose(candidate, origin="model")
                name = bytes.fromhex(proposal.identity())
                if name not in now.proposed and self.excess(candidate) == 0:
                    found[name] = proposal
        return list(found.items())


def _predicted(rows: Array, targets: Sequence[float], of: Array, seed: int) -> tuple[Array, Array]:
    """Mean and standard deviation at the rows `of`, by networks trained on `rows` and `targets`."""
    import numpy as np

    from netwright.strategies.models.ensemble import train

    ensemble = train(rows, np.array(targets), networks=NETWORKS, layers=LAYERS, width=WIDTH, seed=seed)
    return ensemble.predict(of)


def _highest_first(draws: Array, generator: np.random.Generator) -> list[int]:
    """Indices of draws (candidates, objectives), relative to the best known of each objective.

    By the objective where there is one; else each place in turn goes to the best by the augmented Chebyshev function
    with new weights (Knowles, "ParEGO", IEEE TEC 10(1), 2006).
    """
    import numpy as np

    from netwright.strategies.models.acquisition import chebyshev

    if draws.shape[1] == 1:
        return (-draws[:, 0]).argsort(kind="stable").tolist()  # type: ignore[no-any-return]
    order: list[int] = []
    left = np.ones(len(draws), dtype=np.bool_)
    while left.any():
        values = chebyshev(draws, generator.dirichlet(np.ones(draws.shape[1])))
        order.append(int(np.where(left, values, -np.inf).argmax()))
        left[order[-1]] = False
    return order
