"""Grid search: every candidate of a small space once, whatever comes of them.

Numbers are tried at `values` evenly spread values each (by ratio where the choice is logarithmic), every other decision
at all of its values. Where the grid ends before the search does, one of about twice as many values follows, and when
nothing is left to refine, random candidates.

The order is made for searches that end early: the tree of decisions is gone down again and again, at each decision by
the branch that was taken least, in an order drawn from the seed. So the first decision soon has had all its values,
the later ones are mixed from the beginning, and a conditional space is walked to its last leaf without being counted
first. Only what was passed is remembered.

Candidates that are the same (by network and recipe) are passed over; so are those outside a limit that arithmetic can
check, but of `REDRAWS` such in a row the one that is least outside is proposed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from itertools import count
from random import Random

from netwright.core.candidate import Candidate, Value
from netwright.core.errors import CandidateError, InputError
from netwright.core.events import Asked
from netwright.core.objective import Goal
from netwright.core.seeding import stream
from netwright.core.trial import Proposal
from netwright.spaces.choices import Choice, Integer, Real
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import REDRAWS, CostFunction, Strategy, Told

MOST_REPEATS = 1_000
"""So many candidates in a row that were there before (or are none at all) end the grid: each ask is bounded."""

MOST_VALUES = 128
"""Of a choice of more values than this (a large subset), so many are drawn."""

Known = tuple[bytes, Proposal]
"""A proposal and its identity."""


class GridSearch(Strategy):
    """The whole of a small space, numbers at `values` values each, in a mixed order."""

    name = "grid"
    kind = "grid"
    multi_objective = True

    def __init__(self, space: SearchSpace, goal: Goal, *, seed: int, costs: CostFunction, values: int = 3) -> None:
        super().__init__(space, goal, seed=seed, costs=costs)
        if values < 1:
            raise InputError(f"values must be at least 1, but got {values}")
        self.values = values
        self._points = self._grids()
        self._ahead: deque[Known] = deque()  # points worked out, the first of them not yet asked

    def remarks(self) -> tuple[str, ...]:
        """Says what it does not do."""
        return (f"{self.name} learns nothing from results; it tries each number at {self.values} values to begin with",)

    # -- asking ----------------------------------------------------------------------------------------------------

    def ask(self) -> Iterator[Proposal]:
        """The starts, the points that remain, then random candidates."""
        drawn: set[bytes] = set()
        yield from self._starts_left(drawn)
        for identity, proposal in self._remaining():
            if identity not in self.seen and identity not in drawn:
                drawn.add(identity)
                yield proposal
        for rng in self.streams(len(drawn)):
            proposal, identity = self._best_draw(self._anything, rng, drawn)
            drawn.add(identity)
            yield proposal

    def _remaining(self) -> Iterator[Known]:
        """The one sequence of points, from the first that was not asked; what is worked out is kept for the next ask."""
        for position in count():
            if position == len(self._ahead):
                point = next(self._points, None)
                if point is None:
                    return
                self._ahead.append(point)
            yield self._ahead[position]

    def _grids(self) -> Iterator[Known]:
        """The points of one grid after the other, each finer in its numbers, until one brings nothing new."""
        known: set[bytes] = set()
        values = self.values
        while True:
            before = len(known)
            tour = Tour(self.space, values, stream(self.seed, self.name, "order", values))
            yield from self._inside(tour.candidates(), known)
            if not tour.thinned or len(known) == before:
                return
            values = max(3, 2 * values - 1)  # the values between those there were

    def _inside(self, candidates: Iterator[Candidate | None], known: set[bytes]) -> Iterator[Known]:
        """Those that are not `known` (and then are) and inside the limits; of many outside in a row, the nearest."""
        repeats = 0
        outside: list[tuple[float, int, Known]] = []
        for candidate in candidates:
            repeats += 1
            if repeats > MOST_REPEATS:
                return
            if candidate is None:
                continue
            proposal = self.propose(candidate, origin="grid")
            identity = bytes.fromhex(proposal.identity())
            if identity in known:
                continue
            known.add(identity)
            repeats = 0
            excess = self.excess(candidate)
            if excess > 0:
                outside.append((excess, len(outside), (identity, proposal)))
            if excess == 0 or len(outside) == REDRAWS:
                yield (identity, proposal) if excess == 0 else min(outside)[2]
                outside = []

    # -- telling ---------------------------------------------------------------------------------------------------

    def tell(self, event: Told) -> None:
        """What was asked is done with; results change nothing."""
        super().tell(event)
        if isinstance(event, Asked):
            while self._ahead and self._ahead[0][0] in self.seen:
                self._ahead.popleft()


class Branch:
    """A decision that was met on the way: the values that lead to something new, the next to take first.

    `below` holds, for each of them, the decision that it leads to; None where it was not taken yet.
    """

    __slots__ = ("below", "values")

    def __init__(self, values: list[Value]) -> None:
        self.values = values
        self.below: list[Branch | None] = [None] * len(values)

    def turn(self, done: bool) -> None:
        """The value in front goes to the end, or where it is `done`, away."""
        value, below = self.values.pop(0), self.below.pop(0)
        if not done:
            self.values.append(value)
            self.below.append(below)


class Tour:
    """Goes down the tree of a space's decisions, each time to another leaf. `thinned`: some number had more values."""

    def __init__(self, space: SearchSpace, values: int, rng: Random) -> None:
        self.space = space
        self.thinned = False
        self._values = values
        self._rng = rng
        self._root = Branch([None])
        self._path: list[Branch] = []

    def candidates(self) -> Iterator[Candidate | None]:
        """Each once; None for decisions that come to no candidate."""
        while self._root.values:
            self._path = [self._root]
            try:
                candidate = self.space.walk(self)
            except CandidateError:
                candidate = None
            done = True
            for branch in reversed(self._path):
                branch.turn(done)
                done = not branch.values
            yield candidate

    def decide(self, address: str, choice: Choice) -> Value:
        """The value in front."""
        last = self._path[-1]
        branch = last.below[0]
        if branch is None:
            values = self._some(address, choice)
            self._rng.shuffle(values)
            branch = last.below[0] = Branch(values)
        self._path.append(branch)
        return branch.values[0]

    def _some(self, address: str, choice: Choice) -> list[Value]:
        """The values that are tried: all, or so many of a number, evenly spread."""
        if isinstance(choice, Integer | Real):
            if choice.count is None or choice.count > self._values:
                self.thinned = True
                return spread(choice, self._values)
        elif choice.count is None or choice.count > MOST_VALUES:
            return list(dict.fromkeys(choice.draw(address, self._rng) for _ in range(MOST_VALUES)))
        return list(choice.values(address))


def spread(choice: Integer | Real, values: int) -> list[Value]:
    """So many values of a number from its lowest to its highest, in equal steps (or by equal ratios); one: the middle."""
    shares = [place / (values - 1) for place in range(values)] if values > 1 else [0.5]
    low, high = float(choice.low), float(choice.high)
    if choice.log:
        numbers = [math.exp((1 - share) * math.log(low) + share * math.log(high)) for share in shares]
    else:
        numbers = [(1 - share) * low + share * high for share in shares]
    numbers = [min(high, max(low, number)) for number in numbers]
    return list(dict.fromkeys(map(round, numbers))) if isinstance(choice, Integer) else list(numbers)
