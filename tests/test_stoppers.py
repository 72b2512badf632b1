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
from netwright.core.trial import Continue, Fidelity, Proposal
from netwright.executors import InlineExecutor
from netwright.experiment.settings import Settings
from netwright.ledger.base import Ledger
from netwright.ledger.memory import MemoryLedger
from netwright.loop import Loop
from netwright.stoppers import Curve, HalvingRule, MedianRule, PowerLaw, Stopper, Stopping, make_stopper
from netwright.testing.driving import SPACE, toy_loop, toy_search
from netwright.testing.toys import Grid, power_curve


def curve(values: Sequence[float], of: int = 10, first: int = 1) -> Curve:
    return Curve(tuple(range(first, first + len(values))), tuple(values), of)


# -- the median rule ---------------------------------------------------------------------------------------------------

MEDIAN = MedianRule()
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


def test_means_begin_where_the_first_fifth_has_ended() -> None:
    """Of nine epochs that is the second: what the others had after the first lowers no mean."""
    others = [curve([0.0, 0.5, 0.5, *[0.5] * 6]) for _ in range(5)]
    assert MedianRule()(curve([0.1, 0.4], of=9), others)


def test_a_promoted_training_is_compared_where_it_goes_on() -> None:
    """Curves of a higher rung begin where the lower one ended."""
    others = [curve([0.5, 0.6, 0.7], first=8) for _ in range(5)]
    assert MedianRule()(curve([0.4, 0.5], first=8), others)
    assert not MedianRule()(curve([0.4, 0.56], first=8), others)


# -- halving -----------------------------------------------------------------------------------------------------------


def decisions(rule: HalvingRule, arrivals: Sequence[float], of: int = 20) -> list[str]:
    """What becomes of trainings that come to the milestone after five epochs, in this order, and are not seen again."""
    came: list[Curve] = []
    found = []
    for value in arrivals:
        now = curve([0.0, 0.0, 0.0, 0.0, value], of)
        found.append("stop" if rule(now, came) else "on")
        came.append(now)
    return found


def test_whoever_is_not_among_the_best_quarter_that_came_is_stopped() -> None:
    assert decisions(HalvingRule(fewest=0), [2, 4, 1, 3, 5]) == ["on", "on", "stop", "stop", "on"]
    assert decisions(HalvingRule(fewest=0), [1] * 5) == ["on"] * 5
    assert decisions(HalvingRule(fewest=0), [8, 7, 6, 5, 4, 3, 2, 7.5]) == ["on", *["stop"] * 6, "on"]


def test_the_first_four_go_on_whatever_they_are() -> None:
    assert decisions(HalvingRule(), [2, 4, 1, 3, 5, 4.5]) == ["on", "on", "on", "on", "on", "stop"]
    assert decisions(HalvingRule(), [5, 4, 3, 2, 1]) == ["on", "on", "on", "on", "stop"]


def test_milestones_are_quarters_of_quarters_of_the_training() -> None:
    assert HalvingRule().milestones(64) == [16, 4, 1]
    assert HalvingRule(eta=3).milestones(81) == [27, 9, 3, 1]
    assert HalvingRule().milestones(6) == [2]
    assert HalvingRule().milestones(3) == [1]
    alone = [curve([0.5], of=1)] * 4
    assert not HalvingRule()(curve([0.0], of=1), alone), "nothing is saved by stopping at the end"


def test_it_decides_at_milestones_alone_by_the_value_there() -> None:
    others = [curve([0.5] * 20, of=20) for _ in range(4)]
    stopped = [len(now) for now in ([0.1] * n for n in range(1, 20)) if HalvingRule()(curve(now, of=20), others)]
    assert stopped == [2, 5]
    assert HalvingRule()(curve([0.9, 0.9, 0.9, 0.9, 0.4], of=20), others), "the best so far is not asked for"
    assert not HalvingRule()(curve([0.1, 0.1, 0.1, 0.1, 0.6], of=20), others)


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
    assert make_stopper("halving", ceiling=1.0) == HalvingRule()
    assert make_stopper("power-law", ceiling=0.0) == PowerLaw(0.0)
    with pytest.raises(InputError, match="median, halving, power-law, but got 'none'"):
        make_stopper("none", ceiling=1.0)


# -- who is compared with whom -----------------------------------------------------------------------------------------


def proposal(option: int, epochs: int = 10) -> Proposal:
    return Proposal(SPACE.candidate((option, 0, 0, 0, 0, 0)), Fidelity(epochs))


def stopping(costs: Callable[[Proposal], tuple[float, ...]] = lambda proposal: (), rule: Stopper = MEDIAN) -> Stopping:
    return Stopping(rule, ("search",), lambda record: record.get("value"), costs)


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


def test_fresh_trainings_are_not_measured_by_those_that_go_on() -> None:
    state = stopping()
    for trial in range(1, 6):
        train_whole(state, trial, "search", replace(proposal(0), start=Continue(trial)), 0.5)
    assert not stops(state, proposal(1))
    assert stops(state, replace(proposal(1), start=Continue(9)))


