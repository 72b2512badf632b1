"""What a field of a layer or a recipe may hold: one rule for a person's spec and for a stored candidate."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

from netwright.core.errors import SpaceError
from netwright.spaces.choices import Choice, Choose, Integer, Real, Shared


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number in a range; None too where the field may be left open."""

    low: int
    high: int
    open: bool = False

    def fault(self, value: object) -> str | None:
        """What is wrong with `value`, as the end of a sentence, or None."""
        if (type(value) is int and self.low <= value <= self.high) or (self.open and value is None):
            return None
        return f"must be a whole number from {self.low} to {self.high}{' or none' if self.open else ''}"


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number in a range."""

    low: float
    high: float

    def fault(self, value: object) -> str | None:
        """What is wrong with `value`, as the end of a sentence, or None."""
        if type(value) in (int, float) and math.isfinite(value) and self.low <= value <= self.high:  # type: ignore[arg-type, operator]
            return None
        return f"must be a number from {self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True)
class Word:
    """One of a closed list of plain values."""

    options: tuple[Any, ...]

    def fault(self, value: object) -> str | None:
        """What is wrong with `value`, as the end of a sentence, or None."""
        if any(type(option) is type(value) and option == value for option in self.options):
            return None
        return f"must be one of {', '.join(map(repr, self.options))}"


Rule = Whole | Number | Word


def whole(default: int | None, low: int, high: int, *, or_none: bool = False) -> Any:
    """A field with a whole number; it may be None where that is said, or is the default."""
    return field(default=default, metadata={"rule": Whole(low, high, or_none or default is None)})


def number(default: float, low: float, high: float) -> Any:
    """A field with a number."""
    return field(default=default, metadata={"rule": Number(low, high)})


def word(default: str | bool | None, *options: str | bool | None) -> Any:
    """A field with one of the options."""
    return field(default=default, metadata={"rule": Word(options)})


def flag(default: bool) -> Any:
    """A field with True or False."""
    return word(default, True, False)


_RULES: dict[type, dict[str, Rule]] = {}


def rules_of(kind: type) -> dict[str, Rule]:
    """The rules of a dataclass by field name, in order."""
    if kind not in _RULES:
        _RULES[kind] = {f.name: f.metadata["rule"] for f in fields(kind) if "rule" in f.metadata}
    return _RULES[kind]


class Spec:
    """Base of layers and recipes, frozen dataclasses whose fields have rules and may hold choices.

    `plain` are the fields without a choice, `chosen` those with one. A value that breaks its field's rule, or a choice
    that could, raises SpaceError when the spec is made.
    """

    plain: dict[str, Any]
    chosen: tuple[tuple[str, Choice | Shared], ...]

    def __post_init__(self) -> None:
        plain: dict[str, Any] = {}
        chosen: list[tuple[str, Choice | Shared]] = []
        for name, rule in rules_of(type(self)).items():
            value = getattr(self, name)
            fault = _fault(value, rule)
            if fault is not None:
                raise SpaceError(f"{type(self).__name__}: {name} {fault}")
            if isinstance(value, Choice | Shared):
                chosen.append((name, value))
            else:
                plain[name] = value
        object.__setattr__(self, "plain", plain)
        object.__setattr__(self, "chosen", tuple(chosen))


def _fault(value: Any, rule: Rule) -> str | None:
    """The first value that `value`, or a choice in its place, may take and `rule` forbids."""
    candidates: tuple[Any, ...]
    match value:
        case Shared():
            return _fault(value.spec, rule)
        case Choose():
            return next((fault for option in value.options if (fault := _fault(option, rule)) is not None), None)
        case Integer() | Real():
            candidates = (value.low, value.high)
        case Choice():
            return f"cannot hold {type(value).__name__.lower()}(…); use choose, integer or real"
        case _:
            candidates = (value,)
    for candidate in candidates:
        fault = rule.fault(candidate)
        if fault is not None:
            return f"{fault}, but got {candidate!r}"
    return None
