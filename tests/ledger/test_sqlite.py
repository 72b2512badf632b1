"""The SQLite ledger against kill -9, full disks, slow disks, other schemas and hostile text."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.core.errors import RunCorrupt, RunVersion, StorageError
from netwright.core.events import Clock, Noted, Started
from netwright.ledger import sqlite
from netwright.ledger.filesystem import RESERVE_BYTES
from netwright.ledger.sqlite import SCHEMA_VERSION, SqliteLedger, read
from tests.ledger.stories import trial_story

WRITER = """
import os, sys
from pathlib import Path
from netwright.core.events import Clock, Started
from netwright.ledger.sqlite import SqliteLedger

ledger = SqliteLedger(Path(sys.argv[1]))
position = ledger.append([])
while True:
    position = ledger.append([Started(position + 1, 1), Clock(float(position), 0.0)])
    os.write(1, b"%d\\n" % position)
"""


@pytest.mark.fault(1)
def test_what_was_acknowledged_survives_sigkill(tmp_path: Path) -> None:
    """A writer is killed at random moments, again and again: each append it reported is there, whole, in order."""
    path = tmp_path / "ledger.sqlite"
    rng = random.Random(1)
    total = 0
    for _ in range(12):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.05))
        writer.send_signal(signal.SIGKILL)
        acknowledged = [int(line) for line in writer.stdout.read().split(b"\n")[:-1]]
        writer.stdout.close()
        writer.wait()
        stored = list(read(path))
        assert [entry.position for entry in stored] == list(range(1, len(stored) + 1))
        assert len(stored) % 2 == 0, "half of a batch was stored"
        assert len(stored) >= max(acknowledged, default=total + 2)
        assert len(stored) > total
        total = len(stored)
    assert stored[0].event == Started(1, 1)
    with SqliteLedger(path) as ledger:
        assert ledger.append([Clock(1.0, 1.0)]) == total + 1


def test_durability_settings_are_in_force(tmp_path: Path) -> None:
    """A commit is synced before it is acknowledged, and the file says whose it is."""
    with SqliteLedger(tmp_path / "ledger.sqlite") as ledger:

        def pragma(name: str) -> object:
            return ledger._connection.execute(f"PRAGMA {name}").fetchone()[0]

        assert pragma("journal_mode") == "wal"
        assert pragma("synchronous") == 2
        assert pragma("busy_timeout") == 30_000
        assert pragma("foreign_keys") == 1
        assert pragma("trusted_schema") == 0
        assert pragma("user_version") == SCHEMA_VERSION


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET data = '{}' WHERE position = 1",
        "DELETE FROM events",
        "INSERT OR REPLACE INTO events VALUES (1, 0.0, 'clock', NULL, '{}', 0)",
        "INSERT INTO events VALUES (9, NULL, 'clock', NULL, '{}', 0)",
        "INSERT INTO events VALUES (9, 9e999, 'clock', NULL, '{}', 0)",
        "INSERT INTO events VALUES ('nine', 0.0, 'clock', NULL, '{}', 0)",
    ],
)
def test_the_file_itself_refuses_changes_and_wrong_values(tmp_path: Path, statement: str) -> None:
    """Whoever opens the file with another program cannot rewrite history by a slip."""
    path = tmp_path / "ledger.sqlite"
    with SqliteLedger(path) as ledger:
        ledger.append([Clock(1.0, 2.0)])
    other = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError):
        other.execute(statement)
    other.close()
    assert [entry.event for entry in read(path)] == [Clock(1.0, 2.0)]


def test_a_reader_follows_a_running_writer(tmp_path: Path) -> None:
    """Readers see committed events while the writer has the file open, and cannot write."""
    path = tmp_path / "ledger.sqlite"
    with SqliteLedger(path) as ledger:
        ledger.append([Clock(1.0, 0.0)])
        assert [entry.event for entry in read(path)] == [Clock(1.0, 0.0)]
        ledger.append([Clock(2.0, 0.0)])
        assert [entry.event for entry in read(path, after=1)] == [Clock(2.0, 0.0)]
        reader = sqlite.open_to_read(path)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute("INSERT INTO events VALUES (3, 0.0, 'clock', NULL, '{}', 0)")
        reader.close()


def test_a_ledger_in_a_folder_that_cannot_be_written_is_read(tmp_path: Path, unprivileged: Path) -> None:
    """An archived run of somebody else is readable."""
    with SqliteLedger(tmp_path / "ledger.sqlite") as ledger:
        ledger.append([Clock(1.0, 0.0)])
    shutil.copy(tmp_path / "ledger.sqlite", unprivileged / "ledger.sqlite")
    (unprivileged / "ledger.sqlite").chmod(0o444)
    unprivileged.chmod(0o555)
    _as_nobody()
    assert [entry.event for entry in read(unprivileged / "ledger.sqlite")] == [Clock(1.0, 0.0)]


def test_no_ledger_there(tmp_path: Path) -> None:
    """Reading does not make a file, and says which one is missing."""
    with pytest.raises(StorageError, match=r"ledger\.sqlite"):
        list(read(tmp_path / "ledger.sqlite"))
    assert list(tmp_path.iterdir()) == []


def test_replay_holds_a_few_events_at_a_time(tmp_path: Path) -> None:
    """A ledger larger than memory could be replayed: what is held does not grow with it."""
    import tracemalloc

    path = tmp_path / "ledger.sqlite"
    with SqliteLedger(path) as ledger:
        for trial in range(1, 6001, 100):
            ledger.append([event for number in range(trial, trial + 100) for event in trial_story(number)])
    tracemalloc.start()
    count = sum(1 for _ in read(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 18_000
    assert path.stat().st_size > 12_000_000
    assert peak < 4_000_000


@pytest.fixture
def full_disk(tmp_path: Path) -> Path:
    """A real file system of 6 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield disk  # type: ignore[misc]
    subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.fault(11)
