"""Asynchronous successive halving over any strategy: train many a little, and the best third of them on.

Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht, Talwalkar, "A System for Massively Parallel Hyperparameter
Tuning", MLSys 2020, arXiv 1810.05934 (ASHA, the promotion variant). On every ask the best not yet promoted result of
the highest possible rung goes on from its own checkpoint; where there is none, the inner strategy proposes at rung 0.

Where this deviates: no worker idles in a space that is used up. When the inner strategy has nothing new, the best of
the rest go on, the highest rung first: whoever came to a rung is better, as far as is known, than those left below.
With several objectives the best are those by constraint domination, rank and crowding. Each rung compares its latest
`bracket.WINDOW` results, which bounds memory and lets the old give way in a long search. Results of repeated
candidates, refused before training or stopped early are never promoted, nor is the `hopeless` share of a rung: among
tiny networks one near chance is non-dominated by its size alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction

from netwright.core.errors import InputError
from netwright.core.events import Asked
from netwright.core.trial import Continue, Fidelity, Fresh, Proposal, TrialId
from netwright.strategies.base import Source, Strategy, Told
from netwright.strategies.shared.bracket import Bracket

REPEATS = 10
"""A strategy that repeats itself so often in a row has nothing new."""


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


class Halvings(Source):
    """Successive halvings side by side, over the proposals of `inner`.

    `rungs` are epochs, rising; there is a bracket for each of `sizes`, the i-th on the rungs from the i-th on, and new
    candidates are dealt out in these proportions. A repeated one goes where it went before, so that its answer is known;
    `repeats` counts those in a row.
    """

    def __init__(
        self, inner: Strategy, rungs: Sequence[int], sizes: Sequence[int], *, eta: int, hopeless: float
    ) -> None:
        check_rungs(inner, rungs, eta, hopeless)
        self.inner = inner
        self.name = inner.name
        self.rungs = tuple(Fidelity(epochs, trunk=True) for epochs in rungs)
        self.sizes = tuple(sizes)
        self.given = [0] * len(sizes)
        self.brackets = [Bracket(inner.goal, rungs[first:], eta=eta, hopeless=hopeless) for first in range(len(sizes))]
        self.repeats = 0
        self._began: dict[bytes, int] = {}  # by identity: the bracket, where it is not the first
        inner.fidelity = inner.entry = self.rungs[0]

    # -- asking ----------------------------------------------------------------------------------------------------

    def ask(self) -> Iterator[Proposal]:
        """Promotions to the highest rung first, then candidates of the inner strategy, dealt out.

        Where it ends, or only repeats itself, the best of the rest are promoted; before each it may try once more.
        """
        offered: set[TrialId] = set()
        drawn: dict[bytes, int] = {}
        given, repeats = list(self.given), self.repeats
        fresh = self.inner.ask()
        while True:
            promotion = self._promotion(offered)
            if promotion is None and repeats >= REPEATS:
                promotion = self._promotion(offered, beyond=True)
            if promotion is not None:
                offered.update(promotion.parents)
                repeats = min(repeats, REPEATS - 1)
                yield promotion
                continue
            proposal = next(fresh, None)
            if proposal is not None:
                identity = self._identity(proposal)
                repeated = identity in self.inner.seen or identity in drawn
                repeats = repeats + 1 if repeated else 0
                if identity not in drawn:
                    drawn[identity] = self._began.get(identity, 0) if repeated else self._turn(given)
                yield _at(self.rungs[drawn[identity]], proposal)
            elif repeats < REPEATS:
                repeats = REPEATS
            else:
                return

    def _promotion(self, offered: set[TrialId], *, beyond: bool = False) -> Proposal | None:
        """The promotion to the highest rung; among brackets of equal standing, that of the lowest first rung."""
        highest, found = -1, None
        for first, bracket in enumerate(self.brackets):
            promoted = bracket.promotable(offered, beyond=beyond)
            if promoted is not None and first + promoted[0] > highest:
                highest = first + promoted[0]
                found = bracket.promotion(*promoted)
        return found

    def _identity(self, proposal: Proposal) -> bytes:
        """What the inner strategy knows a proposal by: whichever bracket it went to, and whatever it starts from."""
        proposal = self._entering(proposal)
        if not isinstance(proposal.start, Fresh):
            proposal = replace(proposal, start=Fresh())
        return bytes.fromhex(proposal.identity())

    def _turn(self, given: list[int]) -> int:
        """The bracket whose turn it is: after each round it has had exactly its size, and never much more before."""
        first = min(range(len(given)), key=lambda first: (Fraction(given[first] + 1, self.sizes[first]), first))
        given[first] += 1
        return first

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
            if entry is None:
                continue
            reached = self.rungs[first + entry.rung]
            if entry.below is not None:
                self.inner.on_promoted(entry.root, reached, event)
            else:
                with _told_at(self.inner, reached):
                    self.inner.tell(event)

    def _asked(self, source: str, trial: TrialId, proposal: Proposal) -> None:
        if isinstance(proposal.start, Continue):
            self.repeats = min(self.repeats, REPEATS - 1)
            for bracket in self.brackets:
                bracket.promote(trial, proposal)
            return
        first = next((i for i in range(len(self.brackets)) if self.rungs[i] == proposal.fidelity), 0)
        identity = self._identity(proposal)
        repeated = identity in self.inner.seen
        if repeated:
            self.repeats += 1
        else:
            self.repeats = 0
            self.given[first] += 1
            if first:
                self._began[identity] = first
        self.brackets[first].enter(trial, proposal.candidate, repeated=repeated)
        self.inner.tell(Asked(source, ((trial, self._entering(proposal)),)))

    def _entering(self, proposal: Proposal) -> Proposal:
        """As the inner strategy made it, before it was dealt to a bracket."""
        return _at(self.rungs[0], proposal)

    # -- what the loop and a person want to know -------------------------------------------------------------------

    def holds(self) -> set[TrialId]:
        """What may be promoted in any bracket, and what the inner strategy holds."""
        return self.inner.holds().union(*(bracket.holds() for bracket in self.brackets))

    def remarks(self) -> tuple[str, ...]:
        """Those of the inner strategy."""
        return self.inner.remarks()


class Halving(Halvings):
    """Successive halving of the proposals of `inner` on `rungs` (epochs, rising); `eta` and `hopeless` as in `Bracket`."""

    def __init__(self, inner: Strategy, *, rungs: Sequence[int], eta: int = 3, hopeless: float = 0.25) -> None:
        super().__init__(inner, rungs, (1,), eta=eta, hopeless=hopeless)


def _at(fidelity: Fidelity, proposal: Proposal) -> Proposal:
    return proposal if proposal.fidelity == fidelity else replace(proposal, fidelity=fidelity)


@contextmanager
def _told_at(inner: Strategy, fidelity: Fidelity) -> Iterator[None]:
    """Let a strategy take the result it is told for one at `fidelity`."""
    before, inner.fidelity = inner.fidelity, fidelity
    try:
        yield
    finally:
        inner.fidelity = before
