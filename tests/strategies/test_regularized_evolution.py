from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from random import Random
from statistics import mean

import pytest

from netwright.core.errors import InputError
from netwright.core.events import Asked, Failed, Finished, Lost
from netwright.core.objective import parse_goal
from netwright.core.seeding import stream
from netwright.core.trial import Fidelity, Proposal
from netwright.spaces.variation import mutate
from netwright.strategies import RandomSearch, RegularizedEvolution, Strategy
from netwright.strategies.shared.population import beats
from netwright.testing.simulate import simulate
from netwright.testing.toys import T201, Bits, Grid, measured, toy_costs
from tests.strategies.families import FAMILIES, slow_family_is_found

GOAL = parse_goal(("accuracy",), ())
GRID = Grid((5,) * 6)


class Repeating(RegularizedEvolution):
    """As in the paper, a child that was there before is evaluated anew."""

    def ask(self) -> Iterator[Proposal]:
        for repeat, rng in enumerate(self.streams(), start=self.asked):
            yield replace(self.draw(rng, []), repeat=repeat)


class NonAging(Repeating):
    """The control of the paper: the worst of a sample leaves instead of the oldest."""

    def on_finished(self, event: Finished) -> None:
        members = list(self.members)
        super().on_finished(event)
        if len(members) == self.population and self.members[-1] is not members[-1]:
            rng = stream(self.seed, "dies", event.trial)
            worst = rng.choice(members)
            for rival in rng.choices(members, k=self.sample - 1):
                worst = rival if beats(worst, rival) else worst
            survivors = [member for member in members if member is not worst]
            self.members.extend([*survivors, self.members[-1]])


def evolution(population: int = 4, sample: int = 2, seed: int = 0) -> RegularizedEvolution:
    return RegularizedEvolution(GRID, GOAL, seed=seed, costs=toy_costs, population=population, sample=sample)


def tell_all(strategy: Strategy, accuracies: list[float | str], first: int = 1) -> None:
    """Open a trial for each entry and answer it: an accuracy, or the name of a failure."""
    for trial, entry in enumerate(accuracies, start=first):
        strategy.tell(Asked(strategy.name, ((trial, next(strategy.ask())),)))
        if isinstance(entry, str):
            strategy.tell(Failed(trial, entry, "scripted"))  # type: ignore[arg-type]
        else:
            strategy.tell(Finished(trial, "completed", measured(accuracy=entry)))


def test_members_are_the_last_results_whatever_their_score() -> None:
    strategy = evolution()
    tell_all(strategy, [0.9, 0.8, 0.1, "diverged", 0.2, 0.3, "crashed", 0.4])
    assert [member.trial for member in strategy.members] == [3, 5, 6, 8]


def test_age_is_the_order_of_results() -> None:
    strategy = evolution(population=3)
    proposals = tuple(enumerate(islice(strategy.ask(), 5), start=1))
    strategy.tell(Asked(strategy.name, proposals))
    for trial in (5, 1, 4, 2):
        strategy.tell(Finished(trial, "completed", measured(accuracy=0.5)))
    assert [member.trial for member in strategy.members] == [1, 4, 2]


def test_random_until_the_queue_is_full_then_children_one_mutation_away() -> None:
    strategy = evolution()
    assert next(strategy.ask()).origin == "random"
    tell_all(strategy, [0.1, 0.2, 0.3, 0.4])
    parents = {member.trial: member.candidate for member in strategy.members}
    for child in islice(strategy.ask(), 50):
        (parent,) = child.parents
        assert child.origin == "mutation"
        pairs = zip(GRID.point(child.candidate), GRID.point(parents[parent]), strict=True)
        assert sum(a != b for a, b in pairs) == 1


