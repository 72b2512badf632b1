from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, pairwise, product
from random import Random
from statistics import mean
from typing import Literal

import pytest

from netwright.core.errors import InputError
from netwright.core.events import Asked, Failed, Finished, Lost
from netwright.core.objective import Goal, parse_goal
from netwright.core.trial import Continue, Fidelity, Fresh, Proposal, TrialId
from netwright.strategies import NSGA2, GridSearch, Halving, LocalSearch, RandomSearch, RegularizedEvolution, Strategy
from netwright.strategies.halving import REPEATS
from netwright.strategies.shared.bracket import WINDOW
from netwright.testing.simulate import Answer, Simulated, simulate
from netwright.testing.toys import Grid, measured, power_curve, toy_costs

GRID = Grid((5,) * 6)
GOAL = parse_goal(("accuracy",), ())


class Bench:
    """Drives a halving by hand; trials are numbered as they are opened."""

    def __init__(self, rungs: tuple[int, ...] = (1, 3, 9), goal: Goal = GOAL, hopeless: float = 0.0) -> None:
        self.inner = RandomSearch(GRID, goal, seed=0, costs=toy_costs)
        self.halving = Halving(self.inner, rungs=rungs, hopeless=hopeless)
        self.proposals: dict[TrialId, Proposal] = {}

    def open(self, count: int = 1) -> list[TrialId]:
        opened = []
        for proposal in list(islice(self.halving.ask(), count)):
            trial = len(self.proposals) + 1
            self.proposals[trial] = proposal
            opened.append((trial, proposal))
        self.halving.tell(Asked(self.halving.name, tuple(opened)))
        return [trial for trial, _ in opened]

    def finish(self, trial: TrialId, accuracy: float, **more: float) -> None:
        self.halving.tell(Finished(trial, "completed", measured(accuracy=accuracy, **more)))

    def next(self) -> Proposal:
        return next(self.halving.ask())


def test_rung_zero_is_on_the_trunk() -> None:
    bench = Bench()
    assert bench.next().fidelity == Fidelity(1, trunk=True)
    assert bench.next().start == Fresh()


def test_the_best_third_is_promoted_from_its_checkpoint() -> None:
    bench = Bench()
    for trial, accuracy in zip(bench.open(3), (0.2, 0.9, 0.5), strict=True):
        bench.finish(trial, accuracy)
    promotion = bench.next()
    assert promotion == Proposal(
        bench.proposals[2].candidate,
        Fidelity(3, trunk=True),
        Continue(2),
        parents=(2,),
        origin="promotion",
    )
    assert bench.halving.holds() == {1, 2, 3} - {1}


def test_nothing_is_promoted_before_eta_results() -> None:
    bench = Bench()
    for trial in bench.open(2):
        bench.finish(trial, 0.5)
    assert bench.next().origin == "random"


def test_one_ask_promotes_each_result_once() -> None:
    bench = Bench()
    for trial in bench.open(9):
        bench.finish(trial, 0.1 * trial)
    drawn = list(islice(bench.halving.ask(), 6))
    assert [proposal.parents for proposal in drawn[:3]] == [(9,), (8,), (7,)]
    assert [proposal.origin for proposal in drawn[3:]] == ["random"] * 3


def test_the_highest_rung_comes_first() -> None:
    bench = Bench()
    for trial in bench.open(9):
        bench.finish(trial, 0.1 * trial)
    opened = bench.open(6)
    for trial, accuracy in zip(opened, (0.4, 0.95, 0.5, 0.99, 0.98, 0.97), strict=True):
        bench.finish(trial, accuracy)
    drawn = list(islice(bench.halving.ask(), 3))
    assert [(proposal.fidelity.epochs, proposal.parents) for proposal in drawn[:2]] == [(9, (11,)), (3, (13,))]


def test_the_value_at_the_rung_counts_not_the_best_so_far() -> None:
    bench = Bench()
    for trial, accuracy in zip(bench.open(9), (0.99, 0.98, 0.97, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1), strict=True):
        bench.finish(trial, accuracy)
    for trial, accuracy in zip(bench.open(3), (0.5, 0.6, 0.7), strict=True):
        bench.finish(trial, accuracy)
    assert bench.next().parents == (12,)


def test_the_inner_stream_advances_by_its_own_proposals_alone() -> None:
    bench = Bench()
    plain = RandomSearch(GRID, GOAL, seed=0, costs=toy_costs)
    expected = [proposal.candidate for proposal in islice(plain.ask(), 8)]
    for trial in bench.open(6):
        bench.finish(trial, 0.1 * trial)
    bench.open(4)
    own = [proposal.candidate for proposal in bench.proposals.values() if proposal.origin == "random"]
    assert own == expected
    assert bench.inner.asked == 8


