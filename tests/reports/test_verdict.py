from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netwright.core.events import Noted, Stored
from netwright.core.history import History
from netwright.core.objective import parse_goal
from netwright.core.trial import UNTRAINED, Status
from netwright.reports import quality
from netwright.reports.comparison import best_random, compute_tested, worker_seconds
from netwright.reports.story import report_json, tell
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


def hand_made_wins(view: RunView) -> RunView:
    return replace(view, roles=replace(view.roles, winner=view.roles.handmade))


def test_a_better_forest_does_not_hide_that_the_hand_made_network_is_exported(tmp_path: Path) -> None:
    told = verdict(hand_made_wins(make_run(tmp_path, trials=40, forest_skill=1.0)))
    assert told.headline.startswith("The random forest wins, with ")
    assert told.headline.endswith("; the network that is exported is the hand-made one.")


def test_a_hand_made_winner_is_what_is_held_against_the_rival(tmp_path: Path) -> None:
    told = verdict(hand_made_wins(with_rival(tmp_path, 1.0, handmade_skill=1.5, winner_bonus=-0.5)))
    assert "The hand-made network beats same-budget random search (" in told.text
    assert "The search beats" not in told.text


def test_a_winner_outside_every_limit_is_bad_news(tmp_path: Path) -> None:
    made = make_run(tmp_path, trials=40, limits=("parameters<=100M", "accuracy>=99.9%"))
    told = verdict(made)
    assert told.won is False
    assert told.headline == "No network within the limits was found; the one exported breaks accuracy>=99.9%."
    untested = verdict(replace(made, files=lambda trial, name: None))
    assert (untested.won, untested.headline) == (False, told.headline)
    assert "within the limits" not in verdict(replace(made, goal=parse_goal((), ("parameters<=100M",)))).text


def test_when_a_limit_refuses_every_candidate_it_is_named(tmp_path: Path) -> None:
    made = make_run(tmp_path, trials=30, failing=0.0, final=False, limits=("macs<=1G", "parameters<=10"))
    searched = made.searched()
    for trial in searched:
        trial.status = "infeasible"
    headline = verdict(made).headline
    assert headline == f"No network was found: of {len(searched)} candidates none was within parameters<=10."


def test_a_winner_that_was_drawn_at_random_is_said_to_be(tmp_path: Path) -> None:
    made = make_run(tmp_path, trials=40)
    descend(made, made.roles.winner, "random")
    told = verdict(made)
    assert made.roles.winner != made.roles.best_random
    assert "the winner itself is one of them" in told.text
    assert "random candidates (" not in told.text
    descend(made, made.roles.winner, "mutation")
    assert "the winner itself is one of them" not in verdict(made).text
    assert "random candidates (" in verdict(made).text


def test_recorded_figures_are_told_when_the_answers_are_gone(view: RunView) -> None:
    record = {
        "value": 0.96,
        "unit": "",
        "source": "measured",
        "low": 0.95,
        "high": 0.97,
        "samples": 311,
        "split": "test",
    }
    history = History(dict(view.history.trials), list(view.history.notes), view.history.seconds)
    measurements = {str(view.roles.winner): {"accuracy": record}}
    history.add(Stored(10**6, history.last_at, Noted("test", {"measurements": measurements})))
    told = verdict(replace(view, history=history, files=lambda trial, name: None))
    assert "reaches 96.0 ± 1.0 % accuracy on 311 images it never saw" in told.text
    assert "no longer kept" in told.text
    assert told.comparisons == ()


def test_images_of_one_class_have_no_auc(tmp_path: Path) -> None:
    made = make_run(tmp_path, trials=30, labels=("no", "yes"), objectives=("auc", "parameters"))
    assert made.test_labels is not None
    assert "area under the ROC curve of" in verdict(made).text
    told = verdict(replace(made, test_labels=np.zeros_like(made.test_labels)))
    assert "of one class, of which area under the ROC curve has no value" in told.text
    assert told.winner is None
    assert told.comparisons == ()


def test_resamples_of_one_class_are_left_out() -> None:
    labels, answers = np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    drawn = quality.resample("auc", [answers], labels, 0)[0]
    assert np.isnan(drawn).any()
    assert quality.interval(drawn) == (1.0, 1.0)


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
    again = Stored(10**6 + 1, history.last_at, Noted("test", {"stage": 3}))
    for _ in range(2):
        history.add(again)
    assert replace(view, history=history).test_reads == 3, "a stage that was cut off and gone on with counts once"


