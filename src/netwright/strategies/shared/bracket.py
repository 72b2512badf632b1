"""The rungs of one successive halving: who is there, who goes on next, who is under way.

The rule is that of `halving.py`, which says where it is from.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from netwright.core.candidate import Candidate
from netwright.core.events import Failed, Finished, Lost
from netwright.core.metrics import QUALITY
from netwright.core.objective import Goal
from netwright.core.trial import Continue, Fidelity, Proposal, TrialId
from netwright.strategies.shared.population import Result, result_of
from netwright.strategies.shared.ranking import best_first

WINDOW = 243
"""Latest results that a rung compares."""


@dataclass(slots=True)
class Record:
    """A result at a rung. `root` is the trial at rung 0 that the inner strategy knows. `closed`: no promotion (more).

    One that was `stopped` before it came there is one of many on its rung, and none of the best.
    """

    trial: TrialId
    root: TrialId
    candidate: Candidate
    result: Result
    closed: bool
    stopped: bool = False
    losses: int = 0


@dataclass(slots=True)
class Rung:
    """One level of training: its latest results, and the best of eta among them (None: to be found again)."""

    epochs: int
    records: deque[Record]
    best: list[Record] | None = None


@dataclass(frozen=True, slots=True)
class Open:
    """A trial under way. `below` is the record that was promoted to it; None at rung 0, where it may be `repeated`."""

    rung: int
    root: TrialId
    candidate: Candidate
    below: Record | None
    repeated: bool = False


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

    def promotable(self, offered: set[TrialId], *, beyond: bool) -> tuple[int, Record] | None:
        """The level and the record that goes on from there next, the highest level first; none of those `offered`.

        Of the best of `eta`, or `beyond` them of all that are held.
        """
        for level in reversed(range(len(self.rungs) - 1)):
            rung = self.rungs[level]
            for record in self._held(rung) if beyond else self._best(rung):
                if not record.closed and record.trial not in offered:
                    return level, record
        return None

    def _best(self, rung: Rung) -> list[Record]:
        if rung.best is None:
            rung.best = list(islice(self._ordered(rung), len(rung.records) // self.eta))
        return rung.best

    def _held(self, rung: Rung) -> list[Record]:
        """Those of the better half that are not promoted yet; the best of all others where there are none."""
        order = list(self._ordered(rung))
        half = (len(rung.records) + 1) // 2
        rest = [record for record in order[half:] if not record.closed]
        return [record for record in order[:half] if not record.closed] or rest[:1]

    def _ordered(self, rung: Rung) -> Iterator[Record]:
        """The best first, without the hopeless ones and those that were stopped."""
        records = list(rung.records)
        outside = self._hopeless(records)
        outside.update(i for i, record in enumerate(records) if record.stopped)
        return (records[i] for i in best_first([record.result for record in records]) if i not in outside)

    def _hopeless(self, records: Sequence[Record]) -> set[int]:
        """Indices of the feasible records that are among the worst in every objective that training changes."""
        feasible = [i for i, record in enumerate(records) if record.result.violation == 0]
        worst = int(self.hopeless * len(feasible))
        objectives = self.goal.objectives
        trained = [k for k, objective in enumerate(objectives) if objective.metric in QUALITY]
        if not worst or not trained:
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

    def enter(self, trial: TrialId, candidate: Candidate, *, repeated: bool = False) -> None:
        """A candidate is under way to the lowest rung; `repeated` if it was before."""
        self.open[trial] = Open(0, trial, candidate, None, repeated)

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
        copied = entry.repeated and event.reused_from is not None
        if result is None or event.status == "infeasible" or copied:
            return
        rung = self.rungs[entry.rung]
        stopped = event.status == "stopped"
        closed = stopped or rung is self.rungs[-1]
        rung.records.append(Record(event.trial, entry.root, entry.candidate, result, closed, stopped))
        rung.best = None

    def holds(self) -> set[TrialId]:
        """Trials that may be promoted next, and what promotions under way start from."""
        held = {entry.below.trial for entry in self.open.values() if entry.below is not None}
        for rung in self.rungs[:-1]:
            held.update(record.trial for record in self._held(rung))
        return held
