"""The ensemble by itself, rounds of the strategy, and toys with a known optimum."""

from __future__ import annotations

from itertools import islice
from random import Random
from statistics import mean

import numpy as np
import pytest
from scipy.stats import spearmanr

from netwright.core.events import Asked, Failed, Finished, Lost
from netwright.core.objective import Goal, parse_goal
from netwright.spaces.walk import SearchSpace
from netwright.strategies import Bananas, bananas
from netwright.strategies.bananas import MOST_MODELLED, MUTATIONS, ROUND, STARTUP, _highest_first
from netwright.strategies.models.ensemble import BATCH, Ensemble, _gradients, train
from netwright.strategies.shared.vectors import Vectors, matrix, varying
from netwright.testing.simulate import simulate
from netwright.testing.toys import T201, Grid, Nested, measured, toy_costs

GOAL = parse_goal(("accuracy",), ())
GRID = Grid((5,) * 6)


# -- the ensemble ------------------------------------------------------------------------------------------------------


def learned(points: int = 100, seed: int = 0) -> tuple[Ensemble, np.ndarray, np.ndarray]:
    """An ensemble trained on so many points of T201; the vectors of 500 others, and their truth."""
    table, rng = T201(), Random(seed)
    candidates = [table.sample(rng) for _ in range(points + 500)]
    vectors = Vectors(table, toy_costs)
    features = [vectors.features(candidate) for candidate in candidates]
    rows = matrix(varying(features[:points]), features)
    targets = np.array([table.validation(candidate) for candidate in candidates])
    ensemble = train(rows[:points], targets[:points], networks=5, layers=3, width=64, seed=seed)
    return ensemble, rows, np.array([table.score(candidate) for candidate in candidates])


def test_it_predicts_what_it_has_not_seen_and_doubts_it_more() -> None:
    ensemble, rows, truth = learned()
    predicted, doubt = ensemble.predict(rows)
    assert spearmanr(predicted[100:], truth[100:])[0] > 0.5
    assert doubt[100:].mean() > 1.5 * doubt[:100].mean()
    assert predicted.std() > 0.3


