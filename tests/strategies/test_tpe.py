from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice, product
from random import Random
from statistics import mean

import numpy as np
import pytest

from netwright.core.candidate import Candidate, Value
from netwright.core.errors import InputError
from netwright.core.events import Asked, Failed, Finished, Lost
from netwright.core.measurement import Measurement
from netwright.core.objective import Goal, parse_goal
from netwright.core.trial import Continue, Fidelity, Proposal
from netwright.spaces.choices import Choice, Choose, Integer, Real, choose, integer, optional, real, repeat, subset
from netwright.spaces.walk import Decider, SearchSpace
from netwright.strategies import TPE, Halving, RandomSearch, Strategy
from netwright.strategies.shared.population import Result
from netwright.strategies.tpe import MOST_REMEMBERED, Densities, Outcome, best
from netwright.testing.simulate import simulate
from netwright.testing.toys import T201, Grid, Nested, Toy, hypervolume, measured, toy_candidate, toy_costs

GOAL = parse_goal(("accuracy",), ())
TWO = parse_goal(("loss", "accuracy"), ())
GRID = Grid((5,) * 6)


class Flat(Toy):
    """Decisions of any kind that are always there."""

    def __init__(self, **decisions: Choice) -> None:
        self.decisions = decisions

    def walk(self, decider: Decider) -> Candidate:
        return toy_candidate({address: decider.decide(address, choice) for address, choice in self.decisions.items()})


class Layers(Toy):
    """A repeat of layers of two kinds with decisions of their own, a subset, and an optional part."""

    def walk(self, decider: Decider) -> Candidate:
        decisions: dict[str, Value] = {}

        def ask(address: str, choice: Choice) -> Value:
            decisions[address] = decider.decide(address, choice)
            return decisions[address]

        for name in ask("net", repeat(None, 1, 4)):  # type: ignore[union-attr]
            if ask(f"net/{name}", choose("conv", "pool")) == "conv":
                ask(f"net/{name}/conv/width", integer(8, 64, log=True))
                ask(f"net/{name}/conv/only", choose("relu"))
        ask("inputs", subset(2, ("a", "b", "c", "d")))
        if ask("drop", optional(None)):
            ask("drop/body/rate", real(0.0, 0.5))
        return toy_candidate(decisions)


MIXED = Flat(
    rate=real(-2.0, 3.0),
    lr=real(1e-5, 1e-1, log=True),
    depth=integer(1, 9),
    width=integer(1, 300, log=True),
    kind=choose("x", "y", "z", None),
    skip=optional(None),
)


def tpe(space: SearchSpace = GRID, goal: Goal = GOAL, seed: int = 0) -> TPE:
    return TPE(space, goal, seed=seed, costs=toy_costs)


def told(strategy: Strategy, answers: Sequence[Mapping[str, float] | str], seed: int = 0, first: int = 1) -> Strategy:
    """Open random candidates and answer each: measurements, `lost`, or the name of a failure."""
    rng = Random(seed)
    for trial, answer in enumerate(answers, start=first):
        proposal = strategy.propose(strategy.space.sample(rng), origin="random")
        strategy.tell(Asked(strategy.name, ((trial, proposal),)))
        if isinstance(answer, str):
            lost = answer == "lost"
            strategy.tell(Lost(trial, "") if lost else Failed(trial, answer, "scripted"))  # type: ignore[arg-type]
        else:
            strategy.tell(Finished(trial, "completed", measured(**answer)))
    return strategy


def random_answers(count: int, seed: int = 1) -> list[dict[str, float]]:
    rng = Random(seed)
    return [{"accuracy": rng.random(), "loss": rng.random()} for _ in range(count)]


def densities(strategy: Strategy) -> Densities:
    assert isinstance(strategy, TPE)
    now = strategy.densities()
    assert now is not None
    return now


def coming(strategy: Strategy, count: int) -> list[Candidate]:
    return [proposal.candidate for proposal in islice(strategy.ask(), count)]


# -- against the reference ---------------------------------------------------------------------------------------------


def distribution(choice: Choice) -> object:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    match choice:
        case Choose():
            return CategoricalDistribution(choice.labels)
        case Integer():
            return IntDistribution(choice.low, choice.high, log=choice.log)
        case Real():
            return FloatDistribution(choice.low, choice.high, log=choice.log)
        case _:
            return CategoricalDistribution((False, True))


