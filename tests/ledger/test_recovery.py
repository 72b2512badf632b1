"""Damaged ledgers: found, kept beside, and rebuilt from what can be read."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.core.errors import RunCorrupt, RunVersion, StorageError
from netwright.core.events import Asked, Clock, Started
from netwright.core.history import History
from netwright.core.trial import OPEN
from netwright.ledger.recovery import damage, recover
from netwright.ledger.sqlite import SqliteLedger, read
from tests.ledger.stories import trial_story

TRIALS = 60


def _write(path: Path, trials: int = TRIALS) -> bytes:
    with SqliteLedger(path) as ledger:
        for trial in range(1, trials + 1):
            ledger.append(trial_story(trial, parents=(trial - 1,) if trial > 1 else ()))
    return path.read_bytes()


def _wreck_page_of(path: Path, trial: int) -> None:
    """Overwrite the page that holds a trial's proposal."""
    content = bytearray(path.read_bytes())
    page = content.index(f"{trial:032x}".encode()) // 8192 * 8192
    content[page : page + 8192] = bytes(range(256)) * 32
    path.write_bytes(content)


def test_a_sound_ledger_has_no_damage(tmp_path: Path) -> None:
    """Nothing is found where nothing is wrong, also beside a WAL that a killed writer left."""
    path = tmp_path / "ledger.sqlite"
    _write(path)
    assert damage(path) == []
    with SqliteLedger(path) as ledger:
        ledger.append([Clock(1.0, 1.0)])
        assert damage(path) == []


@pytest.mark.fault(19)
def test_a_wrecked_page_costs_its_own_events(tmp_path: Path) -> None:
    """The rest is carried over, before and behind; the bad copy is kept; the search can go on."""
    path = tmp_path / "ledger.sqlite"
    whole = _write(path)
    originals = {entry.event for entry in read(path) if isinstance(entry.event, Started)}
    _wreck_page_of(path, trial=30)
    wrecked = path.read_bytes()
    assert wrecked != whole
    assert damage(path) != []
    with pytest.raises(RunCorrupt, match=f"netwright doctor {tmp_path}"):
        list(read(path))

    recovery = recover(path)

    assert recovery.copy.name == "ledger.corrupt-1.sqlite"
    assert recovery.copy.read_bytes() == wrecked
    assert damage(path) == []
    stored = list(read(path))
    assert len(stored) == recovery.kept
    assert recovery.kept + recovery.unreadable + recovery.orphaned == 3 * TRIALS
    assert 0 < recovery.unreadable < 15
    assert not recovery.tail_lost
    assert [entry.position for entry in stored] == list(range(1, len(stored) + 1))
    history = History.of(stored)
    assert {1, 2, TRIALS - 1, TRIALS} <= set(history.trials)
    assert 30 not in history.trials
    assert len(history.trials) >= TRIALS - 5
    assert {entry.event for entry in stored if isinstance(entry.event, Started)} <= originals
    for trial in history.trials.values():
        assert set(trial.proposal.parents) <= set(history.trials)
    assert {number for number, trial in history.trials.items() if trial.status in OPEN} == set(recovery.open)
    assert f"{recovery.kept} events were kept" in recovery.report
    assert "ledger.corrupt-1.sqlite" in recovery.report
    with SqliteLedger(path) as ledger:
        assert ledger.append([Clock(1.0, 1.0)]) == recovery.kept + 1


@pytest.mark.fault(19)
def test_a_lost_result_opens_its_trial_again(tmp_path: Path) -> None:
    """A trial whose measurements are unreadable is not reported as finished with made-up ones."""
    path = tmp_path / "ledger.sqlite"
    _write(path, trials=3)
    content = path.read_bytes()
    at = content.index(b'"value":0.9,')
    path.write_bytes(content[:at] + b'"value":0.7,' + content[at + 12 :])
    recovery = recover(path)
    assert (recovery.unreadable, recovery.orphaned, recovery.kept) == (1, 0, 8)
    statuses = {number: trial.status for number, trial in History.of(read(path)).trials.items()}
    (reopened,) = recovery.open
    assert statuses.pop(reopened) == "running"
    assert set(statuses.values()) == {"completed"}


