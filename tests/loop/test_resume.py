"""Drivers that are killed lose nothing, repeat nothing, and leave nobody behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from netwright.core.events import Asked, Event, Failed, Finished, Started
from netwright.ledger.sqlite import read

DRIVER = [sys.executable, "-c", "from netwright.testing.driving import main; main()"]


def drive(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*DRIVER, str(folder), *options], stderr=subprocess.PIPE, start_new_session=True)


def ended(driver: subprocess.Popen[bytes]) -> int:
    driver.communicate(timeout=60)
    return driver.returncode


def ledger(folder: Path) -> list[Event]:
    path = folder / "ledger.sqlite"
    return [stored.event for stored in read(path)] if path.exists() else []


def kill_at(driver: subprocess.Popen[bytes], folder: Path, length: int, rng: random.Random) -> bool:
    """Kill it soon after its ledger has `length` events; False when it ended by itself before that."""
    patience = time.monotonic() + 30
    while len(ledger(folder)) < length and time.monotonic() < patience:
        time.sleep(rng.random() * 0.05)
        if driver.poll() is not None:
            _, errors = driver.communicate()
            assert driver.returncode == 0, errors.decode()
            return False
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate()
    return True


def finished(events: list[Event]) -> list[Finished]:
    return [event for event in events if isinstance(event, Finished)]


@pytest.mark.fault(1)
def test_fifty_kills_lose_and_repeat_nothing(tmp_path: Path) -> None:
    """Fifty times killed at a random moment; whatever was recorded before a death is there after it."""
    rng = random.Random(7)
    folder = tmp_path / "run"
    seen: list[Event] = []
    kills = 0
    while kills < 50:
        driver = drive(folder, "--trials", "100000", "--executor", "local", "--pause", "0.01")
        assert kill_at(driver, folder, len(seen) + rng.randrange(4, 25), rng)
        kills += 1
        events = ledger(folder)
        assert events[: len(seen)] == seen
        assert len(events) > len(seen)
        seen = events
    asked = [trial for event in seen if isinstance(event, Asked) for trial, _ in event.trials]
    final = drive(folder, "--trials", str(len(asked) + 4), "--executor", "local", "--pause", "0.01")
    _, errors = final.communicate(timeout=60)
    assert final.returncode == 0, errors.decode()
    events = ledger(folder)
    asked = [trial for event in events if isinstance(event, Asked) for trial, _ in event.trials]
    answers = Counter(event.trial for event in events if isinstance(event, Finished | Failed))
    assert len(finished(seen)) >= 100
    assert asked == list(range(1, len(asked) + 1))
    assert answers == Counter(asked)


@pytest.mark.fault(1)
def test_inline_equals_an_uninterrupted_run(tmp_path: Path) -> None:
    """With one worker in the process and a deterministic trainer, kills change nothing but the number of attempts."""
    whole = tmp_path / "whole"
    assert ended(drive(whole, "--trials", "60")) == 0
    rng = random.Random(3)
    killed = tmp_path / "killed"
    while kill_at(
        drive(killed, "--trials", "60", "--pause", "0.03"), killed, len(ledger(killed)) + rng.randrange(8, 40), rng
    ):
        pass
    one, two = ledger(whole), ledger(killed)
    assert [event for event in one if isinstance(event, Asked)] == [event for event in two if isinstance(event, Asked)]
    assert [(event.trial, event.measurements["accuracy"]) for event in finished(one)] == [
        (event.trial, event.measurements["accuracy"]) for event in finished(two)
    ]
    attempts = Counter(event.trial for event in two if isinstance(event, Started))
    assert max(attempts.values()) > 1


@pytest.mark.fault(3)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_workers_die_with_their_driver(tmp_path: Path) -> None:
    driver = drive(tmp_path / "run", "--trials", "100", "--executor", "local", "--pause", "20")
    family: list[psutil.Process] = []
    patience = time.monotonic() + 30
    while len(family) < 3 and time.monotonic() < patience:
        time.sleep(0.05)
        family = psutil.Process(driver.pid).children(recursive=True)
    assert len(family) >= 3, "a keeper and two workers"
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate()
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


@pytest.mark.fault(16)
def test_a_second_driver_is_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first = drive(folder, "--trials", "100000", "--pause", "0.05")
    patience = time.monotonic() + 30
    while not ledger(folder) and time.monotonic() < patience:
        time.sleep(0.05)
    second = drive(folder, "--trials", "5")
    _, errors = second.communicate(timeout=60)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    assert second.returncode != 0
    assert str(first.pid) in errors.decode()
    assert ended(drive(folder, "--trials", "5")) == 0
