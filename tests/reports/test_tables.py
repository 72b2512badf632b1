from __future__ import annotations

import csv
import io
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from netwright.core.events import Asked, Finished, Started, Stored
from netwright.core.history import History
from netwright.core.pareto import dominates
from netwright.core.trial import FAILED
from netwright.reports.html import page_of
from netwright.reports.importance import compute_importance
from netwright.reports.story import Story, tell
from netwright.reports.tables import (
    CandidateRow,
    TrialRow,
    compute_best_so_far,
    compute_candidates,
    compute_timeline,
    compute_trials,
    expected_best,
    guarded,
    trials_csv,
)
from netwright.reports.view import RunView
from tests.reports.runs import make_run


def cost(row: CandidateRow) -> tuple[float, float]:
    return -row.quality.value, row.costs["parameters"].value


@pytest.mark.parametrize("final", [True, False])
def test_nobody_on_the_front_is_dominated_and_all_others_are(final: bool, tmp_path: Path) -> None:
    """Among the finalists once there are any, else among all."""
    made = make_run(tmp_path, trials=80, limits=("parameters<=100k",), final=final)
    candidates = compute_candidates(made, {})
    entered = [row for row in candidates if row.final] if final else candidates
    front = [row for row in candidates if row.front]
    assert {row.trial for row in front} <= {row.trial for row in entered}
    assert len(front) >= (1 if final else 4)
    for row in entered:
        beaten = any(dominates(cost(other), cost(row), other.violation, row.violation) for other in front)
        assert beaten != row.front


def test_the_front_keeps_the_limits(story: Story) -> None:
    assert all(row.costs["parameters"].value <= 100_000 for row in story.front)
    assert any(row.violation > 0 for row in story.candidates)


def test_each_finalist_is_on_the_front_or_beaten_by_one_on_it(story: Story) -> None:
    finals = [row for row in story.candidates if row.final]
    assert {row.trial for row in finals} == set(story.view.roles.finalists)
    assert {row.trial for row in story.front} <= {row.trial for row in finals}


def test_a_candidate_counts_once_with_its_longest_training(story: Story) -> None:
    trials = story.view.history.trials
    names = [
        (trials[row.trial].proposal.candidate.key, str(trials[row.trial].proposal.candidate.recipe))
        for row in story.candidates
    ]
    assert len(set(names)) == len(names)
    winner = next(row for row in story.candidates if row.winner)
    assert winner.final
    assert winner.epochs == 40


def test_the_winner_stands_for_its_candidate_also_beside_a_longer_training(tmp_path: Path) -> None:
    made = make_run(tmp_path, trials=40)
    winner = made.history.trials[made.roles.winner or 0]
    longer = replace(winner, id=max(made.history.trials) + 1)
    longer.proposal = replace(winner.proposal, fidelity=replace(winner.proposal.fidelity, epochs=80))
    made.history.trials[longer.id] = longer
    story = tell(replace(made, roles=replace(made.roles, finalists=(*made.roles.finalists, longer.id))))
    assert [row.trial for row in story.candidates if row.winner] == [winner.id]
    assert 'class="mark winner"' in page_of(story)


def test_a_hand_made_winner_is_drawn_and_listed(tmp_path: Path) -> None:
    made = make_run(tmp_path, trials=40, handmade_skill=0.9)
    told = tell(replace(made, roles=replace(made.roles, winner=made.roles.handmade)))
    assert [row.trial for row in told.candidates if row.winner] == [made.roles.handmade]
    page = page_of(told)
    assert 'class="mark winner"' in page
    assert f">trial {made.roles.handmade}<" in page
    assert "40 epochs of its training" in page
    assert "40 epochs of the final training" in page_of(tell(made))


def test_copies_of_earlier_answers_are_no_trials_of_their_own(tmp_path: Path) -> None:
    made = make_run(tmp_path, trials=120)
    best, importance, searched = compute_best_so_far(made), compute_importance(made), len(made.searched())
    first = next(trial for trial in made.searched() if trial.proposal.origin == "random" and trial.measurements)
    for _ in range(30):
        number = max(made.history.trials) + 1
        made.history.trials[number] = replace(first, id=number, reused_from=first.id, seconds=0.0)
    assert len(made.searched()) == searched
    assert compute_best_so_far(made).random == best.random
    assert compute_importance(made).trials == importance.trials
    assert f"<dt>{searched + 30}</dt>" not in page_of(tell(made))


def test_what_was_promoted_from_a_copy_belongs_to_the_first(tmp_path: Path) -> None:
    made = make_run(tmp_path, trials=60)
    best = compute_best_so_far(made)
    promoted = next(
        trial
        for trial in made.searched()
        if trial.proposal.origin == "promotion"
        and made.history.trials[trial.proposal.parents[0]].proposal.origin == "random"
    )
    first = made.history.trials[promoted.proposal.parents[0]]
    copy = max(made.history.trials) + 1
    made.history.trials[copy] = replace(first, id=copy, reused_from=first.id, seconds=0.0)
    promoted.proposal = replace(promoted.proposal, parents=(copy,))
    assert compute_best_so_far(made).random == best.random


def test_finalists_carry_their_test_result(story: Story) -> None:
    tested = {row.trial for row in story.candidates if row.test is not None}
    assert tested == {row.trial for row in story.candidates if row.final}


def test_failures_are_grouped_by_cause_and_none_is_left_out(story: Story) -> None:
    trials = story.view.history.trials.values()
    failed = [trial for trial in trials if trial.status in FAILED or trial.status == "lost"]
    assert sum(row.trials for row in story.failures) == len(failed) > 0
    assert [row.trials for row in story.failures] == sorted((row.trials for row in story.failures), reverse=True)


