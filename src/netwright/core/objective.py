"""What a search is for: objectives to improve and limits to keep, and the grammar in which a person writes them.

    objective := METRIC [":" ("min" | "max")]
    limit     := METRIC ("<=" | ">=" | "<" | ">") NUMBER [SUFFIX] [UNIT]
    SUFFIX    := "k" | "M" | "G"                    thousand, million, billion
    UNIT      := "%" | "us" | "ms" | "s" | "min" | "kB" | "MB" | "GB"

`parameters<=100k`, `latency<=2ms`, `accuracy>=92.5%`. A unit must be one of the metric's own kind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from netwright.core.errors import LimitError
from netwright.core.measurement import Measurements
from netwright.core.metrics import AIMS, METRICS, QUALITY, SHARES, Direction

Comparison = Literal["<=", ">=", "<", ">"]


@dataclass(frozen=True, slots=True)
class Objective:
    """A metric to improve, in its direction."""

    metric: str
    direction: Direction

    def cost(self, measurements: Measurements) -> float | None:
        """The value to be minimised, or None where it was not measured."""
        measurement = measurements.get(self.metric)
        if measurement is None:
            return None
        return -measurement.value if self.direction == "max" else measurement.value

    def __str__(self) -> str:
        return f"{self.metric}:{self.direction}"


@dataclass(frozen=True, slots=True)
class Limit:
    """A hard limit on a metric. `bound` is in the metric's own unit."""

    metric: str
    comparison: Comparison
    bound: float
    text: str = ""

    def violation(self, value: float) -> float:
        """How far `value` is outside, relative to the bound: 0 inside, 0.5 at half as much again."""
        excess = value - self.bound if self.comparison in ("<=", "<") else self.bound - value
        if excess < 0 or (excess == 0 and self.comparison in ("<=", ">=")):
            return 0.0
        return max(excess / abs(self.bound) if self.bound else excess, 1e-9)

    def __str__(self) -> str:
        return self.text or f"{self.metric}{self.comparison}{self.bound:g}"


@dataclass(frozen=True, slots=True)
class Goal:
    """All objectives and limits of a search. The first objective is the one a single-objective strategy optimises."""

    objectives: tuple[Objective, ...]
    limits: tuple[Limit, ...] = ()

    @property
    def metrics(self) -> frozenset[str]:
        """Names of all metrics that an objective or a limit is about."""
        return frozenset([*(o.metric for o in self.objectives), *(limit.metric for limit in self.limits)])

    @property
    def quality(self) -> Objective:
        """What says how good a network is: the first objective that is about its answers, else accuracy."""
        return next((o for o in self.objectives if o.metric in QUALITY), Objective("accuracy", "max"))

    @property
    def first(self) -> Goal:
        """The first objective alone, inside the same limits."""
        return Goal(self.objectives[:1], self.limits)

    def costs(self, measurements: Measurements) -> tuple[float, ...] | None:
        """Values to be minimised, one an objective; None when one is missing."""
        costs = tuple(objective.cost(measurements) for objective in self.objectives)
        return None if None in costs else costs  # type: ignore[return-value]

    def violation(self, measurements: Measurements) -> float:
        """Sum of the relative violations of all limits whose metric was measured (Deb's rule)."""
        return sum(
            limit.violation(measurements[limit.metric].value) for limit in self.limits if limit.metric in measurements
        )

    def untrained(self, score: str) -> Goal:
        """What is left of the goal before training: a score in place of quality, and what arithmetic knows.

        The score is the first objective, the larger the better, whichever it is.
        """
        known = [o for o in self.objectives if METRICS[o.metric].needs == "arithmetic" and o.metric != score]
        limits = tuple(limit for limit in self.limits if METRICS[limit.metric].needs == "arithmetic")
        return Goal((Objective(score, "max"), *known), limits)

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {
            "objectives": [str(objective) for objective in self.objectives],
            "limits": [str(limit) for limit in self.limits],
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Goal:
        """The inverse of `to_json`."""
        return parse_goal(record["objectives"], record["limits"])


DEFAULT_OBJECTIVES = ("accuracy", "parameters")

_SUFFIXES = {"k": 1e3, "M": 1e6, "G": 1e9}
_UNITS: dict[str, dict[str, float]] = {
    "ms": {"us": 1e-3, "ms": 1.0, "s": 1e3},
    "s": {"ms": 1e-3, "s": 1.0, "min": 60.0},
    "MB": {"kB": 1e-3, "MB": 1.0, "GB": 1e3},
}
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_@.-]*")


def parse_objective(text: str) -> Objective:
    """Read `METRIC[:min|max]`. Raises LimitError that points at the character at fault."""
    name, _, direction = text.partition(":")
    metric = AIMS.get(name.strip())
    if metric is None:
        raise LimitError(f"an objective must name a metric ({', '.join(AIMS)}), but got {name!r}", text, 0)
    if ":" in text and direction not in ("min", "max"):
        raise LimitError(f"a direction must be min or max, but got {direction!r}", text, len(name) + 1)
    return Objective(metric.name, direction if direction else metric.direction)  # type: ignore[arg-type]


def parse_limit(text: str) -> Limit:
    """Read `METRIC<=NUMBER[SUFFIX][UNIT]`. Raises LimitError that points at the character at fault."""
    position = len(text) - len(text.lstrip())
    match = _NAME.match(text, position)
    metric = AIMS.get(match.group()) if match else None
    if metric is None:
        raise LimitError(f"a limit must begin with a metric ({', '.join(AIMS)})", text, position)
    position = _skip(text, match.end())  # type: ignore[union-attr]
    comparison = next((sign for sign in ("<=", ">=", "<", ">") if text.startswith(sign, position)), None)
    if comparison is None:
        raise LimitError(f"after {metric.name} must come <=, >=, < or >", text, position)
    position = _skip(text, position + len(comparison))
    match = _NUMBER.match(text, position)
    if match is None:
        raise LimitError(f"after {comparison} must come a number, as in {metric.name}{comparison}100", text, position)
    bound = float(match.group())
    start, position = position, _skip(text, match.end())
    if text[position : position + 1] in _SUFFIXES and text[position : position + 2] not in ("kB", "MB", "GB"):
        bound *= _SUFFIXES[text[position]]
        position += 1
    position = _skip(text, position)
    unit = text[position:].strip()
    if unit:
        units = {"%": 0.01} if metric.name in SHARES else _UNITS.get(metric.unit, {})
        if unit not in units:
            allowed = f"one of {', '.join(units)}" if units else "none"
            raise LimitError(f"the unit of {metric.name} must be {allowed}, but got {unit!r}", text, position)
        bound *= units[unit]
    if not isfinite(bound):
        raise LimitError(f"the bound on {metric.name} must be a finite number", text, start)
    return Limit(metric.name, comparison, bound, text.strip())  # type: ignore[arg-type]


def parse_goal(objectives: Sequence[str], limits: Sequence[str]) -> Goal:
    """Read all objectives and limits; without objectives the default ones hold."""
    parsed = tuple(parse_objective(text) for text in (objectives or DEFAULT_OBJECTIVES))
    names = [objective.metric for objective in parsed]
    for name in names:
        if names.count(name) > 1:
            raise LimitError(f"each objective must be given once, but {name} was given twice", name, 0)
    return Goal(parsed, tuple(parse_limit(text) for text in limits))


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position
