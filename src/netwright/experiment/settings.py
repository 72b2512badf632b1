"""What a person asked for: one record, its defaults, and the rule of what may change when a run goes on.

| may change                                              | may not (unless `--allow-changed`; epochs not at all)    |
|---------------------------------------------------------|----------------------------------------------------------|
| minutes, trials, cpu_seconds, workers, executor, rival, | data, size, split, groups, space, strategy, objectives,  |
| images, stop, limits that are tightened or added        | screen, inherit, epochs, precision, seed, limits loosened|
|                                                         | or taken away                                            |

An option that is left out on resume keeps its value.
"""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from netwright.budget import Budget
from netwright.core.errors import InputError, RunChanged
from netwright.core.metrics import DEFAULT_SCORE, METRICS, QUALITY, SCORES
from netwright.core.objective import Goal, Limit, parse_goal, parse_limit
from netwright.stoppers import STOPPERS
from netwright.strategies import NO_SCORE_OF_HEIRS, STRATEGIES, cannot_inherit, check_name, parts_of

DEFAULT_MINUTES = 10.0
DEFAULT_STRATEGY = "auto+halving"
DEFAULT_SPACE = "chain"
ARRAYS = "(arrays)"
PYTHON_SPACE = "(python)"
"""What stands for data and for a space that were given from Python as objects; fingerprints tell them apart."""
FREE = frozenset({"minutes", "trials", "cpu_seconds", "workers", "executor", "rival", "images", "stop"})


