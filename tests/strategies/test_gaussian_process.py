from __future__ import annotations

from itertools import islice
from random import Random
from statistics import mean

import pytest

from netwright.core.candidate import Candidate
from netwright.core.errors import CandidateError
from netwright.core.events import Asked, Failed, Finished, Lost
from netwright.core.objective import parse_goal
from netwright.core.trial import Fidelity
from netwright.spaces.walk import Decider
from netwright.strategies import GaussianProcessSearch, gaussian_process
from netwright.strategies.shared.improvement import STARTUP
from netwright.strategies.shared.promising import most_promising
from netwright.testing.simulate import simulate
from netwright.testing.toys import T201, Grid, Interval, Nested, measured, toy_costs
from tests.strategies.fronts import covered_with_parameters

GOAL = parse_goal(("accuracy",), ())
GRID = Grid((5,) * 6)


def search(space: object = GRID, seed: int = 0, goal: object = GOAL) -> GaussianProcessSearch:
    return GaussianProcessSearch(space, goal, seed=seed, costs=toy_costs)  # type: ignore[arg-type]


def accuracy(point: tuple[int, ...]) -> float:
    """Best where every option is 2."""
    return 1 - sum(abs(option - 2) for option in point) / 12


def told(order: str = "as asked", results: int = 30, seed: int = 0) -> GaussianProcessSearch:
    """A strategy that has `results`, told in the given order."""
    strategy = search(seed=seed)
    source = search(seed=seed)
    opened = tuple(enumerate(islice(source.ask(), STARTUP), start=1))
    extra = tuple(
        (trial, source.propose(GRID.sample(Random(trial)), origin="random"))
        for trial in range(STARTUP + 1, results + 1)
    )
    strategy.tell(Asked(strategy.name, (*opened, *extra)))
    trials = [(trial, GRID.point(proposal.candidate)) for trial, proposal in (*opened, *extra)]
    for trial, point in trials if order == "as asked" else reversed(trials):
        strategy.tell(Finished(trial, "completed", measured(accuracy=accuracy(point))))
    return strategy


def test_random_at_first_then_by_the_model() -> None:
    assert {proposal.origin for proposal in islice(search().ask(), STARTUP)} == {"random"}
    origins = [proposal.origin for proposal in islice(told().ask(), 20)]
    assert 14 <= origins.count("model") <= 20


def test_the_order_of_results_does_not_matter() -> None:
    first, other = told(), told("reversed")
    assert [p.to_json() for p in islice(first.ask(), 6)] == [p.to_json() for p in islice(other.ask(), 6)]


def test_a_batch_is_spread() -> None:
    batch = list(islice(told().ask(), 8))
    assert len({proposal.candidate.key for proposal in batch}) == 8
    points = [GRID.point(proposal.candidate) for proposal in batch]
    assert max(sum(a != b for a, b in zip(x, y, strict=True)) for x in points for y in points) >= 3


def test_beyond_what_is_modelled_a_kernel_lasts_for_ten_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaussian_process, "MOST_MODELLED", 30)
    strategy, kernels = told(results=40), []
    for trial in range(41, 61):
        candidate = GRID.sample(Random(trial))
        strategy.tell(Asked(strategy.name, ((trial, strategy.propose(candidate, origin="random")),)))
        strategy.tell(Finished(trial, "completed", measured(accuracy=accuracy(GRID.point(candidate)))))
        strategy.model()
        kernels.append(strategy._fitted[0][1])
    assert len({id(kernel) for kernel in kernels}) == 3  # of 40, of 50 and of 60 results


def test_it_walks_to_the_optimum() -> None:
    run = simulate(search(), lambda p, rng: measured(accuracy=accuracy(GRID.point(p.candidate))), trials=80)
    assert max(run.values("accuracy").values()) == 1.0


def test_it_finds_a_continuous_optimum() -> None:
    def evaluate(proposal: object, rng: Random) -> dict:  # type: ignore[type-arg]
        values = proposal.candidate.decisions.values()  # type: ignore[attr-defined]
        return measured(accuracy=1 - sum((value - 0.3) ** 2 for value in values))

    run = simulate(search(Interval(3)), evaluate, trials=60)
    assert max(run.values("accuracy").values()) >= 0.995


def test_a_conditional_optimum_is_found() -> None:
    """The path of ones is best; each answer opens another question."""

    def evaluate(proposal: object, rng: Random) -> dict:  # type: ignore[type-arg]
        return measured(accuracy=sum(proposal.candidate.decisions.values()) / 6)  # type: ignore[attr-defined]

    run = simulate(search(Nested(6)), evaluate, trials=50)
    assert max(run.values("accuracy").values()) == 1.0


