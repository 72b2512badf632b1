from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from random import Random
from statistics import mean

import pytest

from netwright.core.candidate import Candidate
from netwright.core.errors import InputError
from netwright.core.events import Asked, Failed, Finished, Lost
from netwright.core.objective import parse_goal
from netwright.core.trial import Fidelity, Proposal, TrialId
from netwright.strategies import Halving, LocalSearch, SteepestLocalSearch
from netwright.testing.simulate import simulate
from netwright.testing.toys import T201, Grid, Nested, measured, toy_costs

GOAL = parse_goal(("accuracy",), ())
GRID = Grid((5,) * 6)

Score = Callable[[Candidate], float]


class Search:
    """A strategy told by hand: proposals become trials 1, 2, …"""

    def __init__(
        self, kind: type[LocalSearch] = LocalSearch, *, starts_drawn: int = 1, seed: int = 0, space: Grid = GRID
    ) -> None:
        self.strategy = kind(space, GOAL, seed=seed, costs=toy_costs, starts_drawn=starts_drawn)
        self.proposals: dict[TrialId, Proposal] = {}

    def ask(self, count: int = 1) -> list[TrialId]:
        """Open the next proposals."""
        opened = list(enumerate(islice(self.strategy.ask(), count), start=len(self.proposals) + 1))
        self.proposals.update(opened)
        self.strategy.tell(Asked(self.strategy.name, tuple(opened)))
        return [trial for trial, _ in opened]

    def finish(self, trial: TrialId, accuracy: float) -> None:
        """Tell a result."""
        self.strategy.tell(Finished(trial, "completed", measured(accuracy=accuracy)))

    def begin(self, accuracy: float = 0.5) -> LocalSearch:
        """The first trial is the incumbent."""
        (trial,) = self.ask()
        self.finish(trial, accuracy)
        return self.strategy

    def parents(self, trials: Sequence[TrialId]) -> list[tuple[TrialId, ...]]:
        """Whose neighbours these are; () for random ones."""
        return [self.proposals[trial].parents for trial in trials]


def differing(a: Candidate, b: Candidate) -> int:
    return sum(x != y for x, y in zip(GRID.point(a), GRID.point(b), strict=True))


def test_a_climb_begins_at_the_best_of_the_random_candidates() -> None:
    search = Search(starts_drawn=4)
    for trial, accuracy in zip(search.ask(3), (0.2, 0.9, 0.3), strict=True):
        search.finish(trial, accuracy)
    assert search.strategy.incumbent is None
    (fourth,) = search.ask()
    search.finish(fourth, 0.4)
    assert {proposal.origin for proposal in search.proposals.values()} == {"random"}
    assert search.parents(search.ask(5)) == [(2,)] * 5


def test_all_24_neighbours_are_handed_out_once_then_random_candidates() -> None:
    search = Search()
    search.begin()
    asked = [search.proposals[trial] for trial in search.ask(26)]
    assert [proposal.origin for proposal in asked] == ["neighbour"] * 24 + ["random"] * 2
    start = search.proposals[1].candidate
    assert all(differing(proposal.candidate, start) == 1 for proposal in asked[:24])
    assert len({proposal.candidate.key for proposal in asked}) == 26


def test_the_order_of_the_neighbours_is_drawn_with_the_seed() -> None:
    orders = []
    for seed in (0, 0, 1):
        search = Search(seed=seed)
        search.begin()
        start = search.proposals[1].candidate
        neighbours = [GRID.point(search.proposals[trial].candidate) for trial in search.ask(24)]
        slots = [next(i for i in range(6) if point[i] != GRID.point(start)[i]) for point in neighbours]
        orders.append(slots)
    assert orders[0] == orders[1] != orders[2]
    assert all(slots != sorted(slots) for slots in orders)


def test_the_first_better_neighbour_is_moved_to_at_once() -> None:
    search = Search()
    search.begin(0.5)
    first, second, third = search.ask(3)
    search.finish(second, 0.5)
    assert search.parents(search.ask()) == [(1,)]
    search.finish(third, 0.6)
    assert search.parents(search.ask()) == [(third,)]
    assert first in search.proposals