def scores_of_optuna(
    trials: Sequence[tuple[Candidate, list[float]]], directions: Sequence[str], points: Sequence[Candidate]
) -> tuple[list[int], np.ndarray]:
    """Which trials (from 1) Optuna calls good, and log l - log g at the points."""
    optuna = pytest.importorskip("optuna")
    if optuna.__version__ != "5.0.0":
        pytest.skip("what is compared with is private: Optuna 5.0.0 alone")
    from optuna.samplers._tpe import sampler

    distributions = {name: distribution(choice) for name, choice in sorted(MIXED.decisions.items())}
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=directions)
    for candidate, values in trials:
        params = dict(candidate.decisions)
        study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, values=values))
    several = len(directions) > 1
    count = (sampler.default_gamma_multiobjective if several else sampler.default_gamma)(len(trials))
    split = sampler._split_trials(study, study.get_trials(), count)
    estimate = partial(optuna.samplers.TPESampler()._build_parzen_estimator, study, distributions)
    below, above = (estimate(side, good) for side, good in zip(split, (True, False), strict=True))
    columns = {
        name: np.array([kind.to_internal_repr(point.decisions[name]) for point in points], dtype=float)
        for name, kind in distributions.items()
    }
    return [trial.number + 1 for trial in split[0]], below.log_pdf(columns) - above.log_pdf(columns)


