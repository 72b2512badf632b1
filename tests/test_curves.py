"""The recorded learning curves: how they are made and read, the virtual clock on hand-made ones, and the arithmetic."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from netwright.core.candidate import Candidate
from netwright.core.trial import Continue, Fidelity, Proposal
from netwright.data.catalog import arrays_data
from netwright.stoppers import Curve, PowerLaw
from netwright.strategies import WRAPPERS
from netwright.strategies.listed import Listed
from netwright.testing.toys import Grid, power_curve

pytest.importorskip("benchmarks.curves", reason="the benchmarks are not part of this copy")

from benchmarks.curves.clock import FULL, Search, exhaustive, make, search
from benchmarks.curves.grid import RUNGS, Kept, grid, name_of
from benchmarks.curves.recorded import Network, Record, Training, append, lines, mend, read
from benchmarks.curves.recording import train
from benchmarks.curves.stopping import Remembered, row, rule_of
from benchmarks.curves.summary import (
    crossings,
    fidelity,
    places,
    ratio,
    regret_over_time,
    rung_fidelity,
    survivors,
    times,
)

DECAY = 0.2
"""Of a rung's epochs, as seconds of the hand-made trainings: an epoch takes one."""
SPACE = Grid((6, 6, 6))


def ladder(accuracies: Sequence[float], pace: float = 1.0) -> tuple[Training, ...]:
    """Rungs with these accuracies, `pace` seconds an epoch."""
    below = (0, *RUNGS)
    return tuple(
        Training(accuracy, pace * (epochs - before + DECAY * epochs), curve_seconds=(pace * epochs,))
        for accuracy, epochs, before in zip(accuracies, RUNGS, below, strict=False)
    )


def network(candidate: Candidate, rungs: Sequence[float], full: Sequence[float | None], pace: float = 1.0) -> Network:
    """A hand-made network."""
    whole = tuple(Training(accuracy, pace * RUNGS[-1]) for accuracy in full)
    return Network(name_of(candidate), candidate.decisions, 1, ladder(rungs, pace), whole)


def power_record(*, misleading: bool = False) -> Record:
    """216 networks whose final accuracies are all different, on curves that never cross; or that cross every time."""
    rng = random.Random(0)
    candidates = [SPACE.candidate(point) for point in product(range(6), repeat=3)]
    finals = [0.5 + 0.4 * place / len(candidates) for place in range(len(candidates))]
    rng.shuffle(finals)
    networks = []
    for candidate, final in zip(candidates, finals, strict=True):
        curve = [power_curve(final, 0.3, 0.7, epochs) for epochs in RUNGS]
        if misleading:
            curve[:-1] = [1.0 - value for value in curve[:-1]]
        networks.append(network(candidate, curve, [final]))
    return Record(networks, RUNGS)


# -- reading -----------------------------------------------------------------------------------------------------------


def line(candidate: Candidate, seed: int, accuracy: float) -> dict[str, object]:
    full = {"status": "completed", "accuracy": accuracy, "seconds": 5.0, "curve": [0.1], "curve_seconds": [4.5]}
    rungs = [{**full, "accuracy": 0.1 * level, "seconds": level, "curve_seconds": [10.0 * level]} for level in (1, 2)]
    head = {"name": name_of(candidate), "seed": seed, "decisions": dict(candidate.decisions), "parameters": 7}
    return {**head, "full": full, **({"rungs": [*rungs, {"status": "diverged", "seconds": 0.5}]} if seed == 0 else {})}


