"""Candidates as the rows of a model: a column for each slot that any of them has used, inactive ones marked.

Choices between options are categories (they have no order; `integer` and `real` have one), numbers are scaled to
0 … 1, a subset is a yes or no for each of its members, a repeat is its length.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from netwright.core.candidate import Candidate, Value
from netwright.spaces.choices import Choice, Choose, Integer, Real, Repeat, Subset
from netwright.spaces.walk import SearchSpace
from netwright.strategies.shared.slots import Slots

if TYPE_CHECKING:
    from netwright.strategies.models.gaussian import Rows

Features = Mapping[str, int | float]
"""Column name to the code of a category (int) or a scaled number (float). A column that is not there is inactive."""


class Columns:
    """Knows which slots that it has met are numbers."""

    def __init__(self, space: SearchSpace) -> None:
        self._slots = Slots(space)
        self._numbers: set[str] = set()

    def features(self, candidate: Candidate) -> Features:
        """The columns that the candidate uses. Raises CandidateError for a candidate of another space."""
        found: dict[str, int | float] = {}
        for slot, choice, value in self._slots.of(candidate):
            found.update(_features(slot, choice, value))
        self._numbers.update(name for name, value in found.items() if isinstance(value, float))
        return found

    def rows(self, names: Sequence[str], table: Sequence[Features]) -> Rows:
        """The table as arrays, with the columns `names`; within each kind in their order."""
        import numpy as np

        from netwright.strategies.models.gaussian import Rows

        coded = [name for name in names if name not in self._numbers]
        scaled = [name for name in names if name in self._numbers]
        codes = [[features.get(name, -1) for name in coded] for features in table]
        numbers = [[features.get(name, math.nan) for name in scaled] for features in table]
        return Rows(
            np.array(codes, dtype=np.int64).reshape(len(table), len(coded)),
            np.array(numbers, dtype=np.float64).reshape(len(table), len(scaled)),
        )


def _features(place: str, choice: Choice, value: Value) -> Iterable[tuple[str, int | float]]:
    match choice:
        case Choose():
            yield place, choice.index(value)
        case Subset():
            for name in choice.of:
                yield f"{place}={name}", int(name in value)  # type: ignore[operator]
        case Repeat():
            yield f"{place}/length", _scaled(len(value), choice.low, choice.high, False)  # type: ignore[arg-type]
        case Integer() | Real():
            yield place, _scaled(float(value), choice.low, choice.high, choice.log)  # type: ignore[arg-type]
        case _:
            yield place, int(bool(value))


def _scaled(value: float, low: float, high: float, log: bool) -> float:
    if high <= low:
        return 0.0
    return math.log(value / low) / math.log(high / low) if log else (value - low) / (high - low)
