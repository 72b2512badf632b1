"""Bayesian optimisation: a Gaussian process predicts, and what is expected to improve most on the best is tried next.

Jones, Schonlau, Welch, "Efficient Global Optimization of Expensive Black-Box Functions", 1998; over architectures as in
Kandasamy et al., "Neural Architecture Search with Bayesian Optimisation and Optimal Transport", NeurIPS 2018,
arXiv 1802.07191, but with a kernel over decisions (`models/gaussian.py`) in place of a distance of graphs.

What is modelled stands in `surrogate.py`: the normal scores of ranks. Two objectives are searched by expected
hypervolume, more by a random scalarisation an ask (ParEGO). Trials under way count as observed at their predicted mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from netwright.core.candidate import Candidate
from netwright.core.objective import Goal
from netwright.core.trial import TrialId
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction
from netwright.strategies.columns import Columns, Features
from netwright.strategies.improvement import ExpectedImprovement, predicted, reached
from netwright.strategies.promising import PARENTS, Gains
from netwright.strategies.surrogate import Known, some

if TYPE_CHECKING:
    from netwright.strategies.models.gaussian import GaussianProcess, Kernel, Rows

REFIT = 10
"""A kernel is fitted again whenever there are as many more results."""
MOST_FITTED = 100
"""Results that a kernel is fitted to."""
MOST_MODELLED = 300
"""Results that a process is conditioned on: the better half by rank, and others at random."""


@dataclass(frozen=True, slots=True)
class Model:
    """What the results of one moment say, over columns `names`: an axis an objective, larger is better.

    `best` are the candidates that rank highest, `reached` those that a new one has to improve on: all that the model
    knows inside the limits, or all that it knows; they are given as rows.
    """

    axes: list[GaussianProcess | Known]
    names: list[str]
    best: list[Candidate]
    reached: Rows


class GaussianProcessSearch(ExpectedImprovement):
    """Expected improvement, of the objective or of hypervolume, under Gaussian processes."""

    name = "gaussian-process"
    random_share = 0.1

    def __init__(self, space: SearchSpace, goal: Goal, *, seed: int, costs: CostFunction) -> None:
        super().__init__(space, goal, seed=seed, costs=costs)
        self._columns = Columns(space)
        self._features: dict[TrialId, Features] = {}
        self._model: Model | None = None  # of the present results; None: to be made
        self._fitted: dict[int, tuple[object, Kernel]] = {}  # by objective: what a kernel was fitted to, and the kernel

    def on_learned(self) -> None:
        """The model is out of date."""
        self._model = None

    def best(self) -> list[Candidate]:
        """Those of the model."""
        return self.model().best

    def gains(self, waiting: Sequence[Candidate], rng: Random) -> Gains:
        """Expected improvement, `waiting` counting as observed at their predicted means."""
        from netwright.strategies.models.acquisition import improvement_on

        model = self.model()
        axes, rows = model.axes, model.reached
        if waiting:
            more = self._rows(model.names, waiting)
            axes = [axis.joined(waiting) if isinstance(axis, Known) else axis.believing(more) for axis in axes]
            rows = rows.with_(more)
        improvement = improvement_on(reached(axes, rows), [rng.expovariate(1.0) for _ in axes])

        def gains(candidates: Sequence[Candidate]) -> Sequence[float]:
            rows = self._rows(model.names, candidates)
            return improvement(*predicted(axes, rows, candidates)).tolist()  # type: ignore[no-any-return]

        return gains

    def _rows(self, names: Sequence[str], candidates: Sequence[Candidate]) -> Rows:
        return self._columns.rows(names, [self._columns.features(candidate) for candidate in candidates])

    # -- the model: a function of the results, whatever their order ------------------------------------------------

    def model(self) -> Model:
        """The model of the present results."""
        if self._model is None:
            self._model = self._make_model()
        return self._model

    def _make_model(self) -> Model:
        order = self.best_first(sorted(self.members))
        kept = sorted(some(order, MOST_MODELLED, self.seed))
        feasible = self.feasible(kept)
        self._features = {
            trial: self._features.get(trial) or self._columns.features(self.members[trial].candidate) for trial in kept
        }
        names = sorted({name for trial in kept for name in self._features[trial]})
        rows = self._columns.rows(names, [self._features[trial] for trial in feasible or kept])
        axes = [
            Known(self, index, feasible) if feasible and self.known(index) else self._process(index, kept, names)
            for index in range(len(self.goal.objectives) if feasible else 1)
        ]
        return Model(axes, names, self.candidates(order[:PARENTS]), rows)

    def _process(self, index: int, kept: Sequence[TrialId], names: Sequence[str]) -> GaussianProcess:
        import numpy as np

        from netwright.strategies.models.gaussian import GaussianProcess

        rows = self._columns.rows(names, [self._features[trial] for trial in kept])
        return GaussianProcess(rows, np.array(self.scores(kept, index)), self._kernel(index, kept, names))

    def _kernel(self, index: int, kept: Sequence[TrialId], names: Sequence[str]) -> Kernel:
        """Fitted to the first results by trial, as many of them as are a multiple of `REFIT`."""
        import numpy as np

        from netwright.strategies.models.gaussian import fit

        earliest = kept[: len(kept) // REFIT * REFIT]
        chosen = sorted(some(self.best_first(earliest), MOST_FITTED, self.seed))
        targets = self.scores(chosen, index)
        data = (chosen, targets, list(names))
        if index not in self._fitted or self._fitted[index][0] != data:
            rows = self._columns.rows(names, [self._features[trial] for trial in chosen])
            self._fitted[index] = (data, fit(rows, np.array(targets)))
        return self._fitted[index][1]
