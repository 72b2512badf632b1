"""A search in virtual time: workers without machines, so that thousands of trials take a second.

`simulate` stands in for the loop: it draws from a source when a worker is free, records every proposal, answers
repeated ones at once, and tells results in the order in which the virtual trainings end. Trainings may report on their
way, and be stopped, as workers in processes are: at the next epoch after a rule has asked for it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from netwright.core.events import Asked, Failed, Finished, Lost
from netwright.core.measurement import Measurement
from netwright.core.seeding import stream
from netwright.core.trial import Continue, Proposal, TrialId
from netwright.stoppers import Stopping
from netwright.strategies.base import Source, Told

Answer = Mapping[str, Measurement] | str
"""Measurements, or how the trial ended without any: a status of failure, `lost`, or `silent` (never told)."""

Evaluate = Callable[[Proposal, Random], Answer]
Duration = Callable[[Proposal, Random], float]


@dataclass(frozen=True, slots=True)
class Report:
    """What a training says on its way, `after` so much of its time: a progress record with `epoch` and `of`, and what it
    has if it is stopped there."""

    after: float
    record: Mapping[str, Any]
    measurements: Mapping[str, Measurement]


Reports = Callable[[Proposal, Random], Sequence[Report]]


@dataclass(slots=True)
class Simulated:
    """What happened. `epochs` counts the training that was paid for (a continued trial pays the difference, a stopped one
    what it had)."""

    events: list[Told] = field(default_factory=list)
    proposals: dict[TrialId, Proposal] = field(default_factory=dict)
    answers: dict[TrialId, Mapping[str, Measurement]] = field(default_factory=dict)
    stopped: set[TrialId] = field(default_factory=set)
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
    reports: Reports = lambda proposal, rng: (),
    stopping: Stopping | None = None,
) -> Simulated:
    """Run until `trials` proposals are recorded, the source is empty, or `stop` says so; then let the rest end.

    `evaluate`, `duration` and `reports` get a random state that depends on `seed` and the trial's number alone. With
    `stopping`, a training that it wants to end ends at its next report.
    """
    virtual = _Virtual(source, stopping)

    def open_next() -> bool:
        proposal = next(iter(source.ask()), None)
        if proposal is None or len(virtual.done.proposals) >= trials:
            return False
        trial = virtual.ask(proposal)
        if trial is not None:
            rng = stream(seed, "trial", trial)
            end = answer_event(trial, evaluate(proposal, rng))
            virtual.begin(trial, reports(proposal, rng), duration(proposal, rng), end)
        return True

    while True:
        while len(virtual.running) < workers and not stop(virtual.done) and open_next():
            pass
        if not virtual.running:
            return virtual.done
        virtual.advance()


Steps = Iterator[tuple[float, Report | Told | None]]
"""The reports of a training and its end, each with the time when it is due."""


class _Virtual:
    """Workers, and what the loop remembers.

    `running` has for each training when it is heard of next, by what, and the steps after that.
    """

    def __init__(self, source: Source, stopping: Stopping | None) -> None:
        self.done = Simulated()
        self.running: list[tuple[float, TrialId, Report | Told | None, Steps]] = []
        self._source = source
        self._stopping = stopping
        self._first: dict[str, TrialId] = {}
        self._ended: dict[TrialId, Told] = {}
        self._twins: dict[TrialId, list[TrialId]] = {}
        self._unwanted: set[TrialId] = set()

    def ask(self, proposal: Proposal) -> TrialId | None:
        """Record a proposal. Gives its trial, or None where it repeats another's, whose answer it gets."""
        trial = len(self.done.proposals) + 1
        self.done.proposals[trial] = proposal
        self._record(Asked(self._source.name, ((trial, proposal),)))
        original = self._first.setdefault(proposal.identity(), trial)
        if original == trial:
            return trial
        if original in self._ended:
            self._close(copied(self._ended[original], trial))
        else:
            self._twins.setdefault(original, []).append(trial)
        return None

    def begin(self, trial: TrialId, reports: Sequence[Report], duration: float, end: Told | None) -> None:
        """A free worker takes a trial."""
        now, proposal = self.done.now, self.done.proposals[trial]
        self.done.trained += 1
        self.done.epochs += proposal.fidelity.epochs - _epochs_before(proposal, self.done.proposals)
        self._due(trial, iter([*((now + report.after, report) for report in reports), (now + duration, end)]))

    def _due(self, trial: TrialId, steps: Steps) -> None:
        at, step = next(steps)
        heapq.heappush(self.running, (at, trial, step, steps))

    def advance(self) -> None:
        """To the next report, or the next end of a training."""
        self.done.now, trial, step, steps = heapq.heappop(self.running)
        if isinstance(step, Report):
            step = self._heard(trial, step)
            if step is None:
                self._due(trial, steps)
                return
        if isinstance(step, Finished) and self._stopping:
            step = replace(step, notes=self._stopping.notes(trial))
        if step is not None:
            self._close(step)

    def _heard(self, trial: TrialId, report: Report) -> Finished | None:
        """The end of a training that was asked to stop before; None for one that goes on."""
        proposal = self.done.proposals[trial]
        left = report.record["of"] - report.record["epoch"]
        unwanted = trial in self._unwanted and left > 0
        if self._stopping and self._stopping.hear(self._source.name, trial, proposal, report.record):
            self._unwanted.add(trial)
        if not unwanted:
            return None
        self.done.epochs -= left
        self.done.stopped.add(trial)
        return Finished(trial, "stopped", report.measurements)

    def _close(self, event: Told) -> None:
        assert not isinstance(event, Asked)
        self._ended[event.trial] = event
        self._record(event)
        if self._stopping:
            self._stopping.take(self._source.name, self.done.proposals[event.trial], event)
        for twin in self._twins.pop(event.trial, []):
            self._close(copied(event, twin))

    def _record(self, event: Told) -> None:
        self.done.events.append(event)
        self._source.tell(event)
        if isinstance(event, Finished):
            self.done.answers[event.trial] = event.measurements


def copied(event: Told, trial: TrialId) -> Told:
    """The answer of one trial given to a repeated one."""
    assert not isinstance(event, Asked)
    if isinstance(event, Finished):
        return replace(event, trial=trial, reused_from=event.trial)
    return replace(event, trial=trial)


def _epochs_before(proposal: Proposal, proposals: Mapping[TrialId, Proposal]) -> int:
    return proposals[proposal.start.trial].fidelity.epochs if isinstance(proposal.start, Continue) else 0