def test_a_lost_trial_is_let_go_and_a_failure_is_the_worst() -> None:
    strategy = told()
    (lost, a), (failed, b) = enumerate(islice(strategy.ask(), 2), start=31)
    strategy.tell(Asked(strategy.name, ((lost, a), (failed, b))))
    strategy.tell(Lost(lost, "the worker vanished"))
    strategy.tell(Failed(failed, "diverged", "scripted"))
    assert lost not in strategy.members
    assert not strategy.underway
    targets = strategy.targets(sorted(strategy.members), 0)
    assert targets[sorted(strategy.members).index(failed)] == min(targets)


def test_what_is_outside_a_limit_ranks_below_by_how_far() -> None:
    goal = parse_goal(("accuracy",), ("latency<=2ms",))
    strategy = GaussianProcessSearch(GRID, goal, seed=0, costs=toy_costs)
    strategy.tell(Asked(strategy.name, tuple(enumerate(islice(strategy.ask(), 3), start=1))))
    for trial, (value, latency) in enumerate([(0.9, 4.0), (0.5, 1.0), (0.99, 3.0)], start=1):
        strategy.tell(Finished(trial, "completed", measured(accuracy=value, latency=latency)))
    assert strategy.best_first([1, 2, 3]) == [2, 3, 1]
    further = Finished(4, "completed", measured(accuracy=0.99, latency=3.0))
    strategy.on_promoted(3, Fidelity(3, trunk=True), further)
    assert strategy.best_first([1, 2, 3]) == [2, 3, 1]


def test_further_training_ranks_above() -> None:
    strategy = told()
    worst = strategy.best_first(sorted(strategy.members))[-1]
    strategy.on_promoted(worst, Fidelity(3, trunk=True), Finished(99, "completed", measured(accuracy=0.1)))
    assert strategy.best_first(sorted(strategy.members))[0] == worst
    targets = dict(zip(sorted(strategy.members), strategy.targets(sorted(strategy.members), 0), strict=True))
    assert targets[worst] == max(targets.values())


@pytest.mark.parametrize(("space", "numbers"), [(GRID, False), (Interval(3), True)], ids=["categories", "numbers"])
def test_steps_that_become_small_count_for_little_where_decisions_are_numbers(space: object, numbers: bool) -> None:
    strategy = search(space)
    strategy.tell(Asked(strategy.name, tuple(enumerate(islice(strategy.ask(), STARTUP), start=1))))
    for trial in range(1, STARTUP):
        strategy.tell(Finished(trial, "completed", measured(accuracy=0.05 * trial)))
    strategy.tell(Finished(STARTUP, "completed", measured(accuracy=0.05 * (STARTUP - 1) + 1e-6)))
    *_, before, second, first = strategy.targets(range(1, STARTUP + 1), 0)
    assert (first - second < 1e-3 * (second - before)) is numbers


# -- toys with a known optimum -----------------------------------------------------------------------------------------


def t201_mean(seeds: int, trials: int) -> float:
    """Mean truth of the best by noisy validation, 1 for the best point of all."""
    table, scores = T201(), []
    for seed in range(seeds):
        run = simulate(
            search(table, seed), lambda p, rng: measured(accuracy=table.validation(p.candidate)), trials=trials
        )
        values = run.values("accuracy")
        scores.append(table.score(run.proposals[max(values, key=lambda trial: values[trial])].candidate))
    return mean(scores)


def test_t201_beats_evolution_with_half_the_trials() -> None:
    assert t201_mean(3, 60) >= 0.88


@pytest.mark.long
def test_t201_figures() -> None:
    assert t201_mean(20, 50) >= 0.87
    assert t201_mean(20, 100) >= 0.94


def test_two_objectives() -> None:
    assert covered_with_parameters(GaussianProcessSearch, 2, 80) >= 0.85


@pytest.mark.long
def test_two_objectives_figures() -> None:
    assert covered_with_parameters(GaussianProcessSearch, 15, 200) >= 0.96


def test_what_comes_to_no_candidate_is_passed_over() -> None:
    class Brittle(Grid):
        """Half of its points are no candidates."""

        def walk(self, decider: Decider) -> Candidate:
            candidate = super().walk(decider)
            if self.point(candidate)[0] % 2:
                raise CandidateError("too symmetric")
            return candidate

    space = Brittle((4, 5, 5))
    found = most_promising(space, lambda cs: [0.0] * len(cs), [space.candidate((0, 0, 0))], Random(0))
    assert len(found) >= 20
    assert all(space.point(candidate)[0] % 2 == 0 for candidate in found)