def test_equal_arguments_give_equal_networks_and_another_seed_others() -> None:
    rows, targets = np.eye(8), np.arange(8) / 4 - 1
    first, again, other = (
        train(rows, targets, networks=2, layers=2, width=8, seed=seed).outputs(rows) for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert not np.allclose(first, other)
    assert not np.allclose(first[0], first[1])


def test_gradients_are_those_of_finite_differences() -> None:
    rng = np.random.default_rng(0)
    sizes = [(2, 3, 4), (2, 4, 1)]
    weights = [rng.normal(size=size) for size in sizes]
    biases = [rng.normal(size=(2, 1, size[2])) for size in sizes]
    ensemble = Ensemble(weights, biases, np.zeros(3), np.ones(3))  # type: ignore[arg-type]
    inputs, targets = rng.normal(size=(2, 6, 3)), rng.normal(size=(2, 6))

    def loss() -> float:
        hidden = np.maximum(inputs @ weights[0] + biases[0], 0)
        return float(np.abs((hidden @ weights[1] + biases[1])[:, :, 0] - targets).mean(axis=1).sum())

    parameters = [*weights, *biases]
    for parameter, gradient in zip(parameters, _gradients(ensemble, inputs, targets), strict=True):  # type: ignore[arg-type]
        for place in np.ndindex(parameter.shape):
            kept, sides = parameter[place], []
            for step in (1e-6, -1e-6):
                parameter[place] = kept + step
                sides.append(loss())
            parameter[place] = kept
            assert gradient[place] == pytest.approx((sides[0] - sides[1]) / 2e-6, abs=1e-4)


def test_few_points_and_no_columns_can_be_learned() -> None:
    assert train(np.zeros((3, 0)), np.zeros(3), networks=2, layers=1, width=4, seed=0).outputs(
        np.zeros((2, 0))
    ).shape == (2, 2)
    points = np.arange(BATCH + 1.0)[:, None]
    assert np.isfinite(train(points, points[:, 0] / 33, networks=2, layers=1, width=4, seed=0).outputs(points)).all()


# -- the strategy ------------------------------------------------------------------------------------------------------


def search(space: SearchSpace = GRID, seed: int = 0, goal: Goal = GOAL) -> Bananas:
    return Bananas(space, goal, seed=seed, costs=toy_costs)


def accuracy(point: tuple[int, ...]) -> float:
    """Best where every option is 2."""
    return 1 - sum(abs(option - 2) for option in point) / 12


def told(order: str = "as asked", results: int = 30) -> Bananas:
    """A strategy that has `results`, told in the given order."""
    strategy = search()
    trials = [(trial, GRID.sample(Random(trial))) for trial in range(1, results + 1)]
    strategy.tell(Asked(strategy.name, tuple((t, strategy.propose(c, origin="random")) for t, c in trials)))
    for trial, candidate in trials if order == "as asked" else reversed(trials):
        strategy.tell(Finished(trial, "completed", measured(accuracy=accuracy(GRID.point(candidate)))))
    return strategy


def distance(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    return sum(x != y for x, y in zip(a, b, strict=True))


def test_random_at_first_then_mutations_of_the_best() -> None:
    assert {proposal.origin for proposal in islice(search().ask(), STARTUP)} == {"random"}
    strategy = told()
    best = [GRID.point(c) for c in strategy.candidates(strategy.best_first(range(1, 31))[:5])]
    asked = list(islice(strategy.ask(), 20))
    assert {proposal.origin for proposal in asked} == {"model"}
    assert all(min(distance(GRID.point(p.candidate), parent) for parent in best) == 1 for p in asked)


def test_the_order_of_the_results_of_a_round_does_not_matter() -> None:
    first, other = told(), told("reversed")
    assert [p.to_json() for p in islice(first.ask(), 12)] == [p.to_json() for p in islice(other.ask(), 12)]


def test_a_ranking_stands_until_ten_more_results_are_there() -> None:
    strategy = told()
    planned = [proposal.to_json() for proposal in islice(strategy.ask(), 2 * ROUND)]
    trials = list(enumerate(islice(strategy.ask(), ROUND), start=31))
    strategy.tell(Asked(strategy.name, tuple(trials)))
    for trial, proposal in trials[:-1]:
        strategy.tell(Finished(trial, "completed", measured(accuracy=accuracy(GRID.point(proposal.candidate)))))
    assert [proposal.to_json() for proposal in islice(strategy.ask(), ROUND)] == planned[ROUND:]
    strategy.tell(Failed(trials[-1][0], "diverged", "scripted"))
    assert [proposal.to_json() for proposal in islice(strategy.ask(), ROUND)] != planned[ROUND:]


def test_a_ranking_does_not_depend_on_when_it_is_first_looked_at() -> None:
    early, late = told(), told()
    trials = tuple(enumerate(islice(early.ask(), 4), start=31))
    for strategy in (early, late):
        strategy.tell(Asked(strategy.name, trials))
    assert [p.to_json() for p in islice(early.ask(), 8)] == [p.to_json() for p in islice(late.ask(), 8)]


def test_it_goes_on_when_all_mutations_are_asked_for() -> None:
    proposals = list(islice(told().ask(), MUTATIONS + 40))
    assert len({proposal.identity() for proposal in proposals}) == MUTATIONS + 40
    assert {proposal.origin for proposal in proposals[:MUTATIONS]} == {"model"}


def test_a_lost_trial_is_no_news_and_a_failure_is_the_worst() -> None:
    strategy = told()
    (lost, a), (failed, b) = enumerate(islice(strategy.ask(), 2), start=31)
    strategy.tell(Asked(strategy.name, ((lost, a), (failed, b))))
    strategy.tell(Lost(lost, "the worker vanished"))
    assert strategy._news == 0
    strategy.tell(Failed(failed, "diverged", "scripted"))
    assert strategy._news == 1
    assert lost not in strategy.members
    assert strategy.best_first(sorted(strategy.members))[-1] == failed


def test_limits_known_by_arithmetic_are_kept() -> None:
    strategy = search(goal=parse_goal(("accuracy",), ("parameters<=8k",)))
    run = simulate(
        strategy, lambda p, rng: measured(accuracy=accuracy(GRID.point(p.candidate)), parameters=1), trials=40
    )
    assert all(toy_costs(p.candidate.architecture).parameters <= 8000 for p in list(run.proposals.values())[STARTUP:])


def test_computed_costs_are_weighed_from_the_best_inside_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small networks outside a limit on accuracy are no yardstick: smaller than all inside it is still a gain."""
    strategy = search(goal=parse_goal(("accuracy", "parameters"), ("accuracy>=0.6",)))
    points = [(option,) * 6 for option in (0, 1, 2, 3, 4)] + [(2, 2, 2, 2, 2, option) for option in (0, 1, 3, 4)]
    points.append((1, 1, 1, 2, 2, 2))
    for trial, point in enumerate(points, start=1):
        candidate = GRID.candidate(point)
        strategy.tell(Asked(strategy.name, ((trial, strategy.propose(candidate, origin="random")),)))
        costs = measured(accuracy=0.9 - 0.4 * (sum(point) < 6), parameters=toy_costs(candidate.architecture).parameters)
        strategy.tell(Finished(trial, "completed", costs))
    seen: list[np.ndarray] = []
    monkeypatch.setattr(bananas, "_highest_first", lambda draws, rng: seen.append(draws) or list(range(len(draws))))
    next(strategy.ask())
    assert seen[0][:, 1].max() > 0
    assert toy_costs(GRID.candidate(points[0]).architecture).parameters < min(
        toy_costs(c.architecture).parameters for c in strategy.candidates(strategy.feasible(strategy.members))
    )


def test_what_networks_are_trained_on_is_bounded() -> None:
    strategy = told(results=MOST_MODELLED + 50)
    assert strategy._round is not None
    assert len(strategy._round.candidates) == MOST_MODELLED


def test_each_of_several_objectives_leads_now_and_then() -> None:
    draws = -np.array([[0.0, 1.0], [1.0, 0.0], [0.4, 0.4], [2.0, 2.0]])
    orders = [_highest_first(draws, np.random.default_rng(seed)) for seed in range(40)]
    assert {order[0] for order in orders} == {0, 1, 2}
    assert all(sorted(order) == [0, 1, 2, 3] and order[-1] == 3 for order in orders)
    assert _highest_first(draws[:, :1], np.random.default_rng(0)) == [0, 2, 1, 3]


def test_it_walks_to_the_optimum() -> None:
    run = simulate(search(), lambda p, rng: measured(accuracy=accuracy(GRID.point(p.candidate))), trials=80)
    assert max(run.values("accuracy").values()) == 1.0


def test_a_conditional_optimum_is_found() -> None:
    run = simulate(
        search(Nested(6)),
        lambda p, rng: measured(accuracy=sum(p.candidate.decisions.values()) / 6),  # type: ignore[arg-type]
        trials=60,
    )
    assert max(run.values("accuracy").values()) == 1.0


def test_two_objectives_reach_both_ends() -> None:
    def evaluate(proposal, rng):  # type: ignore[no-untyped-def]
        parameters = toy_costs(proposal.candidate.architecture).parameters
        return measured(accuracy=sum(GRID.point(proposal.candidate)) / 24, parameters=parameters)

    values = simulate(search(goal=parse_goal((), ())), evaluate, trials=80).values("accuracy").values()
    assert max(values) - min(values) >= 0.75


@pytest.mark.long
def test_t201_figures() -> None:
    table, scores = T201(), []
    for seed in range(20):
        run = simulate(search(table, seed), lambda p, rng: measured(accuracy=table.validation(p.candidate)), trials=100)
        values = run.values("accuracy")
        scores.append(table.score(run.proposals[max(values, key=lambda trial: values[trial])].candidate))
    assert mean(scores) >= 0.92


@pytest.mark.long
def test_it_predicts_t201_from_a_hundred_points() -> None:
    correlations = []
    for seed in range(20):
        ensemble, rows, truth = learned(seed=seed)
        correlations.append(spearmanr(ensemble.predict(rows[100:])[0], truth[100:])[0])
    assert mean(correlations) > 0.6
