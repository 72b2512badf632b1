"""A whole search without training: toy space, scripted trainer, real loop, ledger, blobs and executor.

    python -c 'from netwright.testing.driving import main; main()' FOLDER --trials 60 --executor local --pause 0.02

can be killed at any moment and given again. Candidates are points of a `Grid`; what a trial does is a function of its
point and seed alone, so that with the inline executor two runs can be compared event by event.
"""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from netwright.budget import Stopwatch
from netwright.core.errors import CandidateError
from netwright.core.events import Failed, Finished, Noted
from netwright.core.job import Allowance, Diverged, Evaluated, Job, Report
from netwright.core.measurement import Measurement
from netwright.core.objective import parse_goal
from netwright.core.seeding import stream
from netwright.core.trial import Continue, Proposal, TrialId
from netwright.executors import Executor, InlineExecutor, LocalExecutor
from netwright.ledger.base import Ledger
from netwright.ledger.blobs import Blobs
from netwright.ledger.lock import RunLock
from netwright.ledger.sqlite import SqliteLedger
from netwright.loop import Ended, Loop, Order
from netwright.strategies import Source, make_strategy
from netwright.testing.jobs import SCRIPTS
from netwright.testing.toys import Grid, toy_costs

SPACE = Grid((4,) * 6)
MISDEEDS = {"signal": int(signal.SIGKILL), "error": "value", "mebibytes": 600}
"""Settings of the scripts in `testing.jobs` that a toy trial may be made to run."""
GOAL = parse_goal(["accuracy", "parameters"], [])


def train(job: Job, report: Report, pause: float = 0.0, misbehaviour: str = "") -> Evaluated:
    """A training of no length: better for large options and more epochs, with noise by seed.

    Points whose first two options are both 3 do what `misbehaviour` names in `testing.jobs.SCRIPTS` (or `diverge`).
    """
    if job.proposal is None:
        raise CandidateError("a toy training needs a proposal")
    proposal = Proposal.from_json(job.proposal)
    point = Grid.point(proposal.candidate)
    if misbehaviour and point[:2] == (3, 3):
        if misbehaviour == "diverge":
            raise Diverged("the loss is not finite")
        return SCRIPTS[misbehaviour](job, report)
    before = 0
    if "checkpoint" in job.inputs:
        before = int(job.inputs["checkpoint"].read_text().split()[0])
    for epoch in range(before, proposal.fidelity.epochs):
        time.sleep(pause)
        report({"epoch": epoch + 1})
    (job.folder / "checkpoint.txt").write_text(f"{proposal.fidelity.epochs} {job.seed}")
    noise = stream(job.seed, "noise").gauss(0, 0.01)
    value = sum(point) / (3 * len(point)) * (1 - 0.5 / proposal.fidelity.epochs) + noise
    costs = toy_costs(proposal.candidate.architecture) if proposal.candidate.architecture else None
    return Evaluated(
        {
            "accuracy": Measurement(value, split="validation"),
            "parameters": Measurement(costs.parameters if costs else 0, source="computed"),
            "training_seconds": Measurement(pause * (proposal.fidelity.epochs - before), "s"),
        },
        {"checkpoint": "checkpoint.txt"},
        {"from": before},
    )


@dataclass(slots=True)
class ToyDesk:
    """The experiment's side of the loop, for toys. `allowance` holds for every trial; points in `refused` are invalid."""

    allowance: Allowance = field(default_factory=Allowance)
    refused: frozenset[tuple[int, ...]] = frozenset()
    heard: list[tuple[str, Finished]] = field(default_factory=list)

    def refuse(self, source: str, trial: TrialId, proposal: Proposal) -> Finished | Failed | None:
        """Invalid where the point is among the refused."""
        if Grid.point(proposal.candidate) in self.refused:
            return Failed(trial, "invalid", "this point cannot be built")
        return None

    def stands(self, event: Finished) -> bool:
        """Limits never change here."""
        return True

    def order(self, source: str, proposal: Proposal, artefacts: Callable[[TrialId], Mapping[str, Path]]) -> Order:
        """A toy training, from the checkpoint of the trial it continues."""
        inputs = artefacts(proposal.start.trial) if isinstance(proposal.start, Continue) else {}
        return Order("toy", MISDEEDS, self.allowance, inputs)

    def facts(self, proposal: Proposal, event: Finished) -> Sequence[Noted]:
        """Nothing is learned."""
        return ()

    def hear(self, source: str, proposal: Proposal, event: Finished) -> None:
        """Remember what was heard."""
        self.heard.append((source, event))

    def keep(self) -> set[TrialId]:
        """Nothing besides what the sources hold."""
        return set()


def toy_search(name: str = "nsga2", *, seed: int = 0, rungs: Sequence[int] = (1, 3)) -> Source:
    """A strategy over the toy space, with halving when there are two rungs or more."""
    return make_strategy(name, SPACE, GOAL, seed=seed, costs=toy_costs, epochs=rungs[-1], rungs=rungs)


def toy_loop(
    folder: Path, ledger: Ledger, executor: Executor, desk: ToyDesk | None = None, *, spare_bytes: int = 10_000
) -> Loop:
    """A loop on `folder`, not yet restored."""
    return Loop(
        desk=desk or ToyDesk(),
        ledger=ledger,
        executor=executor,
        blobs=Blobs(folder / "blobs"),
        folder=folder,
        seed=0,
        stopwatch=Stopwatch(),
        spare_bytes=spare_bytes,
    )


def drive(folder: Path, *, trials: int, executor: str, workers: int, pause: float, misbehaviour: str = "") -> Ended:
    """One driver on the folder, until `trials` trials were given to workers and all of them have ended."""
    work = partial(train, pause=pause, misbehaviour=misbehaviour)
    folder.mkdir(parents=True, exist_ok=True)
    with (
        RunLock(folder),
        SqliteLedger(folder / "ledger.sqlite") as ledger,
        InlineExecutor(work)
        if executor == "inline"
        else LocalExecutor(work, workers=workers, logs_folder=folder / "logs", preload=()) as workers_,
    ):
        loop = toy_loop(folder, ledger, workers_, ToyDesk(Allowance(seconds=5.0, bytes=500_000_000)))
        loop.restore({"search": toy_search()})
        loop.record(Noted("driver", {}))
        ended = loop.run(["search"], lambda loop: loop.spent().trials >= trials)
        if ended.why == "until":
            loop.run(["search"], lambda loop: False, draw=False)
        return ended


def main() -> None:
    """The command line of a toy search."""
    parser = argparse.ArgumentParser(description="A search without training, to be killed and given again.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--executor", choices=("inline", "local"), default="inline")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--misbehaviour", default="", choices=("", "diverge", *SCRIPTS))
    given = parser.parse_args()
    drive(
        given.folder,
        trials=given.trials,
        executor=given.executor,
        workers=given.workers,
        pause=given.pause,
        misbehaviour=given.misbehaviour,
    )
