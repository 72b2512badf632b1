"""How far a short training tells of a long one: the statistic, and what is said of it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import spearmanr

from netwright.core.events import Asked, Event, Failed, Finished, Stored
from netwright.core.history import History
from netwright.core.measurement import Measurement
from netwright.core.objective import Objective
from netwright.core.trial import Continue, Fidelity, Fresh, Proposal
from netwright.reports.fidelity import FidelityReport as Found
from netwright.reports.fidelity import compute_fidelity, rank_correlation
from netwright.reports.fidelity_words import fidelity_lines, fidelity_verdict
from netwright.testing.toys import toy_candidate

RUNGS, EPOCHS = (3, 10, 30), 60
UP = [0.50, 0.55, 0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90]
MIXED = [0.70, 0.50, 0.90, 0.60, 0.85, 0.55, 0.75, 0.80, 0.65]
"""Rank correlation with `UP`: 0.18."""


def climbs(
    *columns: Sequence[float], error: float = 0.01, fail: Sequence[int] = (), metric: str = "accuracy"
) -> History:
    """Networks with a value on each rung and in full, seconds like epochs; those of `fail` diverge on the second rung."""
    events: list[Event] = []
    for index, values in enumerate(zip(*columns, strict=True)):
        candidate, parent = toy_candidate({"x": index}), 0
        for step, value in enumerate(values):
            number = 10 * index + step + 1
            last = step == len(values) - 1
            fidelity = Fidelity(EPOCHS) if last else Fidelity(RUNGS[step], trunk=True)
            start = Continue(parent) if parent and not last else Fresh()
            parents = (parent,) if parent else ()
            events.append(Asked("search", ((number, Proposal(candidate, fidelity, start, parents=parents)),)))
            parent = number
            if index in fail and step == 1:
                events.append(Failed(number, "diverged", "the loss was not finite"))
                break
            seconds = EPOCHS if last else RUNGS[step] - (RUNGS[step - 1] if step else 0)
            measured = {
                metric: Measurement(value, low=value - error, high=value + error),
                "training_seconds": Measurement(float(seconds), "s"),
            }
            events.append(Finished(number, "completed", measured))
    return History.of(Stored(place, 0.0, event) for place, event in enumerate(events, start=1))


def found(
    *columns: Sequence[float], asked: int = 9, direction: str = "max", metric: str = "accuracy", **more: object
) -> Found:
    rungs = RUNGS[: len(columns) - 1]
    history = climbs(*columns, metric=metric, **more)  # type: ignore[arg-type]
    objective = Objective(metric, direction)  # type: ignore[arg-type]
    return compute_fidelity(history, objective, rungs=rungs, epochs=EPOCHS, asked=asked)


# -- the statistic -----------------------------------------------------------------------------------------------------


def test_the_correlation_is_spearmans_also_with_ties() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        first, second = rng.integers(0, 5, 12).astype(float), rng.normal(size=12)
        value, low, high = rank_correlation(first, second)
        assert value == pytest.approx(spearmanr(first, second).statistic)
        assert low is not None and high is not None
        assert -1 <= low <= value <= high <= 1


def test_what_does_not_vary_has_none() -> None:
    constant, rising = np.ones(8), np.arange(8.0)
    assert rank_correlation(constant, rising) == (None, None, None) == rank_correlation(rising, constant)


def test_resamples_without_any_order_are_left_out() -> None:
    first = np.array([0.0, 0, 0, 0, 0, 1])
    value, low, high = rank_correlation(first, np.arange(6.0))
    assert value == pytest.approx(spearmanr(first, np.arange(6.0)).statistic)
    assert all(math.isfinite(end) for end in (low, high) if end is not None)


def test_the_interval_holds_the_truth_nine_times_of_ten_and_is_the_same_again() -> None:
    rng, truth, inside = np.random.default_rng(1), 6 / math.pi * math.asin(0.35), 0
    for _ in range(100):
        first = rng.normal(size=20)
        second = 0.7 * first + math.sqrt(1 - 0.49) * rng.normal(size=20)
        ends = rank_correlation(first, second)
        assert ends == rank_correlation(first, second)
        assert ends[1] is not None and ends[2] is not None
        inside += ends[1] <= truth <= ends[2]
    assert 83 <= inside <= 98


def test_each_rung_has_its_cost_its_order_and_what_it_keeps_of_the_best() -> None:
    report = found(MIXED, UP, UP, UP)
    low, middle, top = report.rungs
    assert [row.epochs for row in report.rungs] == [3, 10, 30]
    assert [row.share for row in report.rungs] == pytest.approx([3 / 60, 10 / 60, 30 / 60]), "with those below"
    assert low.correlation == pytest.approx(spearmanr(MIXED, UP).statistic)
    assert (low.kept, low.third) == (1, 3)
    assert (middle.correlation, middle.kept, top.correlation) == (pytest.approx(1.0), 3, pytest.approx(1.0))
    assert report.values == tuple(UP)


def test_less_is_better_where_the_metric_says_so() -> None:
    losses = [-value for value in UP]
    report = found(UP, losses, losses, losses, direction="min", metric="loss")
    assert [round(row.correlation or 0, 6) for row in report.rungs] == [-1, 1, 1]
    assert [row.kept for row in report.rungs] == [0, 3, 3]


# -- what is said ------------------------------------------------------------------------------------------------------


def test_rungs_that_order_well_are_said_without_a_warning() -> None:
    report = found(UP, UP, UP, UP)
    assert not report.warns
    assert fidelity_verdict(report) == (
        "Rungs from 3 epochs on (5 % of the cost of a full training) order networks well enough for successive halving."
    )


def test_a_first_rung_below_one_half_is_warned_of_and_a_way_out_named() -> None:
    report = found(MIXED, UP, UP, UP)
    assert report.warns
    said = fidelity_verdict(report)
    assert said.startswith("Below 0.5 at 3 epochs: early stopping may mis-rank there; rungs from 10 epochs on order")
    assert "(--strategy nsga2), which trains each candidate 20 epochs" in said
    assert "+hyperband" in said


def test_a_strategy_without_halving_must_train_as_long_as_the_rung_that_orders() -> None:
    said = fidelity_verdict(found(MIXED, MIXED, UP, UP))
    assert said.startswith("Below 0.5 at 10 epochs")
    assert "(--strategy nsga2 --epochs 90), which trains each candidate 30 epochs" in said


def test_where_no_rung_orders_every_candidate_needs_a_full_training() -> None:
    said = fidelity_verdict(found(MIXED, MIXED, MIXED, UP))
    assert said.startswith("Below 0.5 even at 30 epochs: early stopping may mis-rank.")
    assert "(--strategy nsga2 --epochs 180), which trains each candidate 60 epochs" in said


def test_what_the_whole_interval_says_is_said_outright() -> None:
    report = found(UP[::-1], UP, UP, UP)
    assert (report.rungs[0].high or 0) < 0.5
    assert "early stopping will mis-rank there" in fidelity_verdict(report)
    assert "leave that open" not in fidelity_verdict(report)


def test_a_higher_rung_that_is_worse_counts() -> None:
    report = found(UP, MIXED, UP, UP)
    assert report.warns
    assert fidelity_verdict(report).startswith("Below 0.5 at 10 epochs")


def test_a_rung_where_all_are_equal_tells_nothing() -> None:
    report = found([0.1] * 9, UP, UP, UP)
    assert report.warns
    assert fidelity_verdict(report).startswith("Below 0.5 at 3 epochs")
    assert "none: all end equal" in "\n".join(fidelity_lines(report))


def test_few_networks_leave_it_open_and_that_is_said() -> None:
    noisy = [0.60, 0.50, 0.55, 0.75, 0.90, 0.65, 0.70, 0.85, 0.62]
    report = found(noisy, UP, UP, UP)
    row = report.rungs[0]
    assert row.low is not None and row.correlation is not None
    assert row.low < 0.5 <= row.correlation
    said = fidelity_verdict(report)
    assert "seem to order" in said
    assert "9 networks leave that open for 3 epochs" in said and "more --networks" in said


def test_full_trainings_that_end_alike_have_no_order_to_speak_of() -> None:
    assert "their own order is uncertain" in fidelity_verdict(found(UP, UP, UP, UP, error=0.3))
    report = found(UP, UP, UP, [0.9] * 9)
    assert not report.warns
    assert fidelity_verdict(report).startswith("Nothing can be said: the full trainings all end equal")


def test_too_few_networks_say_nothing() -> None:
    report = found(UP[:5], UP[:5], UP[:5], UP[:5])
    assert report.rungs == () and not report.warns
    assert fidelity_lines(report) == [fidelity_verdict(report)]
    assert "At least 6 networks" in fidelity_verdict(report) and "5 of 9 were" in fidelity_verdict(report)
    assert "0 of 9 were" in fidelity_verdict(found([], [], [], []))


def test_one_rung_drops_nobody() -> None:
    assert "halving would drop nobody" in fidelity_verdict(found(UP, UP))


def test_failed_networks_are_left_out_counted_and_named() -> None:
    report = found(UP, UP, UP, UP, fail=(2, 5))
    assert report.complete == 7
    assert [one.trial for one in report.failed] == [22, 52]
    lines = fidelity_lines(report)
    assert "2 networks failed and are left out:" in lines
    assert "    trial 22, diverged at 10 epochs: the loss was not finite" in lines


def test_the_table_and_the_object_tell_the_same() -> None:
    report = found(MIXED, UP, UP, UP)
    record = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert record["warns"] is True
    assert record["networks"] == {"asked": 9, "complete": 9, "failed": []}
    table = "\n".join(fidelity_lines(report))
    for rung in record["rungs"]:
        low, high = rung["interval"]
        assert f"{rung['spearman']:.2f} ({low:.2f} to {high:.2f})" in table
        assert f"{rung['best_third']['kept']} of {rung['best_third']['of']}" in table
    assert "full trainings: accuracy 50.0 % to 90.0 %, each ± 1.0 %" in table
