"""Screening: who is trained, what the strategy hears, when it turns itself off, and that a wrong score costs little."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import islice
from statistics import fmean

import pytest
from scipy.stats import spearmanr

from netwright.core.errors import InputError
from netwright.core.events import Asked, Failed, Finished, Lost
from netwright.core.objective import Goal, parse_goal
from netwright.core.seeding import stream
from netwright.core.trial import UNTRAINED, Continue, Fidelity, Proposal, TrialId
from netwright.spaces.walk import SearchSpace
from netwright.strategies import Halving, RandomSearch, Screening, Source, make_strategy, screening
from netwright.strategies.base import Told
from netwright.strategies.screening import CHECKED, spearman
from netwright.testing.simulate import Simulated, simulate
from netwright.testing.strategies import CHECKS
from netwright.testing.toys import T201, Grid, measured, toy_costs

ACCURACY = parse_goal(("accuracy",), ())
SPACE = Grid((5,) * 6)
RUNGS = {"flat": (), "halving": (1, 3, 9), "hyperband": (1, 3, 9)}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("rungs", RUNGS)
@pytest.mark.parametrize("name", ["random", "regularized-evolution", "nsga2", "local-search", "tpe"])
def test_conformance(name: str, rungs: str, check: str) -> None:
    """Parameters are a score that every scripted result has."""

    def make(space: SearchSpace, goal: Goal, seed: int) -> Source:
        return make_strategy(
            name,
            space,
            goal,
            seed=seed,
            costs=toy_costs,
            epochs=9,
            rungs=RUNGS[rungs],
            wrapper="hyperband" if rungs == "hyperband" else "halving",
            screen="parameters",
        )

    CHECKS[check](make, SPACE)


class Listening(RandomSearch):
    """Random search that writes down what it hears."""

    def __init__(self, goal: Goal = ACCURACY) -> None:
        super().__init__(SPACE, goal, seed=1, costs=toy_costs)
        self.heard: list[Told] = []
        self.promoted: list[tuple[TrialId, int]] = []
        self.fidelity = Fidelity(4)

    def tell(self, event: Told) -> None:
        super().tell(event)
        self.heard.append(event)

    def on_promoted(self, trial: TrialId, fidelity: Fidelity, event: Finished | Failed | Lost) -> None:
        self.promoted.append((trial, fidelity.epochs))


def ask(source: Source, first: TrialId, count: int) -> dict[TrialId, Proposal]:
    opened = dict(enumerate(islice(source.ask(), count), first))
    source.tell(Asked(source.name, tuple(opened.items())))
    return opened


def score(source: Source, trial: TrialId, value: float, parameters: float = 100) -> None:
    source.tell(Finished(trial, "completed", measured(synflow=value, parameters=parameters)))


def test_the_best_of_ten_are_trained_and_the_others_are_lost_to_the_strategy() -> None:
    inner = Listening()
    source = Screening(inner, inner, score="synflow", unscreened=0)
    opened = ask(source, 1, 10)
    assert {proposal.fidelity for proposal in opened.values()} == {Fidelity(0)}
    assert [p.fidelity.epochs for _, p in inner.heard[-1].trials] == [4] or len(inner.heard) == 10
    for trial in opened:
        score(source, trial, {3: 9.0, 7: 8.0, 5: 7.0}.get(trial, 1.0))
    trained = ask(source, 11, 4)
    assert [proposal.parents for proposal in trained.values()] == [(3,), (7,), (5,), ()]
    assert [proposal.fidelity.epochs for proposal in trained.values()] == [4, 4, 4, 0]
    assert [proposal.origin for proposal in trained.values()] == ["screened"] * 3 + ["random"]
    for trial in (11, 12, 13):
        assert trained[trial].candidate == opened[trained[trial].parents[0]].candidate
    lost = [event.trial for event in inner.heard if isinstance(event, Lost)]
    assert sorted(lost) == [1, 2, 4, 6, 8, 9, 10]
    source.tell(Finished(11, "completed", measured(accuracy=0.5, parameters=1)))
    source.tell(Failed(12, "diverged", "scripted"))
    assert isinstance(inner.heard[-2], Finished) and inner.heard[-2].trial == 3
    assert isinstance(inner.heard[-1], Failed) and inner.heard[-1].trial == 7


def test_candidates_that_cannot_compete_take_no_place() -> None:
    """Refused, failed and lost ones are passed on; those without a score go last."""
    inner = Listening()
    source = Screening(inner, inner, score="synflow", draw=6, keep=3, unscreened=0)
    ask(source, 1, 6)
    source.tell(Finished(1, "infeasible", measured(parameters=1e9)))
    source.tell(Failed(2, "invalid", "scripted"))
    source.tell(Lost(3, "scripted"))
    assert [event.trial for event in inner.heard if not isinstance(event, Asked)] == [1, 2, 3]
    source.tell(Finished(4, "completed", measured(parameters=1)))
    score(source, 5, 1.0)
    score(source, 6, 2.0)
    assert [p.parents for p in islice(source.ask(), 3)] == [(6,), (5,), (4,)]


def test_with_a_further_objective_small_ones_are_among_the_best() -> None:
    inner = Listening(parse_goal(("accuracy", "parameters"), ()))
    source = Screening(inner, inner, score="synflow", draw=5, keep=2, unscreened=0)
    ask(source, 1, 5)
    for trial, (value, parameters) in enumerate([(9.0, 1000), (8.0, 5000), (1.0, 10), (0.5, 700), (0.1, 1)], 1):
        score(source, trial, value, parameters)
    assert {p.parents for p in islice(source.ask(), 2)} == {(1,), (3,)}, "the smallest has the worst score"


def test_a_copy_of_what_goes_on_is_not_trained_again() -> None:
    """Whoever scored it first, or was chosen first, and however often it comes."""
    inner = Listening()
    source = Screening(inner, inner, score="synflow", draw=2, keep=1, unscreened=0)
    drawn = ask(source, 1, 2)
    score(source, 1, 1.0)
    score(source, 2, 2.0)
    ask(source, 3, 1)  # the training of 2
    again = ((4, drawn[1]), (5, next(p for p in source.ask() if p.fidelity == UNTRAINED)))
    source.tell(Asked(source.name, again))
    source.tell(Finished(4, "completed", measured(synflow=1.0, parameters=1), reused_from=1))
    score(source, 5, 0.5)
    assert ask(source, 6, 1)[6].parents == (4,), "rejected once, chosen now"
    source.tell(Asked(source.name, ((7, drawn[1]), (8, drawn[2]))))
    source.tell(Finished(7, "completed", measured(synflow=1.0, parameters=1), reused_from=1))
    source.tell(Finished(8, "completed", measured(synflow=2.0, parameters=1), reused_from=2))
    assert {event.trial for event in inner.heard if isinstance(event, Lost)} == {1, 5, 7, 8}
    assert next(source.ask()).fidelity == UNTRAINED


def test_what_was_lost_in_training_may_be_chosen_again() -> None:
    inner = Listening()
    source = Screening(inner, inner, score="synflow", draw=1, keep=1, unscreened=0)
    drawn = ask(source, 1, 1)
    score(source, 1, 1.0)
    ask(source, 2, 1)
    source.tell(Lost(2, "the machine broke"))
    source.tell(Asked(source.name, ((3, drawn[1]),)))
    source.tell(Finished(3, "completed", measured(synflow=1.0, parameters=1), reused_from=1))
    assert next(source.ask()).parents == (3,)


def test_of_two_copies_in_a_group_one_is_chosen() -> None:
    inner = Listening()
    source = Screening(inner, inner, score="synflow", draw=3, keep=2, unscreened=0)
    first = next(source.ask())
    other = next(p for p in source.ask() if p.identity() != first.identity())
    source.tell(Asked(source.name, ((1, first), (2, first), (3, other))))
    score(source, 1, 2.0)
    source.tell(Finished(2, "completed", measured(synflow=2.0, parameters=1), reused_from=1))
    score(source, 3, 1.0)
    assert [p.parents for p in islice(source.ask(), 2)] == [(1,), (3,)]


def test_under_halving_promotions_start_from_the_training_not_from_the_score() -> None:
    inner = Listening()
    source = Screening(Halving(inner, rungs=(2, 6)), inner, score="synflow", draw=3, keep=3, unscreened=0)
    ask(source, 1, 3)
    for trial in (1, 2, 3):
        score(source, trial, float(trial))
    trained = ask(source, 4, 3)
    assert [p.parents for p in trained.values()] == [(3,), (2,), (1,)]
    assert {p.fidelity for p in trained.values()} == {Fidelity(2, trunk=True)}
    for trial, value in ((4, 0.1), (5, 0.9), (6, 0.2)):
        source.tell(Finished(trial, "completed", measured(accuracy=value)))
    assert 5 in source.holds() and not source.holds() & {1, 2, 3}
    promoted = ask(source, 7, 1)[7]
    assert promoted.start == Continue(5) and promoted.parents == (5,) and promoted.fidelity.epochs == 6
    source.tell(Finished(7, "completed", measured(accuracy=0.95)))
    assert inner.promoted == [(2, 6)]


def drive(
    source: Screening, truth: Callable[[Proposal], float], scored: Callable[[Proposal], float], n: int
) -> Simulated:
    def evaluate(proposal: Proposal, rng: random.Random) -> dict[str, object]:
        if proposal.fidelity.epochs == 0:
            return measured(synflow=scored(proposal), parameters=size(proposal))  # type: ignore[return-value]
        return measured(accuracy=truth(proposal), parameters=size(proposal))  # type: ignore[return-value]

    return simulate(source, evaluate, trials=n)  # type: ignore[arg-type]


def trained(source: Source, trials: int = 120) -> list[Proposal]:
    """What is proposed to be trained, of so many trials."""
    assert isinstance(source, Screening)
    run = drive(source, value_of, value_of, trials)
    return [proposal for proposal in run.proposals.values() if proposal.fidelity != UNTRAINED]


def test_under_hyperband_each_is_trained_to_the_rung_of_its_bracket() -> None:
    source = make_strategy(
        "random",
        SPACE,
        ACCURACY,
        seed=0,
        costs=toy_costs,
        epochs=9,
        rungs=(1, 3, 9),
        wrapper="hyperband",
        screen="synflow",
    )
    fresh = [proposal.fidelity.epochs for proposal in trained(source) if not isinstance(proposal.start, Continue)]
    assert fresh.count(1) > fresh.count(3) > fresh.count(9) > 0


def test_under_hyperband_the_score_is_held_against_the_lowest_rung_alone() -> None:
    """Where longer trainings are far better, whoever began higher would stand above all others, whatever the score."""
    source = make_strategy(
        "random",
        SPACE,
        ACCURACY,
        seed=0,
        costs=toy_costs,
        epochs=9,
        rungs=(1, 3, 9),
        wrapper="hyperband",
        screen="synflow",
    )
    assert isinstance(source, Screening)
    drive(source, lambda p: value_of(p) + p.fidelity.epochs, value_of, 200)
    assert len(source.pairs) > 10
    assert source.agreement()[0] == pytest.approx(1.0)


def test_a_population_that_trains_on_is_screened_at_its_start_alone() -> None:
    source = make_strategy("pbt", SPACE, ACCURACY, seed=0, costs=toy_costs, epochs=9, screen="synflow")
    proposals = trained(source)
    assert all(proposal.fidelity.trunk for proposal in proposals if not isinstance(proposal.start, Continue))
    assert sum(isinstance(proposal.start, Continue) for proposal in proposals) > len(proposals) / 2


def test_children_that_inherit_are_not_screened() -> None:
    with pytest.raises(InputError, match="a score is one of untrained weights"):
        make_strategy("nsga2", SPACE, ACCURACY, seed=0, costs=toy_costs, epochs=9, screen="synflow", inherit=True)


def value_of(proposal: Proposal) -> float:
    return sum((i + 1) * option for i, option in enumerate(Grid.point(proposal.candidate))) / 84


def size(proposal: Proposal) -> float:
    return float(toy_costs(proposal.candidate.architecture).parameters)  # type: ignore[arg-type]


def noise(proposal: Proposal) -> float:
    return stream(0, "noise", proposal.candidate.key).random()


def test_an_unscreened_share_goes_on_whatever_its_score() -> None:
    source = make_strategy("random", SPACE, ACCURACY, seed=0, costs=toy_costs, epochs=4, screen="synflow")
    assert isinstance(source, Screening)
    run = drive(source, value_of, value_of, 900)
    trained = [proposal for proposal in run.proposals.values() if proposal.fidelity.epochs]
    share = sum(proposal.origin == "random" for proposal in trained) / len(trained)
    assert 0.1 <= share <= 0.2 and not source.off
    assert len(trained) == pytest.approx(0.3 * (len(run.proposals) - len(trained)), rel=0.1)
    best, free = (
        fmean(value_of(p) for p in trained if (p.origin == "random") is unscreened) for unscreened in (False, True)
    )
    assert best > free + 0.05


@pytest.mark.parametrize("scored", [noise, lambda proposal: -value_of(proposal)], ids=["random", "the wrong way round"])
def test_a_score_that_says_nothing_turns_itself_off(scored: Callable[[Proposal], float]) -> None:
    source = make_strategy("random", SPACE, ACCURACY, seed=0, costs=toy_costs, epochs=4, screen="synflow")
    assert isinstance(source, Screening)
    run = drive(source, value_of, scored, 500)
    assert source.off
    trained = [trial for trial, proposal in run.proposals.items() if proposal.fidelity.epochs]
    assert len(trained) > 300
    last = max(trial for trial, proposal in run.proposals.items() if not proposal.fidelity.epochs)
    assert last < 200 and {run.proposals[trial].fidelity.epochs for trial in range(last + 1, 501)} == {4}


def test_nobody_is_forgotten_when_it_turns_itself_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "CHECKED", 1)
    inner = Listening()
    source = Screening(inner, inner, score="synflow", draw=3, keep=1, unscreened=0)
    ask(source, 1, 3)
    for trial in (1, 2, 3):
        score(source, trial, float(trial))
    opened = ask(source, 4, 3)
    assert opened[4].parents == (3,) and [p.fidelity.epochs for p in opened.values()] == [4, 0, 0]
    score(source, 5, 1.0)
    source.tell(Finished(4, "completed", measured(accuracy=0.5)))
    assert source.off
    later = list(islice(source.ask(), 2))
    assert later[0].candidate == opened[5].candidate and [p.fidelity.epochs for p in later] == [4, 4]
    score(source, 6, 0.0)
    assert [p.candidate for p in islice(source.ask(), 2)] == [opened[5].candidate, opened[6].candidate]


def test_a_score_that_is_worse_than_size_turns_itself_off() -> None:
    """It orders candidates, but parameters do so without any computation."""
    source = make_strategy("random", SPACE, ACCURACY, seed=0, costs=toy_costs, epochs=4, screen="synflow")
    assert isinstance(source, Screening)
    drive(source, lambda p: math.log(size(p)), lambda p: math.log(size(p)) + 2 * noise(p), 300)
    score, parameters = source.agreement()
    assert source.off and parameters > 0.9 and score > 0.2


def test_it_is_not_judged_before_thirty_results() -> None:
    source = make_strategy("random", SPACE, ACCURACY, seed=0, costs=toy_costs, epochs=4, screen="synflow")
    assert isinstance(source, Screening)
    drive(source, value_of, lambda proposal: -value_of(proposal), 3 * CHECKED)
    assert not source.off and 0 < len(source.pairs) < CHECKED


def test_remarks_say_what_is_favoured() -> None:
    free = make_strategy("random", SPACE, ACCURACY, seed=0, costs=toy_costs, epochs=4, screen="synflow")
    limited = parse_goal(("accuracy",), ("parameters<=50k",))
    bounded = make_strategy("random", SPACE, limited, seed=0, costs=toy_costs, epochs=4, screen="synflow")
    assert any("largest" in remark for remark in free.remarks())
    assert not any("largest" in remark for remark in bounded.remarks())


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"score": "magic"}, "a score must be"), ({"keep": 11}, "keep must be"), ({"unscreened": 1.5}, "unscreened must")],
)
def test_wrong_settings_are_refused(settings: dict[str, object], says: str) -> None:
    inner = Listening()
    with pytest.raises(InputError, match=says):
        Screening(inner, inner, **{"score": "synflow", **settings})  # type: ignore[arg-type]


def test_rank_correlation_is_that_of_scipy() -> None:
    rng = random.Random(0)
    first = [float(rng.randrange(8)) for _ in range(50)]
    second = [value + rng.randrange(6) for value in first]
    assert spearman(first, second) == pytest.approx(spearmanr(first, second).statistic)
    assert spearman([1.0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0]) == 0 == spearman([], [])


# -- acceptance: a wrong score must not hurt, a right one must help ------------------------------------------------------


def trainings_until(name: str, seed: int, toy: T201, target: float, scored: Callable[[Proposal], float] | None) -> int:
    """How many trainings until a candidate of `target` times the best was trained; at most 400."""
    screen = None if scored is None else "synflow"
    source = make_strategy(name, toy, ACCURACY, seed=seed, costs=toy_costs, epochs=4, screen=screen)
    trained = 0
    done = False

    def evaluate(proposal: Proposal, rng: random.Random) -> object:
        nonlocal trained, done
        if proposal.fidelity.epochs == 0 and scored is not None:
            return measured(synflow=scored(proposal), parameters=size(proposal))
        trained += not done
        done = done or toy.score(proposal.candidate) >= target
        return measured(accuracy=toy.validation(proposal.candidate), parameters=size(proposal))

    simulate(source, evaluate, trials=6000, stop=lambda so_far: done or trained >= 400)  # type: ignore[arg-type]
    return trained


@pytest.mark.long
@pytest.mark.parametrize("name", ["random", "regularized-evolution"])
def test_a_random_score_hardly_hurts_and_a_good_one_helps(name: str) -> None:
    toy = T201()
    seeds = range(100)

    def mean(scored: Callable[[Proposal], float] | None) -> float:
        return fmean(trainings_until(name, seed, toy, 0.8, scored) for seed in seeds)

    plain = mean(None)
    said_nothing = mean(noise)
    good = mean(lambda proposal: toy.truth[toy.index(proposal.candidate)] + 2 * noise(proposal))
    print(f"{name}: {plain:.1f} trainings without a score, {said_nothing:.1f} by noise, {good:.1f} by a good one")
    assert said_nothing < 1.05 * plain
    assert good < 0.8 * plain