def test_a_neighbour_of_an_old_incumbent_counts_when_it_beats_the_new_one() -> None:
    search = Search()
    search.begin(0.5)
    first, second, third = search.ask(3)
    search.finish(first, 0.7)
    search.finish(second, 0.6)
    assert search.parents(search.ask()) == [(first,)]
    search.finish(third, 0.8)
    assert search.parents(search.ask()) == [(third,)]


def test_steepest_moves_to_the_best_when_the_whole_neighbourhood_is_in() -> None:
    search = Search(SteepestLocalSearch)
    search.begin(0.5)
    neighbours = search.ask(24)
    for trial in neighbours[:-1]:
        search.finish(trial, 0.9 if trial == neighbours[7] else 0.6)
    assert search.parents(search.ask()) == [()]
    search.finish(neighbours[-1], 0.7)
    assert search.parents(search.ask(3)) == [(neighbours[7],)] * 3


@pytest.mark.parametrize("end", ["lost", "failed"])
def test_steepest_moves_on_where_the_last_of_a_neighbourhood_has_no_result(end: str) -> None:
    search = Search(SteepestLocalSearch)
    search.begin(0.5)
    better, *others = search.ask(24)
    search.finish(better, 0.6)
    for trial in others:
        search.strategy.tell(Lost(trial, "gone") if end == "lost" else Failed(trial, "crashed", "scripted"))
    assert search.parents(search.ask()) == [(better,)]


@pytest.mark.parametrize("kind", [LocalSearch, SteepestLocalSearch])
def test_at_a_local_optimum_the_best_of_new_random_candidates_begins_the_next_climb(kind: type[LocalSearch]) -> None:
    search = Search(kind, starts_drawn=3)
    for trial in search.ask(3):
        search.finish(trial, 0.5)
    for trial in search.ask(24):
        search.finish(trial, 0.1)
    for accuracy in (0.2, 0.3, 0.25):
        (trial,) = search.ask()
        assert search.proposals[trial].origin == "random"
        search.finish(trial, accuracy)
    assert search.strategy.incumbent is not None and search.strategy.incumbent.trial == 29
    assert search.parents(search.ask()) == [(29,)]


def test_no_climb_begins_while_a_neighbour_is_under_way() -> None:
    search = Search(starts_drawn=2)
    for trial in search.ask(2):
        search.finish(trial, 0.5)
    *ended, running = search.ask(24)
    for trial in ended:
        search.finish(trial, 0.1)
    for _ in range(5):
        (trial,) = search.ask()
        assert search.proposals[trial].origin == "random"
        search.finish(trial, 0.2)
    search.finish(running, 0.6)
    parents: tuple[TrialId, ...] = (running,)
    while parents == (running,):
        (trial,) = search.ask()
        search.finish(trial, 0.1)
        parents = search.proposals[trial].parents
    assert parents and search.proposals[parents[0]].origin == "random"


def test_the_starts_count_for_the_first_climb() -> None:
    search = Search(starts_drawn=3)
    search.strategy.starts = [GRID.candidate((0,) * 6), GRID.candidate((1,) * 6)]
    for trial, accuracy in zip(search.ask(3), (0.2, 0.9, 0.3), strict=True):
        search.finish(trial, accuracy)
    assert [proposal.origin for proposal in search.proposals.values()] == ["start", "start", "random"]
    assert search.parents(search.ask()) == [(2,)]


@pytest.mark.parametrize("end", ["lost", "failed"])
def test_what_is_lost_or_fails_counts_as_tried(end: str) -> None:
    search = Search()
    search.begin(0.5)
    for trial in search.ask(24):
        search.strategy.tell(Lost(trial, "gone") if end == "lost" else Failed(trial, "crashed", "scripted"))
    (new,) = search.ask()
    assert search.proposals[new].origin == "random"
    search.finish(new, 0.1)
    assert search.parents(search.ask()) == [(new,)]


