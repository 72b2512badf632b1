"""A real small run on digits, by the command line: what it answers, leaves behind, and does when asked again."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from netwright.data.dataset import Dataset
from netwright.experiment.outcome import read_history
from netwright.export.predict import Predictor
from netwright.ledger.blobs import Blobs
from tests.experiment.commands import CANARY, call, ids, spawn
from tests.experiment.conftest import DIGITS, FinishedRun


def check_network(network: dict[str, Any]) -> None:
    """A network of the answer: every measurement with value, unit, interval and split."""
    assert set(network) == {"trial", "architecture", "measurements"}
    for name, record in network["measurements"].items():
        assert set(record) == {"value", "unit", "interval", "split"}
        assert math.isfinite(record["value"])
        if record["interval"] is not None:
            assert record["interval"][0] <= record["value"] <= record["interval"][1], name
    assert network["measurements"]["accuracy"]["split"] == "validation"
    assert network["measurements"]["test_accuracy"]["split"] == "test"
    assert network["measurements"]["parameters"]["interval"] is None
    assert network["measurements"]["latency"]["unit"] == "ms"


def test_the_answer_is_one_object_on_the_last_line(finished: FinishedRun) -> None:
    assert finished.ended.code == 0, finished.ended.err
    assert len(finished.ended.out.splitlines()) == 1, "progress belongs on standard error"
    answer = finished.ended.answer
    assert set(answer) == {"run", "trials", "best", "front", "verdict", "export", "report"}
    assert (answer["run"], answer["export"], answer["report"]) == ("run", "export", "report.html")
    assert answer["trials"]["completed"] >= 6
    assert answer["front"]
    assert answer["best"]["trial"] in [network["trial"] for network in answer["front"]]
    for network in [answer["best"], *answer["front"]]:
        check_network(network)
    assert answer["best"]["measurements"]["test_accuracy"]["value"] > 0.3
    assert len(answer["verdict"]) > 40


def test_the_search_asked_for_as_many_trials_as_were_given(finished: FinishedRun) -> None:
    trials = read_history(finished.folder).trials.values()
    assert sum(trial.source == "search" for trial in trials) == 6
    roles = {trial.proposal.notes.get("role") for trial in trials if trial.source == "baseline"}
    assert roles == {"handmade", "linear", "forest"}
    assert all(trial.proposal.fidelity.epochs == 2 for trial in trials if trial.source == "final")


def test_what_a_run_leaves(finished: FinishedRun) -> None:
    for name in ("ledger.sqlite", "run.toml", "report.html", "report.json", "export/model.onnx", "export/README.md"):
        assert (finished.folder / name).stat().st_size > 0, name
    json.loads((finished.folder / "report.json").read_text())


def test_status_says_the_same(finished: FinishedRun) -> None:
    assert call("status", finished.folder, "--json").answer == finished.ended.answer
    words = call("status", finished.folder).out
    assert "not running" in words
    assert f"best: trial {finished.ended.answer['best']['trial']}" in words
    assert "completed" in words


def test_the_exported_network_answers_as_the_one_that_was_tested(finished: FinishedRun) -> None:
    history = read_history(finished.folder)
    winner = finished.ended.answer["best"]["trial"]
    note = history.note("test")
    assert note is not None
    recorded = np.load(Blobs(finished.folder / "blobs").get(note["answers"][str(winner)]), allow_pickle=False)
    data = Dataset.open(finished.folder / "data")
    test = data.indices("test")
    answers = Predictor(finished.folder / "export").probabilities(np.asarray(data.images[test]))
    assert answers.shape == recorded.shape
    assert np.abs(answers - recorded).max() < 1e-3
    accuracy = float((answers.argmax(axis=1) == np.asarray(data.labels)[test]).mean())
    assert accuracy == finished.ended.answer["best"]["measurements"]["test_accuracy"]["value"]


@pytest.mark.attack(20)
@pytest.mark.parametrize("name", ["finished", "small"])
def test_nothing_private_is_in_what_a_run_shows(name: str, request: pytest.FixtureRequest) -> None:
    """`finished` had a secret in its environment, `small` in the path of its data; both in the path of the run."""
    run: FinishedRun = request.getfixturevalue(name)
    shown = [run.folder / file for file in ("report.html", "report.json", "run.toml")]
    shown += [path for path in (run.folder / "export").rglob("*") if path.is_file()]
    assert len(shown) > 6
    for path in shown:
        assert CANARY.encode() not in path.read_bytes(), path.name
    assert CANARY not in run.ended.out


def test_report_is_written_anew(finished: FinishedRun, tmp_path: Path) -> None:
    run = finished.copy(tmp_path)
    for name in ("report.html", "report.json"):
        (run / name).unlink()
    assert call("report", run, "--no-images", "--json").answer == {"report": "report.html", "numbers": "report.json"}
    assert (run / "report.html").stat().st_size > 10_000
    assert len((run / "report.html").read_bytes()) < len((finished.folder / "report.html").read_bytes())


def test_predict_answers_for_images(finished: FinishedRun, tmp_path: Path) -> None:
    np.save(tmp_path / "digits.npy", load_digits().images[:5])
    done = call("predict", finished.folder, tmp_path / "digits.npy", "--csv", tmp_path / "answers.csv")
    assert done.code == 0, done.err
    lines = (tmp_path / "answers.csv").read_text().splitlines()
    assert len(lines) == 1 + 5
    assert call("predict", finished.folder, tmp_path / "missing.png").code != 0


def test_a_file_whose_name_looks_like_an_option_is_predicted(
    small: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(small.folder.parent / "pictures" / "dark" / "000.png", tmp_path / "-x.png")
    monkeypatch.chdir(tmp_path)
    done = call("predict", small.folder, "--csv", "answers.csv", "--", "-x.png")
    assert done.code == 0, done.err
    assert "-x.png" in (tmp_path / "answers.csv").read_text()


def test_another_trial_is_exported_elsewhere(finished: FinishedRun, tmp_path: Path) -> None:
    handmade = next(
        trial.id
        for trial in read_history(finished.folder).trials.values()
        if trial.proposal.notes.get("role") == "handmade"
    )
    before = (finished.folder / "export" / "model.onnx").read_bytes()
    done = call("export", finished.folder, "--trial", handmade, "--to", tmp_path / "shipped", "--json")
    assert done.answer["trial"] == handmade
    assert (tmp_path / "shipped" / "model.onnx").stat().st_size > 0
    assert (finished.folder / "export" / "model.onnx").read_bytes() == before
    assert call("export", finished.folder, "--trial", 9999).code == 2


def test_doctor_finds_a_sound_run_sound(finished: FinishedRun) -> None:
    done = call("doctor", finished.folder, "--json")
    assert done.code == 0
    assert done.answer["healthy"] is True
    assert done.answer["damage"] == []


def test_the_same_command_again_changes_nothing_then_more_goes_on_and_so_does_a_cleaned_run(
    finished: FinishedRun, tmp_path: Path
) -> None:
    run = finished.copy(tmp_path)
    before = ids(run)
    again = spawn("search", "digits", *DIGITS, "--out", run)
    assert again.code == 0, again.err
    assert "This run has ended" in again.err
    assert again.answer == finished.ended.answer
    assert ids(run) == before

    cleaned = call("clean", run, "--json")
    assert cleaned.code == 0
    assert (run / "export" / "model.onnx").exists()
    assert not (run / "work").exists()
    assert call("doctor", run).code == 0

    more = spawn("search", "digits", "--trials", "9", "--workers", "2", "--json", "--out", run)
    assert more.code == 0, more.err
    after = ids(run)
    assert after[: len(before)] == before
    assert after == list(range(1, len(after) + 1)), "no number twice"
    trials = read_history(run).trials.values()
    assert sum(trial.source == "search" for trial in trials) == 9
    assert more.answer["export"] == "export"
