"""Real jobs on real data for tests of evaluations: digits, the hand-made network of the `chain` space, classic models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from netwright.core.candidate import Candidate
from netwright.core.job import Evaluated, Job
from netwright.core.trial import Fidelity, Proposal
from netwright.data.dataset import Dataset
from netwright.evaluation import work
from netwright.spaces.catalog import make_space


def network(data: Dataset, space: str = "chain", **recipe: Any) -> Candidate:
    """The hand-made network of a space, its recipe changed where said."""
    reference = make_space(space, data.task).reference
    assert reference is not None
    return Candidate("network", reference.architecture, {**reference.recipe, **recipe})


def run(
    evaluation: str,
    folder: Path,
    data: Path,
    candidate: Candidate | None = None,
    *,
    epochs: int = 1,
    trunk: bool = False,
    settings: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Path] | None = None,
    seed: int = 1,
    report: Any = None,
    keep: Path | None = None,
) -> Evaluated:
    """Run a job in `folder`, which is made."""
    folder.mkdir()
    proposal = None if candidate is None else Proposal(candidate, Fidelity(epochs, trunk)).to_json()
    job = Job(1, 1, evaluation, {"data": str(data), **(settings or {})}, proposal, seed, folder, inputs or {}, keep)
    return work(job, report or go)


def go(record: Mapping[str, Any]) -> Literal["go", "stop"]:
    return "go"
