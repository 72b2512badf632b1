"""A trial: a candidate, how far it is trained, where its weights start, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from netwright.core.candidate import Candidate, Scalar, digest

TrialId = int

Status = Literal[
    "asked",  # recorded, waiting for a worker
    "running",
    "completed",
    "stopped",  # early, by a stopper; measurements attached
    "infeasible",  # outside a limit before training; measurements attached
    "invalid",  # cannot be built
    "diverged",  # non-finite loss
    "out_of_memory",
    "timeout",
    "crashed",  # an exception, or a signal twice
    "lost",  # the machine's fault, retries spent
    "cancelled",  # budget or Ctrl-C; asked again on resume
]
FINISHED: frozenset[str] = frozenset({"completed", "stopped", "infeasible"})
FAILED: frozenset[str] = frozenset({"invalid", "diverged", "out_of_memory", "timeout", "crashed"})
OPEN: frozenset[str] = frozenset({"asked", "running", "cancelled"})


EPOCH_IMAGES = 12_500
"""About how many images an epoch shows where there are many."""
DECAY_SHARE = 0.2
"""Length of the decay branch of a rung, as a share of the rung's epochs."""


def epochs_a_pass(images: int) -> int:
    """How many epochs make one pass over `images` training images.

    One, or more where there are many: then an epoch is an equal part of a pass, of about `EPOCH_IMAGES`. So a first
    rung is short whatever the size of the data, and a stop or a kill loses little.
    """
    return max(1, round(images / EPOCH_IMAGES))


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How far a candidate is trained.

    `epochs` (see `epochs_a_pass`) is the total of the lineage; a network of no epochs is scored (`UNTRAINED`). On the
    `trunk` (successive halving) the learning rate is warmed up and then constant, and the score is taken after a short
    decay branch; otherwise the recipe's own schedule runs to its end.
    """

    epochs: int
    trunk: bool = False


UNTRAINED = Fidelity(0)
"""The lowest fidelity of a network: scored, not trained."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """New weights, drawn from the trial's seed."""


@dataclass(frozen=True, slots=True)
class Continue:
    """The same network goes on from the trunk checkpoint of `trial`."""

    trial: TrialId


@dataclass(frozen=True, slots=True)
class Inherit:
    """Weights of `trial`, carried over as far as `edit` (addresses added, removed, changed) leaves them."""

    trial: TrialId
    edit: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Slice:
    """Weights cut out of a supernet."""

    supernet: str


Start = Fresh | Continue | Inherit | Slice


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a strategy wants evaluated.

    `repeat` tells apart trainings of one candidate on purpose (the final stage is a new repeat).
    `origin` says how it came to be (`random`, `start`, `mutation`, `crossover`, `screened`, `promotion`, `baseline`, `final` …).
    """

    candidate: Candidate
    fidelity: Fidelity
    start: Start = field(default_factory=Fresh)
    repeat: int = 0
    parents: tuple[TrialId, ...] = ()
    origin: str = ""
    notes: Mapping[str, Scalar] = field(default_factory=dict)
    _identity: str = field(default="", init=False, repr=False, compare=False)

    def identity(self) -> str:
        """Hexadecimal digest of (kind, key, recipe, fidelity, start, repeat): what makes two trials the same one."""
        if not self._identity:
            parts = [
                self.candidate.kind,
                self.candidate.key,
                dict(self.candidate.recipe),
                [self.fidelity.epochs, self.fidelity.trunk],
                start_to_json(self.start),
                self.repeat,
            ]
            object.__setattr__(self, "_identity", digest(parts))
        return self._identity

    def to_json(self) -> dict[str, Any]:
        """A JSON object; fields at their defaults are left out."""
        record: dict[str, Any] = {"candidate": self.candidate.to_json(), "epochs": self.fidelity.epochs}
        if self.fidelity.trunk:
            record["trunk"] = True
        if not isinstance(self.start, Fresh):
            record["start"] = start_to_json(self.start)
        if self.repeat:
            record["repeat"] = self.repeat
        if self.parents:
            record["parents"] = list(self.parents)
        if self.origin:
            record["origin"] = self.origin
        if self.notes:
            record["notes"] = dict(self.notes)
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Proposal:
        """The inverse of `to_json`."""
        return cls(
            candidate=Candidate.from_json(record["candidate"]),
            fidelity=Fidelity(record["epochs"], record.get("trunk", False)),
            start=start_from_json(record.get("start")),
            repeat=record.get("repeat", 0),
            parents=tuple(record.get("parents", ())),
            origin=record.get("origin", ""),
            notes=record.get("notes", {}),
        )


def start_to_json(start: Start) -> dict[str, Any] | None:
    """None for fresh weights, else an object with one key that names the kind of start."""
    match start:
        case Fresh():
            return None
        case Continue(trial):
            return {"continue": trial}
        case Inherit(trial, edit):
            return {"inherit": trial, "edit": dict(edit)}
        case Slice(supernet):
            return {"slice": supernet}


def start_from_json(record: Mapping[str, Any] | None) -> Start:
    """The inverse of `start_to_json`. Raises ValueError for an unknown kind of start."""
    if record is None:
        return Fresh()
    if "continue" in record:
        return Continue(record["continue"])
    if "inherit" in record:
        return Inherit(record["inherit"], record["edit"])
    if "slice" in record:
        return Slice(record["slice"])
    raise ValueError(f"a start must be continue, inherit or slice, but got {sorted(record)}")