def test_a_random_candidate_that_beats_the_incumbent_is_climbed_from() -> None:
    search = Search(starts_drawn=2)
    trials = search.ask(4)
    for trial, accuracy in zip(trials, (0.5, 0.4, 0.3, 0.8), strict=True):
        search.finish(trial, accuracy)
    assert search.parents(search.ask()) == [(4,)]
    assert list(search.strategy.drawn) == [3]


def test_a_candidate_outside_a_limit_loses_to_one_inside() -> None:
    goal = parse_goal(("accuracy",), ("latency<=2ms",))
    strategy = LocalSearch(GRID, goal, seed=0, costs=toy_costs, starts_drawn=2)
    strategy.tell(Asked(strategy.name, tuple(enumerate(islice(strategy.ask(), 2), start=1))))
    for trial, (accuracy, latency) in enumerate([(0.9, 3.0), (0.5, 1.0)], start=1):
        strategy.tell(Finished(trial, "completed", measured(accuracy=accuracy, latency=latency)))
    assert next(strategy.ask()).parents == (2,)


def test_neighbours_further_outside_a_limit_are_left_out() -> None:
    goal = parse_goal(("accuracy",), ("parameters<=5k",))
    strategy = LocalSearch(GRID, goal, seed=0, costs=toy_costs, starts_drawn=1)
    start = next(strategy.ask())
    strategy.tell(Asked(strategy.name, ((1, start),)))
    strategy.tell(Finished(1, "completed", measured(accuracy=0.5, parameters=4_000.0)))
    asked = [proposal for proposal in islice(strategy.ask(), 24) if proposal.origin == "neighbour"]
    assert 0 < len(asked) < 24
    assert all(strategy.excess(proposal.candidate) == 0 for proposal in asked)


def test_a_promotion_changes_who_is_the_incumbent() -> None:
    search = Search()
    search.begin(0.5)
    (second,) = search.ask()
    search.finish(second, 0.4)
    promoted = Fidelity(3, trunk=True)
    search.strategy.on_promoted(second, promoted, Finished(90, "completed", measured(accuracy=0.7)))
    assert search.parents(search.ask()) == [(1,)]
    search.strategy.on_promoted(1, promoted, Finished(91, "completed", measured(accuracy=0.6)))
    assert search.parents(search.ask()) == [(second,)]
    search.strategy.on_promoted(1, Fidelity(9, trunk=True), Lost(92, "gone"))
    assert search.parents(search.ask()) == [(second,)]


def test_the_steepest_climb_forgets_whom_a_promotion_showed_to_be_no_better() -> None:
    search = Search(SteepestLocalSearch)
    search.begin(0.5)
    neighbours = search.ask(24)
    for trial, accuracy in zip(neighbours[:-1], (0.6, 0.55, *[0.1] * 21), strict=True):
        search.finish(trial, accuracy)
    promoted = Fidelity(3, trunk=True)
    search.strategy.on_promoted(1, promoted, Finished(90, "completed", measured(accuracy=0.8)))
    search.strategy.on_promoted(neighbours[0], promoted, Finished(91, "completed", measured(accuracy=0.7)))
    search.finish(neighbours[-1], 0.1)
    assert search.parents(search.ask()) == [(neighbours[1],)]


def test_decisions_that_come_and_go_are_climbed_over() -> None:
    space = Nested(6)
    run = simulate(
        LocalSearch(space, GOAL, seed=0, costs=toy_costs),
        lambda proposal, rng: measured(accuracy=sum(map(int, proposal.candidate.decisions.values())) / 6),  # type: ignore[arg-type]
        trials=64,
    )
    assert max(run.values("accuracy").values()) == 1
    assert len({proposal.candidate.key for proposal in run.proposals.values()}) == 64


