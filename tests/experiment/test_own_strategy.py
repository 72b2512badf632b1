"""A strategy in a file of the user's, from the command line: it searches, and is run again only when it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from netwright.experiment.outcome import read_history
from tests.experiment.commands import TINY, call

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_strategy.py"
GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "strategies.md"


@pytest.mark.parametrize("wrapper", ["", "+halving"])
def test_a_file_is_searched_with_and_named_to_go_on(pictures: Path, tmp_path: Path, wrapper: str) -> None:
    out, strategy = tmp_path / "run", f"{EXAMPLE}:Climber{wrapper}"
    options = [option for option in TINY if option not in ("--strategy", "random")]
    first = call("search", pictures, *options, "--strategy", strategy, "--trials", "3", "--out", out)
    assert first.code == 0, first.err
    refused = call("search", pictures, "--trials", "5", "--out", out)
    assert refused.code == 4
    assert f"--strategy {strategy}" in refused.err.replace("\n", "")
    assert call("search", pictures, "--strategy", strategy, "--trials", "5", "--out", out).code == 0
    trials = read_history(out).trials.values()
    assert sum(trial.source == "climber" for trial in trials) or sum(trial.source == "search" for trial in trials)


def test_a_strategy_in_a_file_must_train(pictures: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("from netwright.strategies import TrainingFree\n\n\nclass Mine(TrainingFree):\n    name = 'mine'\n")
    done = call("search", pictures, "--strategy", f"{file}:Mine", "--trials", "3", "--out", tmp_path / "run")
    assert done.code == 2
    assert "must train its candidates" in " ".join(done.err.split())


def test_the_guide_shows_the_example_as_it_stands() -> None:
    code = EXAMPLE.read_text("utf-8")
    shown = GUIDE.read_text("utf-8").split("```python\n")[1].split("```")[0]
    assert shown in code
    assert len(shown.splitlines()) < 30
