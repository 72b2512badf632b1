"""Every strategy searches every space of the catalogue from the command line, on digits, and gives a report."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from netwright.experiment.outcome import read_history
from netwright.spaces.catalog import CATALOG
from netwright.strategies import STRATEGIES, WRAPPERS
from tests.experiment.commands import call

SHORT = ("--epochs", "1", "--trials", "3", "--executor", "inline", "--precision", "fp32")


def searched(strategy: str, space: str, out: Path) -> None:
    done = call("search", "digits", "--space", space, "--strategy", strategy, *SHORT, "--out", out)
    assert done.code == 0, done.err
    assert (out / "report.html").stat().st_size > 10_000
    assert (out / "export" / "model.onnx").is_file()
    tried = [trial for trial in read_history(out).trials.values() if trial.source == "search"]
    assert sum(trial.reused_from is None for trial in tried) == 3


@pytest.mark.long
@pytest.mark.parametrize(("strategy", "space"), list(product(STRATEGIES, CATALOG)))
def test_every_strategy_searches_every_space(strategy: str, space: str, tmp_path: Path) -> None:
    searched(strategy, space, tmp_path / "run")


@pytest.mark.long
@pytest.mark.parametrize(
    "strategy",
    [f"{name}+{wrapper}" for name, kind in STRATEGIES.items() for wrapper in WRAPPERS if kind.fidelities],
)
def test_every_strategy_searches_under_its_wrappers(strategy: str, tmp_path: Path) -> None:
    searched(strategy, "mlp", tmp_path / "run")