@pytest.mark.fault(19)
def test_a_shortened_file_keeps_its_beginning(tmp_path: Path) -> None:
    """A file cut off by a broken copy is read as far as it goes."""
    path = tmp_path / "ledger.sqlite"
    whole = _write(path)
    path.write_bytes(whole[: len(whole) // 2])
    assert damage(path) != []
    recovery = recover(path)
    assert recovery.tail_lost
    assert "all after them" in recovery.report
    assert recovery.kept >= TRIALS
    assert next(entry.event for entry in read(path)) == trial_story(1)[0]


@pytest.mark.fault(19)
def test_a_file_without_a_readable_page_is_kept_and_replaced(tmp_path: Path) -> None:
    """Nothing can be read: the report says so, and the run folder works again."""
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"not a database at all " * 1000)
    with pytest.raises(RunCorrupt):
        SqliteLedger(path)
    assert damage(path) != []
    recovery = recover(path)
    assert recovery.kept == 0
    assert recovery.copy.read_bytes().startswith(b"not a database")
    assert list(read(path)) == []


@pytest.mark.fault(19)
def test_each_bad_copy_is_kept(tmp_path: Path) -> None:
    """A second accident does not overwrite the evidence of the first."""
    path = tmp_path / "ledger.sqlite"
    _write(path)
    _wreck_page_of(path, trial=10)
    recover(path)
    _wreck_page_of(path, trial=50)
    recovery = recover(path)
    assert recovery.copy.name == "ledger.corrupt-2.sqlite"
    names = {entry.name for entry in tmp_path.iterdir()}
    assert names == {"ledger.sqlite", "ledger.corrupt-1.sqlite", "ledger.corrupt-2.sqlite"}


def test_recovery_reads_what_only_the_wal_holds(tmp_path: Path) -> None:
    """Events that a killed writer had committed but not yet folded into the file are carried over."""
    path = tmp_path / "ledger.sqlite"
    with SqliteLedger(path) as ledger:
        ledger.append(trial_story(1))
        copies = {name: (tmp_path / name).read_bytes() for name in ("ledger.sqlite", "ledger.sqlite-wal")}
    for name, content in copies.items():
        (tmp_path / name).write_bytes(content)
    recovery = recover(path)
    assert recovery.kept == 3
    assert [entry.event for entry in read(path)] == trial_story(1)


def test_recovery_keeps_apart_from_other_schemas_and_missing_files(tmp_path: Path) -> None:
    """What is newer is not damaged, and what is not there cannot be recovered."""
    path = tmp_path / "ledger.sqlite"
    with pytest.raises(StorageError, match="no ledger"):
        recover(path)
    SqliteLedger(path).close()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 7")
    other.close()
    for step in (damage, recover):
        with pytest.raises(RunVersion):
            step(path)
    assert sqlite3.connect(path).execute("PRAGMA user_version").fetchone() == (7,)


@pytest.mark.fault(19)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_flipped_bytes_give_wrong_events(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever bytes change: every event that is read is one that was written, and recovery ends in a sound ledger."""
    path = tmp_path_factory.mktemp("flip") / "ledger.sqlite"
    content = bytearray(_write(path, trials=8))
    written = [entry.event for entry in read(path)]
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        read_events = [entry.event for entry in read(path)]
    except (RunCorrupt, RunVersion, StorageError):
        pass
    else:
        assert read_events == written[: len(read_events)]
    try:
        recover(path)
    except RunVersion:
        return
    assert damage(path) == []
    for entry in read(path):
        if not isinstance(entry.event, Asked):
            assert entry.event in written
