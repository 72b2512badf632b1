"""The rules that turn an ending into a status, and the counters they read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from netwright.core.errors import CandidateError
from netwright.core.job import Allowance, AttemptFailed, AttemptLost, Diverged, OutOfMemory
from netwright.executors.memory import beyond, cpu_seconds, oom_kills, private, resident
from netwright.executors.verdicts import Cause, Ending, log_tail, sentence, status_of, verdict
from netwright.testing.jobs import scripted_job

JOB = scripted_job(3, Path("work"), "finish", attempt=2)
ALLOWANCE = Allowance(seconds=30.0, bytes=1000)


@pytest.mark.fault(7)
@pytest.mark.parametrize(
    ("code", "cause", "memory", "oom_killed", "status"),
    [
        (-9, "timeout", 0, False, "timeout"),
        (-9, "memory", 2000, False, "out_of_memory"),
        (-9, None, 0, False, "lost"),
        (-9, None, 0, True, "out_of_memory"),
        (-9, None, 901, False, "out_of_memory"),
        (-9, None, 899, False, "lost"),
        (-9, "stop", 0, True, "lost without counting"),
        (-15, None, 0, False, "lost without counting"),
        (-9, "preempted", 0, False, "lost without counting"),
        (-11, None, 950, False, "crashed"),
        (-6, None, 0, False, "crashed"),
        (1, None, 0, False, "crashed"),
        (0, None, 0, False, "crashed"),
        (0, "unstarted", 0, False, "lost"),
        (-9, "broken", 0, False, "crashed"),
    ],
)
def test_endings(code: int, cause: Cause | None, memory: int, oom_killed: bool, status: str) -> None:
    found = verdict(JOB, ALLOWANCE, Ending(code, cause, 2.0, 1.0, memory, oom_killed), "tail")
    assert (found.trial, found.attempt, found.cpu_seconds) == (3, 2, 1.0)
    if isinstance(found, AttemptLost):
        assert status == ("lost" if found.counts else "lost without counting")
    else:
        assert isinstance(found, AttemptFailed) and found.status == status and found.detail == "tail"
        assert found.signal == (-code if status == "crashed" and code < 0 and cause is None else None)
    assert found.reason and "\n" not in found.reason


def test_a_kill_without_a_cap_is_lost() -> None:
    assert isinstance(verdict(JOB, Allowance(), Ending(-9, None, 1.0, 1.0, 10**12), ""), AttemptLost)


@pytest.mark.fault(8)
def test_out_of_memory_of_torch_is_known_by_name() -> None:
    kind = type("OutOfMemoryError", (RuntimeError,), {"__module__": "torch"})
    assert status_of(kind("CUDA: too much")) == "out_of_memory"
    assert status_of(type("OutOfMemoryError", (RuntimeError,), {"__module__": "mine"})("")) == "crashed"


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (Diverged(), "diverged", "Diverged"),
        (Diverged("the loss is not finite"), "diverged", "the loss is not finite"),
        (OutOfMemory("at batch 1"), "out_of_memory", "at batch 1"),
        (CandidateError("too deep", "network/1"), "invalid", "network/1: too deep"),
        (MemoryError(), "out_of_memory", "MemoryError"),
        (KeyError("width"), "crashed", "KeyError: 'width'"),
        (ValueError("first\nsecond\x1b[0m"), "crashed", "ValueError: first second"),
    ],
)
def test_statuses_and_sentences(error: Exception, status: str, reason: str) -> None:
    assert status_of(error) == status and sentence(error) == reason


def test_a_long_message_is_cut() -> None:
    assert len(sentence(ValueError("x" * 10_000))) == 300


def test_no_log_is_an_empty_tail(tmp_path: Path) -> None:
    assert log_tail(tmp_path / "none") == ""


def test_counters_of_the_kernel(tmp_path: Path) -> None:
    proc, cgroups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    assert oom_kills(cgroups, proc) == 0
    (proc / "vmstat").write_text("pgfault 12\noom_kill 3\n")
    assert oom_kills(cgroups, proc) == 3
    (proc / "self" / "cgroup").write_text("4:cpu,memory:/job\n0::/\n")
    (cgroups / "memory" / "job").mkdir(parents=True)
    (cgroups / "memory" / "job" / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 5\n")
    assert oom_kills(cgroups, proc) == 5
    (proc / "self" / "cgroup").write_text("0::/user/job\n")
    (cgroups / "user" / "job").mkdir(parents=True)
    (cgroups / "user" / "job" / "memory.events").write_text("low 0\nmax 9\noom 4\noom_kill 7\noom_group_kill 0\n")
    assert oom_kills(cgroups, proc) == 7


def test_a_process_that_is_gone_uses_nothing() -> None:
    gone = 2**22 + 1
    assert resident(gone) == private(gone) == 0 and cpu_seconds(gone) == 0.0


@pytest.mark.fault(7)
def test_a_dead_process_gives_no_reading() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert beyond(child.pid, 0)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert beyond(child.pid, 0) is None, "it is not yet reaped, and the memory it had is unknown"
    child.communicate()


def test_sigkill_is_named() -> None:
    assert "SIGSEGV" in verdict(JOB, ALLOWANCE, Ending(-signal.SIGSEGV, None, 1.0, 1.0), "").reason
