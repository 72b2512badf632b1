"""What a ledger promises: events are appended in order, kept for good, and replayed exactly as they were written."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Self

from netwright.core.events import Event, Stored, event_from_json, event_to_json
from netwright.core.trial import TrialId


class Ledger(ABC):
    """An append-only list of events with one writer. A context manager that closes itself."""

    @abstractmethod
    def append(self, events: Sequence[Event]) -> int:
        """Store all of `events` or none, durably, and return the position of the last event in the ledger.

        Positions count from 1 without gaps. Raises ValueError for an event that is not JSON (NaN, infinity, an
        object), StorageError when the storage refuses; in both cases nothing of this call is stored.
        """

    @abstractmethod
    def replay(self, after: int = 0) -> Iterator[Stored]:
        """Every event with a position above `after`, in order, a few at a time.

        What is appended while the iteration runs is replayed too. Raises RunCorrupt at the first event that is not
        as it was written.
        """

    @abstractmethod
    def of_trial(self, trial: TrialId) -> list[Stored]:
        """The events that concern `trial` alone, in order: its opening, attempts and answer."""

    @abstractmethod
    def facts(self) -> list[Stored]:
        """The events of kind `noted`, in order, without reading the others."""

    @abstractmethod
    def close(self) -> None:
        """Give the storage back. Closing twice is allowed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_to_text = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def encode(event: Event) -> tuple[str, TrialId | None, str]:
    """(kind, trial, ASCII JSON). Raises ValueError for what JSON cannot hold."""
    kind, trial, data = event_to_json(event)
    try:
        return kind, trial, _to_text(data)
    except (TypeError, ValueError) as error:
        subject = f"event {kind!r}" if trial is None else f"event {kind!r} of trial {trial}"
        raise ValueError(
            f"what is recorded must be JSON with finite numbers, but the {subject} is not: {error}"
        ) from error


def decode(kind: str, trial: TrialId | None, text: str) -> Event:
    """The inverse of `encode`. Raises ValueError for anything that `encode` did not make."""
    try:
        return event_from_json(kind, trial, json.loads(text))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"an event of kind {kind!r} lacks {error}") from error
