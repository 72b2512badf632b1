from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import islice

import pytest

from netwright.core.candidate import Architecture, Candidate
from netwright.core.errors import CandidateError, InputError
from netwright.core.events import Asked
from netwright.core.objective import parse_goal
from netwright.core.trial import Fidelity, Proposal
from netwright.strategies import (
    NSGA2,
    STRATEGIES,
    Halving,
    RandomSearch,
    RegularizedEvolution,
    Strategy,
    make_strategy,
)
from netwright.testing.simulate import simulate
from netwright.testing.strategies import CHECKS
from netwright.testing.toys import Grid, ToyCosts, measured, toy_costs

GRID = Grid((5,) * 6)
GOAL = parse_goal((), ())


class Mine(Strategy):
    name = "mine"

    def ask(self) -> Iterator[Proposal]:
        for rng in self.streams():
            yield self.propose(self.space.sample(rng), origin="random")


@pytest.mark.parametrize("check", CHECKS)
def test_a_strategy_of_six_lines_conforms(check: str) -> None:
    CHECKS[check](lambda space, goal, seed: Mine(space, goal, seed=seed, costs=toy_costs), GRID)


def test_a_strategy_of_six_lines_can_be_halved() -> None:
    def make(space, goal, seed):  # type: ignore[no-untyped-def]
        return Halving(Mine(space, goal, seed=seed, costs=toy_costs), rungs=(1, 3))

    CHECKS["any_order"](make, GRID)


def test_stream_goes_on_where_the_recorded_proposals_end() -> None:
    strategy = RandomSearch(GRID, GOAL, seed=3, costs=toy_costs)
    first = list(islice(strategy.ask(), 6))
    strategy.tell(Asked("random", tuple(enumerate(first[:4], start=1))))
    assert list(islice(strategy.ask(), 2)) == first[4:]


def test_limits_on_parameters_are_kept_by_drawing_again() -> None:
    goal = parse_goal((), ("parameters<=20k",))
    strategy = RandomSearch(GRID, goal, seed=0, costs=toy_costs)
    drawn = [proposal.candidate for proposal in islice(strategy.ask(), 100)]
    assert all(toy_costs(candidate.architecture).parameters <= 20_000 for candidate in drawn)  # type: ignore[arg-type]
    unlimited = [proposal.candidate for proposal in islice(Mine(GRID, goal, seed=0, costs=toy_costs).ask(), 100)]
    assert any(toy_costs(candidate.architecture).parameters > 20_000 for candidate in unlimited)  # type: ignore[arg-type]


def test_where_nothing_keeps_the_limits_the_least_violation_is_proposed() -> None:
    goal = parse_goal((), ("parameters<=900",))
    strategy = RandomSearch(GRID, goal, seed=0, costs=toy_costs)
    drawn = [strategy.excess(proposal.candidate) for proposal in islice(strategy.ask(), 30)]
    plain = [
        strategy.excess(proposal.candidate) for proposal in islice(Mine(GRID, goal, seed=0, costs=toy_costs).ask(), 30)
    ]
    assert min(drawn) > 0
    assert sum(drawn) < 0.5 * sum(plain)


@pytest.mark.parametrize("rungs", [(), (1, 3, 9)])
def test_a_finite_space_is_searched_to_its_end(rungs: tuple[int, ...]) -> None:
    grid = Grid((4,) * 4)
    strategy = make_strategy("nsga2", grid, GOAL, seed=0, costs=toy_costs, epochs=1, rungs=rungs)
    run = simulate(
        strategy,
        lambda proposal, rng: measured(accuracy=sum(grid.point(proposal.candidate)) / 12, parameters=1.0),
        trials=600,
    )
    assert len({proposal.candidate.key for proposal in run.proposals.values()}) == 4**4


def test_candidates_that_cannot_be_built_are_drawn_again() -> None:
    def costs(architecture: Architecture) -> ToyCosts:
        if architecture.key.startswith("slot/0=0"):
            raise CandidateError("no such layer", "slot/0")
        return toy_costs(architecture)

    strategy = RandomSearch(GRID, parse_goal((), ("parameters<=100M",)), seed=0, costs=costs)
    drawn = list(islice(strategy.ask(), 60))
    assert all(GRID.point(proposal.candidate)[0] != 0 for proposal in drawn)


def test_a_space_that_never_gives_a_candidate_says_so() -> None:
    class Empty:
        def sample(self, rng: object) -> Candidate:
            raise CandidateError("no room", "network/0")

    with pytest.raises(CandidateError, match="none of 20 draws"):
        next(RandomSearch(Empty(), GOAL, seed=0, costs=toy_costs).ask())


def test_one_objective_strategies_say_what_they_leave_aside() -> None:
    evolution = RegularizedEvolution(GRID, GOAL, seed=0, costs=toy_costs)
    assert evolution.remarks() == (
        "regularized-evolution optimises accuracy alone; parameters are recorded, not optimised",
    )
    assert Halving(evolution, rungs=(1, 2)).remarks() == evolution.remarks()
    assert NSGA2(GRID, GOAL, seed=0, costs=toy_costs).remarks() == ()
    assert RegularizedEvolution(GRID, parse_goal(("loss",), ()), seed=0, costs=toy_costs).remarks() == ()


def test_make_strategy_sets_the_fidelity() -> None:
    flat = make_strategy("random", GRID, GOAL, seed=0, costs=toy_costs, epochs=7)
    assert next(flat.ask()).fidelity == Fidelity(7)
    halved = make_strategy("random", GRID, GOAL, seed=0, costs=toy_costs, epochs=9, rungs=(2, 6))
    assert next(halved.ask()).fidelity == Fidelity(2, trunk=True)
    assert halved.name == "random"
    with pytest.raises(InputError, match="must be one of .*nsga2, .*random.*, but got 'nsga3'"):
        make_strategy("nsga3", GRID, GOAL, seed=0, costs=toy_costs, epochs=1)


def test_names_are_those_of_the_registry() -> None:
    assert {name: strategy.name for name, strategy in STRATEGIES.items()} == {name: name for name in STRATEGIES}
    for strategy in STRATEGIES.values():
        assert strategy.capabilities()["asynchronous"] is True


def test_strategies_load_neither_torch_nor_numpy() -> None:
    code = "import sys, netwright.strategies; print([m for m in ('torch', 'numpy', 'sklearn') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
