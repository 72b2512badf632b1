"""A finding: what was noticed about data, how bad it is, in which files, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["stop", "warn"]

NAMED = 50
"""How many files a finding names; its message gives the whole count."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`stop`: no search can begin. `warn`: it can, but read this first. `files` are display names, the first few."""

    severity: Severity
    kind: str
    message: str
    fix: str
    files: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {
            "severity": self.severity,
            "kind": self.kind,
            "message": self.message,
            "fix": self.fix,
            "files": list(self.files),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Finding:
        """The inverse of `to_json`."""
        return cls(record["severity"], record["kind"], record["message"], record["fix"], tuple(record["files"]))


def named(files: Iterable[str]) -> tuple[str, ...]:
    """The first `NAMED` of the files."""
    return tuple(files)[:NAMED]


def enumerate_some(names: Iterable[str], limit: int = 5) -> str:
    """The names with commas, and how many more there are beyond `limit`."""
    listed = list(names)
    rest = f" and {len(listed) - limit:,} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + rest


def count(number: int, one: str, many: str = "") -> str:
    """`1 image`, `1,204 images`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