def test_disk_full_is_said_and_survived(full_disk: Path) -> None:
    """A full disk loses nothing, leaves room for an orderly end, and the search goes on once there is space."""
    path = full_disk / "run" / "ledger.sqlite"
    path.parent.mkdir()
    ledger = SqliteLedger(path)
    ballast = full_disk / "ballast"
    ballast.write_bytes(bytes(3_000_000))
    acknowledged = 0
    with pytest.raises(StorageError, match="full.*free some space"):
        for trial in range(1, 10_000):
            acknowledged = ledger.append(trial_story(trial))
    assert acknowledged > 0
    for _ in range(20):
        acknowledged = ledger.append([Clock(1.0, 1.0)])
    with pytest.raises(StorageError, match="full"):
        for trial in range(10_000, 20_000):
            acknowledged = ledger.append(trial_story(trial))
    assert sum(1 for _ in ledger.replay()) == acknowledged
    ballast.unlink()
    assert ledger.append([Clock(2.0, 2.0)]) == acknowledged + 1
    ledger.close()
    with SqliteLedger(path) as ledger:
        assert sum(1 for _ in ledger.replay()) == acknowledged + 1
        assert ledger._connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.fault(11)
def test_a_limit_on_file_size_is_said_and_survived(tmp_path: Path) -> None:
    """The same where a quota on file sizes stops the write (as every user may set one)."""
    script = textwrap.dedent(
        """
        import resource, sys
        from pathlib import Path
        from netwright.core.errors import StorageError
        from netwright.core.events import Clock, Noted
        from netwright.ledger.sqlite import SqliteLedger

        path = Path(sys.argv[1])
        ledger = SqliteLedger(path)
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, hard))
        last = 0
        try:
            while True:
                last = ledger.append([Noted("ballast", {"text": "x" * 50_000})])
        except StorageError as error:
            print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        assert ledger.append([Clock(1.0, 1.0)]) == last + 1
        ledger.close()
        print(last + 1)
        """
    )
    path = tmp_path / "ledger.sqlite"
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    message, last = done.stdout.splitlines()
    assert "What was recorded is safe" in message
    assert sum(1 for _ in read(path)) == int(last) > 10


@pytest.mark.fault(11)
def test_reserve_takes_room_while_the_ledger_is_open(tmp_path: Path) -> None:
    """The reserve is real room (not a sparse file) and is gone afterwards."""
    with SqliteLedger(tmp_path / "ledger.sqlite"):
        reserve = (tmp_path / "ledger.sqlite.reserve").stat()
        assert reserve.st_size == RESERVE_BYTES
        assert reserve.st_blocks * 512 >= RESERVE_BYTES
    assert [entry.name for entry in tmp_path.iterdir()] == ["ledger.sqlite"]


@pytest.mark.fault(17)
def test_another_schema_is_refused_by_both_versions(tmp_path: Path) -> None:
    """Never guess: the message names what was found and what is understood, for writing and for reading."""
    path = tmp_path / "ledger.sqlite"
    SqliteLedger(path).close()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 7")
    other.close()
    before = path.read_bytes()
    for attempt in (lambda: SqliteLedger(path), lambda: list(read(path))):
        with pytest.raises(RunVersion, match=f"schema 7, but this netwright reads schema {SCHEMA_VERSION}"):
            attempt()
    assert path.read_bytes() == before


@pytest.mark.fault(17)
def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    """Somebody's own file of that name is not written into."""
    path = tmp_path / "ledger.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE accounts (name TEXT)")
    other.close()
    with pytest.raises(RunVersion, match="another program"):
        SqliteLedger(path)


