"""Trials as numbers, in groups of decisions that always occur together.

In a conditional space most decisions exist in some candidates only. The slots (`spaces.encoding`) that every trial so
far held all or none of are a group: its numbers form a full table, from the trials that hold it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from netwright.core.candidate import Candidate, Value
from netwright.core.trial import TrialId
from netwright.spaces.choices import Choice, Choose, Integer, Optional, Real, Repeat, Subset
from netwright.spaces.walk import SearchSpace
from netwright.strategies.shared.slots import Slots

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from netwright.strategies.models.parzen import Column, Floats

Numbers = dict[str, list[float]]
"""The numbers of a candidate's decisions by slot, of those with several values."""


class Group:
    """Slots that always occur together, and the trials that hold them all as rows of numbers, in order of their asking."""

    def __init__(self, slots: Sequence[str], columns: Sequence[Column]) -> None:
        import numpy as np

        self.slots = tuple(slots)
        self.columns = tuple(columns)
        self.size = 0
        self._places = np.zeros(8, np.int64)
        self._numbers = np.zeros((8, sum(column.width for column in columns)))

    def add(self, place: int, numbers: Numbers) -> None:
        """Take in the trial that was asked as the `place`-th, if it holds the whole group."""
        import numpy as np

        row = self.row(numbers)
        if row is None:
            return
        if self.size == len(self._places):
            self._places = np.concatenate([self._places, self._places])
            self._numbers = np.concatenate([self._numbers, self._numbers])
        self._places[self.size], self._numbers[self.size] = place, row
        self.size += 1

    def row(self, numbers: Numbers) -> list[float] | None:
        """The group's numbers among those of a candidate; None when some are missing."""
        if any(slot not in numbers for slot in self.slots):
            return None
        return [number for slot in self.slots for number in numbers[slot]]

    def points(self, wanted: NDArray[np.bool_]) -> Floats:
        """The rows of the trials whose places are wanted: (points, width)."""
        return self._numbers[: self.size][wanted[self._places[: self.size]]]


class Table:
    """All trials as numbers, in order of their asking, and the groups of their slots.

    A repeat is its length, a subset a yes or no for each name, another choice its number or the index of its label.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.groups: dict[str, Group] = {}  # by slot
        self.places: dict[TrialId, int] = {}
        self._numbers: list[Numbers] = []  # by place
        self._slots = Slots(space)
        self._columns: dict[str, Column] = {}  # by slot, where there is more than one possibility

    def add(self, trial: TrialId, candidate: Candidate) -> None:
        """Take in a trial."""
        numbers = self.numbers(candidate)
        place = self.places[trial] = len(self._numbers)
        self._numbers.append(numbers)
        for group in {self.groups[slot] for slot in numbers if slot in self.groups}:
            group.add(place, numbers)

    def keep(self, trials: Iterable[TrialId]) -> None:
        """Forget all others. The groups stay as they are."""
        kept = sorted(self.places.keys() & set(trials), key=self.places.__getitem__)
        self._numbers = [self._numbers[self.places[trial]] for trial in kept]
        self.places = {trial: place for place, trial in enumerate(kept)}
        for group in set(self.groups.values()):
            self._group(set(group.slots))

    def numbers(self, candidate: Candidate) -> Numbers:
        """A candidate as numbers by slot."""
        found = {}
        for slot, choice, value in self._slots.of(candidate):
            column = self._columns.get(slot) or column_of(choice)
            if column is not None:
                self._columns[slot] = column
                found[slot] = numbers_of(choice, value)
        return found

    def refine(self, trial: TrialId) -> int:
        """A trial ended: split the groups of which it holds a part only. Returns how many slots it has."""
        met: dict[Group | None, set[str]] = {}
        numbers = self._numbers[self.places[trial]]
        for slot in numbers:
            met.setdefault(self.groups.get(slot), set()).add(slot)
        for group, here in met.items():
            elsewhere = set(group.slots) - here if group else set()
            if group is None:
                self._group(here)
            elif elsewhere:
                self._group(here)
                self._group(elsewhere)
        return len(numbers)

    def _group(self, slots: set[str]) -> None:
        """Make the slots a group, in an order that depends on them alone."""
        names = sorted(slots)
        group = Group(names, [self._columns[slot] for slot in names])
        self.groups.update(dict.fromkeys(names, group))
        for place, numbers in enumerate(self._numbers):
            group.add(place, numbers)


def column_of(choice: Choice) -> Column | None:
    """The column of a choice; None where it has one value only."""
    from netwright.strategies.models.parzen import Categories, Members, Numbers

    match choice:
        case Choose():
            column: Column = Categories(len(choice.labels))
        case Subset():
            column = Members(len(choice.of), choice.k)
        case Repeat():
            column = Numbers(choice.low, choice.high, whole=True)
        case Integer() | Real():
            column = Numbers(choice.low, choice.high, choice.log, whole=isinstance(choice, Integer))
        case _:
            column = Categories(2)
    single = choice.low == choice.high if isinstance(choice, Real) else choice.count == 1
    return None if single else column


def numbers_of(choice: Choice, value: Any) -> list[float]:
    """A value as the numbers of its column."""
    match choice:
        case Choose():
            return [float(choice.index(value))]
        case Subset():
            return [float(name in value) for name in choice.of]
        case Repeat():
            return [float(len(value))]
        case _:
            return [float(value)]


def value_of(choice: Choice, address: str, numbers: Sequence[float]) -> Value:
    """The inverse of `numbers_of`."""
    match choice:
        case Choose():
            return choice.labels[int(numbers[0])]  # type: ignore[no-any-return]
        case Subset():
            return tuple(name for name, member in zip(choice.of, numbers, strict=True) if member)
        case Repeat():
            return choice.of_length(address, int(numbers[0]))
        case Optional():
            return bool(numbers[0])
        case Integer():
            return int(numbers[0])
        case _:
            return float(numbers[0])