def test_a_failed_promotion_is_over_and_a_lost_one_is_offered_once_more() -> None:
    bench = Bench()
    for trial in bench.open(3):
        bench.finish(trial, 0.1 * trial)
    bench.halving.tell(Failed(bench.open()[0], "timeout", "too slow"))
    assert bench.next().origin == "random"

    bench = Bench()
    for trial in bench.open(3):
        bench.finish(trial, 0.1 * trial)
    bench.halving.tell(Lost(bench.open()[0], "the worker vanished"))
    assert bench.next().start == Continue(3)
    assert 3 in bench.halving.holds()
    bench.halving.tell(Lost(bench.open()[0], "the worker vanished"))
    assert bench.next().origin == "random"
    assert 3 not in bench.halving.holds()


def test_a_promotion_under_way_holds_what_it_starts_from() -> None:
    bench = Bench()
    for trial in bench.open(3):
        bench.finish(trial, 0.1 * trial)
    (promoted,) = bench.open()
    assert 3 in bench.halving.holds()
    bench.finish(promoted, 0.9)
    assert 3 not in bench.halving.holds()


@pytest.mark.parametrize("status", ["infeasible", "stopped"])
def test_what_was_not_trained_to_the_rung_is_not_promoted(status: Literal["infeasible", "stopped"]) -> None:
    bench = Bench()
    for trial in bench.open(6):
        ended = status if trial > 3 else "completed"
        bench.halving.tell(Finished(trial, ended, measured(accuracy=0.1 * trial)))
    starts = [proposal.start for proposal in islice(bench.halving.ask(), 4) if isinstance(proposal.start, Continue)]
    assert starts == ([Continue(3), Continue(2)] if status == "stopped" else [Continue(3)])


def test_a_repeated_candidate_stands_on_a_rung_once() -> None:
    bench = Bench()
    for trial in bench.open(3):
        bench.finish(trial, 0.1 * trial)
    for trial in (4, 5, 6):
        bench.halving.tell(Asked(bench.halving.name, ((trial, bench.proposals[3]),)))
        bench.halving.tell(Finished(trial, "completed", measured(accuracy=0.3), reused_from=3))
    assert [len(rung.records) for rung in bench.halving.brackets[0].rungs] == [3, 0, 0]


def test_an_answer_copied_from_another_source_is_promoted_like_any_other() -> None:
    bench = Bench()
    for trial in bench.open(3):
        reused = 99 if trial == 3 else None
        bench.halving.tell(Finished(trial, "completed", measured(accuracy=0.1 * trial), reused_from=reused))
    assert bench.next().start == Continue(3)


def test_several_objectives_promote_by_rank_and_spread() -> None:
    bench = Bench(goal=parse_goal(("accuracy", "parameters"), ()))
    points = [(0.9, 1e5), (0.7, 1e4), (0.89, 9e4), (0.5, 1e3), (0.4, 1e5), (0.6, 5e4)]
    for trial, (accuracy, parameters) in zip(bench.open(6), points, strict=True):
        bench.finish(trial, accuracy, parameters=parameters)
    promoted = [p.parents[0] for p in islice(bench.halving.ask(), 6) if p.origin == "promotion"]
    assert promoted == [1, 4]


def test_hopeless_results_are_not_promoted_for_their_size() -> None:
    def promoted(hopeless: float) -> list[int]:
        bench = Bench(goal=parse_goal(("accuracy", "parameters"), ()), hopeless=hopeless)
        points = [(0.9, 1e5), (0.7, 1e4), (0.85, 9e4), (0.1, 1e3), (0.4, 1e5), (0.6, 5e4)]
        for trial, (accuracy, parameters) in zip(bench.open(6), points, strict=True):
            bench.finish(trial, accuracy, parameters=parameters)
        return [p.parents[0] for p in islice(bench.halving.ask(), 6) if p.origin == "promotion"]

    assert promoted(0.0) == [1, 4]
    assert promoted(0.25) == [1, 2]


def test_limits_decide_promotions_first() -> None:
    bench = Bench(goal=parse_goal(("accuracy",), ("latency<=2ms",)))
    for trial, latency in zip(bench.open(3), (1.0, 3.0, 4.0), strict=True):
        bench.finish(trial, 0.1 * trial, latency=latency)
    assert bench.next().parents == (1,)


