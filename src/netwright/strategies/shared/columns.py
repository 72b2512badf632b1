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
from netwright.spaces.encoding import slot_address
from netwright.spaces.walk import SearchSpace

if TYPE_CHECKING:
    from netwright.strategies.models.gaussian import Rows

Features = Mapping[str, int | float]
"""Column name to the code of a category (int) or a scaled number (float). A column that is not there is inactive."""


class Columns:
    """Knows the choice behind every slot that it has met."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self._choices: dict[str, Choice] = {}
        self._numbers: set[str] = set()

    def features(self, candidate: Candidate) -> Features:
        """The columns that the candidate uses. Raises CandidateError for a candidate of another space."""
        decisions = candidate.decisions
        places = {address: slot_address(address, decisions) for address in decisions}
        if any(place not in self._choices for place in places.values()):
            choices = self.space.choices(decisions)
            self._choices.update({places[address]: choice for address, choice in choices.items()})
        found: dict[str, int | float] = {}
        for address, place in places.items():
            found.update(_features(place, self._choices[place], decisions[address]))
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