def test_an_attempt_that_was_lost_forgets_what_it_was_told() -> None:
    state = stopping()
    for trial in range(1, 6):
        train_whole(state, trial, "search", proposal(0), 0.5)
    assert stops(state, proposal(1))
    assert not state.hear("search", 99, proposal(1), {"epoch": 3, "of": 10, "value": 0.1})  # once is enough
    state.retried(99)
    assert stops(state, proposal(1))


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


def reach(state: Stopping, trial: int, value: float, epochs: int = 3, *, end: str = "", option: int = 0) -> list[bool]:
    """Report a flat curve of ten epochs as far as that, and end it with this status; whether it was to be stopped."""
    one = proposal(option)
    records = [{"epoch": epoch, "of": 10, "value": value} for epoch in range(1, epochs + 1)]
    heard = [state.hear("search", trial, one, record) for record in records]
    if end == "failed":
        state.take("search", one, Failed(trial, "crashed", ""))
    elif end:
        state.take("search", one, Finished(trial, end, {}, notes=state.notes(trial)))  # type: ignore[arg-type]
    return heard


@pytest.mark.parametrize("end", ["completed", "stopped", ""])
def test_halving_counts_whoever_came_to_the_milestone(end: str) -> None:
    """Trained to the end, stopped, or still under way."""
    state = stopping(rule=HalvingRule())
    for trial in range(1, 5):
        reach(state, trial, 0.5, end=end)
    assert reach(state, 5, 0.1) == [False, False, True]
    assert reach(state, 6, 0.6) == [False, False, False]


@pytest.mark.parametrize(("epochs", "end"), [(2, ""), (2, "stopped"), (3, "failed"), (3, "infeasible")])
def test_halving_counts_nobody_who_did_not_come_or_failed(epochs: int, end: str) -> None:
    state = stopping(rule=HalvingRule())
    for trial in range(1, 5):
        reach(state, trial, 0.5, epochs, end=end)
    assert reach(state, 5, 0.1) == [False] * 3


def test_halving_measures_no_small_network_by_large_ones() -> None:
    state = stopping(lambda one: (float(Grid.point(one.candidate)[0]),), HalvingRule())
    for trial in range(1, 5):
        reach(state, trial, 0.5, option=2, end="stopped" if trial % 2 else "")
    assert reach(state, 5, 0.1, option=1) == [False] * 3
    assert reach(state, 6, 0.1, option=2) == [False, False, True]


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


def searching(folder: Path, ledger: Ledger, trials: int, rungs: Sequence[int] = (20,), rule: Stopper = MEDIAN) -> Loop:
    loop = toy_loop(folder, ledger, InlineExecutor(work))
    loop._stopping = stopping(rule=rule)
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


def test_the_loop_stops_at_milestones_and_hands_few_on(tmp_path: Path) -> None:
    """Every later training is one of the best quarter that came as far, or ends at its milestone."""
    ledger = MemoryLedger()
    searching(tmp_path, ledger, 60, rule=HalvingRule())
    found = results(ledger)
    assert {event.status for event in found[:4]} == {"completed"}
    ends = [event.notes["asked_to_stop"] for event in found if event.status == "stopped"]
    assert set(ends) == {2, 5} and len(ends) > 30
    for event in found[4:]:
        points = event.notes["learning_curve"]["values"]
        came = [e.notes["learning_curve"]["values"][1] for e in found if e.trial <= event.trial]
        better = sum(value > points[1] for value in came)
        assert (better >= max(len(came) // 4, 1)) == (event.notes.get("asked_to_stop") == 2)


def told(ledger: Ledger) -> list[tuple[Any, ...]]:
    return [(event.trial, event.status, event.notes) for event in results(ledger)]


@pytest.mark.parametrize("rule", [MedianRule(), HalvingRule()], ids=["median", "halving"])
@pytest.mark.parametrize("rungs", [(20,), (6, 18)])
def test_a_search_that_is_cut_off_goes_on_as_if_it_was_not(tmp_path: Path, rungs: Sequence[int], rule: Stopper) -> None:
    whole, cut = MemoryLedger(), MemoryLedger()
    searching(tmp_path / "whole", whole, 40, rungs, rule)
    for trials in (9, 25, 40):
        searching(tmp_path / "cut", cut, trials, rungs, rule)
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


@pytest.mark.parametrize("stop", ["median", "halving"])
def test_trainings_on_digits_are_stopped_but_finalists_are_not(tmp_path: Path, stop: str) -> None:
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
        stop=stop,
        images=False,
        verbose=False,
    )
    trials = run.trials
    searched = trials[trials.source == "search"]
    assert (searched.status == "stopped").sum() >= 1
    assert set(trials[trials.source.isin(["final", "baseline"])].status) == {"completed"}
    stopped = set(searched[searched.status == "stopped"].id)
    assert not any(stopped & set(parents) for parents in trials[trials.source == "final"].parents)
