"""A search in which training takes no time: the real space, loop, desk, ledger and strategies, an instant executor."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from netwright.budget import Stopwatch
from netwright.core.job import Allowance, AttemptEvent, AttemptFinished, Evaluated, Job
from netwright.core.measurement import Measurement
from netwright.core.objective import parse_goal
from netwright.core.task import TaskSpec
from netwright.core.trial import TrialId
from netwright.executors import Executor
from netwright.experiment.desk import Desk
from netwright.ledger.base import Ledger
from netwright.ledger.blobs import Blobs
from netwright.loop import Loop
from netwright.spaces.catalog import make_space
from netwright.strategies import Source, make_strategy

TASK = TaskSpec(inputs=(1, 28, 28), labels=tuple("0123456789"), mean=(0.286,), std=(0.353,))
GOAL = parse_goal(["accuracy", "parameters"], [])
STRATEGIES: dict[str, Sequence[int]] = {"random": (), "regularized-evolution": (), "nsga2+halving": (1, 3, 9)}
"""Names as on the command line, with their rungs."""


class InstantExecutor(Executor):
    """Answers every job at once: a size by the architecture, an accuracy by size, epochs and chance."""

    def __init__(self) -> None:
        self._events: list[AttemptEvent] = []

    @property
    def workers(self) -> int:
        return 1

    def slots(self) -> int:
        return 0 if self._events else 1

    def submit(self, job: Job, allowance: Allowance) -> None:
        assert job.proposal is not None
        measurements = instant_answer(job.proposal["candidate"]["key"], job.proposal["epochs"], job.seed)
        self._events.append(AttemptFinished(job.trial, job.attempt, Evaluated(measurements), 0.0, 0.0))

    def drain(self, timeout: float) -> list[AttemptEvent]:
        events, self._events = self._events, []
        return events

    def stop(self, trial: TrialId, grace: float | None) -> None:
        self._events.clear()

    def close(self, grace: float = 0.0) -> None:
        self._events.clear()


def instant_answer(key: str, epochs: int, seed: int) -> dict[str, Measurement]:
    """What training the network of this key for so many epochs comes to."""
    size = random.Random(key).uniform(3.3, 5.3)
    accuracy = 0.5 + 0.09 * size - 0.1 / epochs + random.Random(seed).gauss(0, 0.01)
    return {
        "accuracy": Measurement(min(accuracy, 1.0), low=accuracy - 0.01, high=accuracy + 0.01, split="validation"),
        "parameters": Measurement(int(10**size), source="computed"),
        "training_seconds": Measurement(0.0, "s"),
    }


def make_loop(folder: Path, ledger: Ledger) -> Loop:
    """A loop on `folder`, not yet restored."""
    desk = Desk(goal=GOAL, task=TASK, data=folder, allowance=Allowance)
    return Loop(
        desk=desk,
        ledger=ledger,
        executor=InstantExecutor(),
        blobs=Blobs(folder / "blobs"),
        folder=folder,
        seed=0,
        stopwatch=Stopwatch(),
    )


def make_source(name: str, seed: int) -> Source:
    """A strategy on the chain space for images of 28 x 28 pixels."""
    rungs = STRATEGIES[name]
    desk = Desk(goal=GOAL, task=TASK, data=Path(), allowance=Allowance)
    return make_strategy(
        name.partition("+")[0],
        make_space("chain", TASK),
        GOAL,
        seed=seed,
        costs=desk.plan,
        epochs=rungs[-1] if rungs else 3,
        rungs=rungs,
    )
