"""A candidate as numbers, for learners: finitely many slots per space, by position, with inactive ones marked.

Decisions keep ids for life; learners see positions. The decision `network/2/#7f3a/kernel` of the first element of a
repeat is the slot `network/2/[0]/kernel`, and the repeat's own slot is `network/2/length`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from netwright.core.candidate import Candidate, Value
from netwright.core.errors import CandidateError
from netwright.spaces.choices import Choice, Choose, Integer, Optional, Real, Repeat, Shared, Subset, subset
from netwright.spaces.layers import Cell, Layer
from netwright.spaces.recipe import Recipe

if TYPE_CHECKING:
    from netwright.spaces.space import Space


class Inactive(Enum):
    """The value of a slot that the candidate does not use."""

    INACTIVE = "inactive"


INACTIVE = Inactive.INACTIVE
SlotValue = Value | Inactive


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in the encoding. `conditional`: it is active in some candidates only.

    Its value is that of `choice`, but for a repeat, where it is the length.
    """

    address: str
    choice: Choice
    conditional: bool

    @property
    def width(self) -> int:
        """How many numbers it takes in a vector: one for each option, or one and, where conditional, its presence."""
        if isinstance(self.choice, Choose):
            return len(self.choice.labels)
        if isinstance(self.choice, Subset):
            return len(self.choice.of)
        return 1 + self.conditional


def slots(space: Space) -> tuple[Slot, ...]:
    """Every slot of a space, in the order of the walk."""
    return slots_of(space.network, space.recipe)


def slots_of(network: Any, recipe: Any) -> tuple[Slot, ...]:
    """Every slot of a network and a recipe. A shared part is listed once, and is conditional unless used for sure."""
    found: dict[str, Slot] = {}
    for slot in (*_part_slots(network, "network", False), *_part_slots(recipe, "recipe", False)):
        known = found.get(slot.address)
        if known is None or known.conditional:
            found[slot.address] = slot
    return tuple(found.values())


def encode(space: Space, candidate: Candidate) -> dict[str, SlotValue]:
    """Slot address to value for every slot of the space; INACTIVE where the candidate does not use it.

    Raises CandidateError for a decision that the space has no slot for.
    """
    values: dict[str, SlotValue] = {slot.address: INACTIVE for slot in slots(space)}
    for address, value in candidate.decisions.items():
        place = slot_address(address, candidate.decisions)
        if f"{place}/length" in values and isinstance(value, tuple) and place not in values:
            values[f"{place}/length"] = len(value)
        elif place in values:
            values[place] = value
        else:
            raise CandidateError(f"the space {space.name!r} has no such decision", address)
    return values


def decode(space: Space, values: Mapping[str, SlotValue]) -> Candidate:
    """The candidate with these slot values; inactive slots are not read.

    Raises CandidateError naming the slot whose value is missing or not legal.
    """
    return space.walk(FromSlots(values))


def vector(space: Space, candidate: Candidate) -> list[float]:
    """The encoding as numbers from 0 to 1: one for each option, or the scaled value (and presence) of a number.

    Equally long for every candidate of a space; zeros where a slot is inactive.
    """
    values = encode(space, candidate)
    return [number for slot in slots(space) for number in _numbers(slot, values[slot.address])]


def slot_address(address: str, decisions: Mapping[str, Value]) -> str:
    """The address with positions in place of ids. Raises CandidateError for an element that is in no repeat."""
    if "#" not in address:
        return address
    parts = address.split("/")
    for index, part in reversed(list(enumerate(parts))):
        if part.startswith("#"):
            ids = decisions.get("/".join(parts[:index]))
            if not isinstance(ids, tuple) or part not in ids:
                raise CandidateError("this element is in no repeat of the candidate", address)
            parts[index] = f"[{ids.index(part)}]"
    return "/".join(parts)