def test_a_record_is_judged_over_the_seeds_that_all_have_and_answers_with_the_first(tmp_path: Path) -> None:
    path = tmp_path / "networks.jsonl"
    one, other = SPACE.candidate((0, 0, 0)), SPACE.candidate((1, 0, 0))
    append(path, {"session": "s", "provenance": {}})
    for candidate, seed, accuracy in ((one, 0, 0.5), (other, 0, 0.9), (one, 1, 0.7), (other, 1, 0.8), (one, 2, 0.0)):
        append(path, line(candidate, seed, accuracy))
    record = read(path, RUNGS, [name_of(one), name_of(other)])
    assert record.best == pytest.approx(0.85)
    assert record.regret(one) == pytest.approx(25)
    assert record.answer(Proposal(one, Fidelity(27)))["accuracy"].value == 0.5  # type: ignore[index]
    assert record.seconds(Proposal(one, Fidelity(27))) == 5.0
    with pytest.raises(ValueError, match="1 of 2 networks"):
        read(path, RUNGS, [name_of(one), name_of(SPACE.candidate((2, 0, 0)))])
    with pytest.raises(ValueError, match="27 epochs, but got 9"):
        record.answer(Proposal(one, Fidelity(9)))


def test_a_torn_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "networks.jsonl"
    mend(path)
    assert lines(path) == []
    for seed in (0, 1):
        append(path, line(SPACE.candidate((0, 0, 0)), seed, 0.5))
    path.write_text(path.read_text()[:-5])
    mend(path)
    append(path, line(SPACE.candidate((0, 0, 0)), 2, 0.5))
    assert [found["seed"] for found in lines(path)] == [0, 2]


def test_a_rung_costs_what_it_adds_and_a_start_above_the_lowest_also_the_epochs_below() -> None:
    candidate = SPACE.candidate((0, 0, 0))
    record = Record([network(candidate, [0.1, 0.2, 0.3, 0.4], [0.5], pace=2.0)], RUNGS)
    first = Proposal(candidate, Fidelity(1, trunk=True))
    promoted = Proposal(candidate, Fidelity(9, trunk=True), Continue(1))
    fresh = Proposal(candidate, Fidelity(9, trunk=True))
    assert record.seconds(first) == pytest.approx(2 * (1 + 0.2))
    assert record.seconds(promoted) == pytest.approx(2 * (6 + 1.8))
    assert record.seconds(fresh) == pytest.approx(2 * (9 + 1.8))
    assert record.answer(fresh)["accuracy"].value == 0.3  # type: ignore[index]


def test_a_network_that_diverged_fails_there_and_above_and_counts_as_nothing() -> None:
    bad, good = SPACE.candidate((0, 0, 0)), SPACE.candidate((1, 0, 0))
    broken = Network(name_of(bad), {}, 1, (*ladder([0.9]), Training(None, 0.5)), (Training(None, 3.0),) * 2)
    record = Record([broken, network(good, [0.1] * 4, [0.6, 0.6])], RUNGS)
    assert record.answer(Proposal(bad, Fidelity(1, trunk=True)))["accuracy"].value == 0.9  # type: ignore[index]
    assert record.answer(Proposal(bad, Fidelity(3, trunk=True), Continue(1))) == "diverged"
    assert record.answer(Proposal(bad, Fidelity(27, trunk=True))) == "diverged"
    assert record.answer(Proposal(bad, Fidelity(27))) == "diverged"
    assert record.regret(bad) == pytest.approx(60)
    assert rung_fidelity(record, 1).spearman == pytest.approx(1.0)
    done = search(
        Listed("all", [Proposal(c, Fidelity(27)) for c in (bad, good)]), record, workers=1, seconds=99, seed=0
    )
    assert [(step[0], step[1]) for step in done.steps] == [(30.0, 0.0)]


# -- the clock ---------------------------------------------------------------------------------------------------------


