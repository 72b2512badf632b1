"""A candidate is data: one resolved point of a space, frozen JSON, no weights and no code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Scalar = str | int | float | bool | None
Value = Scalar | tuple[str, ...]
"""What one decision may hold. A tuple is a list of ids (the elements of a `repeat`) or of names (a `subset`)."""

Kind = Literal["network", "forest", "linear"]


@dataclass(frozen=True, slots=True)
class Architecture:
    """The resolved layers of a network, as plain JSON objects with a `layer` name and an `address` each.

    `key` is canonical: two architectures have one key exactly when their live graphs are equal up to renumbering
    (`spaces.keys`). Parameters, MACs and latency are functions of the key and the task.
    """

    layers: tuple[Mapping[str, Any], ...]
    key: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a trial trains.

    `decisions` (address to value) replay the candidate in its space; `architecture` and `recipe` say the same
    without the space, so that a stored candidate is built without the user's code. Classic models (`kind` forest
    or linear) have no architecture.
    """

    kind: Kind
    architecture: Architecture | None
    recipe: Mapping[str, Scalar]
    decisions: Mapping[str, Value] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The architecture key, or the kind of a classic model."""
        return self.kind if self.architecture is None else self.architecture.key

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        record: dict[str, Any] = {"kind": self.kind, "recipe": dict(self.recipe)}
        if self.architecture is not None:
            record["key"] = self.architecture.key
            record["layers"] = list(self.architecture.layers)
        if self.decisions:
            record["decisions"] = {
                address: list(value) if isinstance(value, tuple) else value for address, value in self.decisions.items()
            }
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Candidate:
        """The inverse of `to_json`. The key is believed; `spaces.keys.verify` recomputes it for untrusted records."""
        layers: Sequence[Mapping[str, Any]] | None = record.get("layers")
        return cls(
            kind=record["kind"],
            architecture=None if layers is None else Architecture(tuple(layers), record["key"]),
            recipe=dict(record["recipe"]),
            decisions={
                address: tuple(value) if isinstance(value, list) else value
                for address, value in record.get("decisions", {}).items()
            },
        )


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces; refuses NaN and infinity (ValueError)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def digest(value: object, size: int = 16) -> str:
    """Hexadecimal BLAKE2b of the canonical JSON of `value`, `size` bytes long."""
    return hashlib.blake2b(canonical_json(value).encode(), digest_size=size).hexdigest()
