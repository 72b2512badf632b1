"""A whole search in which children inherit, gone on with, and gone on with after its weights were deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from netwright.core.history import Trial
from netwright.core.trial import Fresh, Inherit
from netwright.experiment.outcome import read_history
from netwright.run import trials_table
from tests.experiment.commands import TINY, call, class_folders

OPTIONS = [option if option != "random" else "regularized-evolution" for option in TINY]
POPULATION = 16


def children(run: Path) -> dict[int, Trial]:
    trials = read_history(run).trials
    return {trial.id: trial for trial in trials.values() if trial.source == "search" and trial.proposal.parents}


def test_children_inherit_until_the_weights_are_gone_and_finalists_start_anew(tmp_path: Path) -> None:
    pictures, run = class_folders(tmp_path / "pictures"), tmp_path / "run"
    more = POPULATION + 4
    assert call("search", pictures, *OPTIONS, "--inherit", "--trials", more, "--out", run, "--json").code == 0
    assert "inherit = true" in (run / "run.toml").read_text()
    first = children(run)
    assert len(first) == 4
    for trial in first.values():
        assert isinstance(trial.proposal.start, Inherit)
        told = trial.notes["inherited"]
        assert told["trial"] == trial.proposal.parents[0]
        assert trial.notes["ancestor_epochs"] >= 1

    assert call("search", pictures, *OPTIONS, "--trials", more + 2, "--out", run, "--json").code == 0
    second = {number: trial for number, trial in children(run).items() if number not in first}
    assert len(second) == 2
    assert all(trial.notes["inherited"] for trial in second.values())
    assert list(trials_table(second.values())["ancestor_epochs"]) == [
        trial.notes["ancestor_epochs"] for trial in second.values()
    ]

    for blob in {trial.artefacts["weights"] for trial in read_history(run).trials.values() if trial.source == "search"}:
        (run / "blobs" / blob).unlink()
    assert call("search", pictures, *OPTIONS, "--trials", more + 3, "--out", run, "--json").code == 0
    (last,) = (trial for number, trial in children(run).items() if number not in {*first, *second})
    assert isinstance(last.proposal.start, Inherit)
    assert (last.status, last.notes["inherited"], last.notes["ancestor_epochs"]) == ("completed", None, 0)
    assert last.seconds > 0

    others = [trial for trial in read_history(run).trials.values() if trial.source in ("final", "baseline")]
    assert len(others) > 3
    assert all(trial.proposal.start == Fresh() for trial in others)


@pytest.mark.parametrize("strategy", ["random", "tpe"])
def test_a_strategy_without_children_is_refused_before_anything_is_made(tmp_path: Path, strategy: str) -> None:
    done = call("search", "digits", "--strategy", strategy, "--inherit", "--out", tmp_path / "run")
    assert done.code == 2
    assert f"regularized-evolution, tournament-evolution, but {strategy} has none" in done.err
    assert not (tmp_path / "run").exists()


def test_a_run_keeps_whether_its_children_inherit(tmp_path: Path) -> None:
    pictures, run = class_folders(tmp_path / "pictures"), tmp_path / "run"
    assert call("search", pictures, *OPTIONS, "--trials", 1, "--out", run).code == 0
    done = call("search", pictures, *OPTIONS, "--trials", 2, "--inherit", "--out", run)
    assert done.code == 4
    assert "inherit was False and is now True" in done.err
