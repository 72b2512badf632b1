"""What a strategy costs is measured after it was told a history: that of random search, once for all."""

from __future__ import annotations

import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from netwright.core.trial import Continue
from netwright.strategies import RegularizedEvolution

pytest.importorskip("benchmarks.ask_tell", reason="the benchmarks are not part of this copy")

from benchmarks.ask_tell import PROBLEMS, RUNGS, WARM, history, reach, timed

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_history_is_that_of_random_search_with_promotions_under_halving(name: str) -> None:
    for rungs in ((), RUNGS):
        events = list(islice(history(PROBLEMS[name](), rungs), 40))
        numbers = [asked.trials[0][0] for asked, _ in events]
        assert numbers == [finished.trial for _, finished in events] == list(range(1, 41))
        promoted = [isinstance(asked.trials[0][1].start, Continue) for asked, _ in events]
        assert any(promoted) == bool(rungs)
        assert len({finished.measurements["accuracy"].value for _, finished in events}) > 20


def test_a_source_is_told_all_before_it_is_timed() -> None:
    problem = PROBLEMS["toy"]()
    source = problem.source("regularized-evolution", ())
    assert isinstance(source, RegularizedEvolution)
    sizes = [(size, source.asked) for size in reach([30, 70], history(problem, ()), [source])]
    assert sizes == [(30, 30), (70, 70)]
    cost = timed(problem, source, told=70, count=10)
    assert source.asked == 70 + WARM + cost["trials"]
    assert 0 < cost["median_ms"] <= cost["p90_ms"]
    assert cost["promotion_ms"] is None
    assert max(member.trial for member in source.members) > 1_000_000_000


def test_the_command_prints_its_table() -> None:
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "benchmarks/ask_tell.py",
            "--quick",
            "--strategies",
            "random",
            "nsga2",
            "--spaces",
            "toy",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "## toy: CPU ms" in done.stdout
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith(("| random", "| nsga2"))] == [
        "random", "random+halving", "nsga2", "nsga2+halving",
    ]  # fmt: skip
