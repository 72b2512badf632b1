"""The only loop: sources of proposals, an evaluation, an executor, and the ledger that remembers.

A source is a strategy: the search itself, a list of baselines, a list of finalists. The loop draws proposals when a
worker is free, records every one of them as a trial, answers duplicates and refused candidates at once, gives the
rest to the executor, and tells each source what became of its own trials. All it knows is what the ledger told it:
the book is rebuilt by replay, and so is each source.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol, TypeGuard

from netwright.book import Book
from netwright.budget import Spent, Stopwatch
from netwright.core.errors import RunCorrupt
from netwright.core.events import (
    Asked,
    Cancelled,
    Clock,
    Event,
    Failed,
    Finished,
    Lost,
    Noted,
    Retried,
    Started,
)
from netwright.core.job import (
    Allowance,
    AttemptEvent,
    AttemptFailed,
    AttemptFinished,
    AttemptLost,
    AttemptProgress,
    AttemptStarted,
    Job,
)
from netwright.core.seeding import derive
from netwright.core.trial import Proposal, TrialId
from netwright.executors.base import Executor
from netwright.ledger.base import Ledger
from netwright.ledger.blobs import Blobs
from netwright.stoppers import Stopping
from netwright.strategies.base import Source

CLOCK_SECONDS = 5.0
FAILURES_IN_A_ROW = 20
ANSWERS_IN_A_ROW = 2_000
TWINS_IN_A_ROW = 100
"""A source that asks so often in a row for what is under way has nothing new until something of it has ended."""
LOSSES_RETRIED = 2
CRASHES_RETRIED = 1
DEATHS = 3
LARGE_ARTEFACTS = frozenset({"checkpoint", "weights", "onnx", "validation"})
SPARE_BYTES = 400_000_000
"""How much the large artefacts of a run may take before those of losers are deleted."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is to do: a job without its bookkeeping."""

    evaluation: str
    settings: Mapping[str, Any]
    allowance: Allowance
    inputs: Mapping[str, Path]


class Desk(Protocol):
    """What the loop must know of the work at hand; an experiment implements it. `source` is the name of a source."""

    def refuse(self, source: str, trial: TrialId, proposal: Proposal) -> Finished | Failed | None:
        """The answer to a candidate that needs no worker (cannot be built, outside a limit), or None."""
        ...

    def order(self, source: str, proposal: Proposal, artefacts: Callable[[TrialId], Mapping[str, Path]]) -> Order:
        """What a worker is to do. `artefacts(trial)` gives the kept files of an earlier trial by name."""
        ...

    def stands(self, event: Finished) -> bool:
        """Whether a refusal (`infeasible`) of an earlier trial would be given again, under the limits as they are now."""
        ...

    def facts(self, proposal: Proposal, event: Finished) -> Sequence[Noted]:
        """Facts to record beside a result."""
        ...

    def hear(self, source: str, proposal: Proposal, event: Finished) -> None:
        """A result, live or replayed, in ledger order."""
        ...

    def keep(self) -> set[TrialId]:
        """Trials whose large artefacts must stay, besides those the sources hold."""
        ...


@dataclass(frozen=True, slots=True)
class Ended:
    """Why `Loop.run` returned: `done` (sources are empty), `until`, `failures`, `exhausted` or `interrupted`."""

    why: str
    detail: str = ""