@pytest.mark.fault(17)
def test_ledgers_of_every_released_schema_are_read(tmp_path: Path) -> None:
    """A stored file of each schema; when the schema changes, its predecessor is added here."""
    fixtures = sorted(Path(__file__).with_name("fixtures").glob("schema-*.sqlite"))
    assert [fixture.name for fixture in fixtures] == [f"schema-{n}.sqlite" for n in range(1, SCHEMA_VERSION + 1)]
    for fixture in fixtures:
        copy = tmp_path / fixture.name
        shutil.copy(fixture, copy)
        assert [entry.event for entry in read(copy)] == [Noted("driver", {"host": "laptop"}), *trial_story(1)]
    with SqliteLedger(tmp_path / "new.sqlite"):
        pass
    assert _schema(tmp_path / "new.sqlite") == _schema(copy), "a changed schema needs a new SCHEMA_VERSION and fixture"


@pytest.mark.fault(19)
def test_a_flipped_byte_is_found_on_replay(tmp_path: Path) -> None:
    """SQLite would give the altered value out as good; the checksum does not."""
    path = tmp_path / "ledger.sqlite"
    with SqliteLedger(path) as ledger:
        ledger.append(trial_story(1))
    content = path.read_bytes()
    assert content.count(b'"value":0.9,') == 1
    path.write_bytes(content.replace(b'"value":0.9,', b'"value":0.8,'))
    with pytest.raises(RunCorrupt, match=f"event 3: its checksum.*netwright doctor {tmp_path}"):
        list(read(path))
    with pytest.raises(RunCorrupt), SqliteLedger(path) as ledger:
        list(ledger.replay())


@pytest.mark.fault(22)
def test_slow_storage_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow append now and then is nothing; slow ones in a row are said, once."""
    heard: list[str] = []
    step = [0.0]
    now = [0.0]

    def monotonic() -> float:
        now[0] += step[0]
        return now[0]

    monkeypatch.setattr(sqlite.time, "monotonic", monotonic)
    with SqliteLedger(tmp_path / "ledger.sqlite", warn=heard.append) as ledger:
        for seconds in [0.5, 0.01] * 10:
            step[0] = seconds
            ledger.append([Clock(0.0, 0.0)])
        assert heard == []
        step[0] = 0.5
        for _ in range(20):
            ledger.append([Clock(0.0, 0.0)])
    assert len(heard) == 1
    assert "slow" in heard[0]
    assert str(tmp_path) in heard[0]


def test_network_file_systems_get_no_wal_and_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """WAL needs shared memory, which a network file system does not have."""
    monkeypatch.setattr(sqlite, "remote_filesystem", lambda path: "nfs4")
    heard: list[str] = []
    path = tmp_path / "ledger.sqlite"
    with SqliteLedger(path, warn=heard.append) as ledger:
        ledger.append([Clock(1.0, 1.0)])
        assert ledger._connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert [entry.event for entry in read(path)] == [Clock(1.0, 1.0)]
    assert len(heard) == 1
    assert "nfs4" in heard[0]


INJECTIONS = [
    "'); DROP TABLE events; --",
    "' OR '1'='1",
    '"; DELETE FROM events; --',
    "x'; ATTACH DATABASE 'other.sqlite' AS other; --",
    "?1 :name @name $name",
    "\\'; PRAGMA user_version = 7; --",
    "%s {0} \x00",
]
texts = st.text() | st.sampled_from(INJECTIONS)


@pytest.mark.attack(16)
@settings(max_examples=60, deadline=None)
@given(texts, st.dictionaries(texts, texts | st.integers() | st.floats(allow_nan=False, allow_infinity=False)))
def test_text_is_only_ever_text(tmp_path_factory: pytest.TempPathFactory, topic: str, data: dict) -> None:
    """Whatever a name holds, it comes back as it was and does nothing else."""
    path = tmp_path_factory.mktemp("attack") / "ledger.sqlite"
    with SqliteLedger(path) as ledger:
        before = _schema(path)
        ledger.append([Noted(topic, data), Started(1, 1, topic)])
        assert [entry.event for entry in ledger.replay()] == [Noted(topic, data), Started(1, 1, topic)]
        assert [entry.event for entry in ledger.of_trial(1)] == [Started(1, 1, topic)]
    assert _schema(path) == before
    assert len(list(read(path))) == 2


@pytest.mark.attack(16)
@pytest.mark.parametrize("name", ["a?mode=rwc&x=", "a#b", "100%41", "it's; DROP TABLE events", ":memory:", "file:x"])
def test_the_name_of_a_folder_is_no_option_of_the_database(tmp_path: Path, name: str) -> None:
    """Paths are given to SQLite as addresses, in which ? and # and % mean something."""
    folder = tmp_path / name
    folder.mkdir()
    with SqliteLedger(folder / "ledger.sqlite") as ledger:
        ledger.append([Clock(1.0, 2.0)])
    assert [entry.event for entry in read(folder / "ledger.sqlite")] == [Clock(1.0, 2.0)]
    with pytest.raises(StorageError):
        list(read(folder / "none.sqlite"))
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    assert {entry.name for entry in folder.iterdir()} <= {f"ledger.sqlite{end}" for end in ("", "-wal", "-shm")}


def _schema(path: Path) -> list[tuple[str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall()


def _as_nobody() -> None:
    if os.geteuid() == 0:
        os.seteuid(65534)
