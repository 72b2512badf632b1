"""A ledger in memory: for tests, and for searches that need not outlive their process."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import final

from netwright.core.events import Event, Stored
from netwright.core.trial import TrialId
from netwright.ledger.base import Ledger, decode, encode


@final
class MemoryLedger(Ledger):
    """Keeps events as text, so that it refuses and forgets exactly what a ledger on disk would."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, str, TrialId | None, str]] = []

    def append(self, events: Sequence[Event]) -> int:
        """See `Ledger.append`."""
        now = time.time()
        self._rows += [(now, *encode(event)) for event in events]
        return len(self._rows)

    def replay(self, after: int = 0) -> Iterator[Stored]:
        """See `Ledger.replay`."""
        position = max(after, 0)
        while position < len(self._rows):
            yield self._stored(position)
            position += 1

    def of_trial(self, trial: TrialId) -> list[Stored]:
        """See `Ledger.of_trial`."""
        return [self._stored(position) for position, row in enumerate(self._rows) if row[2] == trial]

    def facts(self) -> list[Stored]:
        """See `Ledger.facts`."""
        return [self._stored(position) for position, row in enumerate(self._rows) if row[1] == "noted"]

    def _stored(self, position: int) -> Stored:
        at, kind, trial, text = self._rows[position]
        return Stored(position + 1, at, decode(kind, trial, text))

    def close(self) -> None:
        """Nothing to give back: the events stay for whoever holds the object."""
