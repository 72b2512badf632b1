"""Jobs outside the trials: a hang is ended, and what failed for good is said."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from netwright.core.errors import NetwrightError
from netwright.core.job import Evaluated
from netwright.core.trial import Fidelity, Proposal
from netwright.executors import LocalExecutor
from netwright.experiment.errand import errand
from netwright.testing.driving import SPACE, train


def run(folder: Path, pause: float, seconds: float) -> Evaluated:
    proposal = Proposal(SPACE.candidate((1, 0, 0, 0, 0, 0)), Fidelity(1)).to_json()
    with LocalExecutor(partial(train, pause=pause), workers=1, logs_folder=folder / "logs", preload=()) as executor:
        return errand(
            executor,
            folder,
            "toy",
            {},
            inputs={},
            seed=0,
            take=lambda evaluated, place: evaluated,
            proposal=proposal,
            seconds=seconds,
        )


@pytest.mark.fault(6)
def test_an_errand_that_hangs_is_ended_and_said(tmp_path: Path) -> None:
    assert run(tmp_path, 0.0, 60.0).measurements
    with pytest.raises(NetwrightError, match="the toy of this run failed"):
        run(tmp_path, 600.0, 0.5)
    assert not list((tmp_path / "work").iterdir())
