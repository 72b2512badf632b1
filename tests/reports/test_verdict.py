from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from netwright.core.events import Noted, Stored
from netwright.core.history import History
from netwright.reports import quality
from netwright.reports.comparison import compute_tested
from netwright.reports.verdict import random_share, verdict
from netwright.reports.view import RunView
from tests.reports.runs import make_run


def outcomes(view: RunView) -> dict[str, str]:
    return {entry.role: entry.outcome for entry in verdict(view).comparisons}


def test_a_better_network_beats_all_and_the_sentence_says_so(view: RunView) -> None:
    told = verdict(view)
    assert told.won is True
    assert set(outcomes(view).values()) == {"beats"}
    assert "it beats the hand-made network" in told.text
    assert "parameters reaches" in told.headline
    assert "311 images it never saw" in told.headline


def test_a_better_hand_made_network_comes_first_in_the_answer(tmp_path: Path) -> None:
    view = make_run(tmp_path, trials=40, handmade_skill=0.9)
    told = verdict(view)
    assert told.won is False
    assert told.headline == "The search did not beat the hand-made network."
    assert "it is worse than the hand-made network" in told.text


def test_a_hand_made_network_that_is_exported_is_said_to_be_one(tmp_path: Path) -> None:
    made = make_run(tmp_path, trials=40, handmade_skill=0.9)
    told = verdict(replace(made, roles=replace(made.roles, winner=made.roles.handmade)))
    assert told.won is False
    assert told.headline == "The search did not beat the hand-made network, so that one is exported."
    assert "than the hand-made network (" not in told.text


def test_a_winning_forest_is_named(tmp_path: Path) -> None:
    told = verdict(make_run(tmp_path, trials=40, forest_skill=1.0))
    assert told.won is False
    assert told.headline.startswith("The random forest wins, with ")


def test_equal_accuracy_is_told_by_size(tmp_path: Path) -> None:
    view = make_run(tmp_path, trials=40, winner_bonus=0.0)
    handmade = next(entry for entry in verdict(view).comparisons if entry.role == "handmade")
    assert handmade.outcome == "equal"
    assert handmade.cost_ratios["parameters"] > 1.05
    assert "difference not significant" in verdict(view).text
    assert "answers as well as the hand-made network with" in verdict(view).text
    assert "times fewer parameters" in verdict(view).text


def test_equal_and_larger_is_no_success(tmp_path: Path) -> None:
    view = make_run(tmp_path, trials=40, winner_bonus=0.0)
    winner = view.history.trials[view.roles.winner or 0]
    grown = dict(winner.measurements)
    grown["parameters"] = replace(grown["parameters"], value=grown["parameters"].value * 3)
    grown["latency"] = replace(grown["latency"], value=grown["latency"].value * 3)
    winner.measurements = grown
    told = verdict(view)
    assert told.won is False
    assert told.headline == "The search did not beat the hand-made network."


def test_the_difference_is_paired_and_its_interval_holds_the_truth(view: RunView) -> None:
    """Scored on the same images, two networks differ by less than their own intervals suggest."""
    told = verdict(view)
    assert told.winner is not None
    handmade = next(entry for entry in told.comparisons if entry.role == "handmade")
    gap = handmade.difference
    assert gap.low is not None
    assert gap.high is not None
    assert told.winner.low is not None
    assert told.winner.high is not None
    assert handmade.value.low is not None
    assert handmade.value.high is not None
    assert gap.low <= gap.value <= gap.high
    assert gap.value == pytest.approx(told.winner.value - handmade.value.value)
    unpaired = np.hypot(told.winner.high - told.winner.low, handmade.value.high - handmade.value.low)
    assert gap.high - gap.low < unpaired


def test_the_same_run_gives_the_same_verdict(view: RunView) -> None:
    assert verdict(view).text == verdict(view).text
    assert compute_tested(view).values == compute_tested(view).values


def test_a_gap_between_validation_and_test_is_remarked_on(tmp_path: Path) -> None:
    view = make_run(tmp_path, trials=40, gap=-0.2)
    assert any("by more than chance" in remark for remark in verdict(view).remarks)


def test_no_remark_where_the_splits_agree(view: RunView) -> None:
    assert not any("by more than chance" in remark for remark in verdict(view).remarks)


def test_a_much_smaller_finalist_that_does_as_well_is_named(tmp_path: Path) -> None:
    view = make_run(tmp_path, trials=40, winner_bonus=0.0)
    winner, other = (view.history.trials[number] for number in view.roles.finalists[:2])
    size = winner.measurements["parameters"]
    same = view.files(winner.id, "test")
    told = replace(view, files=lambda trial, name: same if trial == other.id else view.files(trial, name))
    other.measurements = {**other.measurements, "parameters": replace(size, value=size.value / 4)}
    assert f"Trial {other.id} of the final stage has 4 times fewer parameters" in verdict(told).text
    other.measurements = {**other.measurements, "parameters": size}
    assert f"Trial {other.id} of the final stage" not in verdict(told).text


