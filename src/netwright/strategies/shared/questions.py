"""Any choice as questions with few answers, so that one kind of policy fits every space.

A choice between options is one question. A number is a question after its range: up to `MOST_ANSWERS` bins, evenly on
the scale that it is drawn on, and inside of a bin it is drawn as in the space. A repeat is its length. A subset is a yes
or no for each name in turn, and the yes is as likely as there are places left among the names left; where they leave no
choice nothing is asked. Every answer has a prior: how likely the space's own random draw gives it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from random import Random
from typing import Any

from netwright.core.candidate import Value
from netwright.spaces.choices import Choice, Choose, Integer, Optional, Real, Repeat, Subset

MOST_ANSWERS = 16
"""A number has so many bins at most."""

Prior = tuple[float, ...]
Pick = Callable[[str, Prior], int]
"""Draws the answer to the question of this name, of which these are the priors."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A question of a candidate's, and which answer it got. `ordered`: neighbouring answers are alike."""

    name: str
    prior: Prior
    taken: int
    ordered: bool


def answers(slot: str, choice: Choice, value: Any) -> Iterator[Answered]:
    """The questions that the decision of a slot comes to. None where there is one possibility only."""
    match choice:
        case Choose():
            found = [Answered(slot, even(choice.count), choice.index(value), ordered=False)]
        case Optional():
            found = [Answered(slot, even(2), int(value), ordered=False)]
        case Subset():
            found = list(_members(slot, choice, value))
        case _:
            bins = bins_of(choice)
            number = len(value) if isinstance(choice, Repeat) else value
            found = [Answered(slot, bins.prior, bins.index(number), ordered=True)]
    return (question for question in found if len(question.prior) > 1)


def draw(slot: str, choice: Choice, address: str, pick: Pick, rng: Random) -> Value:
    """A value whose questions are answered by `pick`; what they leave open is drawn as the space draws it."""
    if isinstance(choice, Subset):
        return _drawn_members(slot, choice, pick)
    prior = even(choice.count or 1) if isinstance(choice, Choose | Optional) else bins_of(choice).prior
    answer = pick(slot, prior) if len(prior) > 1 else 0
    match choice:
        case Choose():
            return choice.labels[answer]  # type: ignore[no-any-return]
        case Optional():
            return bool(answer)
        case Repeat():
            return choice.of_length(address, int(bins_of(choice).draw(answer, rng)))
        case _:
            return bins_of(choice).draw(answer, rng)


@lru_cache(maxsize=1024)
def even(count: int) -> Prior:
    """The same for each of so many answers."""
    return (1 / count,) * count


# -- subsets -----------------------------------------------------------------------------------------------------------


def _places(choice: Subset, position: int, chosen: int) -> Prior:
    """No and yes for the name at `position`, `chosen` of those before it being in."""
    share = (choice.k - chosen) / (len(choice.of) - position)
    return (1 - share, share)


def _membership(slot: str, name: str) -> str:
    """Not `slot/name`, which is the address of a part that is a choice itself."""
    return f"{slot}={name}"


def _members(slot: str, choice: Subset, value: Any) -> Iterator[Answered]:
    chosen = 0
    for position, name in enumerate(choice.of):
        prior = _places(choice, position, chosen)
        if min(prior) > 0:
            yield Answered(_membership(slot, name), prior, int(name in value), ordered=False)
        chosen += name in value


def _drawn_members(slot: str, choice: Subset, pick: Pick) -> Value:
    chosen: list[str] = []
    for position, name in enumerate(choice.of):
        prior = _places(choice, position, len(chosen))
        if prior[1] == 1 or (prior[1] > 0 and pick(_membership(slot, name), prior)):
            chosen.append(name)
    return tuple(chosen)


# -- numbers -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bins:
    """A range in bins. `edges` are on the scale on which the number is drawn evenly; whole numbers are half a step wide
    on either side."""

    low: float
    high: float
    log: bool
    whole: bool
    edges: tuple[float, ...]
    prior: Prior

    def index(self, number: float) -> int:
        """The bin that holds the number."""
        return min(max(bisect_right(self.edges, _scaled(number, self.log)) - 1, 0), len(self.prior) - 1)

    def draw(self, index: int, rng: Random) -> float:
        """A number in that bin."""
        drawn = rng.uniform(self.edges[index], self.edges[index + 1])
        number = math.exp(drawn) if self.log else drawn
        return round(min(self.high, max(self.low, number))) if self.whole else min(self.high, max(self.low, number))


def bins_of(choice: Choice) -> Bins:
    """Those of an integer, of a real number, or of the length of a repeat."""
    match choice:
        case Integer() | Real():
            return _bins(choice.low, choice.high, choice.log, isinstance(choice, Integer))
        case Repeat():
            return _bins(choice.low, choice.high, False, True)
        case _:
            raise TypeError(f"a {type(choice).__name__} is no range of numbers")


@lru_cache(maxsize=1024)
def _bins(low: float, high: float, log: bool, whole: bool) -> Bins:
    if whole:
        edges = [_scaled(first - 0.5, log) for first in _firsts(int(low), int(high), log)]
        edges.append(_scaled(high + 0.5, log))
    else:
        bottom, top = _scaled(low, log), _scaled(high, log)
        count = MOST_ANSWERS if bottom < top else 1
        edges = [bottom + (top - bottom) * i / count for i in range(count)] + [top]
    span = edges[-1] - edges[0]
    prior = [(upper - lower) / span if span else 1.0 for lower, upper in pairwise(edges)]
    return Bins(low, high, log, whole, tuple(edges), tuple(prior))


def _firsts(low: int, high: int, log: bool) -> list[int]:
    """The smallest whole number of each bin; no bin is without one."""
    if high - low < MOST_ANSWERS:
        return list(range(low, high + 1))
    bottom, top = _scaled(low - 0.5, log), _scaled(high + 0.5, log)
    starts = (bottom + (top - bottom) * i / MOST_ANSWERS for i in range(MOST_ANSWERS))
    return sorted({min(high, max(low, round((math.exp(start) if log else start) + 0.5))) for start in starts})


def _scaled(number: float, log: bool) -> float:
    return math.log(number) if log else float(number)
