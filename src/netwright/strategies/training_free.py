"""Search without training: evolution by a score of untrained networks; only the final stage trains anything.

Lin, Wang, Sun, Chen, Sun, Qian, Li, Jin, "Zen-NAS: A Zero-Shot NAS for High-Performance Deep Image Recognition",
ICCV 2021, arXiv 2102.01063, algorithm 1: a random member of the population has a child, the child is scored, and whoever
scores worst leaves. Mellor et al. (ICML 2021) and Abdelfattah et al. (ICLR 2021) show what such scores are worth.

Where this deviates: any score of `core.metrics.SCORES`; objectives and limits that arithmetic knows stand beside it (the
order is by violation, rank and crowding); the population is small, and so is the number of candidates: a score takes a
tenth of a second to some seconds on one core.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from netwright.core.candidate import Candidate
from netwright.core.errors import InputError
from netwright.core.events import Failed, Finished, Lost
from netwright.core.metrics import DEFAULT_SCORE, SCORES
from netwright.core.objective import Goal
from netwright.core.trial import UNTRAINED, Proposal, TrialId
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction, Drawing
from netwright.strategies.shared.operators import mutate
from netwright.strategies.shared.population import Result, result_of
from netwright.strategies.shared.ranking import best_first
from netwright.strategies.shared.scores import favours_size

Member = tuple[TrialId, Candidate, Result]


class TrainingFree(Drawing):
    """Evolution of `population` members by `score`."""

    name = "training-free"
    kind = "score"
    multi_objective = True
    fidelities = False
    trains = False

    def __init__(
        self,
        space: SearchSpace,
        goal: Goal,
        *,
        seed: int,
        costs: CostFunction,
        score: str = DEFAULT_SCORE,
        population: int = 64,
    ) -> None:
        super().__init__(space, goal, seed=seed, costs=costs)
        if score not in SCORES:
            raise InputError(f"a score must be one of {', '.join(SCORES)}, but got {score!r}")
        if population < 1:
            raise InputError(f"population must be at least 1, but got {population}")
        self.score = score
        self.population = population
        self.fidelity = UNTRAINED
        self.members: list[Member] = []
        self._goal = goal.untrained(score)
        self._open: dict[TrialId, Candidate] = {}

    def draw(self, rng: Random, drawn: Sequence[Candidate]) -> Proposal:
        """A random candidate until the population is full, then a child of one of its members."""
        if len(self.members) < self.population:
            return self.propose(self.space.sample(rng), origin="random")
        trial, candidate, _ = self.members[rng.randrange(len(self.members))]
        return self.propose(mutate(self.space, candidate, rng), origin="mutation", parents=(trial,))

    def on_asked(self, trial: TrialId, proposal: Proposal, repeated: bool) -> None:
        """Keep the candidate until its score comes."""
        if not repeated:
            self._open[trial] = proposal.candidate

    def on_finished(self, event: Finished) -> None:
        """A member, where there is a score; above `population` the last of all leaves."""
        candidate = self._open.pop(event.trial, None)
        result = result_of(self._goal, event)
        if candidate is None or result is None:
            return
        self.members.append((event.trial, candidate, result))
        if len(self.members) > self.population:
            *_, last = best_first([result for _, _, result in self.members])
            del self.members[last]

    def on_failed(self, event: Failed | Lost) -> None:
        """A failure is never a member, so never a parent."""
        self._open.pop(event.trial, None)

    def remarks(self) -> tuple[str, ...]:
        """What is given up, and what the score favours where nothing holds it back."""
        alone = f"{self.score} alone says how good one is, and it is often wrong"
        return (f"no candidate is trained before the final stage; {alone}", *favours_size(self.score, self._goal))
