"""Local search: climb from a good random candidate by changing one decision at a time, and start anew at the top.

White, Nolen, Savani, "Exploring the Loss Landscape in Neural Architecture Search", UAI 2021, arXiv 2005.02960. A climb
begins at the best of ten random candidates. The neighbours of the incumbent are tried in random order; the first that
beats it is the next incumbent. Where none does, the incumbent is a local optimum, and ten new random candidates
begin the next climb. Nothing is tried twice.

Where this deviates: neighbours are told apart by network and recipe, not by decisions. A neighbour that newly comes to
a decision draws it once; real numbers have a few neighbours drawn nearby (`spaces.variation.neighbours`). A candidate
outside a limit loses to one inside, and neighbours further outside those limits that arithmetic can check than the
incumbent are left out. Workers do not wait: while the last neighbours are under way random candidates are handed out,
and any result that beats the incumbent, of whatever origin, is climbed from; the other random ones count for the next
start. The `starts` of the space count as random candidates.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from itertools import tee
from typing import ClassVar

from netwright.core.errors import InputError
from netwright.core.events import Failed, Finished, Lost
from netwright.core.objective import Goal
from netwright.core.pareto import Costs
from netwright.core.seeding import stream
from netwright.core.trial import Fidelity, Proposal, TrialId
from netwright.spaces.variation import neighbours
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction, Strategy
from netwright.strategies.shared.population import Member, beats, result_of

Known = tuple[bytes, Proposal]
"""A proposal and its identity."""


class LocalSearch(Strategy):
    """Hill climbing with restarts, each from the best of `starts_drawn` random candidates."""

    name = "local-search"
    kind = "local"
    steepest: ClassVar[bool] = False
    """Whether the whole neighbourhood is tried before the best of it is moved to; if not, the first that is better."""

    def __init__(
        self, space: SearchSpace, goal: Goal, *, seed: int, costs: CostFunction, starts_drawn: int = 10
    ) -> None:
        super().__init__(space, goal, seed=seed, costs=costs)
        if starts_drawn < 1:
            raise InputError(f"starts_drawn must be at least 1, but got {starts_drawn}")
        self.starts_drawn = starts_drawn
        self.incumbent: Member | None = None
        self.drawn: dict[TrialId, Member] = {}  # those without a parent, for the next start
        self.members: dict[TrialId, Member] = {}  # all that this climb has results of
        self._ranked: dict[int, list[Member]] = {}  # and by epochs, the best at them first
        self._better: list[Member] = []  # those that beat the incumbent
        self._first = goal.first
        self._open: dict[TrialId, Proposal] = {}
        self._around: Iterator[Known] = iter(())  # the incumbent's neighbours, worked out as they are come to

    # -- asking ----------------------------------------------------------------------------------------------------

    def ask(self) -> Iterator[Proposal]:
        """The neighbours of the incumbent that are new, then what remains of the starts, then random candidates."""
        drawn: set[bytes] = set()
        for identity, proposal in self._neighbourhood():
            if identity not in self.seen:
                drawn.add(identity)
                yield proposal
        yield from self._starts_left(drawn)
        for rng in self.streams(len(drawn)):
            proposal, identity = self._best_draw(self._anything, rng, drawn)
            drawn.add(identity)
            yield proposal

    def _neighbourhood(self) -> Iterator[Known]:
        """All neighbours of the incumbent, seen or not, from the first: those worked out before are remembered."""
        self._around, again = tee(self._around)
        return again

    def _neighbours(self, member: Member) -> Iterator[Known]:
        """In an order that depends on the seed and the member's trial alone."""
        reach = self.excess(member.candidate)
        rng = stream(self.seed, self.name, "neighbours", member.trial)
        for candidate in neighbours(self.space, member.candidate, rng):
            if self.excess(candidate) <= reach:
                proposal = self.propose(candidate, origin="neighbour", parents=(member.trial,))
                yield bytes.fromhex(proposal.identity()), proposal

    # -- telling ---------------------------------------------------------------------------------------------------

    def on_asked(self, trial: TrialId, proposal: Proposal, repeated: bool) -> None:
        """Keep the proposal until its result comes."""
        if not repeated:
            self._open[trial] = proposal

    def on_finished(self, event: Finished) -> None:
        """A member of the climb; the next incumbent where it is better."""
        proposal = self._open.pop(event.trial, None)
        if proposal is None:
            return
        result = result_of(self._first, event)
        changed: list[Member] = []
        if result is not None:
            member = Member(event.trial, proposal.candidate, {self.fidelity.epochs: result})
            changed = [member]
            self.members[member.trial] = member
            self._rank(member, self.fidelity.epochs)
            if not proposal.parents:
                self.drawn[member.trial] = member
        self._advance(changed)

    def on_failed(self, event: Failed | Lost) -> None:
        """It counts as tried; it may have been the last of the neighbourhood."""
        if self._open.pop(event.trial, None) is not None:
            self._advance([])

    def on_promoted(self, trial: TrialId, fidelity: Fidelity, event: Finished | Failed | Lost) -> None:
        """A member was trained on: it is compared on the higher rung with those that are better there, too."""
        member = self.members.get(trial)
        if member is None or fidelity.epochs in member.results:
            return
        member.learn(self._first, fidelity.epochs, event)
        changed = [member]
        if fidelity.epochs in member.results:
            place = self._rank(member, fidelity.epochs)
            if member is self.incumbent:
                changed = self._ranked[fidelity.epochs][:place]
        self._advance(changed)

    def _rank(self, member: Member, epochs: int) -> int:
        """Put a member among those trained to as many epochs; how many of them are better."""

        def standing(one: Member) -> tuple[float, Costs]:
            return one.results[epochs].violation, one.results[epochs].costs

        ranked = self._ranked.setdefault(epochs, [])
        insort(ranked, member, key=standing)
        return bisect_left(ranked, standing(member), key=standing)

    def _advance(self, changed: Iterable[Member]) -> None:
        """Move to what beats the incumbent, or begin the next climb where this one has nothing left to try."""
        incumbent = self.incumbent
        if incumbent is not None:
            known = {member.trial: member for member in (*self._better, *changed)}
            self._better = [member for member in known.values() if beats(member, incumbent)]
        if self._better and (not self.steepest or self._ended()):
            self._move(self._better)
        elif len(self.drawn) >= self.starts_drawn and self._ended():
            self.members = self.drawn
            self.drawn = {}
            self._ranked = {}
            for member in self.members.values():
                for epochs in member.results:
                    self._rank(member, epochs)
            self._move(list(self.members.values()))

    def _ended(self) -> bool:
        """Whether every neighbour was proposed, and none is under way."""
        under_way = any(proposal.parents for proposal in self._open.values())
        return not under_way and all(identity in self.seen for identity, _ in self._neighbourhood())

    def _move(self, members: list[Member]) -> None:
        """The best of `members` is the incumbent, and starts no climb of its own."""
        best = members[0]
        for member in members[1:]:
            if beats(member, best):
                best = member
        self.incumbent = best
        self._around = self._neighbours(best)
        self.drawn.pop(best.trial, None)
        self._better = []


class SteepestLocalSearch(LocalSearch):
    """Local search that tries the whole neighbourhood, then moves to the best of it."""

    name = "steepest-local-search"
    steepest = True
