"""Hyperband over any strategy: several successive halvings side by side, each with another lowest rung.

Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar, "Hyperband: A Novel Bandit-Based Approach to Hyperparameter
Optimization", JMLR 18, 2018, arXiv 1603.06560. Successive halving trusts that a short training orders candidates as a
long one does. Hyperband hedges: bracket s begins s rungs below the top, so the last bracket trains each of a few
candidates to the end. In one round bracket s gets ceil((s_max + 1) / (s + 1) eta^s) new candidates.

Where this deviates: asynchronous, with the promotions of `halving` in each bracket (Li et al., "A System for Massively
Parallel Hyperparameter Tuning", MLSys 2020, section 3.2) and without an end; new candidates are dealt to the brackets
in these proportions, not bracket after bracket, so a search that is cut off has had all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction

from netwright.core.errors import InputError
from netwright.core.events import Asked
from netwright.core.trial import Continue, Fidelity, Proposal, TrialId
from netwright.strategies.base import Source, Strategy, Told
from netwright.strategies.halving import Bracket, Open, Record, check_rungs


def sizes(brackets: int, eta: int = 3) -> tuple[int, ...]:
    """New candidates a round of each bracket, the one with the lowest first rung (s = s_max) first."""
    return tuple(-(-brackets * eta**s // (s + 1)) for s in reversed(range(brackets)))


def table(longest: int, *, eta: int = 3, shortest: int = 1) -> list[list[tuple[int, int]]]:
    """The brackets of one synchronous round: (candidates, epochs) rung by rung, s = s_max first.

    The paper's algorithm 1, with a top rung of `longest` epochs and no rung below `shortest`. Raises InputError for
    numbers that make no rung.
    """
    if not 1 <= shortest <= longest or eta < 2:
        raise InputError(f"hyperband needs 1 <= shortest <= longest and eta >= 2, but got {shortest}, {longest}, {eta}")
    most = 0  # s_max, in whole numbers: the logarithm of 243 to the base 3 comes out below 5
    while shortest * eta ** (most + 1) <= longest:
        most += 1
    rows = []
    for s, count in zip(reversed(range(most + 1)), sizes(most + 1, eta), strict=True):
        rows.append([(max(1, count // eta**rung), longest // eta ** (s - rung)) for rung in range(s + 1)])
    return rows


class Hyperband(Source):
    """Successive halvings of the proposals of `inner` on `rungs` (epochs, rising) and on all of their upper ends.

    `eta` and `hopeless` are those of `halving.Bracket`. The inner strategy draws one stream of candidates, whichever
    bracket each goes to, and learns from each result at the rung that it was trained to.
    """

    def __init__(self, inner: Strategy, *, rungs: Sequence[int], eta: int = 3, hopeless: float = 0.25) -> None:
        check_rungs(inner, rungs, eta, hopeless)
        self.inner = inner
        self.name = inner.name
        self.epochs = tuple(rungs)
        self.sizes = sizes(len(rungs), eta)
        self.given = [0] * len(rungs)
        self.brackets = [Bracket(inner.goal, rungs[first:], eta=eta, hopeless=hopeless) for first in range(len(rungs))]
        inner.fidelity = inner.entry = Fidelity(rungs[0], trunk=True)

    # -- asking ----------------------------------------------------------------------------------------------------

    def ask(self) -> Iterator[Proposal]:
        """Promotions to the highest rung first, of all brackets; then candidates of the inner strategy, dealt out."""
        offered: set[TrialId] = set()
        given = list(self.given)
        fresh = self.inner.ask()
        while True:
            promoted = self._promotable(offered)
            if promoted is not None:
                bracket, level, record = promoted
                offered.add(record.trial)
                yield bracket.promotion(level, record)
                continue
            proposal = next(fresh, None)
            if proposal is None:
                return
            first = self._next(given)
            given[first] += 1
            yield replace(proposal, fidelity=Fidelity(self.epochs[first], trunk=True))

    def _promotable(self, offered: set[TrialId]) -> tuple[Bracket, int, Record] | None:
        """The promotion to the highest rung; among brackets of equal standing, that of the lowest first rung."""
        found = None
        highest = -1
        for first, bracket in enumerate(self.brackets):
            promoted = bracket.promotable(offered)
            if promoted is not None and first + promoted[0] > highest:
                highest = first + promoted[0]
                found = (bracket, *promoted)
        return found

    def _next(self, given: Sequence[int]) -> int:
        """The bracket whose turn it is: after each round it has had exactly its size, and never much more before."""
        return min(range(len(given)), key=lambda first: (Fraction(given[first] + 1, self.sizes[first]), first))

    # -- telling ---------------------------------------------------------------------------------------------------

    def tell(self, event: Told) -> None:
        """Take in one recorded event. The inner strategy hears of its proposals as it made them, of each result at
        the rung it was trained to, and of promotions by `on_promoted`."""
        if isinstance(event, Asked):
            for trial, proposal in event.trials:
                self._asked(event.source, trial, proposal)
            return
        for first, bracket in enumerate(self.brackets):
            entry = bracket.ended(event)
            if entry is not None:
                self._ended(event, entry, Fidelity(self.epochs[first + entry.rung], trunk=True))

    def _asked(self, source: str, trial: TrialId, proposal: Proposal) -> None:
        if isinstance(proposal.start, Continue):
            for bracket in self.brackets:
                bracket.promote(trial, proposal)
            return
        first = self.epochs.index(proposal.fidelity.epochs)
        self.given[first] += 1
        self.brackets[first].enter(trial, proposal.candidate)
        entry = self.inner.entry or self.inner.fidelity
        self.inner.tell(Asked(source, ((trial, replace(proposal, fidelity=entry)),)))

    def _ended(self, event: Told, entry: Open, fidelity: Fidelity) -> None:
        assert not isinstance(event, Asked)
        if entry.below is not None:
            self.inner.on_promoted(entry.root, fidelity, event)
            return
        with _told_at(self.inner, fidelity):
            self.inner.tell(event)

    # -- what the loop and a person want to know -------------------------------------------------------------------

    def holds(self) -> set[TrialId]:
        """What may be promoted in any bracket, and what the inner strategy holds."""
        return self.inner.holds().union(*(bracket.holds() for bracket in self.brackets))

    def remarks(self) -> tuple[str, ...]:
        """Those of the inner strategy."""
        return self.inner.remarks()


@contextmanager
def _told_at(inner: Strategy, fidelity: Fidelity) -> Iterator[None]:
    """Let a strategy take the result it is told for one at `fidelity`."""
    before, inner.fidelity = inner.fidelity, fidelity
    try:
        yield
    finally:
        inner.fidelity = before
