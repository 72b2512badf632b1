"""Population based training from the first network to the export, on digits."""

from __future__ import annotations

from pathlib import Path

import netwright as nw
from netwright.core.trial import Continue
from netwright.experiment.outcome import read_history
from netwright.strategies.population_training import CHANGEABLE, schedule


def test_networks_go_on_under_changed_recipes_and_the_best_is_trained_from_the_start(tmp_path: Path) -> None:
    run = nw.search(
        "digits",
        out=tmp_path / "run",
        trials=46,
        epochs=6,
        space="mlp",
        strategy="pbt",
        executor="inline",
        precision="fp32",
        objectives=("accuracy",),
        images=False,
        verbose=False,
    )
    trials = read_history(tmp_path / "run").trials
    searched = {number: trial for number, trial in trials.items() if trial.source == "search"}
    assert {trial.status for trial in searched.values()} == {"completed"}
    exploited = [trial for trial in searched.values() if trial.proposal.origin == "exploit"]
    assert len(exploited) >= 2
    for trial in exploited:
        assert isinstance(trial.proposal.start, Continue)
        below = trials[trial.proposal.start.trial]
        mine, theirs = trial.proposal.candidate, below.proposal.candidate
        assert mine.key == theirs.key
        changed = {name for name in mine.recipe if mine.recipe[name] != theirs.recipe[name]}
        assert changed
        assert changed <= CHANGEABLE
        assert trial.notes["resumed"]
        assert trial.notes["began"] == below.proposal.fidelity.epochs
    proposals = {number: trial.proposal for number, trial in searched.items()}
    last = max(searched, key=lambda number: proposals[number].fidelity.epochs)
    assert [epochs for epochs, _ in schedule(proposals, last)] == list(range(1, proposals[last].fidelity.epochs + 1))
    finals = [trial for trial in trials.values() if trial.source == "final"]
    assert finals
    assert not any(trial.notes["resumed"] for trial in finals)
    assert run.best is not None
    assert run.export is not None