def test_the_inner_strategy_hears_of_promotions() -> None:
    inner = RegularizedEvolution(GRID, GOAL, seed=0, costs=toy_costs)
    halving = Halving(inner, rungs=(1, 3, 9))
    run = simulate(halving, lambda proposal, rng: measured(accuracy=rng.random()), trials=60)
    promoted = [proposal for proposal in run.proposals.values() if proposal.origin == "promotion"]
    reached = [sorted(member.results) for member in inner.members]
    assert promoted
    assert [1, 3] in reached or [1, 3, 9] in reached
    assert all(epochs in ([1], [1, 3], [1, 3, 9]) for epochs in reached)


@pytest.mark.parametrize(
    ("rungs", "eta", "sentence"),
    [
        ((9,), 3, "two or more rising"),
        ((3, 1), 3, "rising"),
        ((1, 1), 3, "rising"),
        ((0, 3), 3, "rising"),
        ((1, 3), 1, "eta"),
    ],
)
def test_settings_are_checked(rungs: tuple[int, ...], eta: int, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Halving(RandomSearch(GRID, GOAL, seed=0, costs=toy_costs), rungs=rungs, eta=eta)


def test_memory_is_bounded_by_the_window() -> None:
    halving = Halving(NSGA2(GRID, parse_goal((), ()), seed=0, costs=toy_costs), rungs=(1, 3))
    simulate(halving, lambda p, rng: measured(accuracy=rng.random(), parameters=rng.random()), trials=2 * WINDOW)
    (bracket,) = halving.brackets
    assert len(bracket.rungs[0].records) == WINDOW
    assert not bracket.open


# -- a space that is used up ------------------------------------------------------------------------------------------

SMALL = Grid((3, 3))
POINTS = [SMALL.candidate(point) for point in product(range(3), repeat=2)]


class Finite(RandomSearch):
    """Every point of the small grid once, then no more."""

    def ask(self) -> Iterator[Proposal]:
        for candidate in POINTS[self.asked :]:
            yield self.propose(candidate, origin="grid")


def used_up(
    kind: type[Strategy] = Finite, *, workers: int = 1, hopeless: float = 0.0, lost: tuple[str, ...] = ()
) -> tuple[Simulated, Halving, dict[int, list[float]]]:
    """A search of the small grid until nothing is left, and which accuracies came to each rung, in order.

    Accuracies tell candidates apart and grow with training; those whose key is `lost` fail at the second rung.
    """
    worth = {candidate.key: 0.1 * (8 - place) for place, candidate in enumerate(POINTS)}

    def evaluate(proposal: Proposal, rng: Random) -> Answer:
        if proposal.fidelity.epochs > 1 and proposal.candidate.key in lost:
            return "diverged"
        return measured(accuracy=worth[proposal.candidate.key] + 0.001 * proposal.fidelity.epochs)

    halving = Halving(kind(SMALL, GOAL, seed=0, costs=toy_costs), rungs=(1, 3, 9), hopeless=hopeless)
    run = simulate(halving, evaluate, trials=300, workers=workers, duration=lambda p, rng: rng.lognormvariate(0, 1))
    reached: dict[int, list[float]] = {1: [], 3: [], 9: []}
    for proposal in {p.identity(): p for p in run.proposals.values()}.values():
        reached[proposal.fidelity.epochs].append(round(worth[proposal.candidate.key], 1))
    return run, halving, reached


@pytest.mark.parametrize(
    ("kind", "workers"),
    [(Finite, 1), (Finite, 4), (RandomSearch, 1), (GridSearch, 1), (RegularizedEvolution, 1), (LocalSearch, 1)],
)
def test_in_a_space_that_is_used_up_all_are_trained_to_the_top(kind: type[Strategy], workers: int) -> None:
    run, _, reached = used_up(kind, workers=workers)
    assert [len(reached[epochs]) for epochs in (1, 3, 9)] == [9, 9, 9]
    started = [p.start.trial for p in run.proposals.values() if isinstance(p.start, Continue)]
    assert len(started) == len(set(started)) == 18


def test_the_most_promising_of_the_rest_go_first_the_highest_rung_before_others() -> None:
    """Of nine three go on by the rule, and one of these; then the other two to the top, and the rest after them."""
    run, _, _ = used_up()
    went = [
        (p.fidelity.epochs, round(run.answers[p.start.trial]["accuracy"].value, 1))
        for p in run.proposals.values()
        if isinstance(p.start, Continue)
    ]
    by_rule = {(3, 0.8), (3, 0.7), (3, 0.6), (9, 0.8)}
    rest = [step for step in went if step not in by_rule]
    assert rest[:2] == [(9, 0.7), (9, 0.6)]
    assert rest[2:] == [step for worth in (0.5, 0.4, 0.3, 0.2, 0.1, 0.0) for step in ((3, worth), (9, worth))]


def test_hopeless_and_failed_ones_stay_behind_when_nothing_else_is_left() -> None:
    run, _, reached = used_up(hopeless=0.25, lost=(POINTS[1].key,))
    assert not {0.0, 0.1} & set(reached[3])
    assert 0.7 in reached[3]
    assert 0.7 not in reached[9]
    assert sum(p.fidelity.epochs == 3 and p.candidate.key == POINTS[1].key for p in run.proposals.values()) == 1


def test_with_new_candidates_left_nobody_outside_the_best_third_goes_on() -> None:
    _, _, reached = used_up(RandomSearch)
    assert reached[3][0] == max(reached[1][:3])
    bench = Bench()
    for trial in bench.open(REPEATS + 2):
        bench.finish(trial, 0.5)
    origins = [p.origin for p in islice(bench.halving.ask(), 30)]
    assert origins == ["promotion"] * 4 + ["random"] * 26


def test_a_strategy_that_repeats_itself_tries_again_before_each_of_the_rest() -> None:
    """A new candidate found late is trained before anybody else of the rest."""

    class Late(RandomSearch):
        def ask(self) -> Iterator[Proposal]:
            points = [0, 1, 2, *[0] * (REPEATS + 1), 3]
            for point in points[self.asked :]:
                yield self.propose(POINTS[point], origin="random")

    halving = Halving(Late(SMALL, GOAL, seed=0, costs=toy_costs), rungs=(1, 3), hopeless=0.0)
    run = simulate(halving, lambda p, rng: measured(accuracy=rng.random()), trials=100)
    order = ["new" if not isinstance(p.start, Continue) else "on" for p in run.proposals.values()]
    assert order == ["new"] * 3 + ["on"] + ["new"] * REPEATS + ["on", "new", "on", "new", "on"]


@pytest.mark.parametrize("kind", [Finite, RandomSearch])
def test_a_replay_of_a_space_that_is_used_up_goes_on_alike(kind: type[Strategy]) -> None:
    run, _, _ = used_up(kind, workers=4)
    lived, told = (Halving(kind(SMALL, GOAL, seed=0, costs=toy_costs), rungs=(1, 3, 9), hopeless=0.0) for _ in range(2))
    for event in run.events:
        if isinstance(event, Asked):
            ((_, proposal),) = event.trials
            assert next(told.ask()) == proposal == next(lived.ask())
            if isinstance(proposal.start, Continue):
                assert proposal.start.trial in told.holds()
        lived.tell(event)
        told.tell(event)
    assert list(islice(told.ask(), 5)) == list(islice(lived.ask(), 5))


# -- learning curves with a known best ---------------------------------------------------------------------------------

RUNGS = (3, 9, 27, 81)


class Each(Strategy):
    """Every option of a one-slot grid once, in a shuffled order."""

    def ask(self) -> Iterator[Proposal]:
        assert isinstance(self.space, Grid)
        options = list(range(self.space.sizes[0]))
        Random(self.seed).shuffle(options)
        for option in options[self.asked :]:
            yield self.propose(self.space.candidate((option,)), origin="random")


class Curves(Grid):
    """Five hundred accuracy curves final - amplitude * epochs ** -exponent."""

    def __init__(self, seed: int) -> None:
        super().__init__((500,))
        rng = Random(seed)
        self.curves = [(rng.uniform(0.6, 0.95), rng.uniform(0.2, 0.35), rng.uniform(0.5, 1)) for _ in range(500)]

    def accuracy(self, proposal: Proposal, rng: Random) -> Answer:
        (index,) = self.point(proposal.candidate)
        return measured(accuracy=power_curve(*self.curves[index], proposal.fidelity.epochs) + rng.gauss(0, 0.005))

    def search(self, seed: int, workers: int, new: int = 500) -> Simulated:
        """Until a fifth of all epochs is paid for, or so many candidates were begun."""
        halving = Halving(Each(self, GOAL, seed=seed, costs=toy_costs), rungs=RUNGS)
        return simulate(
            halving,
            self.accuracy,
            trials=1500,
            workers=workers,
            duration=lambda proposal, rng: proposal.fidelity.epochs * rng.lognormvariate(0, 0.5),
            seed=seed,
            stop=lambda run: run.epochs >= 0.2 * 500 * RUNGS[-1] or halving.inner.asked > new,
        )

    def place(self, run: Simulated) -> int:
        """How many curves end higher, at the last rung and without noise, than the best that was found."""
        ends = [power_curve(*curve, RUNGS[-1]) for curve in self.curves]
        best = max(run.answers, key=lambda t: (run.proposals[t].fidelity.epochs, run.answers[t]["accuracy"].value))
        (index,) = self.point(run.proposals[best].candidate)
        return sum(end > ends[index] for end in ends)


def near_best(seeds: int, workers: int) -> int:
    """In how many of the seeds the incumbent is within the best 2 %."""
    found = 0
    for seed in range(seeds):
        curves = Curves(seed)
        run = curves.search(seed, workers)
        assert run.epochs <= 0.2 * 500 * RUNGS[-1] + RUNGS[-1]
        found += curves.place(run) < 10
    return found


def test_a_fifth_of_the_epochs_finds_one_of_the_best() -> None:
    assert near_best(3, workers=8) >= 2


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 8, 64])
def test_a_fifth_of_the_epochs_finds_one_of_the_best_figures(workers: int) -> None:
    assert near_best(20, workers) >= 18


