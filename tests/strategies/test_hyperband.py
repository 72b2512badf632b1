from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from random import Random

import pytest

from netwright.core.errors import InputError
from netwright.core.events import Asked, Finished
from netwright.core.measurement import Measurement
from netwright.core.objective import parse_goal
from netwright.core.trial import Continue, Fidelity, Proposal
from netwright.strategies import (
    NSGA2,
    TPE,
    Halving,
    Hyperband,
    LocalSearch,
    RandomSearch,
    RegularizedEvolution,
    Strategy,
)
from netwright.strategies.hyperband import sizes, table
from netwright.testing.simulate import Answer, Simulated, simulate
from netwright.testing.toys import Grid, measured, power_curve, toy_costs

GRID = Grid((5,) * 6)
GOAL = parse_goal(("accuracy",), ())
TWO = parse_goal(("accuracy", "parameters"), ())

# -- the brackets of the paper -----------------------------------------------------------------------------------------


def test_the_brackets_of_81_epochs() -> None:
    """Table 1 of the paper with its formula of algorithm 1; 1,902 epochs a round without reuse."""
    rows = table(81)
    assert rows == [
        [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        [(34, 3), (11, 9), (3, 27), (1, 81)],
        [(15, 9), (5, 27), (1, 81)],
        [(8, 27), (2, 81)],
        [(5, 81)],
    ]
    assert [sum(count * epochs for count, epochs in row) for row in rows] == [405, 363, 351, 378, 405]
    assert sum(row[0][0] for row in rows) == 143


def test_brackets_are_counted_in_whole_numbers() -> None:
    """The logarithm of 243 to the base 3 comes out just below 5."""
    assert [row[0] for row in table(243)] == [(243, 1), (98, 3), (41, 9), (18, 27), (9, 81), (6, 243)]
    assert [row[0] for row in table(64, eta=4)] == [(64, 1), (22, 4), (8, 16), (4, 64)]
    assert table(80)[0][0] == (27, 2)
    assert table(81, shortest=9) == [[(9, 9), (3, 27), (1, 81)], [(5, 27), (1, 81)], [(3, 81)]]


def test_somebody_always_survives() -> None:
    assert all(count >= 1 for eta in (2, 3, 5) for row in table(1000, eta=eta) for count, _ in row)


@pytest.mark.parametrize(("longest", "eta", "shortest"), [(81, 1, 1), (3, 3, 9), (3, 3, 0)])
def test_a_table_without_rungs_is_refused(longest: int, eta: int, shortest: int) -> None:
    with pytest.raises(InputError, match="hyperband needs"):
        table(longest, eta=eta, shortest=shortest)


# -- new candidates are dealt out --------------------------------------------------------------------------------------


def hyperband(inner: Strategy | None = None, rungs: tuple[int, ...] = (1, 3, 9, 27, 81)) -> Hyperband:
    return Hyperband(inner or RandomSearch(GRID, GOAL, seed=0, costs=toy_costs), rungs=rungs, hopeless=0.0)


def test_after_each_round_every_bracket_has_had_its_size() -> None:
    first = [proposal.fidelity for proposal in islice(hyperband().ask(), 286)]
    assert {fidelity.trunk for fidelity in first} == {True}
    for round_ in (first[:143], first[143:]):
        assert Counter(fidelity.epochs for fidelity in round_) == {1: 81, 3: 34, 9: 15, 27: 8, 81: 5}


def test_brackets_go_side_by_side() -> None:
    """A search that is cut off after a quarter of a round has had all brackets, the cheap ones a little more."""
    given: Counter[int] = Counter()
    shares = dict(zip((1, 3, 9, 27, 81), sizes(5), strict=True))
    for number, proposal in enumerate(islice(hyperband().ask(), 143), start=1):
        given[proposal.fidelity.epochs] += 1
        assert all(abs(given[epochs] - number * share / 143) < 4 for epochs, share in shares.items())
        if number == 36:
            assert set(given) == set(shares)


def test_brackets_share_one_stream_of_candidates() -> None:
    plain = RandomSearch(GRID, GOAL, seed=0, costs=toy_costs)
    expected = [proposal.candidate for proposal in islice(plain.ask(), 50)]
    assert [proposal.candidate for proposal in islice(hyperband().ask(), 50)] == expected


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="two or more rising"):
        hyperband(rungs=(9,))


# -- promotions --------------------------------------------------------------------------------------------------------


def searched(source: Hyperband, trials: int, workers: int = 1, seed: int = 0) -> Simulated:
    def evaluate(proposal: Proposal, rng: Random) -> Answer:
        return measured(accuracy=rng.random(), parameters=rng.random())

    return simulate(source, evaluate, trials=trials, workers=workers, seed=seed)


def test_candidates_are_compared_within_their_bracket() -> None:
    """A trial that began at the second rung is not promoted for being better than those that were promoted there."""
    source = hyperband(rungs=(1, 3, 9))
    opened = list(enumerate(islice(source.ask(), 12), start=1))
    source.tell(Asked(source.name, tuple(opened)))
    for trial, proposal in opened:
        source.tell(Finished(trial, "completed", measured(accuracy=proposal.fidelity.epochs + 0.01 * trial)))
    began = {trial: proposal.fidelity.epochs for trial, proposal in opened}
    promoted = [p for p in islice(source.ask(), 8) if isinstance(p.start, Continue)]
    counts = Counter(began.values())
    assert counts == {1: 7, 3: 3, 9: 2}
    assert Counter(began[p.start.trial] for p in promoted if isinstance(p.start, Continue)) == {1: 2, 3: 1}
    assert [p.fidelity.epochs for p in promoted] == [9, 3, 3]


