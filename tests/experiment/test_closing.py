"""How a run closes when there is little left to close it with."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from netwright.core.candidate import Architecture, Candidate
from netwright.core.errors import NetwrightError
from netwright.core.events import Finished
from netwright.core.trial import Fidelity, Proposal
from netwright.experiment.closing import Closing
from netwright.experiment.desk import Result


def test_networks_whose_weights_are_all_gone_are_said(tmp_path: Path) -> None:
    proposal = Proposal(Candidate("network", Architecture((), "a"), {}), Fidelity(1), origin="final")
    result = Result("final", proposal, Finished(4, "completed", {}))
    desk = SimpleNamespace(standings={}, results={4: result}, task=None, baseline=lambda role: None)
    loop = SimpleNamespace(artefacts=lambda trial: {})
    stages: Any = SimpleNamespace(opened=SimpleNamespace(folder=tmp_path), desk=desk, loop=loop)
    with pytest.raises(NetwrightError, match=r"weights .* are gone .*larger budget"):
        Closing(stages, [4]).run()
