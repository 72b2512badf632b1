"""A search in virtual time: workers without machines, so that thousands of trials take a second.

`simulate` stands in for the loop: it draws from a source when a worker is free, records every proposal, answers
repeated ones at once, and tells results in the order in which the virtual trainings end.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random

from netwright.core.events import Asked, Failed, Finished, Lost
from netwright.core.measurement import Measurement
from netwright.core.seeding import stream
from netwright.core.trial import Continue, Proposal, TrialId
from netwright.strategies.base import Source, Told

Answer = Mapping[str, Measurement] | str
"""Measurements, or how the trial ended without any: a status of failure, `lost`, or `silent` (never told)."""

Evaluate = Callable[[Proposal, Random], Answer]
Duration = Callable[[Proposal, Random], float]


@dataclass(slots=True)
class Simulated:
    """What happened. `epochs` counts the training that was paid for (a continued trial pays the difference)."""

    events: list[Told] = field(default_factory=list)
    proposals: dict[TrialId, Proposal] = field(default_factory=dict)
    answers: dict[TrialId, Mapping[str, Measurement]] = field(default_factory=dict)
    epochs: int = 0
    trained: int = 0
    now: float = 0.0

    def values(self, metric: str) -> dict[TrialId, float]:
        """A metric of every finished trial."""
        return {trial: answer[metric].value for trial, answer in self.answers.items()}


def answer_event(trial: TrialId, answer: Answer) -> Told | None:
    """The event that closes a trial with this answer."""
    if not isinstance(answer, str):
        return Finished(trial, "completed", answer)
    if answer == "silent":
        return None
    if answer == "lost":
        return Lost(trial, "the worker vanished")
    return Failed(trial, answer, "scripted")  # type: ignore[arg-type]


def simulate(
    source: Source,
    evaluate: Evaluate,
    *,
    trials: int,
    workers: int = 1,
    duration: Duration = lambda proposal, rng: 1.0,
    seed: int = 0,
    stop: Callable[[Simulated], bool] = lambda so_far: False,
) -> Simulated:
    """Run until `trials` proposals are recorded, the source is empty, or `stop` says so; then let the rest end.

    `evaluate` and `duration` get a random state that depends on `seed` and the trial's number alone.
    """
    done = Simulated()
    first: dict[str, TrialId] = {}
    ended: dict[TrialId, Told] = {}
    running: list[tuple[float, TrialId, Told | None]] = []
    twins: dict[TrialId, list[TrialId]] = {}

    def record(event: Told) -> None:
        done.events.append(event)
        source.tell(event)
        if isinstance(event, Finished):
            done.answers[event.trial] = event.measurements

    def close(event: Told, trial: TrialId) -> None:
        ended[trial] = event
        record(event)
        for twin in twins.pop(trial, []):
            close(copied(event, twin), twin)

    def open_next() -> bool:
        proposal = next(iter(source.ask()), None)
        if proposal is None or len(done.proposals) >= trials:
            return False
        trial = len(done.proposals) + 1
        done.proposals[trial] = proposal
        record(Asked(source.name, ((trial, proposal),)))
        original = first.setdefault(proposal.identity(), trial)
        if original in ended:
            close(copied(ended[original], trial), trial)
        elif original != trial:
            twins.setdefault(original, []).append(trial)
        else:
            rng = stream(seed, "trial", trial)
            answer = evaluate(proposal, rng)
            heapq.heappush(running, (done.now + duration(proposal, rng), trial, answer_event(trial, answer)))
            done.trained += 1
            done.epochs += proposal.fidelity.epochs - _epochs_before(proposal, done.proposals)
        return True

    while True:
        while len(running) < workers and not stop(done) and open_next():
            pass
        if not running:
            break
        done.now, trial, event = heapq.heappop(running)
        if event is not None:
            close(event, trial)
    return done


def copied(event: Told, trial: TrialId) -> Told:
    """The answer of one trial given to a repeated one."""
    assert not isinstance(event, Asked)
    if isinstance(event, Finished):
        return replace(event, trial=trial, reused_from=event.trial)
    return replace(event, trial=trial)


def _epochs_before(proposal: Proposal, proposals: Mapping[TrialId, Proposal]) -> int:
    return proposals[proposal.start.trial].fidelity.epochs if isinstance(proposal.start, Continue) else 0
