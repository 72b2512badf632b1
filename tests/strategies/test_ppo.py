"""What PPO has of its own; what both controllers share is tested in test_reinforce.py."""

from __future__ import annotations

from random import Random
from statistics import fmean, pstdev

import numpy as np
import pytest

from netwright.core.errors import InputError
from netwright.strategies import PPO
from netwright.strategies.models.policy import by_row, score_gradient, stacked
from netwright.strategies.ppo import CLIP, FARTHEST, divergence, surrogate_weights
from netwright.testing.toys import Grid, toy_costs
from tests.strategies.controllers import GOAL, Everything, logits, random_rewards, tell

GRID = Grid((5,) * 6)


def ppo(space: object = GRID, **settings: object) -> PPO:
    return PPO(space, GOAL, seed=0, costs=toy_costs, **settings)  # type: ignore[arg-type]


def fill(strategy: PPO, rewards: list[float], first: int = 1) -> None:
    rng = Random(first)
    for trial, reward in enumerate(rewards, start=first):
        tell(strategy, trial, strategy.space.sample(rng), {"accuracy": reward})


def test_nothing_moves_until_a_batch_is_full_and_who_fills_it_does_not_matter() -> None:
    strategy = ppo(batch=5)
    fill(strategy, random_rewards(4))
    for trial in range(10, 20):
        tell(strategy, trial, GRID.sample(Random(trial)), None if trial % 2 else "lost")
    assert not strategy.policy._logits.any()
    tell(strategy, 30, GRID.sample(Random(30)), {"accuracy": 0.99})
    assert strategy.policy._logits.any()


def test_the_first_step_is_the_policy_gradient_with_advantages_normalised_over_the_batch() -> None:
    strategy = ppo(Everything(), batch=6, steps=1)
    rewards = random_rewards(6)
    rng = Random(1)
    paths = [strategy.path(strategy.space.sample(rng)) for _ in rewards]
    path = stacked(paths)
    middle, spread = fmean(rewards), pstdev(rewards)
    weights = np.repeat([(r - middle) / spread for r in rewards], [len(own.rows) for own in paths]) / 6
    rows, expected = by_row(path.rows, score_gradient(path, strategy.policy.log_probabilities(path), weights))
    fill(strategy, rewards)
    width = expected.shape[1]
    assert strategy.policy._first[rows, :width] == pytest.approx(0.1 * strategy.policy._smooth(rows, expected))


def test_a_ratio_that_left_in_the_direction_of_its_advantage_is_clipped() -> None:
    """The weights are the slope of min(r A, clip(r) A) by log r, computed here by differences."""
    ratios = np.array([0.5, 0.79, 0.81, 1.0, 1.19, 1.21, 2.0])

    def objective(logs: np.ndarray, advantage: float) -> np.ndarray:
        r = np.exp(logs)
        return np.minimum(r * advantage, np.clip(r, 1 - CLIP, 1 + CLIP) * advantage)

    for advantage in (1.5, -0.7):
        logs = np.log(ratios)
        slope = (objective(logs + 1e-6, advantage) - objective(logs - 1e-6, advantage)) / 2e-6
        assert surrogate_weights(ratios, np.full(7, advantage)) == pytest.approx(slope, abs=1e-5)
    assert surrogate_weights(ratios, np.ones(7))[-2:].tolist() == [0.0, 0.0]
    assert surrogate_weights(ratios, -np.ones(7))[:2].tolist() == [0.0, 0.0]


def test_a_batch_drawn_by_a_policy_long_gone_does_not_push_further_what_has_moved() -> None:
    """Trials of the first policy that come after it has learnt: what is likelier now than 1.2 times is left alone."""
    strategy = ppo(Grid((2,)), batch=4, steps=1, learning_rate=0.5)
    late = [strategy.propose(Grid((2,)).candidate((option,)), origin="policy") for option in (0, 0, 0, 1)]
    from netwright.core.events import Asked, Finished
    from netwright.testing.toys import measured

    strategy.tell(Asked(strategy.name, tuple(enumerate(late, start=100))))
    for first in (1, 5, 9):
        for trial, (option, reward) in enumerate(((0, 1.0), (1, 0.0)) * 2, start=first):
            tell(strategy, trial, Grid((2,)).candidate((option,)), {"accuracy": reward})
    path = strategy.path(late[0].candidate)
    assert strategy.policy.probabilities(path)[0, 0] > 0.5 * (1 + CLIP)
    before = strategy.policy._first.copy()
    for trial, reward in zip(range(100, 104), (1.0, 1.0, 1.0, 0.0), strict=True):
        strategy.tell(Finished(trial, "completed", measured(accuracy=reward)))
    assert strategy.policy._first == pytest.approx(0.9 * before), "no gradient, only what was under way"


def test_the_steps_on_a_batch_end_once_the_policy_has_moved_far() -> None:
    counts = []
    for rate in (0.01, 1.0):
        strategy = ppo(learning_rate=rate, steps=8)
        fill(strategy, random_rewards(10))
        counts.append(int(strategy.policy._steps.max()))
    assert counts == [8, 1]


def test_divergence_is_that_of_kullback_and_leibler() -> None:
    p, q = np.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]]), np.array([[0.25, 0.75, 0.0], [0.2, 0.3, 0.5]])
    with np.errstate(divide="ignore"):
        found = divergence(np.log(p), np.log(q))
    assert found == pytest.approx(0.5 * (0.5 * np.log(2) + 0.5 * np.log(2 / 3)))
    assert found > FARTHEST


def test_entropy_keeps_the_policy_open() -> None:
    spans = []
    for entropy in (0.0, 1.0):
        strategy = ppo(entropy=entropy)
        for first in range(1, 400, 10):
            rng = Random(first)
            for trial in range(first, first + 10):
                candidate = GRID.sample(rng)
                tell(strategy, trial, candidate, {"accuracy": sum(GRID.point(candidate)) / 24})
        spans.append(max(max(row) - min(row) for row in logits(strategy).values()))
    assert spans[1] < 0.7 * spans[0]


def test_settings_that_make_no_sense_are_refused() -> None:
    for settings in ({"batch": 1}, {"steps": 0}, {"entropy": -0.1}, {"learning_rate": -1.0}):
        with pytest.raises(InputError, match="must be"):
            ppo(**settings)
