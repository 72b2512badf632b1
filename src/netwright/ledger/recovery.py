"""A damaged ledger: what is wrong with it, and a new one made of what can still be read.

The damaged file is kept beside as `ledger.corrupt-<n>.sqlite`. An event is carried over when it is as it was written
and the trials it stands on were carried over too; a trial whose result is lost is open again and is run again.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from netwright.core.errors import RunCorrupt, StorageError
from netwright.core.events import Asked, Clock, Event, Failed, Finished, Lost, Noted
from netwright.core.files import sync_folder
from netwright.core.trial import Continue, Inherit, Proposal, TrialId
from netwright.ledger.base import encode
from netwright.ledger.sqlite import (
    COLUMNS,
    Row,
    SqliteLedger,
    insert,
    read,
    seal,
    translated_errors,
    unseal,
    version_of,
)

_SIDES = ("-wal", "-shm", "-journal")
_FAR = 100_000  # positions tried in a row without a readable event, before the rest is given up


@dataclass(frozen=True, slots=True)
class Recovery:
    """What `recover` did.

    `unreadable` counts the events known to be damaged; with `tail_lost` there were more after them. `orphaned` counts
    intact events that speak of a lost trial; `open` names the trials that have no result now.
    """

    copy: Path
    kept: int
    unreadable: int
    tail_lost: bool
    orphaned: int
    open: tuple[TrialId, ...]

    @property
    def report(self) -> str:
        """The same in words."""
        more = " and all after them" if self.tail_lost else ""
        parts = [f"{self.kept:,} events were kept; {self.unreadable:,}{more} could not be read"]
        if self.orphaned:
            parts.append(f"{self.orphaned:,} were left out because they speak of trials that are lost")
        if self.open:
            parts.append(f"{len(self.open):,} trials have no result and are run when the search goes on")
        parts.append(f"the damaged file is kept as {self.copy.name}")
        return "; ".join(parts) + "."


def damage(path: Path) -> list[str]:
    """What is wrong with a ledger, in words; empty when every event is as it was written.

    Raises RunVersion for another schema and StorageError where there is no such file.
    """
    found: list[str] = []
    try:
        with _opened(path) as connection:
            found += [str(row[0]) for row in connection.execute("PRAGMA quick_check(10)") if row[0] != "ok"]
        for _ in read(path):
            pass
    except RunCorrupt as error:
        found.append(str(error.__cause__))
    return found


def recover(path: Path) -> Recovery:
    """Replace a damaged ledger by what can be read of it. The caller holds the folder's `RunLock`.

    Whenever this is interrupted, the damaged ledger or the recovered one is in place, and a copy of the damaged one
    is kept. Raises RunVersion for another schema, StorageError where there is no ledger or no room.
    """
    if not path.exists():
        raise StorageError(f"there is no ledger at {path}.")
    copy = _keep_copy(path)
    rebuilt = path.with_name(f"{path.stem}.rebuilt{path.suffix}")
    rebuilt.unlink(missing_ok=True)
    _remove_sides(rebuilt)
    SqliteLedger(rebuilt).close()
    salvage = _Salvage()
    with translated_errors(rebuilt), closing(sqlite3.connect(rebuilt, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # one file, which can be moved
        connection.execute("BEGIN IMMEDIATE")
        salvage.carry(copy, connection)
        connection.execute("COMMIT")
    _remove_sides(path)
    os.replace(rebuilt, path)
    sync_folder(path.parent)
    _tidy(copy)
    return Recovery(
        copy, salvage.kept, salvage.unreadable, salvage.tail_lost, salvage.orphaned, tuple(sorted(salvage.open))
    )


class _Salvage:
    """The pass over a damaged ledger."""

    def __init__(self) -> None:
        self.kept = self.unreadable = self.orphaned = 0
        self.tail_lost = False
        self.open: set[TrialId] = set()
        self._known: set[TrialId] = set()

    def carry(self, damaged: Path, connection: sqlite3.Connection) -> None:
        """Insert into `connection` all that can be read of `damaged` and still makes sense."""
        for row in self._rows(damaged):
            try:
                stored = unseal(row)
            except ValueError:
                self.unreadable += 1
                continue
            event = self._sensible(stored.event)
            if event is None:
                self.orphaned += 1
                continue
            self.kept += 1
            insert(connection, [seal(self.kept, stored.at, *encode(event))])

    def _rows(self, damaged: Path) -> Iterator[Row]:
        """Rows in order of position, seeking beyond what SQLite cannot read."""
        try:
            with _opened(damaged) as source:
                yield from self._seek(source)
        except (RunCorrupt, StorageError):
            self.tail_lost = True

    def _seek(self, source: sqlite3.Connection) -> Iterator[Row]:
        position = misses = 0
        while misses < _FAR:
            try:
                for row in source.execute(f"SELECT {COLUMNS} FROM events WHERE position > ? ORDER BY 1", (position,)):
                    if row[0] <= position:
                        raise sqlite3.DatabaseError("rows out of order")
                    self.unreadable += row[0] - position - 1 + misses
                    position, misses = row[0], 0
                    yield row
                self.unreadable += misses
                return
            except (sqlite3.Error, UnicodeDecodeError):
                position += 1
                misses += 1
        self.tail_lost = True

    def _sensible(self, event: Event) -> Event | None:
        """The event as far as it speaks of known trials; None when nothing is left of it."""
        match event:
            case Clock() | Noted():
                return event
            case Asked(source, trials):
                asked = tuple(
                    (trial, self._known_parents(proposal)) for trial, proposal in trials if self._has(proposal)
                )
                self._known.update(trial for trial, _ in asked)
                self.open.update(trial for trial, _ in asked)
                return Asked(source, asked) if asked else None
        if event.trial not in self._known:
            return None
        if isinstance(event, Finished) and event.reused_from is not None and event.reused_from not in self._known:
            return None
        if isinstance(event, Finished | Failed | Lost):
            self.open.discard(event.trial)
        return event

    def _has(self, proposal: Proposal) -> bool:
        """Whether the trial whose weights a proposal starts from was carried over."""
        return not isinstance(proposal.start, Continue | Inherit) or proposal.start.trial in self._known

    def _known_parents(self, proposal: Proposal) -> Proposal:
        known = tuple(parent for parent in proposal.parents if parent in self._known)
        return proposal if known == proposal.parents else replace(proposal, parents=known)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that reads as much of a damaged file as SQLite can, and writes nothing."""
    address = f"{path.resolve().as_uri()}?mode=ro"
    with translated_errors(path), closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA writable_schema = ON")  # a file cut short is refused whole without it
        version_of(connection, path)
        yield connection


def _keep_copy(path: Path) -> Path:
    copy = next(
        name
        for number in count(1)
        if not (name := path.with_name(f"{path.stem}.corrupt-{number}{path.suffix}")).exists()
    )
    try:
        for side in ("-wal", "-journal", ""):  # the file itself last: its name says that the copy is whole
            source = path.with_name(path.name + side)
            if source.exists():
                with source.open("rb") as original, copy.with_name(copy.name + side).open("wb") as kept:
                    shutil.copyfileobj(original, kept)
                    kept.flush()
                    os.fsync(kept.fileno())
        sync_folder(path.parent)
    except OSError as error:
        raise StorageError(f"the damaged ledger {path} cannot be copied first: {error.strerror or error}.") from error
    return copy


def _tidy(copy: Path) -> None:
    """Remove what reading the copy put beside it."""
    copy.with_name(copy.name + "-shm").unlink(missing_ok=True)
    log = copy.with_name(copy.name + "-wal")
    if log.exists() and log.stat().st_size == 0:
        log.unlink()


def _remove_sides(path: Path) -> None:
    for side in _SIDES:
        path.with_name(path.name + side).unlink(missing_ok=True)
