"""A ledger in one SQLite file: append-only by triggers, every row with a checksum, one writer, any number of readers.

A commit is on the disk before `append` returns (WAL with synchronous FULL). Network file systems have no shared
memory for WAL; there the classic rollback journal is used, and said.
"""

from __future__ import annotations

import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import final
from zlib import crc32

from netwright.core.errors import RunCorrupt, RunVersion, StorageError
from netwright.core.events import Event, Stored
from netwright.core.files import sync_folder
from netwright.core.trial import TrialId
from netwright.ledger.base import Ledger, decode, encode
from netwright.ledger.filesystem import Reserve, remote_filesystem

SCHEMA_VERSION = 1
APPLICATION_ID = 0x6E775274  # "nwRt", in the file's header: tells a ledger from any other SQLite file
BUSY_SECONDS = 30.0
SLOW_SECONDS = 0.2
SLOW_APPENDS = 5

_PAGE_BYTES = 8192  # a trial takes about 2.6 kB: three a page, where 4096 would hold one
_CHUNK = 1000  # events a read transaction: readers never hold the writer's checkpoints back for long
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)  # the last: a schema that is not ours
_LONGEST_TIME = 1e11  # seconds; infinity and milliseconds are refused

_SCHEMA = f"""
CREATE TABLE events (
    position INTEGER PRIMARY KEY CHECK (position > 0),
    at REAL NOT NULL CHECK (at BETWEEN 0 AND {_LONGEST_TIME}),
    kind TEXT NOT NULL,
    trial INTEGER,
    data TEXT NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX events_of_a_trial ON events (trial);
CREATE INDEX events_of_the_run ON events (position) WHERE kind = 'noted';
CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_are_not_replaced BEFORE INSERT ON events
    WHEN new.position <= (SELECT max(position) FROM events)
    BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""

COLUMNS = "position, at, kind, trial, data, checksum"
Row = tuple[int, float, str, TrialId | None, str, int]


def _warn(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=3)


@final
class SqliteLedger(Ledger):
    """The writer's side of a ledger file, which is created if absent. `warn` hears of slow or remote storage, once.

    Raises RunVersion for a file of another schema, RunCorrupt for one that SQLite cannot read, StorageError where the
    folder cannot be written. Hold a `RunLock` while it is open.
    """

    def __init__(self, path: Path, *, warn: Callable[[str], None] = _warn) -> None:
        self._path = path
        self._warn = warn
        self._slow = 0
        self._warned_slow = False
        self._reserve = Reserve(path.with_name(path.name + ".reserve"))
        with translated_errors(path):
            self._connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise
        self._reserve.fill()

    def _prepare(self) -> None:
        remote = remote_filesystem(self._path.parent)
        if remote:
            self._warn(
                f"{self._path.parent} is on a network file system ({remote}): recording is slower there, "
                "and only its own locks keep two searches apart."
            )
        configure(self._connection)
        version = version_of(self._connection, self._path)
        if version == 0:
            self._connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        self._connection.execute(f"PRAGMA journal_mode = {'DELETE' if remote else 'WAL'}")
        self._connection.execute("PRAGMA synchronous = FULL")
        if version == 0:
            self._connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
            sync_folder(self._path.parent)

    def append(self, events: Sequence[Event]) -> int:
        """See `Ledger.append`.

        Where the disk is full, StorageError is raised after a reserve of 1 MiB was given back: appending again then
        succeeds for as long as that lasts, enough to close every open trial and end in order.
        """
        encoded = [encode(event) for event in events]
        now = time.time()
        began = time.monotonic()
        with translated_errors(self._path):
            try:
                last = self._insert(now, encoded)
            except sqlite3.OperationalError as error:
                if _primary_code(error) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                    self._reserve.release()
                raise
        self._watch(time.monotonic() - began)
        return last

    def _insert(self, now: float, encoded: Sequence[tuple[str, TrialId | None, str]]) -> int:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            last = int(execute("SELECT coalesce(max(position), 0) FROM events").fetchone()[0])
            insert(self._connection, [seal(last + i, now, *entry) for i, entry in enumerate(encoded, start=1)])
            execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                execute("ROLLBACK")
            raise
        return last + len(encoded)

    def _watch(self, seconds: float) -> None:
        self._slow = self._slow + 1 if seconds > SLOW_SECONDS else 0
        if self._slow >= SLOW_APPENDS and not self._warned_slow:
            self._warned_slow = True
            self._warn(
                f"recording in {self._path} takes {seconds:.1f} s an event: the storage is slow and holds the "
                "search back. A folder on a local disk would be faster."
            )

    def replay(self, after: int = 0) -> Iterator[Stored]:
        """See `Ledger.replay`."""
        return _replay(self._connection, self._path, after)

    def of_trial(self, trial: TrialId) -> list[Stored]:
        """See `Ledger.of_trial`."""
        return self._select("trial = ?", trial)

    def facts(self) -> list[Stored]:
        """See `Ledger.facts`."""
        return self._select("kind = 'noted'")

    def _select(self, condition: str, *values: int) -> list[Stored]:
        with translated_errors(self._path):
            rows = self._connection.execute(
                f"SELECT {COLUMNS} FROM events WHERE {condition} ORDER BY position", values
            ).fetchall()
        try:
            return [unseal(row) for row in rows]
        except ValueError as error:
            raise RunCorrupt(corrupt_message(self._path, str(error))) from error

    def close(self) -> None:
        """See `Ledger.close`."""
        self._connection.close()
        self._reserve.release()


def read(path: Path, after: int = 0) -> Iterator[Stored]:
    """Replay a ledger without being able to change it, also while a search writes it.

    Raises StorageError where there is no such file, RunVersion for another schema, RunCorrupt for damage.
    """
    with translated_errors(path), closing(open_to_read(path)) as connection:
        configure(connection)
        if version_of(connection, path):
            yield from _replay(connection, path, after)


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that cannot write. A ledger in a folder that cannot be written either is read as it lies there."""
    address = path.resolve().as_uri()
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("PRAGMA schema_version")
    except sqlite3.OperationalError:
        connection.close()
        if not path.exists() or path.with_name(path.name + "-wal").exists():
            raise
        return sqlite3.connect(f"{address}?immutable=1", uri=True, isolation_level=None)
    return connection


