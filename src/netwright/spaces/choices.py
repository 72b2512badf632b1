"""The choices a space is made of: any field of a layer or a recipe, and any part of a network, may be one of these."""

from __future__ import annotations

import hashlib
import itertools
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from netwright.core.candidate import Value
from netwright.core.errors import SpaceError

LONGEST_REPEAT = 1_000
"""The most elements a `repeat` may have."""

LARGEST_ENUMERATION = 100_000
"""Choices with more values than this count as continuous when a space is enumerated."""

LARGEST_HANDFUL = 8
"""Whole numbers of a range with more values than this are drawn nearby, not all tried, as neighbours of one of them."""

NEARBY_DRAWS = 2
"""How many numbers are drawn as neighbours of one where there are too many to try."""


class Choice:
    """Base of all choices. What a decision may hold, how it is drawn, and which other values it may take."""

    __slots__ = ()

    def draw(self, address: str, rng: random.Random) -> Value:
        """A value at random."""
        raise NotImplementedError

    def alternative(self, address: str, value: Value, rng: random.Random) -> Value:
        """Another legal value than `value`, at random; `value` itself where there is no other."""
        raise NotImplementedError

    def nearby(self, address: str, value: Value, rng: random.Random) -> list[Value]:
        """The legal values one step from `value`: all others, or where numbers are too many, `NEARBY_DRAWS` of them.

        A repeat gets or loses one element at any place, a subset swaps one name for another.
        """
        raise NotImplementedError

    def values(self, address: str) -> Iterator[Value]:
        """Every legal value. Raises SpaceError when there are infinitely many."""
        raise NotImplementedError

    def fault(self, value: Value) -> str | None:
        """What is wrong with `value`, as the end of a sentence, or None when it is legal."""
        raise NotImplementedError

    @property
    def count(self) -> int | None:
        """How many values there are; None when infinitely many."""
        raise NotImplementedError


def same(a: object, b: object) -> bool:
    """Equality that tells 1 from True and from 1.0, as JSON does."""
    return type(a) is type(b) and a == b


