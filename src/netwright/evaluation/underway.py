"""A training that may be cut off: kept every now and then, and found again by the next attempt of its trial.

Training resumes exactly, so a trial that was preempted, killed or cut off by the budget comes to the same result as one
that never was; at most `SECONDS` and an epoch are trained twice, and on the trunk of successive halving the decay branch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from netwright.core.errors import NetwrightError
from netwright.core.job import Report
from netwright.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from netwright.training.fit import Precision

SECONDS = 20.0
"""Between two writes. When the training was asked to stop, it is written at once."""


class UnderWay:
    """The training of one trial. `resume` is what to go on from: its own state, else the `start` it was given, if any.

    `path` is where its state is kept. A file there that cannot be read, or is of another training, counts for nothing.
    `seconds` are the CPU seconds that earlier attempts trained, `precision` what they trained in, where known.
    """

    def __init__(self, path: Path | None, start: Checkpoint | None, *, seed: int, epochs: int) -> None:
        self.path = path
        self.resume = start
        self.seconds = 0.0
        self.records: list[dict[str, Any]] = []  # of the epochs that earlier attempts trained
        self._written = time.monotonic()
        found = None if path is None else _read(path)
        seed = seed if start is None else start.facts["seed"]
        if found is not None and found.facts["seed"] == seed and _epochs(start) < _epochs(found) <= epochs:
            self.resume = found
            self.seconds = _seconds(found) - _seconds(start)
            self.records = [record for record in found.facts["curve"] if record["epoch"] > _epochs(start)]

    @property
    def precision(self) -> Precision | None:
        """What to go on in: timed again, it might come out otherwise, and so would the result."""
        return None if self.resume is None else self.resume.facts.get("precision")

    def retold(self, report: Report) -> Report:
        """Report what earlier attempts trained, as `again`: a driver that knows nothing of it has the whole curve then.

        Gives how to go on reporting. Where a stop was asked for by then, the training ends after its next epoch.
        """
        answers = [report({**record, "again": True}) for record in self.records]
        if "stop" not in answers:
            return report

        def stopping(record: Mapping[str, Any]) -> Literal["go", "stop"]:
            report(record)
            return "stop"

        return stopping

    def keep(self, take: Callable[[], Checkpoint], ending: bool) -> None:
        """After an epoch: write the checkpoint that `take` makes, where it is time to."""
        now = time.monotonic()
        if self.path is not None and (ending or now - self._written >= SECONDS):
            self.path.parent.mkdir(exist_ok=True)
            save_checkpoint(take(), self.path)
            self._written = now


def _read(path: Path) -> Checkpoint | None:
    try:
        return load_checkpoint(path) if path.exists() else None
    except (NetwrightError, OSError):
        return None


def _epochs(checkpoint: Checkpoint | None) -> int:
    return 0 if checkpoint is None else int(checkpoint.facts["epochs"])


def _seconds(checkpoint: Checkpoint | None) -> float:
    return float(checkpoint.facts["curve"][-1]["seconds"]) if checkpoint and checkpoint.facts["curve"] else 0.0