@pytest.mark.parametrize("count", [11, 60, 300])
@pytest.mark.parametrize("goal", [GOAL, TWO], ids=["one objective", "two objectives"])
def test_scores_are_those_of_optuna(goal: Goal, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal numbers get kernels of different widths; who gets which is open in Optuna, whose sort is not stable."""
    monkeypatch.setattr(np, "argsort", partial(np.argsort, kind="stable"))
    answers = random_answers(count)
    strategy = told(tpe(MIXED, goal), answers)
    rng = Random(0)
    candidates = [MIXED.sample(rng) for _ in range(count)]
    points = [MIXED.sample(rng) for _ in range(100)]
    names = [objective.metric for objective in goal.objectives]
    values = [[answer[name] for name in names] for answer in answers]
    directions = [f"{objective.direction}imize" for objective in goal.objectives]
    good, theirs = scores_of_optuna(list(zip(candidates, values, strict=True)), directions, points)
    now = densities(strategy)
    assert now.good == good
    assert np.abs(np.array([now.score(point) for point in points]) - theirs).max() < 1e-9


# -- which trials are good ---------------------------------------------------------------------------------------------


def test_the_best_tenth_is_good_at_most_25_and_whole_fronts_with_several_objectives() -> None:
    assert len(densities(told(tpe(), random_answers(41))).good) == 5
    assert len(densities(told(tpe(), random_answers(300))).good) == 25
    assert len(densities(told(tpe(goal=TWO), random_answers(300))).good) == 30


def test_ties_are_not_all_good() -> None:
    now = densities(told(tpe(), [{"accuracy": 0.5}] * 40))
    assert now.good == [1, 2, 3, 4]
    assert now.bad == list(range(5, 41))


def test_stopped_trials_follow_completed_ones_and_those_outside_a_limit_come_last_by_violation() -> None:
    outcomes = [
        Outcome(Result((), 0.5)),
        Outcome(Result((), 0.1)),
        Outcome(Result((-0.9,), 0.0), stopped=True),
        Outcome(Result((-0.95,), 0.0), stopped=True),
        Outcome(Result((-0.2,), 0.0)),
        Outcome(Result((-0.99,), 0.3)),
    ]
    assert best(outcomes, 6) == [4, 3, 2, 1, 5, 0]
    assert best(outcomes, 2) == [4, 3]


def test_a_front_is_cut_to_the_most_hypervolume() -> None:
    """The reference is (1.1, 1.1); the last dominated point is a second front."""
    corners = [(0.0, 1.0), (0.1, 0.8), (0.2, 0.2), (0.21, 0.19), (1.0, 0.0), (0.3, 0.3)]
    outcomes = [Outcome(Result(costs, 0.0, costs)) for costs in corners]
    assert best(outcomes, 1) == [2]
    assert set(best(outcomes, 3)) == {1, 2, 4}
    assert set(best(outcomes, 5)) == {0, 1, 2, 3, 4}
    third = [Outcome(Result((*costs, 0.5), 0.0, (*costs, 0.5))) for costs in corners]
    assert set(best(third, 3)) == {1, 2, 4}


def test_failures_and_trials_under_way_are_bad_and_lost_ones_are_gone() -> None:
    strategy = told(tpe(), [*random_answers(20), "diverged", "lost"])
    (waiting,) = islice(strategy.ask(), 1)
    strategy.tell(Asked(strategy.name, ((23, waiting),)))
    now = densities(strategy)
    assert {21, 23} <= set(now.bad)
    assert 22 not in {*now.good, *now.bad}


def test_a_lost_trial_leaves_no_trace() -> None:
    never = told(tpe(), random_answers(30))
    gone = told(tpe(), random_answers(30))
    proposals = tuple(enumerate(islice(gone.ask(), 3), start=31))
    gone.tell(Asked(gone.name, proposals))
    points = [proposal.candidate for _, proposal in proposals]
    while_open = [densities(gone).score(point) for point in points]
    for trial, _ in proposals:
        gone.tell(Lost(trial, "the worker vanished"))
    before, after = ([densities(strategy).score(point) for point in points] for strategy in (never, gone))
    assert after == before
    assert all(a < b for a, b in zip(while_open, before, strict=True))


def test_an_answer_copied_from_another_source_is_a_result() -> None:
    strategy = tpe()
    told(strategy, random_answers(12))
    proposal = strategy.propose(GRID.sample(Random(99)), origin="random")
    strategy.tell(Asked(strategy.name, ((13, proposal),)))
    strategy.tell(Finished(13, "completed", measured(accuracy=2.0, loss=0.0), reused_from=500))
    assert 13 in densities(strategy).good


@pytest.mark.parametrize(("most_good", "rung"), [(2, 3), (None, 1)])
def test_a_higher_rung_is_learned_from_where_all_that_may_be_good_are_there(most_good: int | None, rung: int) -> None:
    strategy = TPE(GRID, GOAL, seed=0, costs=toy_costs, most_good=most_good)
    told(strategy, random_answers(12))
    for trial, answer in enumerate(random_answers(12, seed=2), start=1):
        strategy.on_promoted(trial, Fidelity(3), Finished(100 + trial, "completed", measured(**answer)))
    assert strategy._rung() == rung


def test_failures_do_not_make_a_model_and_a_copied_result_is_none() -> None:
    strategy = tpe()
    told(strategy, ["crashed"] * 30)
    assert strategy.densities() is None
    told(strategy, random_answers(10), first=31)
    good = densities(strategy).good
    proposal = strategy.propose(GRID.sample(Random(0)), origin="random")
    strategy.tell(Asked(strategy.name, ((41, proposal),)))
    strategy.tell(Finished(41, "completed", measured(accuracy=1.0), reused_from=31))
    assert densities(strategy).good == good
    assert 41 not in densities(strategy).bad


# -- asking ------------------------------------------------------------------------------------------------------------


def test_random_until_there_are_ten_results() -> None:
    strategy = told(tpe(), random_answers(9))
    assert {proposal.origin for proposal in islice(strategy.ask(), 5)} == {"random"}
    told(strategy, [{"accuracy": 0.5}], seed=9, first=10)
    assert {proposal.origin for proposal in islice(strategy.ask(), 5)} == {"model"}


def test_the_order_of_tells_changes_nothing() -> None:
    for space in (MIXED, Layers(), Nested(6)):
        strategies = []
        for shuffled in (None, 1, 2):
            strategy, rng = tpe(space, TWO), Random(0)
            drawn = [strategy.propose(space.sample(rng), origin="random") for _ in range(40)]
            strategy.tell(Asked(strategy.name, tuple(enumerate(drawn, start=1))))
            answers = [Finished(i, "completed", measured(**a)) for i, a in enumerate(random_answers(38), start=1)]
            events = [*answers, Failed(39, "crashed", ""), Lost(40, "")]
            if shuffled is not None:
                Random(shuffled).shuffle(events)
            for event in events:
                strategy.tell(event)
            strategies.append(strategy)
        first, *others = (coming(strategy, 8) for strategy in strategies)
        assert all(other == first for other in others)


def test_a_proposal_counts_as_under_way_when_it_is_drawn_as_when_it_is_told() -> None:
    for space in (GRID, MIXED, Layers()):
        strategy = told(tpe(space), random_answers(30))
        stream = list(islice(strategy.ask(), 9))
        assert list(islice(strategy.ask(), 9)) == stream
        strategy.tell(Asked(strategy.name, tuple(enumerate(stream[:4], start=31))))
        assert list(islice(strategy.ask(), 5)) == stream[4:]


def test_ten_asks_without_a_tell_are_ten_places_to_look_at() -> None:
    strategy = told(tpe(), random_answers(60))
    proposals = list(islice(strategy.ask(), 10))
    assert {proposal.origin for proposal in proposals} == {"model"}
    assert len({proposal.identity() for proposal in proposals}) == 10


def test_what_is_known_is_not_proposed_again() -> None:
    """The model is sure of one point of 125; the best of what is new is still the model's."""
    space = Grid((5,) * 3)
    run = simulate(tpe(space), lambda p, _: measured(accuracy=float(sum(space.point(p.candidate)))), trials=100)
    assert len({proposal.identity() for proposal in run.proposals.values()}) == 100
    modelled = [proposal.origin == "model" for proposal in run.proposals.values()]
    assert mean(modelled[10:50]) > 0.9


@pytest.mark.parametrize(("space", "rounds"), [(Layers(), 50), (Nested(10), 5)], ids=["layers", "nested"])
def test_no_proposal_holds_an_inactive_address(space: Toy, rounds: int) -> None:
    strategy = told(tpe(space), random_answers(20))
    for number in range(rounds):
        for candidate in coming(strategy, 20):
            assert list(space.choices(candidate.decisions)) == list(candidate.decisions)
        told(strategy, random_answers(2, seed=number), seed=number, first=21 + 2 * number)


class Branches(Toy):
    """Two branches with a number of their own; the best one is at another place in each."""

    def walk(self, decider: Decider) -> Candidate:
        decisions: dict[str, Value] = {"side": decider.decide("side", choose("left", "right"))}
        place = f"side/{decisions['side']}/x"
        return toy_candidate(decisions | {place: decider.decide(place, real(0.0, 1.0))})

    @staticmethod
    def miss(candidate: Candidate) -> float:
        side, x = candidate.decisions.values()
        return abs(x - (0.2 if side == "left" else 0.7))  # type: ignore[operator]


def test_decisions_of_one_branch_are_learned_from_the_trials_that_have_them() -> None:
    space, misses = Branches(), []
    for seed in range(4):
        run = simulate(tpe(space, seed=seed), lambda p, _: measured(accuracy=1 - space.miss(p.candidate)), trials=80)
        misses += [space.miss(run.proposals[trial].candidate) for trial in range(41, 81)]
    assert mean(misses) < 0.16  # a random one misses by 0.3


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="at least 1, but got 0 and 24"):
        TPE(GRID, GOAL, seed=0, costs=toy_costs, startup=0)