class FromSlots:
    """A decider that reads slots."""

    def __init__(self, values: Mapping[str, SlotValue]) -> None:
        self.values = values
        self.decisions: dict[str, Value] = {}

    def decide(self, address: str, choice: Choice) -> Value:
        place = slot_address(address, self.decisions)
        given = self.values.get(f"{place}/length" if isinstance(choice, Repeat) else place, INACTIVE)
        if isinstance(given, Inactive):
            raise CandidateError("this slot must have a value, but got none", place)
        value: Value = given
        if isinstance(choice, Repeat):
            if type(value) is not int or not choice.low <= value <= choice.high:
                raise CandidateError(
                    f"must be a length from {choice.low} to {choice.high}, but got {value!r:.80}", f"{place}/length"
                )
            value = choice.of_length(address, value)
        elif (fault := choice.fault(value)) is not None:
            raise CandidateError(f"{fault}, but got {value!r:.80}", place)
        self.decisions[address] = value
        return value


def _part_slots(spec: Any, address: str, conditional: bool) -> Iterator[Slot]:
    """Slots of a part of a network, a field or a recipe."""
    match spec:
        case Choose():
            yield Slot(address, spec, conditional)
            inner = conditional or len(spec.options) > 1
            for label, option in zip(spec.labels, spec.options, strict=True):
                yield from _part_slots(option, f"{address}/{label}", inner)
        case Repeat():
            yield Slot(f"{address}/length", spec, conditional)
            for position in range(spec.high):
                yield from _part_slots(spec.body, f"{address}/[{position}]", conditional or position >= spec.low)
        case Optional():
            yield Slot(address, spec, conditional)
            yield from _part_slots(spec.body, f"{address}/body", True)
        case Shared():
            yield from _part_slots(spec.spec, f"shared/{spec.name}", conditional)
        case Subset():
            yield Slot(address, spec, conditional)
            for name, part in zip(spec.of, spec.parts, strict=False):
                yield from _part_slots(part, f"{address}/{name}", conditional or spec.k < len(spec.of))
        case Choice():
            yield Slot(address, spec, conditional)
        case Layer() | Recipe():
            for name, choice in spec.chosen:
                yield from _part_slots(choice, f"{address}/{name}", conditional)
            if isinstance(spec, Cell):
                yield from _cell_slots(spec, address, conditional)
            elif isinstance(spec, Layer):
                for name in spec.parts:
                    yield from _part_slots(getattr(spec, name), f"{address}/{name}", conditional)
        case list() | tuple():
            for index, item in enumerate(spec):
                yield from _part_slots(item, f"{address}/{index}", conditional)
        case dict():
            for name, item in spec.items():
                yield from _part_slots(item, f"{address}/{name}", conditional)


def _cell_slots(spec: Cell, address: str, conditional: bool) -> Iterator[Slot]:
    """Slots of which inputs a cell's nodes take, and of its edges."""
    fewest, most = _extremes(spec.nodes)
    for target in range(1, most):
        here = conditional or target >= fewest
        partial = not isinstance(spec.inputs, str) and spec.inputs < target
        if partial:
            yield Slot(f"{address}/inputs/{target}", subset(int(spec.inputs), target), here)
        for source in range(target):
            yield from _part_slots(spec.edge, f"{address}/edge/{source}-{target}", here or partial)


def _extremes(number: Any) -> tuple[int, int]:
    """The smallest and largest value of a whole number that may be a choice."""
    match number:
        case Shared():
            return _extremes(number.spec)
        case Choose():
            pairs = [_extremes(option) for option in number.options]
            return min(low for low, _ in pairs), max(high for _, high in pairs)
        case Integer():
            return number.low, number.high
        case _:
            return number, number


def _numbers(slot: Slot, value: SlotValue) -> list[float]:
    """One slot as numbers from 0 to 1."""
    choice = slot.choice
    if isinstance(value, Inactive):
        return [0.0] * slot.width
    match choice:
        case Choose():
            return [float(type(label) is type(value) and label == value) for label in choice.labels]
        case Subset():
            return [float(name in value) for name in choice.of]  # type: ignore[operator]
        case Repeat():
            scaled = _scale(value, choice.low, choice.high, False)
        case Integer() | Real():
            scaled = _scale(value, choice.low, choice.high, choice.log)
        case _:
            scaled = float(bool(value))
    return [scaled, 1.0] if slot.conditional else [scaled]


def _scale(value: Value, low: float, high: float, log: bool) -> float:
    number = float(value)  # type: ignore[arg-type]
    if high <= low:
        return 0.0
    if log:
        return math.log(number / low) / math.log(high / low)
    return (number - low) / (high - low)
