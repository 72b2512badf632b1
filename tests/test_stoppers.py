from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

import netwright as nw
from netwright.core.errors import InputError
from netwright.core.events import Failed, Finished
from netwright.core.job import Evaluated, Job, Report
from netwright.core.measurement import Measurement
from netwright.core.trial import Fidelity, Proposal
from netwright.executors import InlineExecutor
from netwright.experiment.settings import Settings
from netwright.ledger.base import Ledger
from netwright.ledger.memory import MemoryLedger
from netwright.loop import Loop
from netwright.stoppers import Curve, MedianRule, PowerLaw, Stopping, make_stopper
from netwright.testing.driving import SPACE, toy_loop, toy_search
from netwright.testing.toys import Grid, power_curve


def curve(values: Sequence[float], of: int = 10, first: int = 1) -> Curve:
    return Curve(tuple(range(first, first + len(values))), tuple(values), of)


# -- the median rule ---------------------------------------------------------------------------------------------------

OTHERS = [curve([0.1 * k + 0.05 * t for t in range(10)]) for k in range(1, 6)]
"""Five whole curves; from the second epoch to the fourth their means are 0.2, 0.3, 0.4, 0.5 and 0.6."""


def test_the_best_so_far_is_compared_with_the_median_of_running_means() -> None:
    rule = MedianRule()
    assert rule(curve([0.1, 0.39, 0.2, 0.3]), OTHERS)
    assert not rule(curve([0.1, 0.41, 0.2, 0.3]), OTHERS)
    assert not rule(curve([0.41, 0.1, 0.2, 0.3]), OTHERS)


def test_the_median_rule_waits_for_a_fifth_of_the_training_and_five_others() -> None:
    rule = MedianRule()
    assert not rule(curve([0.0]), OTHERS)
    assert rule(curve([0.0, 0.0]), OTHERS)
    assert not rule(curve([0.0, 0.0, 0.0]), OTHERS[:4])
    assert not rule(curve([0.0] * 10), OTHERS)  # nothing is saved by stopping at the end


def test_a_promoted_training_is_compared_where_it_goes_on() -> None:
    """Curves of a higher rung begin where the lower one ended."""
    others = [curve([0.5, 0.6, 0.7], first=8) for _ in range(5)]
    assert MedianRule()(curve([0.4, 0.5], first=8), others)
    assert not MedianRule()(curve([0.4, 0.56], first=8), others)


# -- power laws --------------------------------------------------------------------------------------------------------


def power(final: float, points: int, noise: float = 0.0, of: int = 50, seed: int = 0) -> Curve:
    rng = Random(seed)
    values = [power_curve(final, 0.4, 0.7, epoch) + rng.gauss(0, noise) for epoch in range(1, points + 1)]
    return curve(values, of)


@pytest.mark.parametrize("final", [0.6, 0.8, 0.95])
def test_an_exact_power_law_is_found_again(final: float) -> None:
    bound, noise = PowerLaw().extrapolate(power(final, 10))
    assert bound == pytest.approx(power_curve(final, 0.4, 0.7, 50), abs=0.005)
    assert noise < 0.002


def test_the_bound_covers_the_end_of_noisy_curves() -> None:
    ends = [
        power_curve(0.8, 0.4, 0.7, 50) <= PowerLaw().extrapolate(power(0.8, 12, 0.01, seed=s))[0] for s in range(40)
    ]
    assert sum(ends) >= 34


def test_what_will_end_below_the_best_is_stopped() -> None:
    best = [power(0.9, 50)]
    assert PowerLaw()(power(0.7, 12, 0.005), best)
    assert not PowerLaw()(power(0.92, 12, 0.005), best)
    assert not PowerLaw()(power(0.7, 12, 0.005), [])


def test_a_curve_noisier_than_the_gap_goes_on() -> None:
    best = [power(0.9, 50)]
    assert sum(PowerLaw()(power(0.86, 12, 0.08, seed=seed), best) for seed in range(20)) <= 2


def test_the_power_law_waits_for_five_points_and_a_fifth() -> None:
    best = [power(0.9, 50)]
    assert not PowerLaw()(power(0.3, 9), best)
    assert PowerLaw()(power(0.3, 10), best)
    assert not PowerLaw()(curve([0.1, 0.1, 0.1, 0.1], of=10), [curve([0.9] * 10)])