@pytest.mark.parametrize("kind", [LocalSearch, SteepestLocalSearch])
def test_a_finite_space_is_searched_to_its_end(kind: type[LocalSearch]) -> None:
    grid = Grid((4,) * 4)
    run = simulate(
        kind(grid, GOAL, seed=0, costs=toy_costs),
        lambda proposal, rng: measured(accuracy=sum(grid.point(proposal.candidate)) / 12),
        trials=600,
    )
    assert len({proposal.candidate.key for proposal in run.proposals.values()}) == 4**4


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="starts_drawn must be at least 1, but got 0"):
        Search(starts_drawn=0)


# -- toys with a known optimum -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [LocalSearch, SteepestLocalSearch])
def test_a_climb_ends_at_the_only_optimum(kind: type[LocalSearch]) -> None:
    for seed in range(5):
        rng = Random(seed)
        worth = [[rng.random() for _ in range(5)] for _ in range(6)]
        best = sum(map(max, worth))

        def score(candidate: Candidate, worth: list[list[float]] = worth) -> float:
            return sum(row[option] for row, option in zip(worth, GRID.point(candidate), strict=True))

        run = simulate(
            kind(GRID, GOAL, seed=seed, costs=toy_costs),
            lambda proposal, rng: measured(accuracy=score(proposal.candidate)),
            trials=10 + 25 * 7,
        )
        assert max(run.values("accuracy").values()) == pytest.approx(best)


def test_nothing_is_asked_twice() -> None:
    table = T201()
    run = simulate(
        LocalSearch(table, GOAL, seed=0, costs=toy_costs),
        lambda proposal, rng: measured(accuracy=table.validation(proposal.candidate)),
        trials=5_000,
        workers=4,
    )
    assert len({proposal.candidate.key for proposal in run.proposals.values()}) == len(run.proposals) == 5_000
    assert {proposal.origin for proposal in run.proposals.values()} == {"random", "neighbour"}


def t201_scores(table: T201, seeds: int, batch: int = 1, kind: type[LocalSearch] = LocalSearch) -> tuple[float, float]:
    """Mean true score of the best by validation after 100 and 200 trials, in flight by `batch`, told in reverse."""
    scores: tuple[list[float], list[float]] = ([], [])
    for seed in range(seeds):
        search = Search(kind, starts_drawn=10, seed=seed, space=table)
        values: dict[TrialId, float] = {}
        while len(values) < 200:
            for trial in reversed(search.ask(batch)):
                values[trial] = table.validation(search.proposals[trial].candidate)
                search.finish(trial, values[trial])
        for column, budget in zip(scores, (100, 200), strict=True):
            best = max((trial for trial in values if trial <= budget), key=lambda trial: values[trial])
            column.append(table.score(search.proposals[best].candidate))
    return mean(scores[0]), mean(scores[1])


def test_t201() -> None:
    after_100, after_200 = t201_scores(T201(), 8)
    assert after_100 >= 0.88
    assert after_200 >= 0.93


@pytest.mark.long
def test_t201_figures() -> None:
    after_100, after_200 = t201_scores(T201(), 50)
    assert after_100 >= 0.93
    assert after_200 >= 0.95


@pytest.mark.long
def test_t201_figures_of_steepest() -> None:
    after_100, after_200 = t201_scores(T201(), 50, kind=SteepestLocalSearch)
    assert after_100 >= 0.87
    assert after_200 >= 0.94


@pytest.mark.long
def test_eight_in_flight_told_in_reverse_end_as_well() -> None:
    table = T201()
    assert t201_scores(table, 50, batch=8)[1] == pytest.approx(t201_scores(table, 50)[1], abs=0.02)


def test_it_climbs_under_halving() -> None:
    table = T201()
    run = simulate(
        Halving(LocalSearch(table, GOAL, seed=0, costs=toy_costs), rungs=(1, 3, 9)),
        lambda proposal, rng: measured(accuracy=table.validation(proposal.candidate) - 1 / proposal.fidelity.epochs),
        trials=300,
        workers=4,
    )
    values = run.values("accuracy")
    best = max(values, key=lambda trial: values[trial])
    assert run.proposals[best].fidelity.epochs == 9
    assert table.score(run.proposals[best].candidate) >= 0.85
