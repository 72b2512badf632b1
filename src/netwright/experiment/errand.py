"""One job outside the trials: a probe, a measurement side by side, the reading of the test split."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from netwright.core.errors import NetwrightError
from netwright.core.job import Allowance, AttemptFailed, AttemptFinished, AttemptLost, Evaluated, Job
from netwright.executors.base import Executor

ATTEMPTS = 3
LONGEST_SECONDS = 1_800.0
"""No errand takes more than minutes; one that does has hung."""
NOT_A_TRIAL = 0

Answer = TypeVar("Answer")


def errand(
    executor: Executor,
    folder: Path,
    evaluation: str,
    settings: Mapping[str, Any],
    *,
    inputs: Mapping[str, Path],
    seed: int,
    take: Callable[[Evaluated, Path], Answer],
    proposal: Mapping[str, Any] | None = None,
    seconds: float = LONGEST_SECONDS,
) -> Answer:
    """Run a job, wait for it, and give `take` its result and the folder that holds its files before that is deleted.

    A worker that has not answered after `seconds` is killed. Must be called while no trial runs that anybody waits
    for. Raises NetwrightError when the job fails for good.
    """
    reason = ""
    for attempt in range(1, ATTEMPTS + 1):
        place = folder / "work" / f"{evaluation}-{attempt}"
        while executor.slots() == 0:
            executor.drain(1.0)
        job = Job(NOT_A_TRIAL, attempt, evaluation, settings, proposal, seed, place, inputs)
        executor.submit(job, Allowance(seconds))
        try:
            answer = _wait(executor, attempt)
            if isinstance(answer, AttemptFinished):
                return take(answer.evaluated, place)
        finally:
            shutil.rmtree(place, ignore_errors=True)
        reason = answer.reason
        if isinstance(answer, AttemptFailed) and answer.signal is None:
            break
    raise NetwrightError(f"the {evaluation} of this run failed: {reason}; see the folder logs/ of the run")


def _wait(executor: Executor, attempt: int) -> AttemptFinished | AttemptFailed | AttemptLost:
    while True:
        for event in executor.drain(1.0):
            if (
                isinstance(event, AttemptFinished | AttemptFailed | AttemptLost)
                and event.trial == NOT_A_TRIAL
                and event.attempt == attempt
            ):
                return event
