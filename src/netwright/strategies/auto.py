"""The default: a Gaussian process as often as trainings are long enough to pay for it, evolution for the rest.

A model learns more from a result than evolution does, but takes a hundred times as long to ask. So it makes as many of
the proposals as keep the mean cost of an ask within `ALLOWED` of the mean training (or within `FREE` seconds, where
trainings are shorter still), and never more than `MOST`: what evolution adds keeps the search from resting where the
model sees nothing better. Evolution is NSGA-II with several objectives and regularized evolution with one. Both learn
from all results, whoever proposed them.

How long trainings take is read from the results, what an ask costs is told by the number of layers. Until the first
training is known, or where results come without their times, the model has its full share.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from netwright.core.candidate import Candidate
from netwright.core.events import Failed, Finished, Lost
from netwright.core.objective import Goal
from netwright.core.trial import Fidelity, Proposal, TrialId
from netwright.spaces.layers import number_of_layers
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction, Drawing, Told
from netwright.strategies.gaussian_process import GaussianProcessSearch
from netwright.strategies.nsga2 import NSGA2
from netwright.strategies.regularized_evolution import RegularizedEvolution
from netwright.strategies.shared.lineage import Lineage, without_starts
from netwright.strategies.shared.population import Member

MOST = 0.9
"""Share of the proposals that the model makes where time is no object."""
ALLOWED = 0.01
"""What asking may cost, as a share of the mean training."""
FREE = 0.002
"""Seconds an ask that are never too many."""
MODEL_SECONDS, LAYER_SECONDS = 0.12, 0.01
"""What a proposal of the model costs, and how much more for each layer of a network: candidates are built to be looked at.
`benchmarks/ask_tell.py` measures it."""


class Auto(Lineage):
    """A Gaussian process and evolution, side by side. With `inherit` the children of evolution start from their parents'
    weights."""

    name = "auto"
    kind = "portfolio"
    multi_objective = True

    def __init__(
        self, space: SearchSpace, goal: Goal, *, seed: int, costs: CostFunction, inherit: bool = False
    ) -> None:
        super().__init__(space, goal, seed=seed, costs=costs)
        evolution = NSGA2 if len(goal.objectives) > 1 else RegularizedEvolution
        self.model = GaussianProcessSearch(space, goal, seed=seed, costs=costs)
        self.evolution: Lineage = evolution(space, goal, seed=seed, costs=costs)
        self.inherit = inherit
        self._turn: Random | None = None  # the proposal that was last drawn, by its random state
        self._proposer: Drawing = self.model  # who makes it
        self._fidelity = Fidelity(1)
        self._layers = 0
        self._seconds = 0.0
        self._timed = 0

    @property
    def fidelity(self) -> Fidelity:
        """What new proposals are trained to, whoever makes them."""
        return self._fidelity

    @fidelity.setter
    def fidelity(self, fidelity: Fidelity) -> None:
        self._fidelity = self.model.fidelity = self.evolution.fidelity = fidelity

    @property
    def members(self) -> Sequence[Member]:  # type: ignore[override]
        """The population of evolution: whose weights may be inherited."""
        return self.evolution.members

    def draw(self, rng: Random, drawn: Sequence[Candidate]) -> Proposal:
        """A proposal of the one or the other: whose turn it is stays when it has to be drawn again."""
        if rng is not self._turn:
            self._turn, self._proposer = rng, self.model if rng.random() < self.share() else self.evolution
        return self._proposer.draw(rng, drawn)

    def share(self) -> float:
        """The share of the proposals that the model makes, from 0 to `MOST`."""
        ask = MODEL_SECONDS + LAYER_SECONDS * self._layers / max(self.asked, 1)
        return model_share(self._seconds / self._timed if self._timed else None, ask)

    def tell(self, event: Told) -> None:
        """Both hear of everything."""
        super().tell(event)
        self.model.tell(without_starts(event))
        self.evolution.tell(event)

    def on_asked(self, trial: TrialId, proposal: Proposal, repeated: bool) -> None:
        """How large its network is."""
        if proposal.candidate.architecture is not None:
            self._layers += number_of_layers(proposal.candidate.architecture.layers)

    def on_finished(self, event: Finished) -> None:
        """How long it took, unless it ended before: the model hears of it next."""
        if event.trial in self.model.underway:
            self._time(event)

    def on_promoted(self, trial: TrialId, fidelity: Fidelity, event: Finished | Failed | Lost) -> None:
        """Both hear of it, and how long it took."""
        self.model.on_promoted(trial, fidelity, event)
        self.evolution.on_promoted(trial, fidelity, event)
        if isinstance(event, Finished):
            self._time(event)

    def _time(self, event: Finished) -> None:
        if event.seconds > 0 and event.status != "infeasible":
            self._seconds += event.seconds
            self._timed += 1


def model_share(training: float | None, ask: float) -> float:
    """The share of the proposals that the model makes, by the seconds of a mean training and of an ask of the model."""
    return MOST if training is None else min(MOST, max(FREE, ALLOWED * training) / ask)