def test_every_objective_counts() -> None:
    assert tpe(goal=TWO).remarks() == ()


# -- under successive halving ------------------------------------------------------------------------------------------


def test_rungs_are_never_mixed() -> None:
    """On the second rung the order of the first is turned round; a good trial is one that is good there."""
    for trials, modelled in ((40, 1), (300, 3)):
        strategy = tpe()
        values: dict[int, float] = {}
        there: dict[int, float] = {}  # value on the modelled rung, by the trial that the strategy knows

        def evaluate(
            proposal: Proposal,
            rng: Random,
            values: dict[int, float] = values,
            there: dict[int, float] = there,
            modelled: int = modelled,
        ) -> Mapping[str, Measurement]:
            trial = len(values) + 1
            promoted = isinstance(proposal.start, Continue)
            root = proposal.start.trial if isinstance(proposal.start, Continue) else trial
            values[trial] = 10.0 - values[root] if promoted else rng.random()
            if proposal.fidelity.epochs == modelled:
                there[root] = values[trial]
            return measured(accuracy=values[trial])

        simulate(Halving(strategy, rungs=(1, 3)), evaluate, trials=trials)
        now = densities(strategy)
        assert {*now.good, *now.bad} == set(there)
        assert set(now.good) == set(sorted(there, key=lambda root: -there[root])[: len(now.good)])