def test_promotions_go_up_one_rung_from_their_own_checkpoint_and_at_most_once() -> None:
    source = hyperband(rungs=(1, 3, 9))
    run = searched(source, 300, workers=8)
    starts = []
    for proposal in run.proposals.values():
        if isinstance(proposal.start, Continue):
            below = run.proposals[proposal.start.trial]
            assert below.candidate == proposal.candidate
            assert proposal.fidelity.epochs == 3 * below.fidelity.epochs
            starts.append(proposal.start.trial)
    assert len(starts) == len(set(starts)) > 50


def test_a_replay_deals_out_the_same() -> None:
    lived, told = hyperband(), hyperband()
    for event in searched(lived, 200, workers=5).events:
        told.tell(event)
    assert list(islice(told.ask(), 30)) == list(islice(lived.ask(), 30))
    assert told.holds() == lived.holds()
    assert told.given == lived.given


def test_in_a_space_that_is_used_up_every_bracket_trains_its_candidates_to_the_top() -> None:
    class Finite(RandomSearch):
        def ask(self) -> Iterator[Proposal]:
            for point in range(self.asked, 12):
                yield self.propose(GRID.candidate((point % 5, point // 5, 0, 0, 0, 0)), origin="grid")

    run = searched(hyperband(Finite(GRID, GOAL, seed=0, costs=toy_costs), rungs=(1, 3, 9)), 100, workers=3)
    began = Counter(p.fidelity.epochs for p in run.proposals.values() if not isinstance(p.start, Continue))
    reached = Counter(p.fidelity.epochs for p in run.proposals.values())
    assert began == {1: 7, 3: 3, 9: 2}
    assert reached == {1: 7, 3: 10, 9: 12}


@pytest.mark.parametrize("kind", [NSGA2, RegularizedEvolution, LocalSearch, TPE])
def test_the_inner_strategy_hears_each_result_at_its_own_rung(kind: type[Strategy]) -> None:
    heard: dict[int, Fidelity] = {}

    class Listening(kind):  # type: ignore[misc,valid-type]
        def on_finished(self, event: Finished) -> None:
            heard[event.trial] = self.fidelity
            super().on_finished(event)

    inner = Listening(GRID, TWO, seed=0, costs=toy_costs)
    run = searched(hyperband(inner, rungs=(1, 3, 9)), 120, workers=4)
    fresh = {trial: p.fidelity for trial, p in run.proposals.items() if not isinstance(p.start, Continue)}
    assert heard == {trial: fidelity for trial, fidelity in fresh.items() if trial in run.answers}
    assert {fidelity.epochs for fidelity in heard.values()} == {1, 3, 9}
    assert inner.fidelity == Fidelity(1, trunk=True)


def test_a_model_takes_no_rung_for_another() -> None:
    """Accuracy grows with the epochs alone: with rungs mixed, the good ones would be those that began higher."""
    inner = TPE(GRID, GOAL, seed=0, costs=toy_costs)
    source = hyperband(inner, rungs=(1, 3, 9))

    def evaluate(proposal: Proposal, rng: Random) -> Mapping[str, Measurement]:
        return measured(accuracy=proposal.fidelity.epochs + 0.1 * rng.random())

    run = simulate(source, evaluate, trials=60)
    now = inner.densities()
    assert now is not None
    assert {run.proposals[trial].fidelity.epochs for trial in now.good} == {1}


# -- what Hyperband is for ---------------------------------------------------------------------------------------------


class Crossing(Grid):
    """Curves of which the quick ones end low: a first rung of one epoch orders them the wrong way round."""

    def __init__(self, seed: int) -> None:
        super().__init__((4000,))
        rng = Random(seed)
        finals = [rng.uniform(0.6, 0.95) for _ in range(4000)]
        self.curves = [(final, 4 * (final - 0.6) + rng.uniform(0, 0.1), 0.6) for final in finals]

    def accuracy(self, proposal: Proposal, rng: Random) -> Answer:
        (index,) = self.point(proposal.candidate)
        return measured(accuracy=power_curve(*self.curves[index], proposal.fidelity.epochs) + rng.gauss(0, 0.005))

    def found(self, wrapper: type[Halving] | type[Hyperband], seed: int, epochs: int) -> float:
        """True end of the best of those that were trained to the end."""
        source = wrapper(RandomSearch(self, GOAL, seed=seed, costs=toy_costs), rungs=(1, 3, 9, 27, 81))
        run = simulate(source, self.accuracy, trials=5000, seed=seed, stop=lambda run: run.epochs > epochs)
        ended = [trial for trial in run.answers if run.proposals[trial].fidelity.epochs == 81]
        best = max(ended, key=lambda trial: run.answers[trial]["accuracy"].value)
        return self.curves[self.point(run.proposals[best].candidate)[0]][0]


def gains(seeds: int, epochs: int) -> list[float]:
    """What Hyperband finds more than halving does."""
    spaces = [(Crossing(seed), seed) for seed in range(seeds)]
    return [space.found(Hyperband, seed, epochs) - space.found(Halving, seed, epochs) for space, seed in spaces]


def test_where_short_trainings_mislead_hyperband_still_finds_good_ones() -> None:
    assert min(gains(2, 1500)) > 0


@pytest.mark.long
def test_where_short_trainings_mislead_hyperband_still_finds_good_ones_figures() -> None:
    found = gains(20, 3000)
    assert sum(gain > 0 for gain in found) >= 18
