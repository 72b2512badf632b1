"""Bayesian optimisation: a Gaussian process predicts, and what is expected to improve most on the best is tried next.

Jones, Schonlau, Welch, "Efficient Global Optimization of Expensive Black-Box Functions", 1998; over architectures as in
Kandasamy et al., "Neural Architecture Search with Bayesian Optimisation and Optimal Transport", NeurIPS 2018,
arXiv 1802.07191, but with a kernel over decisions (`models/gaussian.py`) in place of a distance of graphs.

Modelled are the normal scores of ranks, so that neither the scale of an objective nor the worst networks matter;
candidates outside a limit rank below all others, by how far, failures last, and what was trained further ranks above
what was not. Parameters and MACs are computed, not modelled. Two objectives are searched by expected hypervolume,
more by a random scalarisation an ask (ParEGO). Trials under way count as observed at their predicted mean. A share of
the proposals stays random, whatever the model believes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from random import Random
from statistics import NormalDist, fmean, pstdev
from typing import TYPE_CHECKING

from netwright.core.candidate import Candidate
from netwright.core.errors import CandidateError
from netwright.core.events import Failed, Finished, Lost
from netwright.core.measurement import Measurement
from netwright.core.metrics import METRICS
from netwright.core.objective import Goal, Objective
from netwright.core.seeding import derive
from netwright.core.trial import Fidelity, Proposal, TrialId
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction, Drawing
from netwright.strategies.columns import Columns, Features
from netwright.strategies.operators import mutate
from netwright.strategies.population import FAILED, Member, Result, result_of, spread_scale
from netwright.strategies.promising import PARENTS, Gains, most_promising
from netwright.strategies.ranking import best_first

if TYPE_CHECKING:
    from netwright.strategies.models.acquisition import Array
    from netwright.strategies.models.gaussian import GaussianProcess, Kernel, Rows

STARTUP = 10
"""Random candidates before the first model."""
RANDOM_SHARE = 0.1
"""Share of later proposals that are random."""
REFIT = 10
"""A kernel is fitted again whenever there are as many more results."""
MOST_FITTED = 100
"""Results that a kernel is fitted to."""
MOST_MODELLED = 300
"""Results that a process is conditioned on: the better half by rank, and others at random."""
UNBUILDABLE = 1e3
"""How many standard deviations below all others a network lies that cannot be built."""


@dataclass(frozen=True, slots=True)
class Axis:
    """An objective, larger is better: with a `process` that predicts it, or known by arithmetic.

    What is known is scaled by `center` and `scale`, those of the results.
    """

    objective: Objective
    process: GaussianProcess | None = None
    center: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Model:
    """What the results of one moment say, over columns `names`: one axis an objective.

    `best` are the candidates that rank highest, `reached` those that a new one has to improve on: all that are inside
    the limits, or all there are.
    """

    axes: list[Axis]
    names: list[str]
    best: list[Candidate]
    reached: list[Candidate]


class GaussianProcessSearch(Drawing):
    """Expected improvement, of the objective or of hypervolume, under Gaussian processes."""

    name = "gaussian-process"
    kind = "model"
    multi_objective = True

    def __init__(self, space: SearchSpace, goal: Goal, *, seed: int, costs: CostFunction) -> None:
        super().__init__(space, goal, seed=seed, costs=costs)
        self.members: dict[TrialId, Member] = {}
        self._columns = Columns(space)
        self._features: dict[TrialId, Features] = {}
        self._open: dict[TrialId, Candidate] = {}
        self._model: Model | None = None  # of the present results; None: to be made
        self._fitted: dict[str, tuple[object, Kernel]] = {}  # by metric: what a kernel was fitted to, and the kernel

    # -- asking ----------------------------------------------------------------------------------------------------

    def draw(self, rng: Random, drawn: Sequence[Candidate]) -> Proposal:
        """A random candidate, or the one that promises most, as if those before it had come in as predicted."""
        if len(self.members) < STARTUP or rng.random() < RANDOM_SHARE:
            return self.propose(self.space.sample(rng), origin="random")
        if self._model is None:
            self._model = self._make_model()
        gains = self._gains(self._model, [*self._open.values(), *drawn], rng)
        taken = {self.propose(candidate, origin="").identity() for candidate in drawn}
        for candidate in most_promising(self.space, gains, self._model.best, rng):
            proposal = self.propose(candidate, origin="model")
            identity = proposal.identity()
            if identity not in taken and bytes.fromhex(identity) not in self.seen and self.excess(candidate) == 0:
                return proposal
        return self.propose(mutate(self.space, self._model.best[0], rng), origin="mutation")

    def _gains(self, model: Model, waiting: Sequence[Candidate], rng: Random) -> Gains:
        """How much candidates promise while `waiting` are under way."""
        from netwright.strategies.models.acquisition import improvement_on

        axes = model.axes
        if waiting:
            rows = self._rows(model, waiting)
            axes = [replace(axis, process=axis.process and axis.process.believing(rows)) for axis in axes]
        reached, _ = self._predict(model, axes, [*model.reached, *waiting])
        improvement = improvement_on(reached, [rng.expovariate(1.0) for _ in axes])
        return lambda candidates: improvement(*self._predict(model, axes, candidates)).tolist()

    def _predict(self, model: Model, axes: Sequence[Axis], candidates: Sequence[Candidate]) -> tuple[Array, Array]:
        """Mean and standard deviation, (candidates, axes) each."""
        import numpy as np

        rows = self._rows(model, candidates)
        pairs = [
            axis.process.predict(rows) if axis.process else (self._known(axis, candidates), np.zeros(len(candidates)))
            for axis in axes
        ]
        return np.column_stack([mean for mean, _ in pairs]), np.column_stack([sd for _, sd in pairs])

    def _rows(self, model: Model, candidates: Sequence[Candidate]) -> Rows:
        return self._columns.rows(model.names, [self._columns.features(candidate) for candidate in candidates])

    def _known(self, axis: Axis, candidates: Sequence[Candidate]) -> list[float]:
        """An objective that arithmetic tells; what cannot be built is as bad as can be."""
        goal, known = Goal((axis.objective,)), []
        for candidate in candidates:
            try:
                value = getattr(self.costs(candidate.architecture), axis.objective.metric)  # type: ignore[arg-type]
            except CandidateError:
                known.append(-UNBUILDABLE)
                continue
            (cost,) = spread_scale(goal, goal.costs({axis.objective.metric: Measurement(value)}) or ())
            known.append((axis.center - cost) / axis.scale)
        return known

    # -- the model: a function of the results, whatever their order ------------------------------------------------

    def _make_model(self) -> Model:
        trials = sorted(self.members)
        order = self._best_first(trials)
        feasible = [trial for trial in trials if _latest(self.members[trial])[1].violation == 0]
        kept = sorted(_some(order, MOST_MODELLED, self.seed))
        names = sorted({name for trial in kept for name in self._features[trial]})
        axes = [
            self._known_axis(index, feasible)
            if feasible and len(self.goal.objectives) > 1 and METRICS[objective.metric].needs == "arithmetic"
            else self._predicted_axis(index, kept, names)
            for index, objective in enumerate(self.goal.objectives)
        ]
        return Model(
            axes if feasible else axes[:1],
            names,
            [self.members[trial].candidate for trial in order[:PARENTS]],
            [self.members[trial].candidate for trial in (feasible or trials)],
        )

    def _known_axis(self, index: int, feasible: Sequence[TrialId]) -> Axis:
        values = [_latest(self.members[trial])[1].spread[index] for trial in feasible]
        return Axis(self.goal.objectives[index], None, fmean(values), max(pstdev(values), 1e-9))

    def _predicted_axis(self, index: int, kept: Sequence[TrialId], names: Sequence[str]) -> Axis:
        import numpy as np

        from netwright.strategies.models.gaussian import GaussianProcess

        rows = self._columns.rows(names, [self._features[trial] for trial in kept])
        kernel = self._kernel(index, kept, names)
        return Axis(self.goal.objectives[index], GaussianProcess(rows, np.array(self._targets(kept, index)), kernel))

    def _kernel(self, index: int, kept: Sequence[TrialId], names: Sequence[str]) -> Kernel:
        """Fitted to the first results by trial, as many of them as are a multiple of `REFIT`."""
        import numpy as np

        from netwright.strategies.models.gaussian import fit

        earliest = kept[: len(kept) // REFIT * REFIT]
        chosen = sorted(_some(self._best_first(earliest), MOST_FITTED, self.seed))
        targets, metric = self._targets(chosen, index), self.goal.objectives[index].metric
        data = (chosen, targets, list(names))
        if metric not in self._fitted or self._fitted[metric][0] != data:
            rows = self._columns.rows(names, [self._features[trial] for trial in chosen])
            self._fitted[metric] = (data, fit(rows, np.array(targets)))
        return self._fitted[metric][1]

    def _best_first(self, trials: Sequence[TrialId]) -> list[TrialId]:
        """The order of `ranking` among those that were trained as far; those trained further come first."""
        latest = {trial: _latest(self.members[trial]) for trial in trials}
        order: list[TrialId] = []
        for epochs in sorted({epochs for epochs, _ in latest.values()}, reverse=True):
            rung = [trial for trial in trials if latest[trial][0] == epochs]
            order += [rung[i] for i in best_first([latest[trial][1] for trial in rung])]
        return sorted(order, key=lambda trial: latest[trial][1].violation)

    def _targets(self, trials: Sequence[TrialId], index: int) -> list[float]:
        """The normal scores of the ranks by one objective; equal results have equal ones."""
        standings = [_standing(self.members[trial], index) for trial in trials]
        ranks: dict[tuple[float, ...], float] = {}
        below = 0
        for standing, equal in groupby(sorted(standings)):
            count = len(list(equal))
            ranks[standing] = below + (count + 1) / 2
            below += count
        scores = {rank: -NormalDist().inv_cdf((rank - 0.375) / (len(trials) + 0.25)) for rank in ranks.values()}
        return [scores[ranks[standing]] for standing in standings]

    # -- telling ---------------------------------------------------------------------------------------------------

    def on_asked(self, trial: TrialId, proposal: Proposal, repeated: bool) -> None:
        """Keep the candidate until its result comes."""
        if not repeated:
            self._open[trial] = proposal.candidate

    def on_finished(self, event: Finished) -> None:
        """One more result."""
        candidate, result = self._open.pop(event.trial, None), result_of(self.goal, event)
        if candidate is not None and result is not None:
            self._learn(event.trial, candidate, result)

    def on_failed(self, event: Failed | Lost) -> None:
        """A failure is the worst result; of a lost trial nothing is known."""
        candidate = self._open.pop(event.trial, None)
        if candidate is not None and isinstance(event, Failed):
            self._learn(event.trial, candidate, FAILED)

    def on_promoted(self, trial: TrialId, fidelity: Fidelity, event: Finished | Failed | Lost) -> None:
        """A candidate was trained on."""
        if trial in self.members:
            self.members[trial].learn(self.goal, fidelity.epochs, event)
            self._model = None

    def _learn(self, trial: TrialId, candidate: Candidate, result: Result) -> None:
        self.members[trial] = Member(trial, candidate, {self.fidelity.epochs: result})
        self._features[trial] = self._columns.features(candidate)
        self._model = None


def _latest(member: Member) -> tuple[int, Result]:
    """The result after most epochs, and these."""
    return max(member.results.items(), key=lambda item: item[0])


def _standing(member: Member, index: int) -> tuple[float, ...]:
    """What members are ranked by for one objective: how far outside the limits, how far trained, how good."""
    epochs, result = _latest(member)
    return (0.0, -epochs, result.costs[index]) if result.violation == 0 else (result.violation, 0, 0.0)


def _some(order: Sequence[TrialId], most: int, seed: int) -> list[TrialId]:
    """All of `order`, or `most` of them: the first half of these from its front, the others at random."""
    if len(order) <= most:
        return list(order)
    rest = sorted(order[most // 2 :], key=lambda trial: derive(seed, "kept", trial))
    return [*order[: most // 2], *rest[: most - most // 2]]