def test_no_value_above_the_ceiling_is_foreseen() -> None:
    rising = curve([0.1 * t for t in range(1, 10)], of=50)
    assert PowerLaw().extrapolate(rising)[0] <= 1.0
    assert PowerLaw(ceiling=0.0).extrapolate(curve([-2 + 0.2 * t for t in range(9)], of=50))[0] <= 0.0


def test_rules_go_by_name() -> None:
    assert make_stopper("median", ceiling=1.0) == MedianRule()
    assert make_stopper("power-law", ceiling=0.0) == PowerLaw(0.0)
    with pytest.raises(InputError, match="median, power-law, but got 'none'"):
        make_stopper("none", ceiling=1.0)


# -- who is compared with whom -----------------------------------------------------------------------------------------


def proposal(option: int, epochs: int = 10) -> Proposal:
    return Proposal(SPACE.candidate((option, 0, 0, 0, 0, 0)), Fidelity(epochs))


def stopping(costs: Callable[[Proposal], tuple[float, ...]] = lambda proposal: ()) -> Stopping:
    return Stopping(MedianRule(), ("search",), lambda record: record.get("value"), costs)


def train_whole(state: Stopping, trial: int, source: str, one: Proposal, value: float) -> Finished:
    """Report a flat curve to its end."""
    for epoch in range(1, one.fidelity.epochs + 1):
        assert not state.hear(source, trial, one, {"epoch": epoch, "of": one.fidelity.epochs, "value": value})
    event = Finished(trial, "completed", {}, notes=state.notes(trial))
    state.take(source, one, event)
    return event


def stops(state: Stopping, one: Proposal, value: float = 0.1, source: str = "search") -> bool:
    records = [{"epoch": epoch, "of": one.fidelity.epochs, "value": value} for epoch in (1, 2)]
    return [state.hear(source, 99, one, record) for record in records][-1]


def test_only_trainings_of_the_same_source_and_length_are_compared() -> None:
    state = stopping()
    for trial in range(1, 6):
        train_whole(state, trial, "search", proposal(0), 0.5)
    assert stops(state, proposal(1))
    assert not stops(stopping(), proposal(1))
    assert not stops(state, proposal(1, epochs=30))
    assert not stops(state, proposal(1), source="final")


def test_a_small_network_is_not_measured_by_large_ones() -> None:
    state = stopping(lambda proposal: (float(Grid.point(proposal.candidate)[0]),))
    for trial in range(1, 6):
        train_whole(state, trial, "search", proposal(2), 0.5)
    assert not stops(state, proposal(1))
    assert stops(replace(state, _open={}, _stopped={}), proposal(2))
    assert stops(replace(state, _open={}, _stopped={}), proposal(3))


def test_the_notes_of_results_bring_everything_back() -> None:
    lived, told = stopping(), stopping()
    for trial in range(1, 6):
        event = train_whole(lived, trial, "search", proposal(0), 0.1 * trial)
        told.take("search", proposal(0), event)
    for state in (lived, told):
        assert stops(replace(state, _open={}, _stopped={}), proposal(1), 0.29)
        assert not stops(replace(state, _open={}, _stopped={}), proposal(1), 0.31)


def test_what_failed_was_stopped_or_copied_is_nobodys_measure() -> None:
    state = stopping()
    for trial in range(1, 6):
        event = train_whole(stopping(), trial, "search", proposal(0), 0.9)
        state.take("search", proposal(0), replace(event, status="stopped"))
        state.take("search", proposal(0), replace(event, reused_from=1))
        state.take("search", proposal(0), Failed(trial, "crashed", ""))
    assert not stops(state, proposal(1))


def test_a_trial_is_asked_to_stop_once() -> None:
    state = stopping()
    for trial in range(1, 6):
        train_whole(state, trial, "search", proposal(0), 0.5)
    heard = [state.hear("search", 9, proposal(1), {"epoch": t, "of": 10, "value": 0.1}) for t in (1, 2, 3)]
    assert heard == [False, True, False]
    assert state.notes(9)["asked_to_stop"] == 2


# -- in the loop -------------------------------------------------------------------------------------------------------


