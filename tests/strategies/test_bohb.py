from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from random import Random
from statistics import mean

import numpy as np
import pytest

from netwright.core.errors import InputError
from netwright.core.events import Asked, Finished
from netwright.core.measurement import Measurement
from netwright.core.objective import parse_goal
from netwright.core.trial import Fidelity, Proposal
from netwright.strategies import BOHB, TPE, Hyperband, RandomSearch, Strategy, make_strategy, parts_of, spellings
from netwright.strategies.models.parzen import Mixture, Numbers, normal_reference
from netwright.testing.simulate import simulate
from netwright.testing.toys import Interval, measured, toy_costs

GOAL = parse_goal(("accuracy",), ())
CUBE = Interval(3)


def bohb(seed: int = 0) -> BOHB:
    return BOHB(CUBE, GOAL, seed=seed, costs=toy_costs)


def told(strategy: Strategy, accuracies: list[float], first: int = 1) -> None:
    rng = Random(first)
    for trial, accuracy in enumerate(accuracies, start=first):
        proposal = strategy.propose(strategy.space.sample(rng), origin="random")
        strategy.tell(Asked(strategy.name, ((trial, proposal),)))
        strategy.tell(Finished(trial, "completed", measured(accuracy=accuracy)))


def test_it_comes_with_hyperband() -> None:
    assert parts_of("bohb") == ("bohb", "hyperband")
    assert parts_of("bohb+halving") == ("bohb", "halving")
    assert parts_of("tpe") == ("tpe", "")
    assert {"bohb", "bohb+hyperband", "tpe+hyperband", "nsga2+halving"} <= set(spellings())
    source = make_strategy(
        "bohb", CUBE, GOAL, seed=0, costs=toy_costs, epochs=9, rungs=(1, 3, 9), wrapper=parts_of("bohb")[1]
    )
    assert isinstance(source, Hyperband)
    with pytest.raises(InputError, match="a wrapper must be one of halving, hyperband"):
        make_strategy("bohb", CUBE, GOAL, seed=0, costs=toy_costs, epochs=9, rungs=(1, 3), wrapper="both")


def test_a_model_needs_d_plus_one_good_ones_and_as_many_others() -> None:
    strategy = bohb()
    told(strategy, [0.1 * trial for trial in range(7)])
    assert strategy.densities() is None
    told(strategy, [0.9], first=8)
    now = strategy.densities()
    assert now is not None
    assert (len(now.good), len(now.bad)) == (4, 4)
    told(strategy, [0.01] * 32, first=9)
    now = strategy.densities()
    assert now is not None
    assert (len(now.good), len(now.bad)) == (6, 34)  # the best 15 % of 40
    told(strategy, [0.01] * 260, first=41)
    now = strategy.densities()
    assert now is not None
    assert len(now.good) == 45  # without the cap of TPE


def test_the_highest_rung_with_enough_points_is_modelled() -> None:
    strategy = bohb()
    told(strategy, [0.1] * 20)
    higher = Fidelity(3, trunk=True)
    for trial in range(1, 9):
        before = strategy.densities()
        assert before is not None
        assert len(before.good) + len(before.bad) == 20
        strategy.on_promoted(trial, higher, Finished(100 + trial, "completed", measured(accuracy=1.0 - 0.1 * trial)))
    now = strategy.densities()
    assert now is not None
    assert sorted(now.good) == [1, 2, 3, 4]
    assert sorted(now.bad) == [5, 6, 7, 8]


def test_a_third_is_random() -> None:
    strategy = bohb()
    told(strategy, [0.05 * trial for trial in range(20)])
    origins = [proposal.origin for proposal in islice(strategy.ask(), 150)]
    assert 35 <= origins.count("random") <= 65
    assert origins.count("model") == 150 - origins.count("random")


def test_bandwidths_are_those_of_the_normal_reference_rule() -> None:
    """As statsmodels computes them: 1.06 s n^(-1 / (4 + d)); not below a thousandth of the range."""
    values = np.array([0.2, 0.4, 0.5, 0.9])
    expected = 1.06 * values.std() * 4 ** (-1 / 7)
    assert normal_reference(values, 0.0, 1.0, columns=3) == pytest.approx([expected] * 4)
    assert normal_reference(np.full(4, 5.0), 0.0, 10.0, columns=1) == pytest.approx([0.01] * 4)
    assert len(normal_reference(np.array([]), 0.0, 1.0, columns=1)) == 0


def test_draws_are_wider_than_the_density_that_judges_them() -> None:
    column = Numbers(0.0, 100.0)
    points = np.full((200, 1), 50.0)
    mixture = Mixture([column], points, bandwidth=lambda centres, low, high: np.full(len(centres), 2.0))
    rng = np.random.default_rng(0)
    inner = slice(100, -100)  # without the few draws of the prior
    near = np.sort(mixture.draw(4000, rng)[:, 0])[inner].std()
    wide = np.sort(mixture.draw(4000, rng, 3.0)[:, 0])[inner].std()
    assert 2.3 < wide / near < 3.5


def test_a_random_share_leaves_the_stream_of_the_model_alone() -> None:
    """Drawn ahead or one by one, and after a replay, it is the same stream."""
    strategy = bohb()
    told(strategy, [0.05 * trial for trial in range(20)])
    stream = list(islice(strategy.ask(), 12))
    assert list(islice(strategy.ask(), 12)) == stream
    strategy.tell(Asked(strategy.name, tuple(enumerate(stream[:5], start=21))))
    assert list(islice(strategy.ask(), 7)) == stream[5:]


@pytest.mark.parametrize("wrong", [{"good_share": 0.0}, {"random_share": 1.5}, {"bandwidth": "guess"}, {"wider": 0.0}])
def test_settings_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match="good_share must be"):
        TPE(CUBE, GOAL, seed=0, costs=toy_costs, **wrong)  # type: ignore[arg-type]


# -- counting ones: section 5.1 of the paper ---------------------------------------------------------------------------


def counted(kind: type[Strategy], seed: int, epochs: int) -> float:
    """Eight Bernoulli chances to be made 1, each estimated from ten draws an epoch; the true mean of the best found."""

    def evaluate(proposal: Proposal, rng: Random) -> Mapping[str, Measurement]:
        draws = 10 * proposal.fidelity.epochs
        seen = [sum(rng.random() < chance for _ in range(draws)) / draws for chance in chances(proposal)]
        return measured(accuracy=mean(seen))

    source = Hyperband(kind(Interval(8), GOAL, seed=seed, costs=toy_costs), rungs=(1, 3, 9))
    run = simulate(source, evaluate, trials=2000, seed=seed, stop=lambda run: run.epochs > epochs)
    top = [trial for trial in run.answers if run.proposals[trial].fidelity.epochs == 9]
    return mean(chances(run.proposals[max(top, key=lambda trial: run.answers[trial]["accuracy"].value)]))


def chances(proposal: Proposal) -> list[float]:
    return [float(value) for value in proposal.candidate.decisions.values()]  # type: ignore[arg-type]


def test_counting_ones_beats_hyperband_alone() -> None:
    assert all(counted(BOHB, seed, 600) > counted(RandomSearch, seed, 600) for seed in range(2))


@pytest.mark.long
def test_counting_ones_beats_hyperband_alone_figures() -> None:
    pairs = [(counted(BOHB, seed, 1500), counted(RandomSearch, seed, 1500)) for seed in range(20)]
    assert sum(ours > random for ours, random in pairs) == 20
    assert mean(ours for ours, _ in pairs) > 0.9