def test_the_clock_runs_as_reckoned_by_hand() -> None:
    candidates = [SPACE.candidate((i, 0, 0)) for i in range(5)]
    seconds = [4.0, 1.0, 2.0, 3.0, 1.0]
    answers, truths = [0.5, 0.7, 0.6, 0.9, 0.8], [0.5, 0.9, 0.6, 0.8, 0.4]
    record = Record(
        [
            Network(
                name_of(candidate), {}, 1, ladder([0.0] * 4), (Training(answer, took), Training(2 * truth - answer, 1))
            )
            for candidate, took, answer, truth in zip(candidates, seconds, answers, truths, strict=True)
        ],
        RUNGS,
    )
    source = Listed("all", [Proposal(candidate, Fidelity(27)) for candidate in candidates])
    done = search(source, record, workers=2, seconds=100, seed=0)
    # worker 1: trial 1 until 4, then trial 5 until 5; worker 2: trial 2 until 1, trial 3 until 3, trial 4 until 6
    assert [step[0] for step in done.steps] == [1.0, 5.0, 6.0]
    assert [step[1] for step in done.steps] == pytest.approx([0.0, 50.0, 10.0])
    assert done.time_to(0.5) == 1.0
    assert done.time_to(0.5, retrained=True) == 2.0
    assert done.ended == 6.0
    assert exhaustive(record, 2) == 5.5
    cut = search(Listed("all", source.proposals), record, workers=2, seconds=3, seed=0)
    assert (len(cut.steps), cut.trained) == (1, 3)
    good = search(Listed("all", source.proposals), record, workers=2, seconds=100, seed=0, enough=0.5)
    assert (good.time_to(0.5), good.trained) == (1.0, 2)


class Impatient:
    """Ends every training that is not the best after its first epoch."""

    whole = False

    def __call__(self, curve: Curve, others: Sequence[Curve]) -> bool:
        return any(other.at(1) > curve.at(1) for other in others if curve.epochs[-1] == 1)  # type: ignore[operator]


def test_a_stopped_training_frees_its_worker_an_epoch_later_and_is_no_incumbent() -> None:
    candidates = [SPACE.candidate((i, 0, 0)) for i in range(3)]
    begin, late = (0.5, 0.2, 0.4), (0.5, 0.9, 0.6)
    trainings = [
        Training(end, 28.0, (first, *[end] * 26), tuple(float(epoch) for epoch in range(1, 28)))
        for first, end in zip(begin, late, strict=True)
    ]
    record = Record(
        [
            Network(name_of(c), {}, 1, ladder([0.0] * 4), (training,))
            for c, training in zip(candidates, trainings, strict=True)
        ],
        RUNGS,
    )
    source = Listed("all", [Proposal(candidate, Fidelity(27)) for candidate in candidates])
    assert [report.after for report in record.reports(source.proposals[0])] == [float(1 + e) for e in range(1, 28)]
    done = search(source, record, workers=1, seconds=99, seed=0, rule=Impatient())
    # The first has nobody to compare with; the two others are slow to begin, and end after their second epoch.
    assert done.steps == [(28.0, pytest.approx(40.0), 28.0)]
    assert done.ended == 28.0 + 3.0 + 3.0
    assert done.stopped == pytest.approx([0.0, 30.0])


def test_a_rule_that_remembers_its_fits_decides_as_the_one_that_it_is() -> None:
    rule = rule_of("power-law")
    assert isinstance(rule, Remembered)
    assert rule == Remembered(1.0)
    whole = Curve(tuple(range(1, 28)), tuple(power_curve(0.9, 0.3, 0.7, epoch) for epoch in range(1, 28)), 27)
    for final, stops in ((0.5, True), (0.95, False)):
        curve = Curve(tuple(range(1, 13)), tuple(power_curve(final, 0.3, 0.7, epoch) for epoch in range(1, 13)), 27)
        assert [rule(curve, [whole]), rule(curve, [whole]), PowerLaw(1.0)(curve, [whole])] == [stops] * 3


