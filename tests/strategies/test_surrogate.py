"""What models share: how many results are remembered, and that asking stays as cheap however many there were."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest

from netwright.core.events import Asked, Finished
from netwright.core.objective import parse_goal
from netwright.core.trial import Proposal
from netwright.strategies import STRATEGIES, Bananas, ForestSearch, GaussianProcessSearch
from netwright.strategies.shared.surrogate import MOST_REMEMBERED, Surrogate
from netwright.testing.toys import T201, Interval, measured, toy_costs

GOAL = parse_goal(("accuracy",), ())


def test_models_are_surrogates() -> None:
    assert all(issubclass(STRATEGIES[name], Surrogate) for name in ("gaussian-process", "forest", "bananas"))


@pytest.mark.parametrize("kind", [GaussianProcessSearch, ForestSearch, Bananas])
def test_the_better_half_is_remembered_and_the_search_goes_on(kind: type[Surrogate]) -> None:
    table = T201()
    strategy = kind(table, GOAL, seed=0, costs=toy_costs)
    values: dict[int, float] = {}
    for trial, point in enumerate(Random(0).sample(list(product(range(5), repeat=6)), MOST_REMEMBERED + 1), start=1):
        proposal = strategy.propose(table.candidate(point), origin="random")
        values[trial] = table.validation(proposal.candidate)
        strategy.tell(Asked(strategy.name, ((trial, proposal),)))
        strategy.tell(Finished(trial, "completed", measured(accuracy=values[trial])))
    told = sorted({trial for trial in values if trial in strategy.members}, key=lambda trial: -values[trial])
    assert len(strategy.members) == MOST_REMEMBERED // 2
    best = sorted(values, key=lambda trial: -values[trial])
    assert values[told[0]] == values[best[0]]
    assert {values[trial] for trial in best[:100]} <= {values[trial] for trial in told}
    proposal = next(iter(strategy.ask()))
    assert isinstance(proposal, Proposal)
    assert bytes.fromhex(proposal.identity()) not in strategy.seen


def test_what_arithmetic_knows_is_not_modelled_beside_another_objective() -> None:
    space = Interval()
    strategy = GaussianProcessSearch(space, parse_goal(("accuracy", "parameters"), ()), seed=0, costs=toy_costs)
    assert [strategy.known(index) for index in range(2)] == [False, True]
    alone = GaussianProcessSearch(space, parse_goal(("parameters",), ()), seed=0, costs=toy_costs)
    assert not alone.known(0)