@dataclass(frozen=True, slots=True)
class Settings:
    """Options of a search, as on the command line. None means: not said.

    `data` is the source's display name (a path as it was typed); `budget` bounds hold for the whole run folder.
    Raises InputError (LimitError for objectives and limits) for an option that does not fit, before anything is read.
    """

    data: str
    minutes: float | None = None
    trials: int | None = None
    cpu_seconds: float | None = None
    epochs: int | None = None
    strategy: str | None = None
    space: str | None = None
    workers: int | None = None
    objectives: tuple[str, ...] | None = None
    limits: tuple[str, ...] | None = None
    size: str | None = None
    split: str | None = None
    groups: str | None = None
    rival: str | None = None
    executor: str | None = None
    precision: str | None = None
    stop: str | None = None
    seed: int | None = None
    images: bool | None = None
    inherit: bool | None = None
    screen: str | None = None

    def __post_init__(self) -> None:
        for option in fields(self):
            object.__setattr__(self, option.name, _typed(option.name, getattr(self, option.name), str(option.type)))
        _one_of("rival", self.rival, ("random",))
        _one_of("executor", self.executor, ("inline", "local"))
        _one_of("precision", self.precision, ("auto", "fp32", "bf16"))
        for name, value in (("workers", self.workers), ("epochs", self.epochs)):
            if value is not None and value < 1:
                raise InputError(f"{name} must be at least 1, but got {value}")
        for name, bound in (("minutes", self.minutes), ("trials", self.trials), ("cpu_seconds", self.cpu_seconds)):
            if bound is not None and not 0 < bound < math.inf:
                raise InputError(f"{name} must be a positive number, but got {bound}")
        if self.strategy is not None:
            check_name(self.strategy)
        strategy, _ = parts_of(self.strategy or DEFAULT_STRATEGY)
        if self.inherit and strategy in STRATEGIES and not STRATEGIES[strategy].inherits:
            raise InputError(f"--inherit: {cannot_inherit(strategy)}")
        if self.inherit and self.screen:
            raise InputError(NO_SCORE_OF_HEIRS)
        _one_of("screen", self.screen, SCORES)
        _one_of("stop", self.stop, ("none", *STOPPERS))
        self._check_stop(self.goal)

    def _check_stop(self, goal: Goal) -> None:
        """A rule weighs learning curves against costs that are computed; others are not known while a network trains."""
        known = [o.metric in QUALITY or METRICS[o.metric].needs == "arithmetic" for o in goal.objectives]
        if self.stop not in (None, "none") and not all(known):
            names = ", ".join(objective.metric for objective in goal.objectives)
            raise InputError(
                f"with stop={self.stop} every objective must be quality, parameters or macs, but got {names}; "
                "leave stop out, or make the others limits"
            )

    def complete(self) -> Settings:
        """With every default filled in. Without any budget the search takes ten minutes."""
        bounded = self.minutes is not None or self.trials is not None or self.cpu_seconds is not None
        return replace(
            self,
            minutes=self.minutes if bounded else DEFAULT_MINUTES,
            strategy=self.strategy or DEFAULT_STRATEGY,
            space=self.space or DEFAULT_SPACE,
            workers=1 if self.executor == "inline" else self.workers or available_cores(),
            objectives=self.objectives or tuple(str(o) for o in parse_goal((), ()).objectives),
            limits=self.limits or (),
            executor=self.executor or "local",
            precision=self.precision or "auto",
            stop=self.stop or "none",
            seed=0 if self.seed is None else self.seed,
            images=True if self.images is None else self.images,
            inherit=bool(self.inherit),
        )

    @property
    def goal(self) -> Goal:
        """Objectives and limits, parsed."""
        return parse_goal(self.objectives or (), self.limits or ())

    @property
    def trains(self) -> bool:
        """Whether the search trains candidates; if not, only its final stage does."""
        strategy, _ = parts_of(self.strategy or DEFAULT_STRATEGY)
        return strategy not in STRATEGIES or STRATEGIES[strategy].trains

    @property
    def score(self) -> str | None:
        """By what untrained candidates are scored, where they are."""
        return self.screen or (None if self.trains else DEFAULT_SCORE)

    @property
    def budget(self) -> Budget:
        """The bounds on time and trials."""
        return Budget(None if self.minutes is None else self.minutes * 60, self.cpu_seconds, self.trials)

    def to_json(self) -> dict[str, Any]:
        """A JSON object of all options."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Settings:
        """The inverse of `to_json`."""
        options: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in record.items()
        }
        return cls(**options)


def available_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def resume(stored: Settings, given: Settings, *, allow_changed: bool) -> Settings:
    """The settings of a run that goes on: those stored, overridden by what was given anew.

    Raises RunChanged, naming every option that must not change, unless `allow_changed`; epochs must not change at all.
    """
    changes: dict[str, Any] = {}
    refused = []
    for option in fields(Settings):
        old, new = getattr(stored, option.name), getattr(given, option.name)
        if new is None or new == old:
            continue
        if option.name == "objectives" and stored.goal.objectives == given.goal.objectives:
            continue  # the same in other words
        changes[option.name] = new
        if option.name not in FREE and not (option.name == "limits" and _tightened(old or (), new)):
            refused.append(f"{option.name} was {_said(old)} and is now {_said(new)}")
    if "epochs" in changes and allow_changed:
        raise RunChanged(
            f"a run keeps the epochs it began with, --allow-changed or not, but they were {_said(stored.epochs)} and are "
            f"now {_said(given.epochs)}; leave the option out, or choose another --out"
        )
    if refused and not allow_changed:
        raise RunChanged(
            "a run that goes on must keep what it is about, but "
            + "; ".join(refused)
            + ". Leave the option out to go on, choose another --out, or add --allow-changed."
        )
    return replace(stored, **changes)


def _tightened(old: tuple[str, ...], new: tuple[str, ...]) -> bool:
    """Whether every old limit still holds: kept, or replaced by a narrower one on the same metric."""
    now = [parse_limit(text) for text in new]
    return all(any(_implies(limit, before) for limit in now) for before in map(parse_limit, old))


def _implies(limit: Limit, before: Limit) -> bool:
    if limit.metric != before.metric or limit.comparison[0] != before.comparison[0]:
        return False
    if limit.bound == before.bound:
        return limit.comparison == before.comparison or before.comparison in ("<=", ">=")
    return (limit.bound < before.bound) == (before.comparison[0] == "<")


def _said(value: object) -> str:
    return "not given" if value is None else " ".join(value) if isinstance(value, tuple) else str(value)


def _typed(name: str, value: Any, annotation: str) -> Any:
    """The value of an option, of the type that its annotation names (a NumPy number becomes Python's). Raises InputError."""
    if value is None:
        return None
    kind, wanted, convert = _TYPES[annotation.removesuffix(" | None")]
    texts = isinstance(value, tuple) and all(isinstance(text, str) for text in value)
    if (kind is tuple and not texts) or not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        given = f"the class {value.__name__}" if isinstance(value, type) else repr(value)
        raise InputError(f"{name} must be {wanted}, but got {given}")
    return convert(value)


_TYPES: Mapping[str, tuple[type, str, Callable[[Any], Any]]] = {
    "str": (str, "text as on the command line", str),
    "bool": (bool, "True or False", bool),
    "int": (numbers.Integral, "a whole number", int),
    "float": (numbers.Real, "a number", float),
    "tuple[str, ...]": (tuple, "text as on the command line, or a list of such", tuple),
}


def _one_of(name: str, value: str | None, allowed: tuple[str, ...]) -> None:
    if value is not None and value not in allowed:
        raise InputError(f"{name} must be one of {', '.join(allowed)}, but got {value!r}")