@dataclass(frozen=True, slots=True)
class Choose(Choice):
    """One of several options. A plain option is its own label; a part of a network is labelled by its layer's name."""

    options: tuple[Any, ...]
    labels: tuple[Any, ...]

    def option(self, label: Value) -> Any:
        """The option that carries `label`."""
        return self.options[self.index(label)]

    def index(self, label: Value) -> int:
        """The place of `label` among the labels."""
        return next(index for index, known in enumerate(self.labels) if same(known, label))

    def draw(self, address: str, rng: random.Random) -> Value:
        return self.labels[int(rng.random() * len(self.labels))]  # type: ignore[no-any-return]

    def alternative(self, address: str, value: Value, rng: random.Random) -> Value:
        others = [label for label in self.labels if not same(label, value)]
        return rng.choice(others) if others else value

    def nearby(self, address: str, value: Value, rng: random.Random) -> list[Value]:
        return [label for label in self.labels if not same(label, value)]

    def values(self, address: str) -> Iterator[Value]:
        return iter(self.labels)

    def fault(self, value: Value) -> str | None:
        if any(same(label, value) for label in self.labels):
            return None
        return f"must be one of {', '.join(map(repr, self.labels))}"

    @property
    def count(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Integer(Choice):
    """A whole number from `low` to `high`, both included; `log` draws it evenly on a logarithmic scale."""

    low: int
    high: int
    log: bool = False

    def draw(self, address: str, rng: random.Random) -> Value:
        if self.log:
            return min(self.high, max(self.low, round(_log_uniform(self.low - 0.5, self.high + 0.5, rng))))
        return rng.randint(self.low, self.high)

    def alternative(self, address: str, value: Value, rng: random.Random) -> Value:
        if self.low == self.high:
            return value
        moved = round(_perturb(float(_number(value)), self.low, self.high, self.log, rng))
        if moved != value:
            return moved
        return moved + 1 if moved == self.low or (moved < self.high and rng.random() < 0.5) else moved - 1

    def nearby(self, address: str, value: Value, rng: random.Random) -> list[Value]:
        if self.high - self.low < LARGEST_HANDFUL:
            return [other for other in range(self.low, self.high + 1) if other != value]
        return _drawn_nearby(self, address, value, rng)

    def values(self, address: str) -> Iterator[Value]:
        return iter(range(self.low, self.high + 1))

    def fault(self, value: Value) -> str | None:
        if type(value) is int and self.low <= value <= self.high:
            return None
        return f"must be a whole number from {self.low} to {self.high}"

    @property
    def count(self) -> int | None:
        size = self.high - self.low + 1
        return size if size <= LARGEST_ENUMERATION else None


@dataclass(frozen=True, slots=True)
class Real(Choice):
    """A number from `low` to `high`; `log` draws it evenly on a logarithmic scale."""

    low: float
    high: float
    log: bool = False

    def draw(self, address: str, rng: random.Random) -> Value:
        return _log_uniform(self.low, self.high, rng) if self.log else rng.uniform(self.low, self.high)

    def alternative(self, address: str, value: Value, rng: random.Random) -> Value:
        return _perturb(float(_number(value)), self.low, self.high, self.log, rng)

    def nearby(self, address: str, value: Value, rng: random.Random) -> list[Value]:
        return _drawn_nearby(self, address, value, rng)

    def values(self, address: str) -> Iterator[Value]:
        raise SpaceError("has infinitely many values and cannot be enumerated", address)

    def fault(self, value: Value) -> str | None:
        if type(value) in (int, float) and self.low <= float(_number(value)) <= self.high:
            return None
        return f"must be a number from {self.low} to {self.high}"

    @property
    def count(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Repeat(Choice):
    """`body` in a row, `low` to `high` times. The value is the tuple of the elements' ids, which they keep for life."""

    body: Any
    low: int
    high: int

    def draw(self, address: str, rng: random.Random) -> Value:
        ids: list[str] = []
        for position in range(rng.randint(self.low, self.high)):
            ids.append(fresh_id(address, position, ids, rng))
        return tuple(ids)

    def alternative(self, address: str, value: Value, rng: random.Random) -> Value:
        grow = len(_ids(value)) < self.high
        shrink = len(_ids(value)) > self.low
        if grow and shrink:
            grow = rng.random() < 0.5
        return self.added(address, value, rng) if grow else self.removed(value, rng) if shrink else value

    def nearby(self, address: str, value: Value, rng: random.Random) -> list[Value]:
        length = len(_ids(value))
        removals = [self._without(value, position) for position in range(length)] if length > self.low else []
        if length == self.high:
            return removals
        return removals + [self._inserted(address, value, position, rng) for position in range(length + 1)]

    def added(self, address: str, value: Value, rng: random.Random) -> Value:
        """One element more, at a random position."""
        return self._inserted(address, value, rng.randint(0, len(_ids(value))), rng)

    def removed(self, value: Value, rng: random.Random) -> Value:
        """One element less."""
        return self._without(value, rng.randrange(len(_ids(value))))

    def _inserted(self, address: str, value: Value, position: int, rng: random.Random) -> Value:
        ids = _ids(value)
        return (*ids[:position], fresh_id(address, position, ids, rng), *ids[position:])

    def _without(self, value: Value, position: int) -> Value:
        ids = _ids(value)
        return ids[:position] + ids[position + 1 :]

    def of_length(self, address: str, length: int) -> Value:
        """The value with `length` elements whose ids depend on nothing else: for enumeration and for learners."""
        ids: list[str] = []
        for position in range(length):
            draw = 0
            while (name := element_id(address, position, draw)) in ids:
                draw += 1
            ids.append(name)
        return tuple(ids)

    def values(self, address: str) -> Iterator[Value]:
        return (self.of_length(address, length) for length in range(self.low, self.high + 1))

    def fault(self, value: Value) -> str | None:
        if (
            isinstance(value, tuple)
            and self.low <= len(value) <= self.high
            and len(set(value)) == len(value)
            and all(isinstance(name, str) and name[:1] == "#" and name[1:].isalnum() for name in value)
        ):
            return None
        return f"must be {self.low} to {self.high} different ids such as '#7f3a'"

    @property
    def count(self) -> int:
        return self.high - self.low + 1


@dataclass(frozen=True, slots=True)
class Optional(Choice):
    """`body` or nothing: True or False."""

    body: Any

    def draw(self, address: str, rng: random.Random) -> Value:
        return rng.random() < 0.5

    def alternative(self, address: str, value: Value, rng: random.Random) -> Value:
        return not value

    def nearby(self, address: str, value: Value, rng: random.Random) -> list[Value]:
        return [not value]

    def values(self, address: str) -> Iterator[Value]:
        return iter((False, True))

    def fault(self, value: Value) -> str | None:
        return None if type(value) is bool else "must be true or false"

    @property
    def count(self) -> int:
        return 2


@dataclass(frozen=True, slots=True)
class Subset(Choice):
    """Exactly `k` of the names `of`; the value is a tuple of names in the order of `of`.

    Where `parts` are given, one a name, those chosen are parts of the network, in this order.
    """

    k: int
    of: tuple[str, ...]
    parts: tuple[Any, ...] = ()

    def draw(self, address: str, rng: random.Random) -> Value:
        return self._ordered(rng.sample(self.of, self.k))

    def alternative(self, address: str, value: Value, rng: random.Random) -> Value:
        chosen = _ids(value)
        others = [name for name in self.of if name not in chosen]
        if not others or not chosen:
            return value
        out = rng.choice(chosen)
        return self._ordered([*(name for name in chosen if name != out), rng.choice(others)])

    def nearby(self, address: str, value: Value, rng: random.Random) -> list[Value]:
        chosen = _ids(value)
        others = [name for name in self.of if name not in chosen]
        return [self._ordered([*(name for name in chosen if name != out), into]) for out in chosen for into in others]

    def values(self, address: str) -> Iterator[Value]:
        return itertools.combinations(self.of, self.k)

    def fault(self, value: Value) -> str | None:
        if isinstance(value, tuple) and len(value) == self.k and self._ordered(value) == value:
            return None
        return f"must be {self.k} of {', '.join(self.of)}, in this order"

    @property
    def count(self) -> int:
        return math.comb(len(self.of), self.k)

    def part(self, name: str) -> Any:
        """The part of the network that `name` stands for."""
        return self.parts[self.of.index(name)]

    def _ordered(self, names: list[str] | tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in self.of if name in names)


@dataclass(frozen=True, slots=True)
class Shared:
    """One set of decisions, at `shared/NAME/…`, for every place that holds this name."""

    name: str
    spec: Any


def choose(*options: Any, **named: Any) -> Choose:
    """One of the options: plain values for a field, or parts of a network (layers, lists of layers, choices).

    Options given by keyword are labelled by it: `choose(sgd=Recipe(…), adamw=Recipe(…))`.
    """
    labels = [option if _is_plain(option) else _part_label(option) for option in options] + list(named)
    everything = (*options, *named.values())
    for label in named:
        if not label.isidentifier():
            raise SpaceError(f"a label of choose must be an identifier, but got {label!r}")
    if not everything:
        raise SpaceError("choose needs at least one option, but got none")
    if len({_is_plain(option) for option in everything}) == 2 and any(
        not _is_plain(option) and not isinstance(option, Choice | Shared) for option in everything
    ):
        raise SpaceError("choose takes plain values or parts of a network, but got both; use Identity() for no layer")
    for index, option in enumerate(options):
        if _is_plain(option) and any(same(option, other) for other in options[:index]):
            raise SpaceError(f"the options of choose must differ, but {option!r} is given twice")
    return Choose(everything, _unique(labels))


def integer(low: int, high: int, log: bool = False) -> Integer:
    """A whole number from `low` to `high`, both included."""
    _check_range("integer", low, high, log)
    if type(low) is not int or type(high) is not int:
        raise SpaceError(f"integer needs whole numbers, but got {low!r} and {high!r}; real() takes any")
    return Integer(low, high, log)


def real(low: float, high: float, log: bool = False) -> Real:
    """A number from `low` to `high`."""
    _check_range("real", low, high, log)
    return Real(float(low), float(high), log)


def repeat(body: Any, low: int, high: int) -> Repeat:
    """`body` in a row, `low` to `high` times, each element with decisions of its own."""
    if type(low) is not int or type(high) is not int or not 0 <= low <= high <= LONGEST_REPEAT:
        raise SpaceError(f"repeat needs 0 <= low <= high <= {LONGEST_REPEAT}, but got low={low!r}, high={high!r}")
    return Repeat(body, low, high)


def optional(body: Any) -> Optional:
    """`body` or nothing."""
    return Optional(body)


def subset(k: int, of: Sequence[Any] | int) -> Subset:
    """Exactly `k` of several: of parts of a network, which follow each other in the order of `of`, or of names.

    A number stands for the names "0", "1", …; names are what a `Cell` decides over.
    """
    options = tuple(map(str, range(of))) if isinstance(of, int) else tuple(of)
    named = all(isinstance(option, str) for option in options)
    names = options if named else _unique([_part_label(option) for option in options])
    if type(k) is not int or not 0 <= k <= len(names) or len(set(names)) != len(names):
        raise SpaceError(f"subset needs 0 <= k <= {len(names)} and different names, but got k={k!r}, of={names!r}")
    return Subset(k, names, () if named else options)


def shared(name: str, spec: Any) -> Shared:
    """One set of decisions for every place that holds `shared(name, …)`."""
    if not isinstance(name, str) or not name.isidentifier():
        raise SpaceError(f"the name of a shared part must be an identifier, but got {name!r}")
    return Shared(name, spec)


def element_id(address: str, position: int, draw: int) -> str:
    """The id of an element of a `repeat`: a short hash of where it was born and of a draw."""
    text = f"{address}\x1f{position}\x1f{draw}".encode()
    return "#" + hashlib.blake2b(text, digest_size=2).hexdigest()


def fresh_id(address: str, position: int, taken: list[str] | tuple[str, ...], rng: random.Random) -> str:
    """An id that none of `taken` has."""
    while (name := element_id(address, position, rng.getrandbits(32))) in taken:
        pass
    return name


def _is_plain(option: Any) -> bool:
    return option is None or isinstance(option, str | int | float | bool)


def _unique(labels: Sequence[Any]) -> tuple[Any, ...]:
    """The labels, numbered where they repeat."""
    unique: list[Any] = []
    for label in labels:
        taken = any(same(label, other) for other in unique)
        numbered = (f"{label}#{n}" for n in range(2, len(labels) + 1))
        unique.append(next(name for name in numbered if name not in unique) if taken else label)
    return tuple(unique)


def _part_label(option: Any) -> str:
    if isinstance(option, list | tuple):
        return "+".join(_part_label(part) for part in option) or "nothing"
    if isinstance(option, dict):
        return "+".join(option)
    if isinstance(option, Shared):
        return option.name
    return type(option).__name__


def _check_range(name: str, low: float, high: float, log: bool) -> None:
    for bound in (low, high):
        if isinstance(bound, bool) or not isinstance(bound, int | float) or not math.isfinite(bound):
            raise SpaceError(f"{name} needs finite numbers, but got {bound!r}")
    if low > high:
        raise SpaceError(f"{name} needs low <= high, but got low={low!r}, high={high!r}")
    if log and low <= 0:
        raise SpaceError(f"{name} with log=True needs low > 0, but got low={low!r}")


def _log_uniform(low: float, high: float, rng: random.Random) -> float:
    return min(high, max(low, math.exp(rng.uniform(math.log(low), math.log(high)))))


def _perturb(value: float, low: float, high: float, log: bool, rng: random.Random) -> float:
    """Near `value`: within a factor of two on a logarithmic scale, within a quarter of the range on a linear one."""
    if log:
        return _log_uniform(max(low, value / 2), min(high, value * 2), rng)
    width = (high - low) / 4
    return rng.uniform(max(low, value - width), min(high, value + width))


def _drawn_nearby(choice: Choice, address: str, value: Value, rng: random.Random) -> list[Value]:
    """A few other values near `value`, each once."""
    drawn = (choice.alternative(address, value, rng) for _ in range(NEARBY_DRAWS))
    return [other for other in dict.fromkeys(drawn) if other != value]


def _number(value: Value) -> float:
    if isinstance(value, int | float):
        return value
    raise TypeError(f"a number is needed, but got {value!r}")


def _ids(value: Value) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return value
    raise TypeError(f"a tuple of names is needed, but got {value!r}")
