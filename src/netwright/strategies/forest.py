"""Bayesian optimisation with a random forest, which copes with categories, numbers and conditions alike (after SMAC).

Hutter, Hoos, Leyton-Brown, "Sequential Model-Based Optimization for General Algorithm Configuration", LION 2011;
Lindauer et al., "SMAC3: A Versatile Bayesian Optimization Package for Hyperparameter Optimization", JMLR 2022,
arXiv 2109.09831. The trees disagree where little is known: their mean is the prediction, their spread the doubt. Tried
next is what is expected to improve most; a fifth of the proposals is random, whatever the model believes.

Where this deviates: the start is random, not a Sobol design. Trees see the built network beside the decisions
(`shared/vectors.py`), and ranks or scaled values in place of logarithms of costs (`shared/targets.py`).
New results join the leaves at once, and new trees are grown whenever there are some more. The acquisition is maximised
by generations of mutations (`shared/improvement.py`), since a candidate costs more to build than to score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from netwright.core.candidate import Candidate
from netwright.core.objective import Goal
from netwright.core.seeding import derive
from netwright.core.trial import TrialId
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction
from netwright.strategies.shared.improvement import STARTUP, ExpectedImprovement, Model
from netwright.strategies.shared.promising import PARENTS
from netwright.strategies.shared.surrogate import Known, some
from netwright.strategies.shared.vectors import Features, Vectors, matrix, varying

if TYPE_CHECKING:
    from netwright.strategies.models.acquisition import Array
    from netwright.strategies.models.trees import Forest

TREES = 30
REGROW = 8
"""New trees are grown whenever there are as many more results."""
MOST_MODELLED = 300
"""Results that a forest is grown from: the better half by rank, and others at random. It bounds the cost of an ask."""


class ForestSearch(ExpectedImprovement):
    """Expected improvement, of the objective or of hypervolume, under random forests."""

    name = "forest"
    random_share = 0.2

    def __init__(self, space: SearchSpace, goal: Goal, *, seed: int, costs: CostFunction) -> None:
        super().__init__(space, goal, seed=seed, costs=costs)
        self._vectors = Vectors(space, costs)
        self._grown: dict[int, tuple[object, list[Any]]] = {}  # by objective: what trees were grown from, and the trees

    def features(self, candidate: Candidate) -> Features:
        """Decisions and the built network as numbers."""
        return self._vectors.features(candidate)

    def rows(self, names: Sequence[str], table: Sequence[Features]) -> Array:
        """(candidates, names)."""
        return matrix(names, table)

    def make_model(self) -> Model:
        """A forest for each objective that arithmetic does not tell."""
        trials = sorted(self.members)
        first = trials[: max(STARTUP, len(trials) // REGROW * REGROW)]
        grown_from = sorted(some(self.best_first(first), MOST_MODELLED, self.seed))
        kept = [*grown_from, *trials[len(first) :]]
        features = self.described(kept)
        names = varying([features[trial] for trial in grown_from])
        rows = self.rows(names, list(features.values()))
        feasible = self.feasible(kept)
        inside = [kept.index(trial) for trial in feasible or kept]
        axes = [
            Known(self, index, feasible)
            if feasible and self.known(index)
            else self._forest(index, rows, kept, len(grown_from))
            for index in range(len(self.goal.objectives) if feasible else 1)
        ]
        return Model(axes, names, self.candidates(self.best_first(trials)[:PARENTS]), rows[inside])

    def _forest(self, index: int, rows: Array, trials: Sequence[TrialId], count: int) -> Forest:
        """The trees of objective `index`, grown from the first `count` of `trials`, with all of them in their leaves."""
        import numpy as np

        from netwright.strategies.models.trees import Forest, grow

        targets = self.targets(trials[:count], index)
        data = (trials[:count], targets)
        if index not in self._grown or self._grown[index][0] != data:
            seed = derive(self.seed, self.name, "trees", index, count)
            self._grown[index] = (data, grow(rows[:count], np.array(targets), trees=TREES, seed=seed))
        return Forest.of(self._grown[index][1], rows, np.array(self.targets(trials, index)))