@pytest.mark.parametrize("workers", [1, 8, 64])
def test_promotions_keep_to_a_third(workers: int) -> None:
    """Of n results at a rung a third is promoted, but for those that were among the best when there were fewer.

    As long as there are new candidates.
    """
    run = Curves(0).search(0, workers, new=400)
    for low, high in pairwise(RUNGS):
        finished = [t for t in run.answers if run.proposals[t].fidelity.epochs == low]
        promoted = [p for p in run.proposals.values() if p.fidelity.epochs == high]
        assert len({p.start for p in promoted if isinstance(p.start, Continue)}) == len(promoted)
        assert len(promoted) <= len(finished) / 3 + 3 * len(finished) ** 0.5


@pytest.mark.parametrize("workers", [1, 8, 64])
def test_whoever_is_promoted_is_among_the_best_third_at_that_moment(workers: int) -> None:
    """At any moment a third of a rung, at most, is promoted, and those that have fallen out of it since.

    What is compared are the latest results of the rung. As long as there are new candidates.
    """
    run = Curves(0).search(0, workers, new=400)
    values: dict[int, dict[TrialId, float]] = {epochs: {} for epochs in RUNGS}
    promoted: dict[int, set[TrialId]] = {epochs: set() for epochs in RUNGS}
    for event in run.events:
        if isinstance(event, Finished):
            values[run.proposals[event.trial].fidelity.epochs][event.trial] = event.measurements["accuracy"].value
        elif isinstance(event, Asked):
            for _, proposal in event.trials:
                if isinstance(proposal.start, Continue):
                    low = run.proposals[proposal.start.trial].fidelity.epochs
                    latest = list(values[low])[-WINDOW:]
                    order = sorted(latest, key=lambda trial, low=low: -values[low][trial])
                    best = set(order[: len(order) // 3])
                    assert proposal.start.trial in best - promoted[low]
                    promoted[low].add(proposal.start.trial)
                    assert len(promoted[low]) <= len(values[low]) // 3 + len(promoted[low] - best)
    assert all(promoted[epochs] for epochs in RUNGS[:-1])


def test_lost_and_failed_trials_are_borne() -> None:
    curves = Curves(1)

    def evaluate(proposal: Proposal, rng: Random) -> Answer:
        fate = rng.random()
        return "lost" if fate < 0.1 else "crashed" if fate < 0.2 else curves.accuracy(proposal, rng)

    halving = Halving(Each(curves, GOAL, seed=1, costs=toy_costs), rungs=RUNGS)
    run = simulate(halving, evaluate, trials=400, workers=16, duration=lambda p, rng: rng.lognormvariate(0, 1.5))
    starts = [p.start.trial for p in run.proposals.values() if isinstance(p.start, Continue)]
    assert set(starts) <= run.answers.keys()
    again = Halving(Each(curves, GOAL, seed=1, costs=toy_costs), rungs=RUNGS)
    for event in run.events:
        again.tell(event)
    assert list(islice(again.ask(), 10)) == list(islice(halving.ask(), 10))
    assert mean(starts.count(trial) for trial in set(starts)) < 1.3
