"""What the loop knows of all trials, in little memory: whole proposals of open ones, a digest of every other.

A book is changed by events, so that taking in a ledger from its beginning gives the book of the driver that wrote it;
what it says of artefacts the loop corrects by what is still on the disk. Per closed trial it holds one 16-byte identity,
one byte for the source, and the names of its files.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

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
from netwright.core.trial import Continue, Inherit, Proposal, TrialId

_NOBODY = 255
"""In place of the source of a trial that is missing."""


@dataclass(slots=True)
class OpenTrial:
    """A trial without an answer yet.

    `losses` and `crashes` count ended attempts by cause, `deaths` the drivers that died while it ran with nothing
    finished in between. `twin_of` names the earlier open trial of the same identity whose answer it waits for.
    """

    source: str
    proposal: Proposal
    twin_of: TrialId | None = None
    running: bool = False
    attempts: int = 0
    losses: int = 0
    crashes: int = 0
    deaths: int = 0


@dataclass(slots=True)
class Book:
    """The state of all trials.

    The first trial of an identity answers for all later ones, but for one that was lost. By source: `assigned` counts
    trials that were ever given to a worker, `cpu` are CPU seconds of ended attempts, and `longest` the wall seconds of
    the longest one that ended with a result.
    """

    open: dict[TrialId, OpenTrial] = field(default_factory=dict)
    artefacts: dict[TrialId, dict[str, str]] = field(default_factory=dict)
    assigned: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    longest: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    failures_in_a_row: int = 0
    last_failure: Failed | Lost | None = None
    _clocked: float = 0.0
    _first: dict[bytes, TrialId] = field(default_factory=dict)
    _names: list[str] = field(default_factory=list)
    _source: array[int] = field(default_factory=lambda: array("B"))

    @property
    def next_id(self) -> TrialId:
        """The id of the next trial; ids count from 1 (a ledger that was damaged and mended may have gaps)."""
        return len(self._source) + 1

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds of all ended attempts."""
        return sum(self.cpu.values())

    @property
    def sources(self) -> Sequence[str]:
        """Names of all sources that ever asked, in order of their first trial."""
        return tuple(self._names)

    def source_of(self, event: Event) -> str:
        """Which source an event concerns; empty for facts of the run itself."""
        match event:
            case Asked(source, _):
                return source
            case Clock() | Noted():
                return ""
            case _:
                return self._names[self._source[event.trial - 1]]

    def first_of(self, proposal: Proposal) -> TrialId | None:
        """The first trial with the identity of `proposal`, or None."""
        return self._first.get(bytes.fromhex(proposal.identity()))

    def waiting(self, sources: Sequence[str]) -> Iterator[TrialId]:
        """Open trials of `sources` that no worker has and that wait for no twin, in order of their ids."""
        for trial in sorted(self.open):
            entry = self.open[trial]
            if entry.source in sources and not entry.running and entry.twin_of is None:
                yield trial

    def twins(self, trial: TrialId) -> list[TrialId]:
        """Open trials that wait for the answer of `trial`."""
        return [other for other, entry in self.open.items() if entry.twin_of == trial]

    def take(self, event: Event) -> None:
        """Change the state by one event, in ledger order."""
        match event:
            case Asked(source, trials):
                for trial, proposal in trials:
                    self._ask(source, trial, proposal)
            case Started(trial, attempt, _):
                entry = self.open[trial]
                if attempt == 1:
                    self.assigned[entry.source] = self.assigned.get(entry.source, 0) + 1
                entry.running, entry.attempts = True, attempt
            case Retried(trial, _, _, cpu_seconds, cause):
                entry = self.open[trial]
                entry.running = False
                entry.losses += cause == "lost"
                entry.crashes += cause == "crashed"
                self._pay(entry.source, cpu_seconds)
            case Cancelled(trial, _, cpu_seconds):
                self.open[trial].running = False
                self._pay(self.open[trial].source, cpu_seconds)
            case Finished() | Failed() | Lost():
                self._close(event)
            case Clock(seconds, cpu_seconds):
                self.seconds, self._clocked = seconds, cpu_seconds
            case Noted("driver"):
                self.failures_in_a_row = 0  # whoever goes on may have mended the cause
                self._outlive([entry for entry in self.open.values() if entry.running])

    def _outlive(self, running: list[OpenTrial]) -> None:
        """A driver died while these ran: what the clock last said of their CPU time was used in vain."""
        unpaid = max(0.0, self._clocked - self.cpu_seconds)
        for entry in running:
            self._pay(entry.source, unpaid / len(running))
            entry.deaths += 1
            entry.running = False

    def _ask(self, source: str, trial: TrialId, proposal: Proposal) -> None:
        if source not in self._names:
            self._names.append(source)
        self._source.extend([_NOBODY] * (trial - self.next_id))
        self._source.append(self._names.index(source))
        first = self._first.setdefault(bytes.fromhex(proposal.identity()), trial)
        self.open[trial] = OpenTrial(source, proposal, first if first != trial and first in self.open else None)

    def _close(self, event: Finished | Failed | Lost) -> None:
        entry = self.open.pop(event.trial)
        status = "lost" if isinstance(event, Lost) else event.status
        self.counts[status] = self.counts.get(status, 0) + 1
        self._pay(entry.source, event.cpu_seconds)
        identity = bytes.fromhex(entry.proposal.identity())
        if isinstance(event, Finished):
            if entry.attempts:
                self._succeed(entry.source, event)
                self._first[identity] = event.trial
            if event.artefacts:
                self.artefacts[event.trial] = dict(event.artefacts)
        elif self._first.get(identity) != event.trial:
            return  # a copy of an earlier answer says nothing new
        else:
            self.failures_in_a_row += 1
            self.last_failure = event
            if isinstance(event, Lost):
                del self._first[identity]  # the machine's fault: asked for again, it is tried again

    def _succeed(self, source: str, event: Finished) -> None:
        """A worker brought a result: neither the machine nor the search is at fault."""
        self.failures_in_a_row = 0
        for other in self.open.values():
            other.deaths = 0
        self.longest[source] = max(self.longest.get(source, 0.0), event.seconds)

    def _pay(self, source: str, cpu_seconds: float) -> None:
        self.cpu[source] = self.cpu.get(source, 0.0) + cpu_seconds

    def inputs(self) -> set[TrialId]:
        """Trials whose weights an open trial starts from."""
        starts = (entry.proposal.start for entry in self.open.values())
        return {start.trial for start in starts if isinstance(start, Continue | Inherit)}
