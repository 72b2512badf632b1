"""`netwright fidelity` from the data to the table, and going on with it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from netwright.budget import Budget, Spent
from netwright.core.trial import Continue, Fidelity
from netwright.experiment.outcome import read_history
from netwright.experiment.watching import Watch
from netwright.loop import Loop
from tests.experiment.commands import Done, call, ids
from tests.experiment.test_faults import EXPLODING

TINY = ("--space", "mlp", "--epochs", "4", "--executor", "inline", "--precision", "fp32")
RUNGS = (1, 2)


def check(out: Path, *more: object, data: object = "digits") -> Done:
    return call("fidelity", data, *TINY, "--networks", "6", *more, "--out", out, "--json")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    folder = tmp_path_factory.mktemp("fidelity") / "run"
    return folder, check(folder)


@pytest.fixture
def folder(done: tuple[Path, Done], tmp_path: Path) -> Path:
    """The run again, for changing."""
    return Path(shutil.copytree(done[0], tmp_path / "run"))


def without_times(answer: dict[str, Any]) -> dict[str, Any]:
    """What is the same however long trainings took."""
    rungs = [{name: value for name, value in rung.items() if name != "share"} for rung in answer["rungs"]]
    return {**answer, "rungs": rungs, "verdict": ""}


def test_the_answer_is_one_object_with_a_figure_for_each_rung(done: tuple[Path, Done]) -> None:
    _, ended = done
    assert ended.code == 0, ended.err
    assert len(ended.out.splitlines()) == 1, "progress belongs on standard error"
    answer = ended.answer
    assert answer["networks"] == {"asked": 6, "complete": 6, "failed": []}
    assert (answer["run"], answer["metric"], answer["epochs"]) == ("run", "accuracy", 4)
    assert [rung["epochs"] for rung in answer["rungs"]] == list(RUNGS)
    for rung in answer["rungs"]:
        assert set(rung) == {"epochs", "share", "spearman", "interval", "best_third"}
        assert rung["interval"][0] <= rung["spearman"] <= rung["interval"][1]
        assert rung["best_third"]["of"] == 2
    assert answer["rungs"][0]["share"] < answer["rungs"][1]["share"], "the second rung costs more than the first"
    assert len(answer["values"]) == 6
    assert answer["verdict"]


def test_every_network_is_trained_on_every_rung_as_halving_does_and_in_full_as_finalists_are(
    done: tuple[Path, Done],
) -> None:
    trials = read_history(done[0]).trials
    assert len(trials) == 6 * 3
    for trial in trials.values():
        resumed = isinstance(trial.proposal.start, Continue)
        assert trial.status == "completed"
        assert trial.notes["resumed"] == resumed == (trial.proposal.fidelity == Fidelity(2, trunk=True))
    assert [trial.proposal.fidelity for trial in trials.values()][:3] == [
        Fidelity(1, trunk=True),
        Fidelity(2, trunk=True),
        Fidelity(4),
    ]


def test_the_same_command_again_trains_nothing_and_more_networks_are_added(
    folder: Path, done: tuple[Path, Done]
) -> None:
    before = ids(folder)
    again = call("fidelity", "digits", "--out", folder, "--json")
    assert again.code == 0, again.err
    assert again.answer == done[1].answer
    assert ids(folder) == before
    more = call("fidelity", "digits", "--networks", "7", "--out", folder, "--json")
    assert more.code == 0, more.err
    assert more.answer["networks"] == {"asked": 7, "complete": 7, "failed": []}
    assert more.answer["values"][:6] == done[1].answer["values"]
    assert call("fidelity", "digits", "--out", folder, "--json").answer == more.answer, "the number is kept"


def test_after_a_kill_nothing_is_lost_or_repeated(
    tmp_path: Path, done: tuple[Path, Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, watch = tmp_path / "run", Watch.__call__

    def die(self: Watch, loop: Loop) -> None:
        if loop.book.counts.get("completed") == 7:
            raise KeyboardInterrupt
        watch(self, loop)

    with monkeypatch.context() as killed:
        killed.setattr(Watch, "__call__", die)
        assert check(run).code == 130
    assert 7 <= len(ids(run)) < 18
    status = call("status", run, "--json").answer
    assert (status["networks"]["complete"], status["rungs"]) == (2, [])
    ended = check(run)
    assert ended.code == 0, ended.err
    assert without_times(ended.answer) == without_times(done[1].answer)


def test_what_the_budget_cuts_off_goes_on_with_more_of_it(
    tmp_path: Path, done: tuple[Path, Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"

    def used(self: Budget, spent: Spent) -> float:
        return float(spent.trials >= 11)

    with monkeypatch.context() as short:
        short.setattr(Budget, "used_time", used)
        cut = check(run)
    assert cut.code == 0, cut.err
    assert "more --minutes goes on" in cut.err
    assert cut.answer["networks"]["complete"] == 3
    assert "3 of 6 were" in cut.answer["verdict"]
    assert without_times(check(run, "--minutes", "20").answer) == without_times(done[1].answer)


def test_status_prints_the_table(done: tuple[Path, Done]) -> None:
    folder, ended = done
    assert call("status", folder, "--json").answer == ended.answer
    words = " ".join(call("status", folder).out.split())
    assert "not running" in words and "18 completed" in words
    assert "6 random networks, trained on every rung and in full" in words
    assert ended.answer["verdict"] in words


def test_a_folder_keeps_to_its_command(folder: Path, pictures: Path, tmp_path: Path) -> None:
    searched = call("search", "digits", "--out", folder)
    assert searched.code == 4 and "began with, netwright fidelity" in searched.err and "--out" in searched.err
    reported = call("report", folder)
    assert reported.code == 4 and "netwright status" in reported.err
    options = (*TINY, "--strategy", "random", "--trials", "1")
    assert call("search", pictures, *options, "--out", tmp_path / "search").code == 0
    crossed = check(tmp_path / "search", data=pictures)
    assert crossed.code == 4 and "began with, netwright search" in crossed.err


def test_what_must_not_change_is_named(folder: Path) -> None:
    changed = call("fidelity", "digits", "--epochs", "8", "--space", "chain", "--out", folder)
    assert changed.code == 4
    assert "epochs was 4 and is now 8" in changed.err and "space was mlp and is now chain" in changed.err


def test_networks_that_fail_are_counted_and_named(tmp_path: Path, pictures: Path) -> None:
    space = tmp_path / "mine.py"
    space.write_text(EXPLODING)
    options = ("--space", f"{space}:exploding", "--epochs", "4", "--executor", "inline", "--precision", "fp32")
    ended = call("fidelity", pictures, *options, "--networks", "6", "--out", tmp_path / "run")
    assert ended.code == 0, ended.err
    assert "At least 6 networks must be trained to the end" in ended.out and "0 of 6 were" in ended.out
    assert "6 networks failed and are left out:" in ended.out
    assert "trial 1, diverged at 1 epoch: " in ended.out


def test_failures_in_a_row_stop_it(tmp_path: Path, pictures: Path) -> None:
    space = tmp_path / "mine.py"
    space.write_text(EXPLODING)
    options = ("--space", f"{space}:exploding", "--epochs", "4", "--executor", "inline", "--precision", "fp32")
    ended = call("fidelity", pictures, *options, "--networks", "40", "--out", tmp_path / "run")
    assert ended.code == 1
    assert "20 trainings in a row failed" in " ".join(ended.err.split())


def test_ctrl_c_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch.__call__

    def press(self: Watch, loop: Loop) -> None:
        loop.interrupted = loop.book.counts.get("completed", 0) >= 2
        watch(self, loop)

    monkeypatch.setattr(Watch, "__call__", press)
    run = tmp_path / "run"
    ended = check(run)
    assert ended.code == 130
    assert f"To go on: netwright fidelity digits --out {run}" in ended.err
    assert ended.answer["networks"]["complete"] == 0