def test_a_cheaper_network_must_not_be_dearer_in_a_cost_of_the_goal(tmp_path: Path) -> None:
    made = make_run(tmp_path, trials=40, winner_bonus=0.0)
    winner = made.history.trials[made.roles.winner or 0]
    latency = winner.measurements["latency"]
    winner.measurements = {**winner.measurements, "latency": replace(latency, value=latency.value * 50)}
    assert verdict(made).won is True, "nobody asked for a low latency"
    for objectives, limits in ((("accuracy", "parameters", "latency"), ()), ((), ("latency<=90ms",))):
        told = verdict(replace(made, goal=parse_goal(objectives, limits)))
        assert told.won is False
        assert told.headline == "The search did not beat the hand-made network."
        assert "times fewer parameters, but" in told.text
        assert "times the latency" in told.text


def test_any_cost_of_the_goal_is_compared(tmp_path: Path) -> None:
    made = make_run(tmp_path, trials=40, winner_bonus=0.0, latency=False)
    winner = made.history.trials[made.roles.winner or 0]
    handmade = made.history.trials[made.roles.handmade or 0]
    winner.measurements = {
        **winner.measurements,
        "parameters": handmade.measurements["parameters"],
        "macs": replace(handmade.measurements["macs"], value=handmade.measurements["macs"].value / 3),
    }
    told = verdict(replace(made, goal=parse_goal(("accuracy", "macs"), ())))
    assert told.won is True
    assert "as well as the hand-made network with 3 times fewer multiply-accumulates" in told.text
    assert verdict(made).won is False, "without such an objective it is as large"


def without_baselines(view: RunView) -> RunView:
    return replace(view, roles=replace(view.roles, handmade=None, forest=None, linear=None))


def descend(view: RunView, number: int | None, origin: str) -> None:
    """Let a finalist be the final training of a candidate that came to be in this way."""
    root = next(trial for trial in view.history.trials.values() if trial.proposal.origin == origin)
    trial = view.history.trials[number or 0]
    trial.proposal = replace(trial.proposal, parents=(root.id,))


def random_wins(view: RunView) -> RunView:
    """The same run with two finalists in each other's place; the winner is a child of the search."""
    descend(view, view.roles.winner, "random")
    descend(view, view.roles.best_random, "mutation")
    return replace(view, roles=replace(view.roles, winner=view.roles.best_random, best_random=view.roles.winner))


def test_a_better_random_candidate_is_bad_news(tmp_path: Path) -> None:
    lost = random_wins(make_run(tmp_path, trials=40, handmade_skill=-2.0, forest_skill=-2.0))
    told = verdict(lost)
    assert {entry.role: entry.outcome for entry in told.comparisons} == {
        "handmade": "beats",
        "forest": "beats",
        "linear": "beats",
        "best_random": "worse",
    }
    assert told.won is False
    assert told.headline.startswith("The best of ")
    assert " random candidates does better, with " in told.headline
    assert verdict(without_baselines(lost)).won is False


def test_against_random_candidates_alone_nothing_was_compared(view: RunView) -> None:
    told = verdict(without_baselines(view))
    assert [entry.role for entry in told.comparisons] == ["best_random"]
    assert told.won is None
    assert told.bad_news == ""


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("cancelled", "The final training of the best random candidate was cut off, so nothing shows"),
        ("crashed", "No random candidate was trained to the end, so nothing shows"),
    ],
)
def test_a_winner_without_a_random_finalist_is_no_proof_that_searching_helped(
    view: RunView, status: Status, said: str
) -> None:
    assert "nothing shows" not in verdict(view).text
    number = view.roles.best_random
    final = view.history.trials[number or 0]
    final.source, final.status = "final", status
    final.proposal = replace(final.proposal, notes={"role": "random"})
    others = tuple(trial for trial in view.roles.finalists if trial != number)
    assert said in verdict(replace(view, roles=replace(view.roles, best_random=None, finalists=others))).text