class Loop:
    """Drives sources until they are empty or the caller says so.

    `folder` is the run folder; job folders are made in `folder/work`, trainings under way are kept in
    `folder/partial`. `watch` is called after every change, for the terminal. `spare_bytes` is what large artefacts may
    take before those of losers are deleted. Open trials that are `shelved` are left alone. `stopping` says which
    trainings end early. Raises StorageError when the ledger cannot be written; nothing recorded before is lost by it.
    """

    def __init__(
        self,
        *,
        desk: Desk,
        ledger: Ledger,
        executor: Executor,
        blobs: Blobs,
        folder: Path,
        seed: int,
        stopwatch: Stopwatch,
        watch: Callable[[Loop], None] = lambda loop: None,
        spare_bytes: int = SPARE_BYTES,
        stopping: Stopping | None = None,
    ) -> None:
        self.book = Book()
        self.stopwatch = stopwatch
        self.progress: dict[TrialId, Mapping[str, Any]] = {}
        self.began: dict[TrialId, float] = {}
        self.interrupted = False
        self.shelved: set[TrialId] = set()
        self._desk = desk
        self._ledger = ledger
        self._executor = executor
        self._blobs = blobs
        self._folder = folder
        self._seed = seed
        self._watch = watch
        self._spare_bytes = spare_bytes
        self._stopping = stopping
        self._large: dict[str, int] = {}
        self._sources: dict[str, Source] = {}
        self._clocked = 0.0
        self._answers = 0
        self._twins = 0
        self._refusal = ""

    # -- state: replayed, then changed by recorded events alone ----------------------------------------------------

    def restore(self, sources: Mapping[str, Source]) -> None:
        """Take in the whole ledger, and tell each source what it holds of its own trials. Names are roles of the run."""
        self._sources.update(sources)
        for stored in self._ledger.replay():
            self._take(stored.event)
        kept = set(self._blobs.hashes())
        for trial, files in list(self.book.artefacts.items()):
            if not kept.issuperset(files.values()):
                self.book.artefacts[trial] = files = {name: blob for name, blob in files.items() if blob in kept}
            large = [blob for name, blob in files.items() if name in LARGE_ARTEFACTS]
            self._large.update({blob: self._blobs.size(blob) for blob in large})

    def add(self, name: str, source: Source) -> None:
        """Let a source take part that was not known when the ledger was taken in."""
        self._sources[name] = source
        if name in self.book.sources:
            for stored in self._ledger.replay():
                if self.book.source_of(stored.event) == name:
                    _tell(source, stored.event)

    def record(self, *events: Event) -> None:
        """Write events, then change the state by them; never the other way round."""
        self._ledger.append(events)
        for event in events:
            self._take(event)

    def _take(self, event: Event) -> None:
        if isinstance(event, Finished | Failed | Lost):
            entry = self.book.open[event.trial]
            if isinstance(event, Finished):
                self._desk.hear(entry.source, entry.proposal, event)
            if self._stopping is not None:
                self._stopping.take(entry.source, entry.proposal, event)
        self.book.take(event)
        source = self._sources.get(self.book.source_of(event))
        if source is not None:
            _tell(source, event)

    def spent(self) -> Spent:
        """Time, CPU time (attempts under way at their wall time) and search trials used so far."""
        now = time.monotonic()
        running = sum(now - began for began in self.began.values())
        return Spent(self.stopwatch.seconds, self.book.cpu_seconds + running, self.book.assigned.get("search", 0))

    def artefacts(self, trial: TrialId) -> dict[str, Path]:
        """The files of a trial that are still kept, by name."""
        files = self.book.artefacts.get(trial, {})
        return {name: self._blobs.get(blob) for name, blob in files.items() if blob in self._blobs}

    # -- the loop --------------------------------------------------------------------------------------------------

    def run(self, names: Sequence[str], until: Callable[[Loop], bool], *, draw: bool = True) -> Ended:
        """Draw from the named sources, first come first served, until they are empty or `until` holds.

        Without `draw`, only what was asked before is brought to its end. Attempts of other sources that are still
        running go on beside.
        """
        self._answers = self._twins = 0
        self._bury()
        while True:
            if self.interrupted:
                return Ended("interrupted")
            if until(self):
                return Ended("until")
            more = self._fill(names, until, draw)
            running = any(self.book.open[trial].source in names for trial in self.began)
            if not more and not running:
                return Ended("done")
            if self.book.failures_in_a_row >= FAILURES_IN_A_ROW:
                return Ended("failures", self.book.last_failure.reason if self.book.last_failure else "")
            nothing_new = self._answers >= ANSWERS_IN_A_ROW or self._twins >= TWINS_IN_A_ROW
            if nothing_new and not running:
                return Ended("exhausted", self._refusal)
            for event in self._executor.drain(0.25):
                self._receive(event)
            self._tick()

    def cancel(self, reason: str, *, grace: float = 0.0) -> None:
        """Stop every attempt under way; its trial is asked again when the run goes on."""
        now = time.monotonic()
        for trial in list(self.began):
            self._executor.stop(trial, grace)
            self.record(Cancelled(trial, reason, cpu_seconds=now - self.began.pop(trial)))
            self._clean(trial, self.book.open[trial].attempts)
        self.tick(force=True)

    def _fill(self, names: Sequence[str], until: Callable[[Loop], bool], draw: bool) -> bool:
        """Give work to every free worker; False when there is no more of it for now."""
        while self._executor.slots() > 0 and not until(self):
            if self._answers >= ANSWERS_IN_A_ROW or self.book.failures_in_a_row >= FAILURES_IN_A_ROW:
                return True
            trial = next((trial for trial in self.book.waiting(names) if trial not in self.shelved), None)
            if trial is not None:
                entry = self.book.open[trial]
                self._start(trial, entry.source, entry.proposal, entry.attempts + 1)
            elif draw and self._twins >= TWINS_IN_A_ROW:
                return True
            elif not draw or not self._ask(names):
                return False
            self._watch(self)
        return True

    def _ask(self, names: Sequence[str]) -> bool:
        """Draw one proposal and record it as a trial, with its start or the answer that needs no worker.

        False when no source has anything to ask for now.
        """
        for name in names:
            proposal = next(iter(self._sources[name].ask()), None)
            if proposal is None:
                continue
            trial = self.book.next_id
            asked = Asked(name, ((trial, proposal),))
            first = self.book.first_of(proposal)
            self._answers += 1
            self._twins += first in self.book.open
            if first in self.book.open:
                self.record(asked)
                return True
            answer = None if first is None else self._answer_of(first)
            if answer is not None and not (_is_refusal(answer) and not self._desk.stands(answer)):
                self.record(asked, _copied(answer, trial))
                return True
            refusal = self._desk.refuse(name, trial, proposal)
            if refusal is None:
                self._start(trial, name, proposal, 1, asked)
            else:
                self._refusal = _in_words(refusal)
                self.record(asked, refusal)
            return True
        return False

    def _answer_of(self, trial: TrialId) -> Finished | Failed | Lost:
        """What closed an earlier trial."""
        event = self._ledger.of_trial(trial)[-1].event
        if not isinstance(event, Finished | Failed | Lost):
            raise RunCorrupt(f"trial {trial} is closed, but its last event is {type(event).__name__}")
        return event

    def _start(self, trial: TrialId, source: str, proposal: Proposal, attempt: int, *before: Asked) -> None:
        """Record that an attempt begins, in one write with what came `before`, and give it to a worker."""
        order = self._desk.order(source, proposal, self.artefacts)
        job = Job(
            trial=trial,
            attempt=attempt,
            evaluation=order.evaluation,
            settings=order.settings,
            proposal=proposal.to_json(),
            seed=derive(self._seed, proposal.identity()),
            folder=self._job_folder(trial, attempt),
            inputs=order.inputs,
            keep=self._partial(trial),
        )
        self.record(*before, Started(trial, attempt))
        self._answers = self._twins = 0
        self._refusal = ""
        self.began[trial] = time.monotonic()
        self._executor.submit(job, order.allowance)

    # -- what workers report ---------------------------------------------------------------------------------------

    def _receive(self, event: AttemptEvent) -> None:
        if event.trial not in self.began or event.attempt != self.book.open[event.trial].attempts:
            return  # a late word of an attempt that was cancelled
        match event:
            case AttemptStarted():
                pass
            case AttemptProgress(trial, _, record):
                self.progress[trial] = record
                entry = self.book.open[trial]
                if self._stopping is not None and self._stopping.hear(entry.source, trial, entry.proposal, record):
                    self._executor.stop(trial, None)
            case AttemptFinished():
                self._finish(event)
            case AttemptFailed():
                self._fail(event)
            case AttemptLost():
                self._lose(event)
        self._watch(self)

    def _finish(self, event: AttemptFinished) -> None:
        folder = self._job_folder(event.trial, event.attempt)
        artefacts = {name: self._blobs.put(folder / file) for name, file in event.evaluated.artefacts.items()}
        self._large.update(
            {blob: self._blobs.size(blob) for name, blob in artefacts.items() if name in LARGE_ARTEFACTS}
        )
        finished = Finished(
            event.trial,
            "stopped" if event.stopped else "infeasible" if "infeasible" in event.evaluated.notes else "completed",
            event.evaluated.measurements,
            artefacts,
            event.seconds,
            event.cpu_seconds,
            notes={**event.evaluated.notes, **(self._stopping.notes(event.trial) if self._stopping else {})},
        )
        proposal = self.book.open[event.trial].proposal
        self._close(finished, *self._desk.facts(proposal, finished))
        self._sweep()

    def _fail(self, event: AttemptFailed) -> None:
        if event.signal is not None and self.book.open[event.trial].crashes < CRASHES_RETRIED:
            self._retry(Retried(event.trial, event.attempt, event.reason, event.cpu_seconds, "crashed"))
        else:
            self._close(Failed(event.trial, event.status, event.reason, event.detail, event.seconds, event.cpu_seconds))

    def _lose(self, event: AttemptLost) -> None:
        if event.counts and self.book.open[event.trial].losses >= LOSSES_RETRIED:
            self._close(Lost(event.trial, event.reason, event.cpu_seconds))
        else:
            cause: Literal["lost", "preempted"] = "lost" if event.counts else "preempted"
            self._retry(Retried(event.trial, event.attempt, event.reason, event.cpu_seconds, cause))

    def _retry(self, event: Retried) -> None:
        self.began.pop(event.trial)
        if self._stopping is not None:
            self._stopping.retried(event.trial)
        self.record(event)
        self._clean(event.trial, event.attempt)

    def _close(self, event: Finished | Failed | Lost, *facts: Noted) -> None:
        """Record an answer, in one write with the same one for every twin that waited for it."""
        self.began.pop(event.trial, None)
        self.progress.pop(event.trial, None)
        attempt = self.book.open[event.trial].attempts
        copies = [_copied(event, twin) for twin in self.book.twins(event.trial)]
        self._answers = self._twins = 0
        self.record(event, *facts, *copies)
        self._clean(event.trial, attempt)
        self._partial(event.trial).unlink(missing_ok=True)

    def _bury(self) -> None:
        """Close what an earlier driver left: trials that ran whenever one died (they may well be the cause), and twins
        of trials that were answered."""
        for trial, entry in list(self.book.open.items()):
            if trial not in self.book.open:  # a twin of one that was just closed
                continue
            if entry.twin_of is not None and entry.twin_of not in self.book.open:
                self.record(_copied(self._answer_of(entry.twin_of), trial))
            elif entry.deaths >= DEATHS:
                reason = f"it was running when the search itself died, {entry.deaths} times in a row"
                self._close(Failed(trial, "crashed", reason))

    # -- housekeeping ----------------------------------------------------------------------------------------------

    def tick(self, *, force: bool = False) -> None:
        """Record the time used, every few seconds."""
        seconds = self.stopwatch.seconds
        if force or seconds - self._clocked >= CLOCK_SECONDS:
            self._clocked = seconds
            self.record(Clock(seconds, self.spent().cpu_seconds))

    def _tick(self) -> None:
        self.tick()
        self._watch(self)

    def _sweep(self) -> None:
        """Above the budget of bytes, delete the large artefacts that nobody is likely to ask for, oldest first."""
        held = sum(self._large.values())
        if held <= self._spare_bytes:
            return
        keep = self._desk.keep() | self.book.inputs()
        keep.update(*(source.holds() for source in self._sources.values()))
        needed = {blob for trial in keep for blob in self.book.artefacts.get(trial, {}).values()}
        for trial in [trial for trial in self.book.artefacts if trial not in keep]:
            if held <= self._spare_bytes:
                return
            for name, blob in self.book.artefacts.pop(trial).items():
                if name in LARGE_ARTEFACTS and blob not in needed:
                    held -= self._large.pop(blob, 0)
                    self._blobs.delete(blob)

    def _job_folder(self, trial: TrialId, attempt: int) -> Path:
        return self._folder / "work" / f"{trial:06d}-{attempt}"

    def _partial(self, trial: TrialId) -> Path:
        """Where a training under way is kept between attempts, and while the search itself does not run."""
        return self._folder / "partial" / f"{trial:06d}"

    def _clean(self, trial: TrialId, attempt: int) -> None:
        shutil.rmtree(self._job_folder(trial, attempt), ignore_errors=True)


def _copied(event: Finished | Failed | Lost, trial: TrialId) -> Finished | Failed | Lost:
    """The answer to a trial, for another of the same identity."""
    match event:
        case Finished():
            first = event.reused_from or event.trial
            return replace(event, trial=trial, reused_from=first, seconds=0.0, cpu_seconds=0.0)
        case Failed():
            return replace(event, trial=trial, seconds=0.0, cpu_seconds=0.0)
        case Lost():
            return replace(event, trial=trial, cpu_seconds=0.0)


def _is_refusal(event: Finished | Failed | Lost) -> TypeGuard[Finished]:
    return isinstance(event, Finished) and event.status == "infeasible"


def _in_words(refusal: Finished | Failed) -> str:
    if isinstance(refusal, Failed):
        return refusal.reason
    return ", ".join(f"{name} {measurement.value:,.0f}" for name, measurement in refusal.measurements.items())


def _tell(source: Source, event: Event) -> None:
    if isinstance(event, Asked | Finished | Failed | Lost):
        source.tell(event)
