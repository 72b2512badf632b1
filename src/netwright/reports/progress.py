"""What a search tells about itself while it runs: the record that the loop fills in and the terminal shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from netwright.core.measurement import Measurement


@dataclass(frozen=True, slots=True)
class WorkerNow:
    """What one worker does now: which trial, since how many seconds, and how far (`0 of 0` epochs: not training)."""

    trial: int
    doing: str = "training"
    epoch: int = 0
    epochs: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Progress:
    """A moment of a search.

    `seconds` are used and `seconds_left` remain (None: the budget is not time). `done`, `running` and `failed` count
    trials; `expected` is how many will have ended at the end, as far as that can be told. `best` holds the
    measurements of the best trial so far (empty before there is one), `bests` the best value of the first objective
    after each improvement, `front` the number of trials on the front.
    """

    stage: str
    seconds: float
    seconds_left: float | None = None
    done: int = 0
    running: int = 0
    failed: int = 0
    expected: int | None = None
    best_trial: int | None = None
    best: Mapping[str, Measurement] = field(default_factory=dict)
    bests: tuple[float, ...] = ()
    front: int = 0
    workers: tuple[WorkerNow, ...] = ()
    last_failure: str = ""
