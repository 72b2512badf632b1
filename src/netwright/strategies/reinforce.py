"""REINFORCE: each result moves the policy towards its architecture, or away, by how far it is from what was usual.

Williams, "Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning", Machine Learning
8, 1992; for architectures Zoph, Le, "Neural Architecture Search with Reinforcement Learning", ICLR 2017, arXiv
1611.01578. One step a result, up the gradient of

    w_t A log p(a_t)  +  entropy * H_t          summed over the questions t that the candidate was asked,

A = (R - b) / rms: b is the moving average of the rewards before this one, beginning with the first of them, and rms the
root mean square of R - b, both so that neither a constant added to all rewards nor their unit matters.

Where this deviates: a table of logits in place of a recurrent network (`controller`); an entropy term and the division
by rms; accuracy itself in place of its cube; a late result counts by w_t = min(2, p now / p when it was drawn), question
by question; a repeated proposal is drawn again.
"""

from __future__ import annotations

from collections.abc import Mapping

from netwright.core.errors import InputError
from netwright.core.objective import Goal
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction
from netwright.strategies.shared.controller import Controller, Lesson
from netwright.strategies.shared.scalar import Form

BASELINE, SPREAD = 0.9, 0.95
"""How much of the baseline, and of the mean square of the advantage, stays with each reward."""
MOST_WEIGHT = 2.0
"""No late answer counts more than so many times."""


class Reinforce(Controller):
    """A step of `learning_rate` for each result; `entropy` weighs what keeps the policy open."""

    name = "reinforce"

    def __init__(
        self,
        space: SearchSpace,
        goal: Goal,
        *,
        seed: int,
        costs: CostFunction,
        learning_rate: float = 0.1,
        entropy: float = 0.1,
        reward: Form = "soft",
        weight: float | None = None,
        targets: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(
            space,
            goal,
            seed=seed,
            costs=costs,
            learning_rate=learning_rate,
            reward=reward,
            weight=weight,
            targets=targets,
        )
        if entropy < 0:
            raise InputError(f"entropy must be at least 0, but got {entropy}")
        self.entropy = entropy
        self.advantages = Advantages()

    def _learn(self, lesson: Lesson) -> None:
        import numpy as np

        from netwright.strategies.models.policy import entropy_gradient, score_gradient

        advantage = self.advantages.of(lesson.reward, moves=lesson.measured)
        path = lesson.drawn.path
        now = self.policy.log_probabilities(path)
        late = np.minimum(MOST_WEIGHT, np.exp(path.of_taken(now)) / lesson.drawn.probability)
        gradient = score_gradient(path, now, advantage * late) + self.entropy * entropy_gradient(path, now)
        self.policy.ascend(path.rows, gradient)

    def _start_anew(self) -> None:
        self.advantages = Advantages()


class Advantages:
    """The baseline and the size of what is left of rewards, in the order in which they come."""

    def __init__(self) -> None:
        self.baseline: float | None = None
        self.square = 0.0
        self.seen = 0.0  # the weight of all squares so far, which rises to 1

    def of(self, reward: float, *, moves: bool) -> float:
        """(R - b) / rms, with b before this reward; then, if it `moves` them, both take it in."""
        if self.baseline is None:
            self.baseline = reward
            return 0.0
        left = reward - self.baseline
        square = SPREAD * self.square + (1 - SPREAD) * left**2
        seen = SPREAD * self.seen + (1 - SPREAD)
        if moves:
            self.square, self.seen = square, seen
            self.baseline += (1 - BASELINE) * left
        return left / (square / seen) ** 0.5 if square > 0 else 0.0
