"""Search by a score alone: conformance, what is asked, and that it finds what scores best."""

from __future__ import annotations

from random import Random
from statistics import fmean

import pytest

from netwright.core.errors import InputError
from netwright.core.measurement import Measurement
from netwright.core.objective import Goal, parse_goal
from netwright.core.trial import UNTRAINED, Proposal
from netwright.spaces.walk import SearchSpace
from netwright.strategies import RandomSearch, Source, TrainingFree, make_strategy
from netwright.testing.simulate import Simulated, simulate
from netwright.testing.strategies import CHECKS
from netwright.testing.toys import T201, Grid, Nested, measured, toy_costs

ACCURACY = parse_goal(("accuracy",), ())
BOTH = parse_goal(("accuracy", "parameters"), ())


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("space", [Grid((5,) * 6), Nested(12)], ids=["grid", "conditional"])
def test_conformance_with_a_score_that_is_there(space: SearchSpace, check: str) -> None:
    """Parameters are a score that every scripted result has; a small population, so that it has children."""

    def make(space: SearchSpace, goal: Goal, seed: int) -> Source:
        return TrainingFree(space, goal, seed=seed, costs=toy_costs, score="parameters", population=6)

    CHECKS[check](make, space)


TOY = T201()


def by_score(goal: Goal, seed: int, trials: int, name: str = "training-free") -> Simulated:
    def evaluate(proposal: Proposal, rng: Random) -> dict[str, Measurement]:
        architecture = proposal.candidate.architecture
        assert proposal.fidelity == UNTRAINED and architecture is not None
        size = toy_costs(architecture).parameters
        return measured(synflow=TOY.score(proposal.candidate), parameters=size)

    source: Source = RandomSearch(TOY, goal, seed=seed, costs=toy_costs)
    if name == "training-free":
        source = make_strategy(name, TOY, goal, seed=seed, costs=toy_costs, epochs=9)
    else:
        source.fidelity = UNTRAINED  # type: ignore[attr-defined]
    return simulate(source, evaluate, trials=trials)


def test_it_finds_better_scores_than_random_search() -> None:
    def best(name: str) -> float:
        return fmean(max(by_score(ACCURACY, seed, 400, name).values("synflow").values()) for seed in range(5))

    assert best("training-free") > best("random") + 0.05


def test_small_ones_stay_where_size_is_an_objective() -> None:
    """The population holds a front: good ones and small ones."""
    source = TrainingFree(TOY, BOTH, seed=1, costs=toy_costs, population=24)

    def evaluate(proposal: Proposal, rng: Random) -> dict[str, Measurement]:
        assert proposal.candidate.architecture is not None
        size = toy_costs(proposal.candidate.architecture).parameters
        return measured(synflow=TOY.score(proposal.candidate), parameters=size)

    simulate(source, evaluate, trials=400)
    costs = [result.costs for _, _, result in source.members]
    assert len(costs) == 24
    assert min(size for _, size in costs) < 3_000 and max(-score for score, _ in costs) > 0.7


def test_limits_come_before_the_score() -> None:
    goal = parse_goal(("accuracy",), ("parameters<=10k",))
    run = by_score(goal, 1, 300)
    sizes = list(run.values("parameters").values())
    assert sum(size <= 10_000 for size in sizes[100:]) > 0.9 * len(sizes[100:])


def test_another_score_is_named_as_for_screening() -> None:
    source = make_strategy("training-free", TOY, ACCURACY, seed=0, costs=toy_costs, epochs=9, screen="naswot")
    assert isinstance(source, TrainingFree) and source.score == "naswot"
    assert {proposal.fidelity for proposal, _ in zip(source.ask(), range(5), strict=False)} == {UNTRAINED}
    assert any("naswot alone" in remark for remark in source.remarks())


def test_it_knows_no_rungs_and_no_magic() -> None:
    with pytest.raises(InputError, match="cannot be combined with successive halving"):
        make_strategy("training-free", TOY, ACCURACY, seed=0, costs=toy_costs, epochs=9, rungs=(1, 3, 9))
    with pytest.raises(InputError, match="a score must be one of"):
        TrainingFree(TOY, ACCURACY, seed=0, costs=toy_costs, score="magic")
