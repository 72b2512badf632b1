"""Asynchronous successive halving over any strategy: train many a little, and the best third of them on.

Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht, Talwalkar, "A System for Massively Parallel Hyperparameter
Tuning", MLSys 2020, arXiv 1810.05934 (ASHA, the promotion variant). On every ask the best not yet promoted result of
the highest possible rung goes on from its own checkpoint; where there is none, the inner strategy proposes at rung 0.

Where this deviates: several objectives (constraint domination, rank, crowding); each rung compares its latest
`WINDOW` results, which bounds memory and lets the old give way in a long search; results that were copied, refused
before training or stopped early are never promoted; with several objectives, `hopeless` keeps the worst of a rung
from promotion: among tiny networks one near chance is non-dominated by its size alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netwright.core.candidate import Candidate
from netwright.core.errors import InputError
from netwright.core.events import Asked, Failed, Finished, Lost
from netwright.core.metrics import QUALITY
from netwright.core.objective import Goal
from netwright.core.trial import Continue, Fidelity, Proposal, TrialId
from netwright.strategies.base import Source, Strategy, Told
from netwright.strategies.population import Result, result_of
from netwright.strategies.ranking import best_first

WINDOW = 243


@dataclass(slots=True)
class Record:
    """A result at a rung. `root` is the trial at rung 0 that the inner strategy knows. `closed`: no promotion (more)."""

    trial: TrialId
    root: TrialId
    candidate: Candidate
    result: Result
    closed: bool
    losses: int = 0


@dataclass(slots=True)
class Rung:
    """One level of training: its latest results, and their order (None: to be made again)."""

    epochs: int
    records: deque[Record]
    order: list[Record] | None = None


@dataclass(frozen=True, slots=True)
class Open:
    """A trial under way. `below` is the record that was promoted to it; None at rung 0."""

    rung: int
    root: TrialId
    candidate: Candidate
    below: Record | None


class Bracket:
    """The rungs of one successive halving: who is there, who goes on next, who is under way.

    `rungs` are epochs, rising; the best of `eta` goes on. `hopeless` is the share of each rung, the worst in every
    objective that training can change, that is not promoted however good its other objectives are.
    """

    def __init__(self, goal: Goal, rungs: Sequence[int], *, eta: int, hopeless: float) -> None:
        self.goal = goal
        self.eta = eta
        self.hopeless = hopeless
        self.rungs = [Rung(epochs, deque(maxlen=WINDOW)) for epochs in rungs]
        self.open: dict[TrialId, Open] = {}
        self._levels = {epochs: level for level, epochs in enumerate(rungs)}

    def promotable(self, offered: set[TrialId]) -> tuple[int, Record] | None:
        """The level and the record that goes on from there next, the highest level first; none of those `offered`."""
        for level in reversed(range(len(self.rungs) - 1)):
            rung = self.rungs[level]
            for record in self._ordered(rung)[: len(rung.records) // self.eta]:
                if not record.closed and record.trial not in offered:
                    return level, record
        return None

    def _ordered(self, rung: Rung) -> list[Record]:
        if rung.order is None:
            records = list(rung.records)
            order = best_first([record.result for record in records])
            outside = self._hopeless(records)
            rung.order = [records[i] for i in order if i not in outside]
        return rung.order

    def _hopeless(self, records: Sequence[Record]) -> set[int]:
        """Indices of the feasible records that are among the worst in every objective that training changes."""
        feasible = [i for i, record in enumerate(records) if record.result.violation == 0]
        worst = int(self.hopeless * len(feasible))
        objectives = self.goal.objectives
        trained = [k for k, objective in enumerate(objectives) if objective.metric in QUALITY]
        if not worst or not trained or len(objectives) == 1:
            return set()
        ranked = (sorted(feasible, key=lambda i: records[i].result.costs[k])[-worst:] for k in trained)
        return set.intersection(*map(set, ranked))

    def promotion(self, level: int, record: Record) -> Proposal:
        """To the rung above `level`, from the record's own checkpoint."""
        return Proposal(
            record.candidate,
            Fidelity(self.rungs[level + 1].epochs, trunk=True),
            Continue(record.trial),
            parents=(record.trial,),
            origin="promotion",
        )

    # -- telling ---------------------------------------------------------------------------------------------------

    def enter(self, trial: TrialId, candidate: Candidate) -> None:
        """A new candidate is under way to the lowest rung."""
        self.open[trial] = Open(0, trial, candidate, None)

    def promote(self, trial: TrialId, proposal: Proposal) -> None:
        """A promotion is under way, if it is one of this bracket's own."""
        level = self._levels.get(proposal.fidelity.epochs, 0)
        if not isinstance(proposal.start, Continue) or level == 0:
            return
        below = proposal.start.trial
        record = next((record for record in self.rungs[level - 1].records if record.trial == below), None)
        if record is not None:
            record.closed = True
            self.open[trial] = Open(level, record.root, record.candidate, record)

    def ended(self, event: Finished | Failed | Lost) -> Open | None:
        """A trial ended; gives what it was. None for another's, or a late word of one that ended before."""
        entry = self.open.pop(event.trial, None)
        if entry is not None and isinstance(event, Finished):
            self._finished(entry, event)
        elif entry is not None and entry.below is not None and isinstance(event, Lost):
            entry.below.losses += 1
            entry.below.closed = entry.below.losses > 1
        return entry

    def _finished(self, entry: Open, event: Finished) -> None:
        result = result_of(self.goal, event)
        if result is None or event.status == "infeasible" or event.reused_from is not None:
            return
        rung = self.rungs[entry.rung]
        closed = event.status == "stopped" or rung is self.rungs[-1]
        rung.records.append(Record(event.trial, entry.root, entry.candidate, result, closed))
        rung.order = None

    def holds(self) -> set[TrialId]:
        """Trials that may be promoted: the better half of each rung, and what promotions under way start from."""
        held = {entry.below.trial for entry in self.open.values() if entry.below is not None}
        for rung in self.rungs[:-1]:
            contenders = self._ordered(rung)[: (len(rung.records) + 1) // 2]
            held.update(record.trial for record in contenders if not record.closed)
        return held


def check_rungs(inner: Strategy, rungs: Sequence[int], eta: int, hopeless: float) -> None:
    """Raise InputError unless `inner` can be combined with these settings of successive halving."""
    if len(rungs) < 2 or rungs[0] < 1 or list(rungs) != sorted(set(rungs)):
        raise InputError(f"rungs must be two or more rising numbers of epochs, but got {tuple(rungs)}")
    if eta < 2:
        raise InputError(f"eta must be at least 2, but got {eta}")
    if not 0 <= hopeless < 1:
        raise InputError(f"hopeless must be a share from 0 to below 1, but got {hopeless}")
    if not inner.fidelities:
        raise InputError(f"{inner.name} cannot be combined with successive halving; give one number of epochs")


class Halving(Source):
    """Successive halving of the proposals of `inner` on `rungs` (epochs, rising); `eta` and `hopeless` as in `Bracket`."""

    def __init__(self, inner: Strategy, *, rungs: Sequence[int], eta: int = 3, hopeless: float = 0.25) -> None:
        check_rungs(inner, rungs, eta, hopeless)
        self.inner = inner
        self.name = inner.name
        self.bracket = Bracket(inner.goal, rungs, eta=eta, hopeless=hopeless)
        inner.fidelity = Fidelity(rungs[0], trunk=True)

    def ask(self) -> Iterator[Proposal]:
        """Promotions from the highest rung down, then proposals of the inner strategy."""
        offered: set[TrialId] = set()
        fresh = self.inner.ask()
        while True:
            promoted = self.bracket.promotable(offered)
            if promoted is not None:
                level, record = promoted
                offered.add(record.trial)
                yield self.bracket.promotion(level, record)
            else:
                proposal = next(fresh, None)
                if proposal is None:
                    return
                yield proposal

    def tell(self, event: Told) -> None:
        """Take in one recorded event. The inner strategy hears of its own proposals, and of promotions by
        `on_promoted`."""
        if isinstance(event, Asked):
            for trial, proposal in event.trials:
                if isinstance(proposal.start, Continue):
                    self.bracket.promote(trial, proposal)
                else:
                    self.bracket.enter(trial, proposal.candidate)
                    self.inner.tell(Asked(event.source, ((trial, proposal),)))
            return
        entry = self.bracket.ended(event)
        if entry is not None and entry.below is None:
            self.inner.tell(event)
        elif entry is not None:
            epochs = self.bracket.rungs[entry.rung].epochs
            self.inner.on_promoted(entry.root, Fidelity(epochs, trunk=True), event)

    def holds(self) -> set[TrialId]:
        """What may be promoted, and what the inner strategy holds."""
        return self.bracket.holds() | self.inner.holds()

    def remarks(self) -> tuple[str, ...]:
        """Those of the inner strategy."""
        return self.inner.remarks()