def test_the_row_of_a_rule_says_what_it_saved_and_whom_it_stopped() -> None:
    without = [Search([(10.0, 0.2, 4.0)], 8, 0, 10.0, [])] * 2
    quick = Search([(4.0, 3.0, 4.0), (5.0, 0.2, 4.0)], 10, 0, 5.0, [9.0, 0.4])
    lost = Search([(3.0, 2.0, 4.0)], 30, 0, 50.0, [0.1, 0.3, 7.0, 8.0])
    assert row("random", None, without, without, 0.5)[2:] == ["10.0 (10.0 to 10.0)", 2, "", "", "8", "", ""]
    assert row("random", "median", [quick, quick], without, 0.5)[2:5] == ["5.0 (5.0 to 5.0)", 2, "0.50 (0.50 to 0.50)"]
    assert row("random", "halving", [quick, lost], without, 0.5)[2:] == [
        "never (5.0 to never)", 1, "never (0.50 to never)", 1, "20", "15 %", "1.5"
    ]  # fmt: skip


def test_only_the_longest_trainings_make_an_incumbent() -> None:
    record = power_record()
    halved = search(make("random", "halving", SPACE, 0, RUNGS), record, workers=8, seconds=200, seed=0)
    earliest = sum(training.seconds for training in next(iter(record.networks.values())).rungs)
    assert halved.steps[0][0] >= earliest
    assert halved.time_to(-1.0) == math.inf


@pytest.mark.parametrize("scheduler", WRAPPERS)
@pytest.mark.parametrize("strategy", ["random", "regularized-evolution"])
def test_a_search_ends_in_a_space_that_is_used_up(strategy: str, scheduler: str) -> None:
    record = power_record()
    done = search(make(strategy, scheduler, SPACE, 1, RUNGS), record, workers=8, seconds=math.inf, seed=1)
    assert done.trained <= len(record.networks) * len(RUNGS)
    assert done.steps[-1][1] < 0.5


def seconds_to_good(record: Record, scheduler: str, seeds: int) -> list[float]:
    horizon = exhaustive(record, 8)
    return [
        search(make("random", scheduler, SPACE, seed, RUNGS), record, workers=8, seconds=horizon, seed=seed).time_to(
            0.5
        )
        for seed in range(seeds)
    ]


def test_halving_is_quicker_where_rungs_rank() -> None:
    record = power_record()
    found = ratio(seconds_to_good(record, "halving", 8), seconds_to_good(record, FULL, 8))
    assert found.value < 0.5
    assert found.high < 1
    assert found.quicker >= 6


def test_halving_never_gets_there_where_rungs_mislead() -> None:
    record = power_record(misleading=True)
    found = ratio(seconds_to_good(record, "halving", 3), seconds_to_good(record, FULL, 3))
    assert found.low == math.inf
    assert found.quicker == 0


# -- the arithmetic ----------------------------------------------------------------------------------------------------


def test_rungs_that_rank_alike_and_the_other_way_round() -> None:
    good, bad = power_record(), power_record(misleading=True)
    assert rung_fidelity(good, 0).spearman == pytest.approx(1.0)
    assert rung_fidelity(good, 0).among_good == pytest.approx(1.0)
    assert rung_fidelity(good, 0).kept == 10
    assert rung_fidelity(good, 3).share == pytest.approx((27 + 0.2 * (1 + 3 + 9 + 27)) / 27)
    assert rung_fidelity(bad, 0).spearman == pytest.approx(-1.0)
    assert rung_fidelity(bad, 0).kept == 0
    assert (crossings(good, 0), crossings(bad, 0), crossings(bad, 3)) == (0.0, 1.0, 0.0)


def test_ranks_among_the_good_are_of_those_good_in_truth() -> None:
    truths = list(range(9))
    answers = [0, 1, 2, 3, 4, 5, 8, 7, 6]
    found = fidelity(answers, truths, 0.1)
    assert found.among_good == pytest.approx(-1.0)
    assert found.spearman == pytest.approx(1 - 6 * 8 / (9 * 80))


def test_places_are_counted_among_all_and_shared_by_equals() -> None:
    candidates = [SPACE.candidate((i, 0, 0)) for i in range(4)]
    answers = [[0.5, 0.1], [0.7, 0.2], [0.5, 0.9], [0.2]]
    record = Record([network(c, rungs, [0.5]) for c, rungs in zip(candidates, answers, strict=True)], RUNGS)
    assert places(record, 0) == [2, 1, 2, 4]
    assert places(record, 1) == [3, 2, 1, 4]