def test_without_a_hand_made_network_every_classic_model_is_to_be_beaten(view: RunView) -> None:
    alone = replace(view, roles=replace(view.roles, handmade=None))
    assert verdict(alone).won is True
    same = view.files(view.roles.winner or 0, "test")
    level = replace(alone, files=lambda trial, name: same if trial == view.roles.linear else view.files(trial, name))
    assert verdict(level).won is False
    assert verdict(level).headline == "The search did not beat the linear model."


def with_rival(folder: Path, ratio: float, **options: Any) -> RunView:
    """A run whose random candidates are those of a rival that used `ratio` times the time of the search."""
    made = make_run(folder, trials=40, **options)
    theirs = [trial for trial in made.history.trials.values() if trial.proposal.origin == "random"]
    for trial in theirs:
        trial.source = "rival"
    seconds = worker_seconds(made)
    for trial in theirs:
        trial.seconds *= ratio * seconds["search"] / seconds["rival"]
    return made


def test_without_a_rival_no_budget_is_called_the_same(view: RunView) -> None:
    share = random_share(view)
    assert 0 < share < 1
    assert f"Random candidates used {100 * share:.0f} %" in verdict(view).text
    assert "same-budget" not in verdict(view).text
    assert "rival" not in report_json(tell(view))["worker_seconds"]


def test_scores_are_no_training_time_of_random_candidates(view: RunView) -> None:
    share = random_share(view)
    scored = next(trial for trial in view.searched() if trial.proposal.origin == "random")
    number = max(view.history.trials) + 1
    proposal = replace(scored.proposal, fidelity=UNTRAINED)
    view.history.trials[number] = replace(scored, id=number, proposal=proposal, seconds=1e6)
    assert random_share(view) == share


def test_a_winner_of_the_rivals_is_its_best(tmp_path: Path) -> None:
    """Also where another final training of the rival's, of an earlier stage, looked better on validation images."""
    made = with_rival(tmp_path, 1.0)
    parent = next(trial for trial in made.history.trials.values() if trial.source == "rival")
    winner = made.history.trials[made.roles.winner or 0]
    winner.proposal = replace(winner.proposal, parents=(parent.id,))
    assert made.roles.best_random != winner.id
    assert best_random(made) == winner.id


@pytest.mark.parametrize(
    ("ratio", "name"),
    [
        (1.0, "same-budget random search"),
        (1.08, "same-budget random search"),
        (0.93, "same-budget random search"),
        (0.6, "random search with 0.6 times the time"),
        (1.2, "random search with 1.2 times the time"),
    ],
)
def test_a_budget_is_called_the_same_only_when_it_was(tmp_path: Path, ratio: float, name: str) -> None:
    made = with_rival(tmp_path, ratio)
    assert f"The search beats {name} (" in verdict(made).text
    spent = report_json(tell(made))["worker_seconds"]
    assert spent["rival"] / spent["search"] == pytest.approx(ratio)
    lost = verdict(without_baselines(random_wins(made)))
    assert lost.won is False
    assert lost.headline.startswith(f"{name[0].upper()}{name[1:]} does better, with ")


def test_a_winner_that_the_rival_found_is_said_to_be_its(tmp_path: Path) -> None:
    made = with_rival(tmp_path, 1.0)
    told = verdict(replace(made, roles=replace(made.roles, winner=made.roles.best_random)))
    assert "The winner comes from same-budget random search" in told.text


@pytest.mark.parametrize(
    ("own", "other", "said"),
    [
        (27, 17, "It was trained for 27 epochs, the hand-made network for 17."),
        (1, 17, "It was trained for 1 epoch, the hand-made network for 17 epochs."),
        (27, 1, "It was trained for 27 epochs, the hand-made network for 1 epoch."),
        (1, 1, ""),
    ],
)
def test_trainings_of_different_length_are_remarked_on(tmp_path: Path, own: int, other: int, said: str) -> None:
    made = make_run(tmp_path, trials=40)
    for number, epochs in ((made.roles.winner, own), (made.roles.handmade, other)):
        trial = made.history.trials[number or 0]
        trial.proposal = replace(trial.proposal, fidelity=replace(trial.proposal.fidelity, epochs=epochs))
    assert [remark for remark in verdict(made).remarks if "was trained for" in remark] == ([said] if said else [])
    exported = replace(made, roles=replace(made.roles, winner=made.roles.handmade))
    assert "was trained for" not in verdict(exported).text


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