def test_readings_of_the_test_split_are_counted(view: RunView) -> None:
    assert any("read once" in remark for remark in verdict(view).remarks)
    history = History(dict(view.history.trials), list(view.history.notes), view.history.seconds)
    history.add(Stored(10**6, history.last_at, Noted("test", {})))
    assert any("read 2 times" in remark for remark in verdict(replace(view, history=history)).remarks)


def test_random_search_is_called_same_budget_only_with_a_rival(view: RunView, tmp_path: Path) -> None:
    share = random_share(view)
    assert 0 < share < 1
    assert f"Random candidates used {100 * share:.0f} %" in verdict(view).text
    assert "same-budget" not in verdict(view).text
    rival = make_run(tmp_path, trials=40)
    assert rival.roles.best_random is not None
    for trial in rival.history.trials.values():
        if trial.proposal.origin == "random":
            trial.source = "rival"
    assert "same-budget" in verdict(rival).text


def test_before_the_final_stage_nothing_is_claimed(tmp_path: Path) -> None:
    told = verdict(make_run(tmp_path, trials=40, final=False))
    assert told.won is None
    assert told.comparisons == ()
    assert told.headline.startswith("No network was chosen yet")
    assert "on validation images" in told.headline


def test_when_all_failed_the_commonest_reason_is_said(tmp_path: Path) -> None:
    told = verdict(make_run(tmp_path, trials=30, failing=1.1))
    assert told.headline.startswith("No network was found: all 31 trials failed, ")


def test_an_empty_run_has_a_verdict(view: RunView) -> None:
    assert verdict(RunView(History(), view.goal, view.task)).text == "Nothing was searched yet."


def test_without_test_images_the_validation_images_are_named(view: RunView, tmp_path: Path) -> None:
    assert view.test_labels is not None
    aside = replace(
        view,
        test_labels=None,
        validation_labels=view.test_labels,
        files=lambda trial, name: view.files(trial, "test" if name == "validation" else name),
    )
    told = verdict(aside)
    assert told.winner is not None
    assert told.winner.split == "validation"
    assert "never saw" not in told.text


def test_auc_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 60)
    scores = np.round(rng.random(60) + 0.3 * labels, 1)  # rounded: with ties
    answers = np.stack([1 - scores, scores], axis=1)
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[labels == 1] for b in scores[labels == 0]]
    assert quality.value("auc", answers, labels) == pytest.approx(np.mean(pairs))


def test_a_recorded_measurement_is_shown_as_it_is(view: RunView) -> None:
    winner = view.roles.winner
    assert winner is not None
    record = {
        "value": 0.96,
        "unit": "",
        "source": "measured",
        "low": 0.94,
        "high": 0.975,
        "samples": 311,
        "split": "test",
    }
    history = History(dict(view.history.trials), list(view.history.notes), view.history.seconds)
    history.add(Stored(10**6, history.last_at, Noted("test", {"measurements": {str(winner): {"accuracy": record}}})))
    value = compute_tested(replace(view, history=history)).values[winner]
    assert (value.value, value.low, value.high) == (0.96, 0.94, 0.975)


@pytest.mark.parametrize("metric", sorted(quality.QUALITIES))
def test_weights_are_repetitions(metric: str) -> None:
    """An image with weight 2 counts like two images: what the bootstrap relies on."""
    rng = np.random.default_rng(1)
    labels = np.array([0, 1, 2] * 10)
    answers = rng.dirichlet(np.ones(3), 30)
    weights = rng.integers(0, 3, 30)
    repeated = np.repeat(np.arange(30), weights)
    weighted = quality.QUALITIES[metric](answers, labels, weights[None].astype(float))[0]
    assert weighted == pytest.approx(quality.value(metric, answers[repeated], labels[repeated]))


def test_wilson_is_honest_for_few_images() -> None:
    low, high = quality.wilson(3, 3)
    assert high == 1.0
    assert low < 0.6
    assert quality.wilson(0, 0) == (0.0, 1.0)


@pytest.mark.long
def test_the_bootstrap_interval_covers_nine_of_ten() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for seed in range(200):
        labels = np.zeros(300, dtype=np.int64)
        right = rng.random(300) < 0.85
        answers = np.where(right[:, None], [0.9, 0.1], [0.1, 0.9])
        low, high = quality.interval(quality.resample("accuracy", [answers], labels, seed)[0])
        covered += low <= 0.85 <= high
    assert 165 <= covered <= 193
