"""Proximal policy optimisation: several careful steps on each batch of results, none of them far from the policy that
drew it.

Schulman, Wolski, Dhariwal, Radford, Klimov, "Proximal Policy Optimization Algorithms", 2017, arXiv 1707.06347; for
architectures Zoph, Vasudevan, Shlens, Le, "Learning Transferable Architectures for Scalable Image Recognition", CVPR
2018, arXiv 1707.07012. Steps up the gradient of the mean over a batch of

    min(r_t A, clip(r_t, 1 - e, 1 + e) A)  +  entropy * H_t       summed over the questions t a candidate was asked,

r_t = p now / p when it was drawn (eq. 7; one ratio a question, since the product over all of them would be clipped
at once), A = (R - mean) / sd of the batch.

Where this deviates: no discount and no value network, since a candidate has one reward; a table of logits in place of a
recurrent network (`controller`); a batch is full with `batch` rewards, whoever they are of, so that nothing waits for
slow trials; the steps of a batch end early once the policy has moved by `FARTHEST`; a repeated proposal is drawn again.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean, pstdev
from typing import TYPE_CHECKING

from netwright.core.errors import InputError
from netwright.core.objective import Goal
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction
from netwright.strategies.shared.controller import Controller, Lesson
from netwright.strategies.shared.scalar import Form

if TYPE_CHECKING:
    from netwright.strategies.models.policy import Floats

CLIP = 0.2
FARTHEST = 0.02
"""Kullback-Leibler divergence from the policy before the batch, in the mean over all questions asked."""


class PPO(Controller):
    """`steps` of `learning_rate` on each `batch` of results; `entropy` weighs what keeps the policy open."""

    name = "ppo"

    def __init__(
        self,
        space: SearchSpace,
        goal: Goal,
        *,
        seed: int,
        costs: CostFunction,
        learning_rate: float = 0.1,
        batch: int = 10,
        steps: int = 4,
        entropy: float = 0.0,
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
        if batch < 2 or steps < 1 or entropy < 0:
            raise InputError(f"batch must be at least 2, steps 1 and entropy 0, but got {batch}, {steps} and {entropy}")
        self.batch = batch
        self.steps = steps
        self.entropy = entropy
        self._lessons: list[Lesson] = []

    def _learn(self, lesson: Lesson) -> None:
        self._lessons.append(lesson)
        if len(self._lessons) == self.batch:
            self._improve(self._lessons)
            self._lessons = []

    def _improve(self, lessons: list[Lesson]) -> None:
        import numpy as np

        from netwright.strategies.models.policy import by_row, entropy_gradient, score_gradient, stacked

        path = stacked([lesson.drawn.path for lesson in lessons])
        drawn = np.concatenate([lesson.drawn.probability for lesson in lessons])
        rewards = [lesson.reward for lesson in lessons]
        middle, spread = fmean(rewards), pstdev(rewards)
        advantages = np.repeat(
            [(reward - middle) / spread if spread else 0.0 for reward in rewards],
            [len(lesson.drawn.probability) for lesson in lessons],
        )
        if not len(path.rows):
            return  # a space of one point
        before = self.policy.log_probabilities(path)
        for _ in range(self.steps):
            now = self.policy.log_probabilities(path)
            if divergence(before, now) > FARTHEST:
                break
            weights = surrogate_weights(np.exp(path.of_taken(now)) / drawn, advantages)
            gradient = score_gradient(path, now, weights) + self.entropy * entropy_gradient(path, now)
            self.policy.ascend(*by_row(path.rows, gradient / len(lessons)))

    def _start_anew(self) -> None:
        self._lessons = []


def surrogate_weights(ratios: Floats, advantages: Floats) -> Floats:
    """What min(r A, clip(r) A) weighs the gradient of log p with: r A, or 0 where r has left in the direction of A."""
    import numpy as np

    left = np.where(advantages > 0, ratios > 1 + CLIP, ratios < 1 - CLIP)
    return np.where(left, 0.0, ratios * advantages)


def divergence(before: Floats, now: Floats) -> float:
    """KL(before, now) of log-probabilities (n, k), in the mean over the n questions."""
    import numpy as np

    with np.errstate(invalid="ignore"):
        terms = np.exp(before) * (before - now)
    return float(np.nan_to_num(terms, nan=0.0).sum(axis=1).mean())
