"""Train every network of the grid and write down its learning curves: the record that `multi_fidelity.py` searches.

    python benchmarks/curves/record.py [--seeds 2] [--record FILE] [--cache FOLDER]

Each network is trained as a search would train it, by the evaluation `train` in one thread: rung by rung on the trunk,
each from the checkpoint of the one below, and with a full training of its own schedule. Of further seeds there is the
full training alone. A line of JSON is appended as each ends; what is there is not trained again. README.md beside this
file says what a line holds.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import provenance

from curves.grid import EPOCHS, RUNGS, grid, images, name_of
from netwright.core.candidate import Candidate, digest
from netwright.core.job import Diverged, Job
from netwright.core.seeding import derive
from netwright.core.task import TaskSpec
from netwright.core.trial import Continue, Fidelity, Fresh, Proposal
from netwright.data.dataset import Dataset
from netwright.evaluation import work
from netwright.spaces.shapes import costs

RECORD = Path(__file__).with_name("networks.jsonl")
SHUFFLE = 0
"""Seed of the order in which networks are trained, so that a slow hour of the machine falls on all kinds of them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2, help="full trainings of each network (default: 2)")
    parser.add_argument("--record", type=Path, default=RECORD)
    parser.add_argument("--cache", type=Path, help="keep the decoded images here (default: they are removed)")
    parser.add_argument("--most", type=int, help="train so many and stop: a smoke test")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        data = images(given.cache or Path(scratch))
        candidates = list(grid().enumerate())
        random.Random(SHUFFLE).shuffle(candidates)
        wanted = [(seed, candidate) for seed in range(given.seeds) for candidate in candidates]
        there = already(given.record)
        missing = [pair for pair in wanted if (name_of(pair[1]), pair[0]) not in there]
        if missing:
            warm_up(candidates[0], data, Path(scratch))
        session = begin(given.record, data, given.seeds) if missing else ""
        for number, (seed, candidate) in enumerate(missing[: given.most], start=1):
            began = time.process_time()
            line = train(candidate, seed, data, Path(scratch))
            append(given.record, {**line, "session": session})
            spent = time.process_time() - began
            accuracy = line["full"].get("accuracy", line["full"]["status"])
            print(f"{number} of {len(missing)}: {accuracy}, {spent:.1f} CPU seconds", file=sys.stderr, flush=True)


def warm_up(candidate: Candidate, data: Dataset, scratch: Path) -> None:
    """Train one epoch on the trunk and leave it: what the libraries do once is charged to nobody."""
    trained(Proposal(candidate, Fidelity(1, trunk=True)), 0, data, scratch)


def already(record: Path) -> set[tuple[str, int]]:
    """The names and seeds of the record; a torn last line is a network that is trained again."""
    if not record.exists():
        return set()
    text = record.read_text("utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        record.write_text(whole, "utf-8")
    lines = map(json.loads, whole.splitlines())
    return {(line["name"], line["seed"]) for line in lines if "name" in line}


def begin(record: Path, data: Dataset, seeds: int) -> str:
    """Write down where the lines that follow come from; the id by which they say so."""
    origin = {
        **provenance(),
        "command": f"python benchmarks/curves/record.py --seeds {seeds}",
        "data": data.fingerprint,
    }
    session = digest(origin, size=4)
    append(record, {"session": session, "provenance": origin})
    return session


def append(record: Path, line: Mapping[str, Any]) -> None:
    with record.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, separators=(",", ":")) + "\n")


# -- a network ---------------------------------------------------------------------------------------------------------


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
    """Accuracy after each epoch that this training added (on 2,000 validation images), and CPU seconds up to there."""
    below = max((rung for rung in RUNGS if rung < proposal.fidelity.epochs), default=0)
    new = [point for point in curve if isinstance(proposal.start, Fresh) or point["epoch"] > below]
    return {
        "curve": [round(point["validation_accuracy"], 4) for point in new],
        "curve_seconds": [round(point["seconds"], 3) for point in new],
    }


if __name__ == "__main__":
    main()
