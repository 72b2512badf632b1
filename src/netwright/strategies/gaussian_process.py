"""Bayesian optimisation: a Gaussian process predicts, and what is expected to improve most on the best is tried next.

Jones, Schonlau, Welch, "Efficient Global Optimization of Expensive Black-Box Functions", 1998; over architectures as in
Kandasamy et al., "Neural Architecture Search with Bayesian Optimisation and Optimal Transport", NeurIPS 2018,
arXiv 1802.07191, but with a kernel over decisions (`models/gaussian.py`) in place of a distance of graphs.

What is modelled stands in `shared/targets.py`; how the most promising is found in `shared/improvement.py`.

Where this deviates: the reference point of the hypervolume lies below the worst result, not beside the front; a limit that
only training tells is part of what is modelled, not a probability of its own; the acquisition is maximised by generations
of mutations (`shared/promising.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netwright.core.candidate import Candidate
from netwright.core.objective import Goal
from netwright.core.trial import TrialId
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction
from netwright.strategies.shared.columns import Columns, Features
from netwright.strategies.shared.improvement import ExpectedImprovement, Model
from netwright.strategies.shared.promising import PARENTS
from netwright.strategies.shared.surrogate import Known, some

if TYPE_CHECKING:
    from netwright.strategies.models.gaussian import GaussianProcess, Kernel, Rows

REFIT = 10
"""A kernel is fitted again whenever there are as many more results."""
MOST_FITTED = 100
"""Results that a kernel is fitted to."""
MOST_MODELLED = 300
"""Results that a process is conditioned on: the better half by rank, and others at random."""


class GaussianProcessSearch(ExpectedImprovement):
    """Expected improvement, of the objective or of hypervolume, under Gaussian processes."""

    name = "gaussian-process"
    random_share = 0.1

    def __init__(self, space: SearchSpace, goal: Goal, *, seed: int, costs: CostFunction) -> None:
        super().__init__(space, goal, seed=seed, costs=costs)
        self._columns = Columns(space)
        self._fitted: dict[int, tuple[object, Kernel]] = {}  # by objective: what a kernel was fitted to, and the kernel

    def features(self, candidate: Candidate) -> Features:
        """Decisions as categories and numbers."""
        return self._columns.features(candidate)

    def rows(self, names: Sequence[str], table: Sequence[Features]) -> Rows:
        """Categories and numbers, with what is inactive marked."""
        return self._columns.rows(names, table)

    def make_model(self) -> Model:
        """A Gaussian process for each objective that arithmetic does not tell."""
        order = self.best_first(sorted(self.members))
        kept = sorted(some(order, MOST_MODELLED, self.seed))
        feasible = self.feasible(kept)
        fitted = self._fitted_to()
        features = self.described(sorted({*kept, *fitted}))
        names = sorted({name for trial in features for name in features[trial]})
        rows = self.rows(names, [features[trial] for trial in feasible or kept])
        axes = [
            Known(self, index, feasible)
            if feasible and self.known(index)
            else self._process(index, kept, fitted, names)
            for index in range(len(self.goal.objectives) if feasible else 1)
        ]
        return Model(axes, names, self.candidates(order[:PARENTS]), rows)

    def _fitted_to(self) -> list[TrialId]:
        """The trials that kernels are fitted to: of the first results by trial, as many as are a multiple of `REFIT`."""
        trials = sorted(self.members)
        return sorted(some(self.best_first(trials[: len(trials) // REFIT * REFIT]), MOST_FITTED, self.seed))

    def _process(
        self, index: int, kept: Sequence[TrialId], fitted: Sequence[TrialId], names: Sequence[str]
    ) -> GaussianProcess:
        import numpy as np

        from netwright.strategies.models.gaussian import GaussianProcess

        rows = self.rows(names, [self._features[trial] for trial in kept])
        return GaussianProcess(rows, np.array(self.targets(kept, index)), self._kernel(index, fitted, names))

    def _kernel(self, index: int, fitted: Sequence[TrialId], names: Sequence[str]) -> Kernel:
        """Fitted anew where results or columns have changed."""
        import numpy as np

        from netwright.strategies.models.gaussian import fit

        targets = self.targets(fitted, index)
        data = (list(fitted), targets, list(names))
        if index not in self._fitted or self._fitted[index][0] != data:
            rows = self.rows(names, [self._features[trial] for trial in fitted])
            self._fitted[index] = (data, fit(rows, np.array(targets)))
        return self._fitted[index][1]