def test_numbers_do_not_split_a_cause(tmp_path: Path) -> None:
    view = make_run(tmp_path, trials=30, failing=1.1)
    for trial in view.history.trials.values():
        if trial.status == "timeout":
            trial.reason = f"the trial ran for {trial.id} s, its deadline was 90 s"
    assert sum(row.status == "timeout" for row in tell(view).failures) == 1


def test_time_adds_up_to_workers_times_active_time(story: Story) -> None:
    total = sum(row.seconds for row in story.time)
    assert total == pytest.approx(story.view.history.seconds * 2)
    assert {"baselines", "search", "final training", "failed", "waiting"} == {row.what for row in story.time}


def test_trials_that_overlap_have_lanes_of_their_own(story: Story) -> None:
    assert story.timeline.lanes == 2
    for a, b in combinations(story.timeline.spans, 2):
        assert a.lane != b.lane or a.end <= b.begin + 1e-6 or b.end <= a.begin + 1e-6


def test_a_pause_of_the_run_is_taken_out_of_the_timeline(view: RunView) -> None:
    trial = next(trial for trial in view.history.trials.values() if trial.status == "completed")
    events: list[Stored] = []
    for number, begin in ((1, 100.0), (2, 90_000.0)):
        events += [
            Stored(len(events) + 1, begin, Asked("search", ((number, trial.proposal),))),
            Stored(len(events) + 2, begin, Started(number, 1)),
            Stored(len(events) + 3, begin + 10, Finished(number, "completed", trial.measurements, seconds=10.0)),
        ]
    timeline = compute_timeline(replace(view, history=History.of(events)))
    assert timeline.seconds == pytest.approx(20.0)
    assert timeline.lanes == 1
    assert [at for at, _ in timeline.pauses] == [pytest.approx(10.0)]


def test_best_so_far_only_rises(story: Story) -> None:
    values = [step.quality.value for step in story.best.steps]
    assert values == sorted(values)
    assert len(values) == len(set(values))
    assert story.best.steps[-1].seconds <= story.best.seconds


def test_the_expectation_of_random_search_is_that_of_all_subsets() -> None:
    values = [0.5, 0.9, 0.7, 0.6, 0.8]
    rows = expected_best([(value, 10.0) for value in values], 1.0)
    for row in rows:
        best = [max(subset) for subset in combinations(values, row.candidates)]
        assert row.mean == pytest.approx(sum(best) / len(best))
        assert row.seconds == pytest.approx(10.0 * row.candidates)
    lower = expected_best([(value, 10.0) for value in values], -1.0)
    assert lower[0].mean == pytest.approx(0.7)
    assert lower[-1].mean == pytest.approx(0.5)


def test_of_few_random_candidates_nothing_is_expected() -> None:
    assert expected_best([(0.5, 1.0)] * 3, 1.0) == []


def test_expectation_of_thousands_of_candidates_is_finite() -> None:
    rows = expected_best([(i / 5000, 1.0) for i in range(5000)], 1.0)
    assert len(rows) < 80
    assert rows[0].mean == pytest.approx(0.5, abs=0.01)
    assert rows[-1].mean == pytest.approx(4999 / 5000)


def test_every_trial_has_its_line(story: Story) -> None:
    assert [row.trial for row in story.trials] == sorted(story.view.history.trials)


@pytest.mark.attack(17)
@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "  =1", "\n=1"])
def test_formulas_are_quoted(text: str) -> None:
    assert guarded(text) == "'" + text


@pytest.mark.attack(17)
@pytest.mark.parametrize("text", ["", "1+1", "Conv 16 → Linear", "a=b"])
def test_plain_text_stays(text: str) -> None:
    assert guarded(text) == text


@pytest.mark.attack(17)
def test_no_cell_of_the_csv_is_a_formula(story: Story) -> None:
    rows = [
        *story.trials[:3],
        replace(story.trials[0], reason='=HYPERLINK("http://x")', words="+cmd|calc", key="@SUM(A1)"),
    ]
    lines = list(csv.reader(io.StringIO(trials_csv(rows))))
    assert len(lines) == 5
    assert len({len(line) for line in lines}) == 1
    assert not [cell for line in lines for cell in line if cell[:1] in ("=", "+", "@", "-", "\t", "\r")]


def test_the_csv_keeps_values_and_intervals(story: Story) -> None:
    row: TrialRow = next(row for row in story.trials if "accuracy" in row.measurements)
    record = next(
        line for line in csv.DictReader(io.StringIO(trials_csv(story.trials))) if line["trial"] == str(row.trial)
    )
    assert float(record["accuracy"]) == row.measurements["accuracy"].value
    assert float(record["accuracy_low"]) == row.measurements["accuracy"].low


@pytest.mark.attack(20)
def test_paths_and_secrets_do_not_reach_a_row(view: RunView) -> None:
    history = History(dict(view.history.trials), view.history.notes, view.history.seconds)
    number = next(trial.id for trial in history.trials.values() if trial.status == "crashed")
    history.trials[number] = replace(
        history.trials[number], reason="cannot open /home/ada/x/secret.png with token=abc123"
    )
    row = next(row for row in compute_trials(replace(view, history=history)) if row.trial == number)
    assert row.reason == "cannot open …/secret.png with token=…"


def test_classic_models_are_never_on_the_front(view: RunView) -> None:
    classic = {view.roles.forest, view.roles.linear, view.roles.handmade}
    assert not classic & {row.trial for row in compute_candidates(view, {})}
