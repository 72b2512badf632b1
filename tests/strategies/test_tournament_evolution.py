from __future__ import annotations

from itertools import islice
from statistics import mean

import pytest

from netwright.core.errors import InputError
from netwright.core.events import Asked, Failed, Finished, Lost
from netwright.core.objective import parse_goal
from netwright.core.trial import Fidelity
from netwright.strategies import TournamentEvolution
from netwright.testing.simulate import simulate
from netwright.testing.toys import T201, Grid, measured, toy_costs

GOAL = parse_goal(("accuracy",), ())
GRID = Grid((5,) * 6)


def evolution(population: int = 4, seed: int = 0) -> TournamentEvolution:
    return TournamentEvolution(GRID, GOAL, seed=seed, costs=toy_costs, population=population)


def tell_all(strategy: TournamentEvolution, accuracies: list[float | str], first: int = 1) -> None:
    """Open a trial for each entry and answer it: an accuracy, or the name of a failure."""
    for trial, entry in enumerate(accuracies, start=first):
        strategy.tell(Asked(strategy.name, ((trial, next(strategy.ask())),)))
        if isinstance(entry, str):
            strategy.tell(Failed(trial, entry, "scripted"))  # type: ignore[arg-type]
        else:
            strategy.tell(Finished(trial, "completed", measured(accuracy=entry)))


def trials(strategy: TournamentEvolution) -> list[int]:
    return [member.trial for member in strategy.members]


def test_the_best_of_all_stays_for_ever() -> None:
    strategy = evolution()
    tell_all(strategy, [0.9] + [0.1 + i / 1000 for i in range(200)])
    assert 1 in trials(strategy)


def test_the_worse_of_two_leaves_for_each_birth() -> None:
    strategy = evolution(population=2)
    tell_all(strategy, [0.5, 0.4])
    for birth, accuracy in enumerate((0.3, 0.6, 0.2, 0.7), start=3):
        best = max(strategy.members, key=lambda member: -member.results[1].costs[0])
        tell_all(strategy, [accuracy], first=birth)
        assert trials(strategy) == [best.trial, birth]


def test_whoever_is_not_the_best_may_leave() -> None:
    left = set()
    for seed in range(60):
        strategy = evolution(population=3, seed=seed)
        tell_all(strategy, [0.3, 0.2, 0.1, 0.4])
        left |= {1, 2, 3} - set(trials(strategy))
    assert left == {2, 3}


def test_the_population_keeps_its_size_whatever_is_under_way_or_fails() -> None:
    strategy = evolution(population=5)
    tell_all(strategy, [0.5] * 5)
    opened = tuple(enumerate(islice(strategy.ask(), 20), start=6))
    strategy.tell(Asked(strategy.name, opened))
    assert len(strategy.members) == 5
    for trial, _ in reversed(opened):
        if trial % 3 == 0:
            strategy.tell(Lost(trial, "gone"))
        elif trial % 5 == 0:
            strategy.tell(Failed(trial, "diverged", "scripted"))
        else:
            strategy.tell(Finished(trial, "completed", measured(accuracy=trial / 100)))
        assert len(strategy.members) == 5
    assert not any(trial % 3 == 0 or trial % 5 == 0 for trial in trials(strategy) if trial > 5)


def test_the_better_of_two_is_the_parent() -> None:
    parents = []
    for seed in range(15):
        strategy = evolution(population=3, seed=seed)
        tell_all(strategy, [0.1, 0.3, 0.2])
        parents += [child.parents[0] for child in islice(strategy.ask(), 20)]
    share = {trial: parents.count(trial) / 300 for trial in (1, 2, 3)}
    assert share[1] < 0.2 < share[3] < 0.45 < share[2]


def test_a_promotion_changes_who_leaves() -> None:
    strategy = evolution(population=2)
    tell_all(strategy, [0.5, 0.4])
    strategy.on_promoted(1, Fidelity(3, trunk=True), Finished(90, "completed", measured(accuracy=0.6)))
    strategy.on_promoted(2, Fidelity(3, trunk=True), Finished(91, "completed", measured(accuracy=0.7)))
    tell_all(strategy, [0.1], first=3)
    assert trials(strategy) == [2, 3]


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="population must be at least 2, but got 1"):
        evolution(population=1)


def t201_mean(seeds: int) -> float:
    """Mean true score of the best by validation after 200 trials."""
    table, scores = T201(), []
    for seed in range(seeds):
        run = simulate(
            TournamentEvolution(table, GOAL, seed=seed, costs=toy_costs),
            lambda proposal, rng: measured(accuracy=table.validation(proposal.candidate)),
            trials=200,
        )
        values = run.values("accuracy")
        scores.append(table.score(run.proposals[max(values, key=lambda trial: values[trial])].candidate))
    return mean(scores)


def test_t201_beats_random_search() -> None:
    assert t201_mean(8) >= 0.86


@pytest.mark.long
def test_t201_figures() -> None:
    assert t201_mean(50) >= 0.9