def configure(connection: sqlite3.Connection) -> None:
    """What holds for writers and readers alike."""
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")


def version_of(connection: sqlite3.Connection, path: Path) -> int:
    """The schema version; 0 for a file without content. Raises RunVersion unless it is ours or 0."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if (application, version, tables) == (0, 0, 0):
        return 0
    if application != APPLICATION_ID:
        raise RunVersion(f"{path} is a database of another program, not a ledger; choose another output folder.")
    if version != SCHEMA_VERSION:
        raise RunVersion(
            f"{path} was written with schema {version}, but this netwright reads schema {SCHEMA_VERSION}. "
            "Go on with the netwright that began the run (its report names the version), or choose another folder."
        )
    return SCHEMA_VERSION


def seal(position: int, at: float, kind: str, trial: TrialId | None, data: str) -> Row:
    """A row of the table: SQLite does not notice a byte that flips inside a value, the checksum does."""
    return position, at, kind, trial, data, _checksum(position, at, kind, trial, data)


def insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Write rows inside the caller's transaction."""
    connection.executemany(f"INSERT INTO events ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", rows)


def unseal(row: Row) -> Stored:
    """The event of a row. Raises ValueError, with its position, when the row is not as it was written."""
    position, at, kind, trial, data, checksum = row
    if not isinstance(data, str) or _checksum(position, at, kind, trial, data) != checksum:
        raise ValueError(f"event {position}: its checksum does not match")
    try:
        return Stored(position, at, decode(kind, trial, data))
    except ValueError as error:
        raise ValueError(f"event {position}: {error}") from error


def _checksum(position: int, at: float, kind: str, trial: TrialId | None, data: str) -> int:
    return crc32(data.encode(), crc32(f"{position} {at!r} {kind} {trial}".encode()))


def _replay(connection: sqlite3.Connection, path: Path, after: int) -> Iterator[Stored]:
    position = max(after, 0)
    while True:
        with translated_errors(path):
            rows = connection.execute(
                f"SELECT {COLUMNS} FROM events WHERE position > ? ORDER BY position LIMIT ?",
                (position, _CHUNK),
            ).fetchall()
        if not rows:
            return
        for row in rows:
            position += 1
            try:
                if row[0] != position:
                    raise ValueError(f"event {position}: it is missing")
                stored = unseal(row)
            except ValueError as error:
                raise RunCorrupt(corrupt_message(path, str(error))) from error
            yield stored


def corrupt_message(path: Path, reason: str) -> str:
    """One sentence for a damaged ledger and what to do about it."""
    return (
        f"the ledger {path} is damaged ({reason}). Nothing was changed. To keep what can be read, run: "
        f"netwright doctor {path.parent}"
    )


@contextmanager
def translated_errors(path: Path) -> Iterator[None]:
    """SQLite's errors as ours, by their code."""
    try:
        yield
    except UnicodeDecodeError as error:  # SQLite's own message quotes a damaged schema
        raise RunCorrupt(corrupt_message(path, "its schema is damaged")) from error
    except sqlite3.Error as error:
        primary = _primary_code(error)
        if primary in _DAMAGE or "decode to UTF-8" in str(error):
            raise RunCorrupt(corrupt_message(path, str(error))) from error
        if primary == sqlite3.SQLITE_FULL:
            raise StorageError(
                f"the disk that holds {path} is full. What was recorded is safe; free some space and give the same "
                "command again."
            ) from error
        if primary == sqlite3.SQLITE_BUSY:
            raise StorageError(
                f"{path} has been held by another process for {BUSY_SECONDS:.0f} s; close the program that has it "
                "open and give the same command again."
            ) from error
        raise StorageError(
            f"{path} cannot be read or written ({error}). What was recorded is safe; mend the storage and give the "
            "same command again."
        ) from error


def _primary_code(error: sqlite3.Error) -> int | None:
    code: int | None = getattr(error, "sqlite_errorcode", None)  # absent where the sqlite3 module itself complains
    return None if code is None else code & 0xFF