def test_a_higher_rung_is_modelled_when_more_of_its_results_are_good_than_there_are_decisions() -> None:
    strategy = told(tpe(), random_answers(80))
    higher = Fidelity(3, trunk=True)
    for trial in range(1, 61):
        strategy.on_promoted(trial, higher, Finished(100 + trial, "completed", measured(accuracy=1.0)))
    strategy.on_promoted(61, higher, Lost(161, ""))
    strategy.on_promoted(62, higher, Failed(162, "crashed", ""))
    assert len(densities(strategy).bad) == 72
    strategy.on_promoted(63, higher, Finished(163, "completed", measured(accuracy=0.5)))
    now = densities(strategy)
    assert now.good == [1, 2, 3, 4, 5, 6, 7]
    assert now.bad == [*range(8, 61), 62, 63]


# -- figures -----------------------------------------------------------------------------------------------------------


def hidden_target(seeds: int) -> list[float]:
    """The most decisions of 20 that are right after 200 trials, of five options each."""
    space, found = Grid((5,) * 20), []
    for seed in range(seeds):
        rng = Random(seed + 1000)
        target = [rng.randrange(5) for _ in range(20)]

        def right(proposal: Proposal, rng: Random, target: Sequence[int] = target) -> Mapping[str, Measurement]:
            point = space.point(proposal.candidate)
            return measured(accuracy=float(sum(a == b for a, b in zip(point, target, strict=True))))

        run = simulate(tpe(space, seed=seed), right, trials=200)
        found.append(max(run.values("accuracy").values()))
    return found


def test_a_hidden_target_is_approached() -> None:
    assert mean(hidden_target(4)) >= 13


@pytest.mark.long
def test_a_hidden_target_is_approached_figures() -> None:
    assert mean(hidden_target(20)) >= 14


def zdt1(proposal: Proposal, rng: Random) -> Mapping[str, Measurement]:
    """Zitzler, Deb, Thiele, 2000, on a grid of ten decisions from 0 to 1 in steps of a twentieth."""
    x = [float(value) / 20 for value in proposal.candidate.decisions.values()]  # type: ignore[arg-type]
    g = 1 + 9 * sum(x[1:]) / 9
    return measured(loss=x[0], accuracy=-g * (1 - (x[0] / g) ** 0.5))


def volumes(kind: type[Strategy], seeds: int) -> list[float]:
    space, found = Flat(**{f"x{i}": integer(0, 20) for i in range(10)}), []
    for seed in range(seeds):
        run = simulate(kind(space, TWO, seed=seed, costs=toy_costs), zdt1, trials=200)
        points = [(answer["loss"].value, -answer["accuracy"].value) for answer in run.answers.values()]
        found.append(hypervolume(points, (1.1, 11.0)))
    return found


def test_two_objectives_beat_random_search() -> None:
    assert all(a > b for a, b in zip(volumes(TPE, 3), volumes(RandomSearch, 3), strict=True))


@pytest.mark.long
def test_two_objectives_beat_random_search_figures() -> None:
    assert sum(a > b for a, b in zip(volumes(TPE, 20), volumes(RandomSearch, 20), strict=True)) >= 18


def test_what_is_forgotten_is_neither_good_nor_new() -> None:
    table = T201()
    strategy = TPE(table, parse_goal(("accuracy",), ()), seed=0, costs=toy_costs)
    values: dict[int, float] = {}
    for trial, point in enumerate(Random(0).sample(list(product(range(5), repeat=6)), MOST_REMEMBERED + 1), start=1):
        proposal = strategy.propose(table.candidate(point), origin="random")
        values[trial] = table.validation(proposal.candidate)
        strategy.tell(Asked(strategy.name, ((trial, proposal),)))
        strategy.tell(Finished(trial, "completed", measured(accuracy=values[trial])))
    (kept,) = strategy._outcomes.values()
    order = sorted(values, key=lambda trial: -values[trial])
    good = set(order[: MOST_REMEMBERED // 4])
    assert good <= set(kept)
    assert set(kept) - good == set(sorted(set(values) - good)[-MOST_REMEMBERED // 4 :])
    assert set(strategy._table.places) == set(kept)
    assert bytes.fromhex(next(strategy.ask()).identity()) not in strategy.seen
    strategy.on_promoted(min(set(values) - set(kept)), Fidelity(3), Finished(9999, "completed", measured(accuracy=1.0)))
    assert set(strategy._outcomes) == {strategy.fidelity.epochs}
