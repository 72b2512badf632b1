"""What strategies share that try next what is expected to improve most on the best, by whatever model of the results.

Jones, Schonlau, Welch, "Efficient Global Optimization of Expensive Black-Box Functions", 1998; Emmerich, Giannakoglou,
Naujoks, IEEE TEC 10(4), 2006 (of hypervolume, with two objectives); Knowles, "ParEGO", IEEE TEC 10(1), 2006 (a random
scalarisation an ask, with more; here of a model of each objective, where ParEGO models the scalarised values).

A strategy of this kind makes a `Model` of the results and describes candidates to it as `rows`; where most is expected to
be gained is looked for here. Trials under way count as observed at their predicted mean (the "kriging believer"). A share
of the proposals stays random, whatever the model believes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from netwright.core.candidate import Candidate
from netwright.core.objective import Goal
from netwright.core.trial import Proposal, TrialId
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction
from netwright.strategies.shared.operators import mutate
from netwright.strategies.shared.promising import Gains, most_promising
from netwright.strategies.shared.surrogate import Known, Surrogate

if TYPE_CHECKING:
    from netwright.strategies.models.acquisition import Array

STARTUP = 10
"""Random candidates before the first model."""


class Predictor(Protocol):
    """A model of one objective, larger is better, over rows of some kind."""

    def predict(self, rows: Any) -> tuple[Array, Array]:
        """Mean and standard deviation (rows each)."""

    def believing(self, rows: Any) -> Predictor:
        """The model as if `rows` had been observed at their predicted means."""


@dataclass(frozen=True)
class Model:
    """What the results of one moment say, over columns `names`: an axis an objective, larger is better.

    `best` are the candidates that rank highest, `reached` those that a new one has to improve on, as rows: all that the
    model knows inside the limits, or all that it knows.
    """

    axes: Sequence[Predictor | Known]
    names: list[str]
    best: list[Candidate]
    reached: Any

    @cached_property
    def values(self) -> Array:
        """What the axes make of `reached`: (rows, axes)."""
        import numpy as np

        return np.column_stack(
            [axis.reached if isinstance(axis, Known) else axis.predict(self.reached)[0] for axis in self.axes]
        )


class ExpectedImprovement(Surrogate):
    """Random candidates, then those that promise most, each as if the ones before it had come in as predicted."""

    random_share: ClassVar[float]
    """Share of the proposals after `STARTUP` results that are random."""

    def __init__(self, space: SearchSpace, goal: Goal, *, seed: int, costs: CostFunction) -> None:
        super().__init__(space, goal, seed=seed, costs=costs)
        self._looked: Random | None = None  # the proposal that was last looked for, by its random state
        self._at_random: Random | None = None  # that which is one of the random share
        self._model: Model | None = None  # of the present results; None: to be made
        self._features: dict[TrialId, Any] = {}  # of the results that the last model knew

    @abstractmethod
    def make_model(self) -> Model:
        """The model of the present results, whatever their order."""

    @abstractmethod
    def features(self, candidate: Candidate) -> Any:
        """What the model knows a candidate by."""

    @abstractmethod
    def rows(self, names: Sequence[str], table: Sequence[Any]) -> Any:
        """Features of candidates as the model wants them: (candidates, names)."""

    def described(self, trials: Sequence[TrialId]) -> dict[TrialId, Any]:
        """Features of the candidates of these trials; those of others are forgotten."""
        self._features = {t: self._features.get(t) or self.features(self.members[t].candidate) for t in trials}
        return self._features

    def on_learned(self) -> None:
        """The model is out of date."""
        self._model = None

    def model(self) -> Model:
        """The model of the present results."""
        if self._model is None:
            self._model = self.make_model()
        return self._model

    def draw(self, rng: Random, drawn: Sequence[Candidate]) -> Proposal:
        """A random candidate, or the most promising new one.

        Called again because the first would not do: another random one, or a mutation of the best.
        """
        again, self._looked = self._looked is rng, rng
        started = len(self.members) >= STARTUP
        if started and not again and rng.random() < self.random_share:
            self._at_random = rng
        if not started or self._at_random is rng:
            return self.propose(self.space.sample(rng), origin="random")
        best = self.model().best
        if not again:
            gains = self.gains([*self.underway.values(), *drawn], rng)
            taken = {self.propose(candidate, origin="").identity() for candidate in drawn}
            for candidate in most_promising(self.space, gains, best, rng):
                proposal = self.propose(candidate, origin="model")
                identity = proposal.identity()
                if identity not in taken and bytes.fromhex(identity) not in self.seen and self.excess(candidate) == 0:
                    return proposal
        return self.propose(mutate(self.space, best[0], rng), origin="mutation")

    def gains(self, waiting: Sequence[Candidate], rng: Random) -> Gains:
        """How much candidates promise while `waiting` are under way."""
        import numpy as np

        from netwright.strategies.models.acquisition import improvement_on

        model = self.model()
        axes, reached = model.axes, model.values
        if waiting:
            rows = self.rows(model.names, [self.features(candidate) for candidate in waiting])
            axes = [axis if isinstance(axis, Known) else axis.believing(rows) for axis in axes]
            reached = np.concatenate([reached, _predicted(axes, rows, waiting)[0]])
        improvement = improvement_on(reached, [rng.expovariate(1.0) for _ in axes])

        def gains(candidates: Sequence[Candidate]) -> Sequence[float]:
            rows = self.rows(model.names, [self.features(candidate) for candidate in candidates])
            return improvement(*_predicted(axes, rows, candidates)).tolist()  # type: ignore[no-any-return]

        return gains


def _predicted(axes: Sequence[Predictor | Known], rows: Any, candidates: Sequence[Candidate]) -> tuple[Array, Array]:
    """Mean and standard deviation of candidates, whose rows are `rows`: (candidates, axes) each."""
    import numpy as np

    pairs = [
        (axis.values(candidates), np.zeros(len(candidates))) if isinstance(axis, Known) else axis.predict(rows)
        for axis in axes
    ]
    return np.column_stack([mean for mean, _ in pairs]), np.column_stack([sd for _, sd in pairs])