def test_the_best_of_the_sample_is_the_parent() -> None:
    strategy = evolution(population=10, sample=200)
    tell_all(strategy, [0.1, 0.2, 0.9, 0.3, 0.4, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert {child.parents for child in islice(strategy.ask(), 20)} == {(3,)}
    weak = evolution(population=10, sample=1)
    tell_all(weak, [0.1, 0.2, 0.9, 0.3, 0.4, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert len({child.parents for child in islice(weak.ask(), 60)}) == 10


def test_a_copied_result_is_no_birth() -> None:
    strategy = RegularizedEvolution(Grid((1, 1)), GOAL, seed=0, costs=toy_costs, population=4)
    for trial in (1, 2, 3):
        strategy.tell(Asked(strategy.name, ((trial, next(strategy.ask())),)))
        strategy.tell(Finished(trial, "completed", measured(accuracy=0.5), reused_from=1 if trial > 1 else None))
    assert [member.trial for member in strategy.members] == [1]


def test_an_answer_copied_from_another_source_is_a_birth() -> None:
    strategy = evolution(population=4)
    for trial in (1, 2, 3):
        strategy.tell(Asked(strategy.name, ((trial, next(strategy.ask())),)))
        strategy.tell(Finished(trial, "completed", measured(accuracy=0.5), reused_from=99))
    assert [member.trial for member in strategy.members] == [1, 2, 3]


def test_a_lost_candidate_that_is_proposed_again_is_a_birth() -> None:
    strategy = RegularizedEvolution(Grid((1,)), GOAL, seed=0, costs=toy_costs, population=4)
    strategy.tell(Asked(strategy.name, ((1, next(strategy.ask())),)))
    strategy.tell(Lost(1, "the disk was full"))
    strategy.tell(Asked(strategy.name, ((2, next(strategy.ask())),)))
    strategy.tell(Finished(2, "completed", measured(accuracy=0.5)))
    assert [member.trial for member in strategy.members] == [2]


def test_a_candidate_outside_a_limit_loses_to_one_inside() -> None:
    goal = parse_goal(("accuracy",), ("latency<=2ms",))
    strategy = RegularizedEvolution(GRID, goal, seed=0, costs=toy_costs, population=2, sample=20)
    for trial, (accuracy, latency) in enumerate([(0.9, 3.0), (0.5, 1.0)], start=1):
        strategy.tell(Asked(strategy.name, ((trial, next(strategy.ask())),)))
        strategy.tell(Finished(trial, "completed", measured(accuracy=accuracy, latency=latency)))
    assert {child.parents for child in islice(strategy.ask(), 10)} == {(2,)}


def test_a_promotion_changes_who_wins() -> None:
    strategy = evolution(population=2, sample=20)
    tell_all(strategy, [0.5, 0.6])
    strategy.on_promoted(1, Fidelity(3, trunk=True), Finished(3, "completed", measured(accuracy=0.9)))
    strategy.on_promoted(2, Fidelity(3, trunk=True), Finished(4, "completed", measured(accuracy=0.7)))
    assert {child.parents for child in islice(strategy.ask(), 10)} == {(1,)}


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="at least 1, but got 0 and 2"):
        evolution(population=0)


def test_ten_thousand_mutations_are_uniform() -> None:
    parent, rng = GRID.candidate((0, 1, 2, 3, 4, 0)), Random(0)
    counts: dict[tuple[int, int], int] = {}
    for _ in range(10_000):
        point = GRID.point(mutate(GRID, parent, rng)[0])
        (slot,) = (i for i, option in enumerate(GRID.point(parent)) if point[i] != option)
        counts[slot, point[slot]] = counts.get((slot, point[slot]), 0) + 1
    expected, sigma = 10_000 / 24, (10_000 / 24 * 23 / 24) ** 0.5
    assert len(counts) == 24
    assert all(abs(count - expected) < 5 * sigma for count in counts.values())


# -- toys with a known optimum -----------------------------------------------------------------------------------------


def t201_score(table: T201, strategy: Strategy, trials: int) -> float:
    run = simulate(
        strategy, lambda proposal, rng: measured(accuracy=table.validation(proposal.candidate)), trials=trials
    )
    values = run.values("accuracy")
    return table.score(run.proposals[max(values, key=lambda trial: values[trial])].candidate)


def t201_means(seeds: int) -> tuple[float, float]:
    table = T201()
    evolved = [
        t201_score(table, RegularizedEvolution(table, GOAL, seed=s, costs=toy_costs, population=20, sample=5), 200)
        for s in range(seeds)
    ]
    drawn = [t201_score(table, RandomSearch(table, GOAL, seed=s, costs=toy_costs), 200) for s in range(seeds)]
    return mean(evolved), mean(drawn)


def test_t201_beats_random_search() -> None:
    evolved, drawn = t201_means(8)
    assert evolved >= 0.88
    assert drawn <= 0.85


@pytest.mark.long
def test_t201_figures() -> None:
    evolved, drawn = t201_means(50)
    assert evolved >= 0.91
    assert drawn <= 0.79


def bits_mean(strategy: type[RegularizedEvolution], seeds: int, noise: float, sample: int, trials: int) -> float:
    """Mean true share of ones of the best by noisy accuracy, population 100."""
    space = Bits()
    truths = []
    for seed in range(seeds):
        run = simulate(
            strategy(space, GOAL, seed=seed, costs=toy_costs, population=100, sample=sample),
            lambda proposal, rng: measured(accuracy=space.accuracy(proposal.candidate, noise, rng)),
            trials=trials,
            seed=seed,
        )
        values = run.values("accuracy")
        truths.append(space.truth(run.proposals[max(values, key=lambda trial: values[trial])].candidate))
    return mean(truths)


def test_bits() -> None:
    assert 0.82 <= bits_mean(RegularizedEvolution, 3, 0.01, 10, 1000) <= 0.92


@pytest.mark.long
def test_bits_figures() -> None:
    assert 0.87 <= bits_mean(RegularizedEvolution, 20, 0.01, 10, 1000) <= 0.91


@pytest.mark.long
def test_aging_beats_its_control_under_fresh_noise() -> None:
    """Both as in the paper; drawing again what was there helps the control more."""
    aging = bits_mean(Repeating, 20, 0.05, 25, 3000)
    control = bits_mean(NonAging, 20, 0.05, 25, 3000)
    new_ones = bits_mean(RegularizedEvolution, 20, 0.05, 25, 3000)
    print(f"aging {aging:.3f}, its control {control:.3f}, with new children alone {new_ones:.3f}")
    assert aging >= 0.79 and new_ones >= 0.79
    assert aging >= control + 0.08


def families(seed: int) -> Strategy:
    return RegularizedEvolution(FAMILIES, GOAL, seed=seed, costs=toy_costs, population=50, sample=10)


def test_a_slow_but_better_family_is_found() -> None:
    assert mean(slow_family_is_found(families, 3)) >= 0.75


@pytest.mark.long
def test_a_slow_but_better_family_is_found_figures() -> None:
    """As in the paper, and with new children alone, which near the end are harder to find in the better family."""
    shares = slow_family_is_found(families, 20)
    paper = slow_family_is_found(
        lambda seed: Repeating(FAMILIES, GOAL, seed=seed, costs=toy_costs, population=50, sample=10), 20
    )
    for name, found in (("as in the paper", paper), ("new children alone", shares)):
        print(f"{name}: mean {mean(found):.3f}, worst {min(found):.2f}")
    assert mean(paper) >= 0.9 and min(paper) >= 0.7
    assert mean(shares) >= 0.85 and sum(share >= 0.6 for share in shares) >= 18
