"""Training a network of the grid as searches would: on the trunk from rung to rung, and in full; a line of JSON each."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from netwright.core.candidate import Candidate
from netwright.core.job import Diverged, Job
from netwright.core.seeding import derive
from netwright.core.task import TaskSpec
from netwright.core.trial import Continue, Fidelity, Fresh, Proposal
from netwright.data.dataset import Dataset
from netwright.evaluation import work
from netwright.spaces.shapes import costs

from .grid import EPOCHS, RUNGS, name_of


def warm_up(candidate: Candidate, data: Dataset, scratch: Path) -> None:
    """Train one epoch on the trunk and leave it: what the libraries do once is charged to nobody."""
    trained(Proposal(candidate, Fidelity(1, trunk=True)), 0, data, scratch)


def train(candidate: Candidate, seed: int, data: Dataset, scratch: Path) -> dict[str, Any]:
    """A network's line: what it is, what it costs by arithmetic, and what its trainings gave."""
    line = {"name": name_of(candidate), "seed": seed, **facts(candidate, data.task)}
    number = derive(seed, "recorded", line["name"])
    line["full"] = trained(Proposal(candidate, Fidelity(EPOCHS)), number, data, scratch)
    if seed == 0:
        line["rungs"] = ladder(candidate, number, data, scratch)
    return line


def facts(candidate: Candidate, task: TaskSpec) -> dict[str, Any]:
    """Decisions, parameters and MACs."""
    assert candidate.architecture is not None
    known = costs(candidate.architecture, task)
    return {"decisions": dict(candidate.decisions), "parameters": known.parameters, "macs": known.macs}


def ladder(candidate: Candidate, seed: int, data: Dataset, scratch: Path) -> list[dict[str, Any]]:
    """What each rung gave, up to the first that failed."""
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        checkpoint: Path | None = None
        for place, epochs in enumerate(RUNGS):
            start = Fresh() if checkpoint is None else Continue(place)
            proposal = Proposal(candidate, Fidelity(epochs, trunk=True), start)
            kept = Path(folder) / f"{epochs}.safetensors"
            results.append(trained(proposal, seed, data, scratch, resume=checkpoint, keep=kept))
            if results[-1]["status"] != "completed":
                break
            checkpoint = kept
    return results


def trained(
    proposal: Proposal, seed: int, data: Dataset, scratch: Path, resume: Path | None = None, keep: Path | None = None
) -> dict[str, Any]:
    """One training: its status, its validation accuracy, the worker's CPU seconds, and what it added to the curve."""
    inputs = {} if resume is None else {"checkpoint": resume}
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        settings = {"data": str(data.folder)}
        job = Job(1, 1, "train", settings, proposal.to_json(), seed, Path(folder), inputs)
        began = time.process_time()
        try:
            evaluated = work(job, lambda report: "go")
        except Diverged:
            return {"status": "diverged", "seconds": round(time.process_time() - began, 4)}
        seconds = time.process_time() - began
        curve = json.loads((Path(folder) / evaluated.artefacts["curve"]).read_text("utf-8"))
        if keep is not None:
            (Path(folder) / evaluated.artefacts["checkpoint"]).replace(keep)
    return {
        "status": "completed",
        "accuracy": round(evaluated.measurements["accuracy"].value, 4),
        "seconds": round(seconds, 4),
        **added(curve, proposal),
    }


def added(curve: Sequence[Mapping[str, Any]], proposal: Proposal) -> dict[str, list[float]]:
    """Accuracy after each epoch that this training added, and CPU seconds up to there."""
    below = max((rung for rung in RUNGS if rung < proposal.fidelity.epochs), default=0)
    new = [point for point in curve if isinstance(proposal.start, Fresh) or point["epoch"] > below]
    return {
        "curve": [round(point["validation_accuracy"], 4) for point in new],
        "curve_seconds": [round(point["seconds"], 3) for point in new],
    }
