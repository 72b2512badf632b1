"""Searches that score untrained networks, by the command line: screened ones, and one that trains nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from netwright.core.trial import UNTRAINED
from netwright.experiment.outcome import read_history
from tests.experiment.commands import TINY, Done, call, class_folders


def search(place: Path, *options: str) -> Done:
    pictures = class_folders(place / "pictures")
    return call("search", pictures, *TINY, *options, "--out", place / "run", "--json")


def test_a_screened_search_trains_the_better_third(tmp_path: Path) -> None:
    done = search(tmp_path, "--screen", "synflow", "--trials", "14")
    assert done.code == 0, done.err
    assert "of 10 candidates 3 are trained, chosen by synflow" in done.err.replace("\n", " ")
    trials = [t for t in read_history(tmp_path / "run").trials.values() if t.source == "search"]
    scored = [trial for trial in trials if trial.proposal.fidelity == UNTRAINED]
    trained = [trial for trial in trials if trial.proposal.fidelity != UNTRAINED]
    assert (len(scored), len(trained)) == (11, 3)
    assert all("synflow" in trial.measurements and "accuracy" not in trial.measurements for trial in scored)
    assert all("accuracy" in trial.measurements for trial in trained)
    assert {trial.proposal.notes["scored"] for trial in trained} <= {trial.id for trial in scored[:10]}
    assert "11 candidates were scored by log SynFlow before training" in done.answer["verdict"]
    assert "3 trained networks are too few" in done.answer["verdict"]
    assert "screened by synflow" in (tmp_path / "run" / "report.html").read_text("utf-8")


def test_a_screened_search_goes_on_as_it_was(tmp_path: Path) -> None:
    search(tmp_path, "--screen", "synflow", "--trials", "6")
    again = call("search", tmp_path / "pictures", "--trials", "12", "--out", tmp_path / "run", "--json")
    assert again.code == 0, again.err
    whole = tmp_path / "whole"
    whole.mkdir()
    search(whole, "--screen", "synflow", "--trials", "12")

    def proposals(folder: Path) -> list[object]:
        history = read_history(folder)
        return [
            (t.proposal.candidate.key, t.proposal.fidelity) for t in history.trials.values() if t.source == "search"
        ]

    assert proposals(tmp_path / "run") == proposals(whole / "run")
    refused = call("search", tmp_path / "pictures", "--screen", "zen", "--out", tmp_path / "run")
    assert refused.code == 4 and "screen was synflow and is now zen" in refused.err


@pytest.mark.parametrize("score", ["synflow", "naswot"])
def test_a_search_without_training_trains_finalists_alone_and_says_so(score: str, tmp_path: Path) -> None:
    done = search(tmp_path, "--strategy", "training-free", "--trials", "9", "--screen", score)
    assert done.code == 0, done.err
    assert "no candidate is trained before the final stage" in done.err.replace("\n", " ")
    history = read_history(tmp_path / "run")
    searched = [trial for trial in history.trials.values() if trial.source == "search"]
    finals = [trial for trial in history.trials.values() if trial.source == "final"]
    assert {trial.proposal.fidelity for trial in searched} == {UNTRAINED} and len(searched) == 9
    assert finals and all(trial.proposal.fidelity.epochs == 1 for trial in finals)
    scores = {trial.id: trial.measurements[score].value for trial in searched if score in trial.measurements}
    assert finals[0].proposal.parents[0] in scores
    best = max(scores, key=scores.__getitem__)
    assert best in {trial.proposal.parents[0] for trial in finals}, "the best by score is trained"
    verdict = done.answer["verdict"]
    assert "No candidate was trained before the final stage: 9 candidates were scored" in verdict
    assert "What was given up" in verdict
    assert done.answer["best"]["measurements"]["accuracy"]["value"] > 0.4
    assert (tmp_path / "run" / "export" / "model.onnx").exists()


def test_it_is_refused_with_rungs(tmp_path: Path) -> None:
    done = search(tmp_path, "--strategy", "training-free+halving")
    assert done.code == 2 and "strategy must be one of" in done.err
