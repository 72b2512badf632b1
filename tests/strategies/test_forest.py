"""The forest by itself, candidates as vectors, and the strategy on toys with a known optimum."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from random import Random
from statistics import mean

import numpy as np
import pytest

from netwright.core.candidate import Candidate, Value
from netwright.core.events import Asked, Failed, Finished, Lost
from netwright.core.measurement import Measurement
from netwright.core.objective import Goal, parse_goal
from netwright.core.task import TaskSpec
from netwright.core.trial import Fidelity, Proposal
from netwright.spaces.catalog import make_space
from netwright.spaces.choices import Choice, choose
from netwright.spaces.shapes import costs
from netwright.spaces.walk import Decider, SearchSpace
from netwright.strategies import ForestSearch
from netwright.strategies.forest import MOST_MODELLED, STARTUP
from netwright.strategies.models.trees import Forest, grow
from netwright.strategies.shared.vectors import Vectors, matrix, varying
from netwright.testing.simulate import simulate
from netwright.testing.toys import T201, Grid, Interval, measured, toy_candidate, toy_costs
from tests.strategies.fronts import covered_with_parameters

GOAL = parse_goal(("accuracy",), ())
GRID = Grid((5,) * 6)
TASK = TaskSpec((3, 32, 32), tuple("0123456789"), (0.4,) * 3, (0.2,) * 3)


# -- trees -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_a_forest_doubts_between_distant_points_more_than_at_one(seed: int) -> None:
    points = np.array([0.0, 0.05, 0.1, 0.9, 0.95, 1.0])[:, None]
    targets = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    forest = Forest.of(grow(points, targets, trees=30, seed=seed), points, targets)
    _, sd = forest.predict(np.array([[0.05], [0.5], [0.95]]))
    assert sd[1] > max(sd[0], sd[2])


def some_points(columns: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    points = rng.integers(2, size=(60, columns)).astype(float)
    return points, points[:, :3].sum(axis=1) + 0.1 * rng.normal(size=60)


def test_a_forest_predicts_what_it_has_not_seen() -> None:
    points, targets = some_points()
    forest = Forest.of(grow(points[:40], targets[:40], trees=30, seed=0), points[:40], targets[:40])
    predicted, _ = forest.predict(points[40:])
    assert np.corrcoef(predicted, targets[40:])[0, 1] > 0.85


def test_new_points_join_the_leaves() -> None:
    points, targets = some_points()
    forest = Forest.of(grow(points, targets, trees=30, seed=0), points, targets)
    where = points[:1]
    before, doubt = forest.predict(where)
    assert forest.holding(where, before + 3).predict(where)[0] > before + 0.5
    assert forest.believing(where).predict(where)[0] == pytest.approx(before, abs=0.02)
    assert forest.believing(where).predict(where)[1] < doubt


# -- candidates as vectors ---------------------------------------------------------------------------------------------


def test_networks_are_described_by_decisions_paths_and_sizes() -> None:
    space = make_space("chain", TASK)
    vectors = Vectors(space, lambda architecture: costs(architecture, TASK))
    candidate = space.sample(Random(0))
    features = vectors.features(candidate)
    assert features["log parameters"] == pytest.approx(np.log(1 + costs(candidate.architecture, TASK).parameters))
    assert features["GlobalPool"] == 1.0
    assert features[f"recipe={space_label(candidate)}"] == 1.0
    assert all(value > 0 for value in features.values())


def space_label(candidate: Candidate) -> int:
    return ("sgd", "adamw").index(str(candidate.decisions["recipe"]))


def test_only_what_varies_is_a_column() -> None:
    vectors = Vectors(GRID, toy_costs)
    candidates = [GRID.candidate((option, 0, 0, 0, 0, 4)) for option in (0, 1, 1)]
    features = [vectors.features(candidate) for candidate in candidates]
    names = varying(features)
    assert names == ["slot/0=0", "slot/0=1"]
    assert matrix(names, features).tolist() == [[1, 0], [0, 1], [0, 1]]


# -- the strategy ------------------------------------------------------------------------------------------------------


def search(space: SearchSpace = GRID, seed: int = 0, goal: Goal = GOAL) -> ForestSearch:
    return ForestSearch(space, goal, seed=seed, costs=toy_costs)


def accuracy(point: tuple[int, ...]) -> float:
    """Best where every option is 2."""
    return 1 - sum(abs(option - 2) for option in point) / 12


def told(order: str = "as asked", results: int = 30, space: Grid = GRID) -> ForestSearch:
    """A strategy that has `results`, told in the given order."""
    strategy = search(space)
    trials = [(trial, space.sample(Random(trial))) for trial in range(1, results + 1)]
    strategy.tell(Asked(strategy.name, tuple((t, strategy.propose(c, origin="random")) for t, c in trials)))
    for trial, candidate in trials if order == "as asked" else reversed(trials):
        strategy.tell(Finished(trial, "completed", measured(accuracy=accuracy(GRID.point(candidate)[:6]))))
    return strategy


def test_random_at_first_then_by_the_model() -> None:
    assert {proposal.origin for proposal in islice(search().ask(), STARTUP)} == {"random"}
    origins = [proposal.origin for proposal in islice(told().ask(), 20)]
    assert 10 <= origins.count("model") < 20
    assert set(origins) == {"model", "random"}


def test_the_order_of_results_does_not_matter() -> None:
    first, other = told(results=33), told("reversed", results=33)
    assert [p.to_json() for p in islice(first.ask(), 6)] == [p.to_json() for p in islice(other.ask(), 6)]


def test_a_batch_is_spread() -> None:
    points = [GRID.point(proposal.candidate) for proposal in islice(told().ask(), 8)]
    assert len(set(points)) == 8
    assert max(sum(a != b for a, b in zip(x, y, strict=True)) for x in points for y in points) >= 3


class Padded(Grid):
    """Six decisions, and a hundred that have one value."""

    def walk(self, decider: Decider) -> Candidate:
        return toy_candidate(super().walk(decider).decisions | {f"idle/{i}": 0 for i in range(100)})

    def choices(self, decisions: Mapping[str, Value]) -> dict[str, Choice]:
        idle = {f"idle/{i}": choose(0) for i in range(100)}
        return super().choices({k: v for k, v in decisions.items() if k not in idle}) | idle


@pytest.mark.parametrize("asks", [6, pytest.param(50, marks=pytest.mark.long)])
def test_what_never_varies_changes_nothing(asks: int) -> None:
    plain, padded = told(), told(space=Padded((5,) * 6))
    for ours, theirs in zip(islice(plain.ask(), asks), islice(padded.ask(), asks), strict=True):
        assert GRID.point(ours.candidate) == GRID.point(theirs.candidate)[:6]


def test_a_lost_trial_is_let_go_and_a_failure_is_the_worst() -> None:
    strategy = told()
    (lost, a), (failed, b) = enumerate(islice(strategy.ask(), 2), start=31)
    strategy.tell(Asked(strategy.name, ((lost, a), (failed, b))))
    strategy.tell(Lost(lost, "the worker vanished"))
    strategy.tell(Failed(failed, "diverged", "scripted"))
    assert lost not in strategy.members
    assert not strategy.underway
    trials = sorted(strategy.members)
    scores = dict(zip(trials, strategy.targets(trials, 0), strict=True))
    assert scores[failed] == min(scores.values())
    assert failed not in strategy.best_first(trials)[:20]


def test_what_is_outside_a_limit_ranks_below_by_how_far() -> None:
    strategy = search(goal=parse_goal(("accuracy",), ("latency<=2ms",)))
    strategy.tell(Asked(strategy.name, tuple(enumerate(islice(strategy.ask(), 3), start=1))))
    for trial, (value, latency) in enumerate([(0.9, 4.0), (0.5, 1.0), (0.99, 3.0)], start=1):
        strategy.tell(Finished(trial, "completed", measured(accuracy=value, latency=latency)))
    assert strategy.best_first([1, 2, 3]) == [2, 3, 1]
    second, third, first = strategy.targets([2, 3, 1], 0)
    assert second > third > first


def test_further_training_ranks_above() -> None:
    strategy = told()
    worst = strategy.best_first(sorted(strategy.members))[-1]
    strategy.on_promoted(worst, Fidelity(3, trunk=True), Finished(99, "completed", measured(accuracy=0.1)))
    assert strategy.best_first(sorted(strategy.members))[0] == worst


def test_limits_known_by_arithmetic_are_kept() -> None:
    strategy = search(goal=parse_goal(("accuracy",), ("parameters<=8k",)))
    run = simulate(
        strategy, lambda p, rng: measured(accuracy=accuracy(GRID.point(p.candidate)), parameters=1), trials=30
    )
    assert all(toy_costs(p.candidate.architecture).parameters <= 8000 for p in list(run.proposals.values())[STARTUP:])


def test_what_a_forest_is_grown_from_is_bounded() -> None:
    strategy = told(results=MOST_MODELLED + 50)
    model = strategy.make_model()
    assert len(model.reached) <= MOST_MODELLED + 8
    assert model.best[0] == max(strategy.candidates(sorted(strategy.members)), key=lambda c: accuracy(GRID.point(c)))


def test_it_walks_to_the_optimum() -> None:
    run = simulate(search(), lambda p, rng: measured(accuracy=accuracy(GRID.point(p.candidate))), trials=80)
    assert max(run.values("accuracy").values()) == 1.0


def test_it_comes_near_a_continuous_optimum() -> None:
    def evaluate(proposal: Proposal, rng: Random) -> dict[str, Measurement]:
        return measured(accuracy=1 - sum((x - 0.3) ** 2 for x in proposal.candidate.decisions.values()))  # type: ignore[operator]

    run = simulate(search(Interval(3)), evaluate, trials=60)
    assert max(run.values("accuracy").values()) >= 0.98


def test_two_objectives() -> None:
    assert covered_with_parameters(ForestSearch, 2, 80) >= 0.8


@pytest.mark.long
def test_two_objectives_figures() -> None:
    assert covered_with_parameters(ForestSearch, 15, 200) >= 0.93


@pytest.mark.long
def test_t201_figures() -> None:
    table, scores = T201(), []
    for seed in range(20):
        run = simulate(search(table, seed), lambda p, rng: measured(accuracy=table.validation(p.candidate)), trials=100)
        values = run.values("accuracy")
        scores.append(table.score(run.proposals[max(values, key=lambda trial: values[trial])].candidate))
    assert mean(scores) >= 0.92