def test_survivors_are_the_best_third_of_each_rung() -> None:
    good, bad = power_record(), power_record(misleading=True)
    assert survivors(good, 0.5) == [(72, 3), (24, 3), (8, 3)]
    assert survivors(bad, 0.5) == [(72, 0), (24, 0), (8, 0)]


def test_in_true_order_all_rungs_answer_with_the_truth_and_take_their_seconds() -> None:
    record = power_record(misleading=True)
    told = record.in_true_order()
    assert [rung_fidelity(told, level).spearman for level in range(4)] == pytest.approx([1.0] * 4)
    candidate = SPACE.candidate((1, 2, 3))
    for proposal in (Proposal(candidate, Fidelity(27)), Proposal(candidate, Fidelity(3, trunk=True), Continue(1))):
        assert told.seconds(proposal) == record.seconds(proposal)
        assert 100 * (record.best - told.answer(proposal)["accuracy"].value) == pytest.approx(record.regret(candidate))  # type: ignore[index]
    assert told.best == record.best


def test_times_that_are_never_reached_are_infinite() -> None:
    found = times([1.0, 2.0, 3.0, math.inf])
    assert (found.median, found.low, found.high, found.reached) == (2.5, 1.0, math.inf, 3)


def test_a_ratio_keeps_the_pairs_together() -> None:
    full = np.random.default_rng(0).uniform(1, 100, 40)
    exact = ratio(0.3 * full, full)
    assert (exact.value, exact.low, exact.high) == pytest.approx((0.3, 0.3, 0.3))
    assert exact.quicker == 40
    apart = ratio(0.3 * np.random.default_rng(1).permutation(full), full)
    assert apart.low < 0.3 < apart.high
    assert ratio([math.inf] * 3, [1.0] * 3).value == math.inf
    assert math.isnan(ratio([1.0] * 3, [math.inf] * 3).value)


def test_regret_stays_between_the_steps() -> None:
    steps = [(1.0, 5.0, 9.0), (3.0, 2.0, 9.0)]
    assert regret_over_time(steps, np.array([0.0, 1.0, 2.9, 3.0, 8.0]), 40.0).tolist() == [40.0, 5.0, 5.0, 2.0, 2.0]


# -- the recording -----------------------------------------------------------------------------------------------------


def test_a_network_is_recorded_on_its_rungs_and_in_full(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(48) % 2
    images = (rng.integers(0, 128, (48, 4, 4)) + 127 * labels[:, None, None]).astype(np.uint8)
    data = arrays_data(images, labels, tmp_path / "data", split=np.repeat([0, 1], [32, 16]))
    candidate = next(iter(grid().enumerate()))
    path = tmp_path / "networks.jsonl"
    for seed in (0, 1):
        append(path, train(candidate, seed, data, tmp_path))
    first, second = lines(path)
    assert [len(rung["curve"]) for rung in first["rungs"]] == [1, 2, 6, 18]
    spent = [value for rung in first["rungs"] for value in rung["curve_seconds"]]
    assert spent == sorted(spent)
    assert len(first["full"]["curve"]) == len(second["full"]["curve"]) == RUNGS[-1]
    assert first["full"]["accuracy"] > 0.6
    assert "rungs" not in second
    assert grid().replay(first["decisions"]) == candidate
    record = read(path, RUNGS, [name_of(candidate)])
    assert record.best == pytest.approx((first["full"]["accuracy"] + second["full"]["accuracy"]) / 2)


def test_the_kept_space_is_the_grid() -> None:
    space, rng = Kept(grid()), random.Random(0)
    assert list(space.enumerate()) == list(grid().enumerate())
    for _ in range(20):
        candidate = space.sample(rng)
        assert grid().replay(candidate.decisions) == candidate
        assert space.choices(candidate.decisions) == grid().choices(candidate.decisions)