def work(job: Job, report: Report) -> Evaluated:
    """A learning curve that ends at the mean of the point's options; measured where it was stopped."""
    one = Proposal.from_json(job.proposal or {})
    final = sum(Grid.point(one.candidate)) / 18
    value = 0.0
    for epoch in range(1, one.fidelity.epochs + 1):
        value = power_curve(final, 0.3, 0.7, epoch)
        if report({"epoch": epoch, "of": one.fidelity.epochs, "value": value}) == "stop":
            break
    (job.folder / "checkpoint.txt").write_text("weights")
    measurements = {"accuracy": Measurement(value), "parameters": Measurement(1000.0)}
    return Evaluated(measurements, {"checkpoint": "checkpoint.txt"}, {"epochs": epoch})


def searching(folder: Path, ledger: Ledger, trials: int, rungs: Sequence[int] = (20,)) -> Loop:
    loop = toy_loop(folder, ledger, InlineExecutor(work))
    loop._stopping = stopping()
    loop.restore({"search": toy_search("random", rungs=rungs)})
    loop.run(["search"], lambda loop: loop.spent().trials >= trials)
    loop.run(["search"], lambda loop: False, draw=False)
    return loop


def results(ledger: Ledger) -> list[Finished]:
    return [stored.event for stored in ledger.replay() if isinstance(stored.event, Finished)]


def test_the_loop_stops_what_falls_behind_and_the_ledger_says_so(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    searching(tmp_path, ledger, 40)
    found = results(ledger)
    stopped = [event for event in found if event.status == "stopped"]
    whole = [event for event in found if event.status == "completed"]
    assert len(stopped) > 8
    assert {event.status for event in found[:5]} == {"completed"}
    assert {event.notes["epochs"] for event in whole} == {20}
    for event in stopped:
        assert 4 <= event.notes["asked_to_stop"] == event.notes["epochs"] < 20
        assert event.notes["learning_curve"]["epochs"] == list(range(1, event.notes["epochs"] + 1))
    best = max(found, key=lambda event: event.measurements["accuracy"].value)
    assert best.status == "completed"


def told(ledger: Ledger) -> list[tuple[Any, ...]]:
    return [(event.trial, event.status, event.notes) for event in results(ledger)]


@pytest.mark.parametrize("rungs", [(20,), (6, 18)])
def test_a_search_that_is_cut_off_goes_on_as_if_it_was_not(tmp_path: Path, rungs: Sequence[int]) -> None:
    whole, cut = MemoryLedger(), MemoryLedger()
    searching(tmp_path / "whole", whole, 40, rungs)
    for trials in (9, 25, 40):
        searching(tmp_path / "cut", cut, trials, rungs)
    assert told(cut) == told(whole)
    assert any(event.status == "stopped" for event in results(whole))


def test_without_a_rule_nothing_is_stopped_and_no_curve_is_recorded(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    loop = toy_loop(tmp_path, ledger, InlineExecutor(work))
    loop.restore({"search": toy_search("random", rungs=(20,))})
    loop.run(["search"], lambda loop: loop.spent().trials >= 12)
    loop.run(["search"], lambda loop: False, draw=False)
    assert {event.status for event in results(ledger)} == {"completed"}
    assert not any("learning_curve" in event.notes for event in results(ledger))


# -- in a run ----------------------------------------------------------------------------------------------------------


def test_costs_that_are_measured_while_a_network_trains_cannot_be_weighed() -> None:
    assert Settings("photos", stop="median", objectives=("accuracy", "macs")).complete().stop == "median"
    assert Settings("photos").complete().stop == "none"
    with pytest.raises(
        InputError, match="every objective must be quality, parameters or macs, but got accuracy, latency"
    ):
        Settings("photos", stop="power-law", objectives=("accuracy", "latency"))


def test_trainings_on_digits_are_stopped_but_finalists_are_not(tmp_path: Path) -> None:
    run = nw.search(
        "digits",
        out=tmp_path / "run",
        trials=16,
        epochs=6,
        space="mlp",
        strategy="random",
        executor="inline",
        precision="fp32",
        objectives=("accuracy",),
        stop="median",
        images=False,
        verbose=False,
    )
    trials = run.trials
    searched = trials[trials.source == "search"]
    assert (searched.status == "stopped").sum() >= 1
    assert set(trials[trials.source.isin(["final", "baseline"])].status) == {"completed"}
    stopped = set(searched[searched.status == "stopped"].id)
    assert not any(stopped & set(parents) for parents in trials[trials.source == "final"].parents)
