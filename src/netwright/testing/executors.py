"""What every executor must do. Subclass a suite in a test module, say how to open yours, and run pytest.

    class TestMyExecutor(IsolatedExecutorSuite):
        def open(self, work: Work, workers: int, folder: Path) -> Executor:
            return MyExecutor(work, workers=workers)

`ExecutorSuite` holds for all; `IsolatedExecutorSuite` adds what needs a process a trial: limits, kills, crashes.
"""

from __future__ import annotations

import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from netwright.core.errors import StorageError
from netwright.core.job import (
    Allowance,
    AttemptEvent,
    AttemptFailed,
    AttemptFinished,
    AttemptLost,
    AttemptProgress,
    AttemptStarted,
    Work,
)
from netwright.executors.base import Executor
from netwright.testing.jobs import scripted, scripted_job

PATIENCE = 60.0
"""Seconds after which a test gives up on an executor."""

Final = AttemptFinished | AttemptFailed | AttemptLost
FREE = Allowance()

RAISED = (
    ("value", "shapes differ", "crashed", "ValueError: shapes differ"),
    ("diverged", "the loss is not finite", "diverged", "the loss is not finite"),
    ("out_of_memory", "even one image is too much", "out_of_memory", "even one image is too much"),
    ("memory", "", "out_of_memory", "MemoryError"),
    ("candidate", "network/1: stride too large", "invalid", "network/1: stride too large"),
    ("runtime", "DefaultCPUAllocator: can't allocate memory", "out_of_memory", "can't allocate memory"),
    ("exit", "3", "crashed", "SystemExit: 3"),
    ("value", "\x1b[31mred\x07\x1b[0m [red]", "crashed", "ValueError: red [red]"),
)
"""What a work may raise and with which message; the status that it stands for, and what its reason must contain."""


def drain_until(executor: Executor, enough: Callable[[list[AttemptEvent]], bool]) -> list[AttemptEvent]:
    """Drain until the events fulfil `enough`. Raises TimeoutError when they do not in a minute."""
    events: list[AttemptEvent] = []
    last = time.monotonic() + PATIENCE
    while not enough(events):
        if time.monotonic() > last:
            raise TimeoutError(f"the executor gave only {events}")
        events += executor.drain(0.5)
    return events


def finals(events: list[AttemptEvent]) -> list[Final]:
    """The final words among events."""
    return [event for event in events if isinstance(event, AttemptFinished | AttemptFailed | AttemptLost)]


def drain_final(executor: Executor) -> Final:
    """Drain until one attempt has ended; its final word."""
    return finals(drain_until(executor, lambda events: bool(finals(events))))[0]


def alive(process: int) -> bool:
    """Whether a process runs: it exists and is not a zombie."""
    try:
        os.kill(process, 0)
        return (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def wait_until_gone(processes: list[int], seconds: float) -> list[int]:
    """Wait at most `seconds` for processes to end; gives those that did not."""
    last = time.monotonic() + seconds
    while any(map(alive, processes)) and time.monotonic() < last:
        time.sleep(0.02)
    return [process for process in processes if alive(process)]


class ExecutorSuite(ABC):
    """What holds for every executor."""

    @abstractmethod
    def open(self, work: Work, workers: int, folder: Path) -> Executor:
        """A fresh executor with that many workers (or fewer, where it can only have one); `folder` is for logs."""

    @pytest.fixture
    def executor(self, tmp_path: Path) -> Iterator[Executor]:
        with self.open(scripted, 2, tmp_path / "logs") as executor:
            yield executor

    def test_a_job_starts_and_finishes(self, executor: Executor, tmp_path: Path) -> None:
        executor.submit(scripted_job(7, tmp_path, "finish"), FREE)
        events = drain_until(executor, lambda events: bool(finals(events)))
        assert isinstance(events[0], AttemptStarted) and events[0].worker
        assert [(event.trial, event.attempt) for event in events] == [(7, 1), (7, 1)]
        final = events[1]
        assert isinstance(final, AttemptFinished) and not final.stopped
        assert 0 <= final.evaluated.measurements["score"].value <= 1
        assert final.seconds > 0 and final.cpu_seconds >= 0

    def test_a_job_arrives_whole(self, executor: Executor, tmp_path: Path) -> None:
        checkpoint = tmp_path / "checkpoint"
        checkpoint.write_text("weights")
        settings: dict[str, Any] = {"text": 'é網"\n', "nested": {"list": [1, 2.5, None, True]}, "long": "x" * 500_000}
        job = scripted_job(1, tmp_path, "echo", **settings)
        job.inputs["checkpoint"] = checkpoint  # type: ignore[index]
        executor.submit(job, FREE)
        final = drain_final(executor)
        assert isinstance(final, AttemptFinished)
        assert final.evaluated.notes["settings"] == {"script": "echo", **settings}
        assert final.evaluated.notes["inputs"] == {"checkpoint": "weights"}
        assert final.evaluated.notes["seed"] == job.seed

    def test_events_of_a_trial_come_in_order(self, executor: Executor, tmp_path: Path) -> None:
        executor.submit(scripted_job(1, tmp_path, "report", epochs=25), FREE)
        events = drain_until(executor, lambda events: bool(finals(events)))
        epochs = [event.record["epoch"] for event in events if isinstance(event, AttemptProgress)]
        assert epochs == list(range(25))
        assert isinstance(events[0], AttemptStarted) and isinstance(events[-1], AttemptFinished)

    def test_a_driver_that_was_busy_hears_everything(self, executor: Executor, tmp_path: Path) -> None:
        for trial in range(executor.workers):
            executor.submit(scripted_job(trial, tmp_path, "artefact"), FREE)
        last = time.monotonic() + PATIENCE
        while len(list(tmp_path.glob("*/curve.txt"))) < executor.workers and time.monotonic() < last:
            time.sleep(0.05)
        time.sleep(0.3)  # by now they have ended, and nobody listened
        events = drain_until(executor, lambda events: len(finals(events)) == executor.workers)
        assert all(isinstance(event, AttemptFinished) for event in finals(events))

    def test_slots_are_counted(self, executor: Executor, tmp_path: Path) -> None:
        assert executor.slots() == executor.workers
        for trial in range(executor.workers):
            executor.submit(scripted_job(trial, tmp_path, "report", epochs=3), FREE)
            assert executor.slots() == executor.workers - trial - 1
        with pytest.raises(ValueError, match="free slot"):
            executor.submit(scripted_job(99, tmp_path, "finish"), FREE)
        drain_until(executor, lambda events: len(finals(events)) == executor.workers)
        assert executor.slots() == executor.workers

    def test_many_jobs_each_end_once(self, executor: Executor, tmp_path: Path) -> None:
        waiting, events = list(range(40)), list[AttemptEvent]()
        last = time.monotonic() + PATIENCE
        while len(finals(events)) < 40 and time.monotonic() < last:
            while waiting and executor.slots():
                executor.submit(scripted_job(waiting.pop(0), tmp_path, "finish"), FREE)
            events += executor.drain(0.5)
        assert sorted(event.trial for event in finals(events)) == list(range(40))
        assert all(isinstance(event, AttemptFinished) for event in finals(events))

    def test_fault_26_equal_jobs_give_equal_results(self, executor: Executor, tmp_path: Path) -> None:
        values = []
        for attempt in (1, 2):
            executor.submit(scripted_job(5, tmp_path, "finish", attempt), FREE)
            final = drain_final(executor)
            assert isinstance(final, AttemptFinished)
            values.append(final.evaluated.measurements["score"])
        assert values[0] == values[1] == scripted(scripted_job(5, tmp_path, "finish"), _go).measurements["score"]

    def test_artefacts_are_files_in_the_folder(self, executor: Executor, tmp_path: Path) -> None:
        job = scripted_job(1, tmp_path, "artefact")
        executor.submit(job, FREE)
        final = drain_final(executor)
        assert isinstance(final, AttemptFinished)
        assert (job.folder / final.evaluated.artefacts["curve"]).read_text() == "0.1 0.2"

    def test_attack_11_artefact_outside_the_folder_is_refused(self, executor: Executor, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("secret")
        for trial, file in enumerate(("missing.txt", "../secret", str(tmp_path / "secret"))):
            executor.submit(scripted_job(trial, tmp_path, "artefact", file=file), FREE)
            final = drain_final(executor)
            assert isinstance(final, AttemptFailed), file
            assert final.status == "crashed" and "must be a file in the job's folder" in final.reason

    def test_an_exception_becomes_a_status_and_a_sentence(self, executor: Executor, tmp_path: Path) -> None:
        for trial, (error, message, status, reason) in enumerate(RAISED):
            executor.submit(scripted_job(trial, tmp_path, "raise", error=error, message=message), FREE)
            final = drain_final(executor)
            assert isinstance(final, AttemptFailed), error
            assert (final.status, final.signal) == (status, None)
            assert reason in final.reason and "\n" not in final.reason and "\x1b" not in final.reason
            assert "in _raise" in final.detail, "the detail holds the traceback"
            assert "\x1b" not in final.detail and "\x07" not in final.detail, "attack 18: no terminal escapes"
        executor.submit(scripted_job(len(RAISED), tmp_path, "finish"), FREE)
        assert isinstance(drain_final(executor), AttemptFinished), "the executor goes on"

    def test_fault_11_a_full_disk_is_not_the_candidates_fault(self, executor: Executor, tmp_path: Path) -> None:
        executor.submit(scripted_job(1, tmp_path, "raise", error="disk_full", message="no space left"), FREE)
        final = drain_final(executor)
        assert isinstance(final, AttemptLost) and final.counts and "no space left" in final.reason

    def test_stop_is_heard_at_the_next_report(self, executor: Executor, tmp_path: Path) -> None:
        job = scripted_job(1, tmp_path, "report", epochs=100_000, pause=0.01)
        executor.submit(job, FREE)
        drain_until(executor, lambda events: any(isinstance(event, AttemptProgress) for event in events))
        executor.stop(1, None)
        final = drain_final(executor)
        assert isinstance(final, AttemptFinished) and final.stopped
        assert final.evaluated.artefacts == {"checkpoint": "checkpoint.txt"}

    def test_stop_of_a_trial_that_does_not_run_changes_nothing(self, executor: Executor, tmp_path: Path) -> None:
        executor.stop(12, 0.0)
        executor.submit(scripted_job(1, tmp_path, "finish"), FREE)
        executor.stop(12, 0.0)
        final = drain_final(executor)
        assert isinstance(final, AttemptFinished) and not final.stopped
        executor.stop(1, 0.0)
        assert executor.slots() == executor.workers

    @pytest.mark.parametrize("grace", [0.0, 0.2])
    def test_stop_ends_by_force_after_its_grace(self, executor: Executor, tmp_path: Path, grace: float) -> None:
        executor.submit(scripted_job(1, tmp_path, "ignore_stop"), FREE)
        drain_until(executor, lambda events: any(isinstance(event, AttemptProgress) for event in events))
        executor.stop(1, grace)
        final = drain_final(executor)
        assert isinstance(final, AttemptLost) and not final.counts
        assert executor.slots() == executor.workers

    def test_fault_09_progress_holds_null_for_what_is_not_finite(self, executor: Executor, tmp_path: Path) -> None:
        executor.submit(scripted_job(1, tmp_path, "report_nan"), FREE)
        events = drain_until(executor, lambda events: bool(finals(events)))
        records = [event.record for event in events if isinstance(event, AttemptProgress)]
        assert records == [{"loss": None, "list": [1.0, None]}]

    def test_a_work_that_returns_nothing_is_a_crash(self, executor: Executor, tmp_path: Path) -> None:
        executor.submit(scripted_job(1, tmp_path, "return_nothing"), FREE)
        final = drain_final(executor)
        assert isinstance(final, AttemptFailed) and "must return an Evaluated" in final.reason

    def test_drain_without_anything_to_tell_gives_nothing(self, executor: Executor) -> None:
        assert executor.drain(0.0) == []
        assert executor.drain(0.05) == []

    def test_a_folder_that_cannot_be_made_is_a_storage_error(self, executor: Executor, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(StorageError):
            executor.submit(scripted_job(1, tmp_path / "file", "finish"), FREE)
        assert executor.slots() == executor.workers

    def test_close_twice(self, executor: Executor) -> None:
        executor.close()
        executor.close()
        assert executor.slots() == 0


class IsolatedExecutorSuite(ExecutorSuite):
    """What holds where a trial has a process of its own."""

    def _run(
        self, executor: Executor, tmp_path: Path, script: str, allowance: Allowance = FREE, **settings: int
    ) -> Final:
        executor.submit(scripted_job(1, tmp_path, script, **settings), allowance)
        return drain_final(executor)

    def _processes(self, executor: Executor) -> list[int]:
        """Wait for a report of process ids, and give them all."""
        events = drain_until(executor, lambda events: any(isinstance(event, AttemptProgress) for event in events))
        record = next(event.record for event in events if isinstance(event, AttemptProgress))
        return [number for number in [record.get("process"), *record.get("children", ())] if number is not None]

    def test_a_job_runs_in_a_fresh_process(self, executor: Executor, tmp_path: Path) -> None:
        seen = []
        for trial in (1, 2):
            executor.submit(scripted_job(trial, tmp_path, "echo"), FREE)
            final = drain_final(executor)
            assert isinstance(final, AttemptFinished)
            seen.append(final.evaluated.notes["process"])
        assert len({os.getpid(), *seen}) == 3

    def test_fault_04_worker_killed_from_outside_is_lost_alone(self, executor: Executor, tmp_path: Path) -> None:
        executor.submit(scripted_job(1, tmp_path, "hang"), FREE)
        process = self._processes(executor)[0]
        executor.submit(scripted_job(2, tmp_path, "report", epochs=20, pause=0.02), FREE)
        os.kill(process, signal.SIGKILL)
        found = {event.trial: event for event in finals(drain_until(executor, lambda all_: len(finals(all_)) == 2))}
        assert isinstance(found[1], AttemptLost) and found[1].counts and "SIGKILL" in found[1].reason
        assert found[1].cpu_seconds >= 0
        assert isinstance(found[2], AttemptFinished)

    def test_fault_05_segmentation_fault_is_a_crash_with_its_signal(self, executor: Executor, tmp_path: Path) -> None:
        final = self._run(executor, tmp_path, "segmentation_fault")
        assert isinstance(final, AttemptFailed)
        assert (final.status, final.signal) == ("crashed", signal.SIGSEGV)
        assert "SIGSEGV" in final.reason and "_segmentation_fault" in final.detail
        executor.submit(scripted_job(2, tmp_path, "finish"), FREE)
        assert isinstance(drain_final(executor), AttemptFinished), "the executor goes on"

    def test_fault_05_every_other_signal_is_a_crash(self, executor: Executor, tmp_path: Path) -> None:
        for number in (signal.SIGABRT, signal.SIGBUS, signal.SIGFPE):
            final = self._run(executor, tmp_path, "die", signal=int(number))
            assert isinstance(final, AttemptFailed) and (final.status, final.signal) == ("crashed", number)

    @pytest.mark.parametrize("script", ["hang", "hang_holding_interpreter", "hang_with_children"])
    def test_fault_06_hang_is_killed_with_its_children(self, executor: Executor, tmp_path: Path, script: str) -> None:
        executor.submit(scripted_job(1, tmp_path, script), Allowance(seconds=1.5))
        processes = self._processes(executor)
        final = drain_final(executor)
        assert isinstance(final, AttemptFailed) and final.status == "timeout"
        assert 1.5 <= final.seconds < 3.5, "the slot is back within two seconds"
        assert "1.5 s" in final.reason and f"in _{script}" in final.detail, "it says where it hung"
        assert executor.slots() == executor.workers
        assert wait_until_gone(processes, 2.0) == []

    def test_what_a_job_leaves_behind_is_ended(self, executor: Executor, tmp_path: Path) -> None:
        executor.submit(scripted_job(1, tmp_path, "leave_children"), FREE)
        children = self._processes(executor)
        drain_until(executor, lambda events: executor.slots() == executor.workers)
        assert len(children) == 2 and wait_until_gone(children, 2.0) == []

    def test_fault_07_too_much_memory_ends_the_trial_alone(self, executor: Executor, tmp_path: Path) -> None:
        executor.submit(scripted_job(1, tmp_path, "report", epochs=60, pause=0.02), FREE)
        executor.submit(scripted_job(2, tmp_path, "allocate", mebibytes=400, pause=30), Allowance(bytes=150 * 2**20))
        found = {event.trial: event for event in finals(drain_until(executor, lambda all_: len(finals(all_)) == 2))}
        failed = found[2]
        assert isinstance(failed, AttemptFailed) and failed.status == "out_of_memory" and failed.signal is None
        assert "150 MiB" in failed.reason
        assert isinstance(found[1], AttemptFinished)

    def test_fault_07_memory_below_the_cap_is_fine(self, executor: Executor, tmp_path: Path) -> None:
        allowance = Allowance(bytes=150 * 2**20)
        final = self._run(executor, tmp_path, "allocate", allowance, mebibytes=80, pause=1)
        assert isinstance(final, AttemptFinished)

    def test_fault_07_kill_near_the_cap_is_out_of_memory(self, executor: Executor, tmp_path: Path) -> None:
        executor.submit(scripted_job(1, tmp_path, "allocate", mebibytes=96, pause=60), Allowance(bytes=102 * 2**20))
        process = self._processes(executor)[0]
        time.sleep(1.0)  # the keeper takes its reading
        os.kill(process, signal.SIGKILL)
        final = drain_final(executor)
        assert isinstance(final, AttemptFailed) and final.status == "out_of_memory" and final.signal is None

    def test_fault_15_deadlines_do_not_follow_the_wall_clock(
        self, executor: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(time, "time", lambda: 4e9)
        final = self._run(executor, tmp_path, "finish", Allowance(seconds=30.0))
        assert isinstance(final, AttemptFinished)
        monkeypatch.setattr(time, "time", lambda: 0.0)
        final = self._run(executor, tmp_path, "hang", Allowance(seconds=1.0))
        assert isinstance(final, AttemptFailed) and final.status == "timeout"

    def test_fault_20_preempted_worker_writes_its_checkpoint_and_does_not_count(
        self, executor: Executor, tmp_path: Path
    ) -> None:
        job = scripted_job(1, tmp_path, "report", epochs=100_000, pause=0.01)
        executor.submit(job, FREE)
        os.kill(self._processes(executor)[0], signal.SIGTERM)
        final = drain_final(executor)
        assert isinstance(final, AttemptLost) and not final.counts and "SIGTERM" in final.reason
        assert int((job.folder / "checkpoint.txt").read_text()) >= 0

    def test_fault_20_work_that_ended_in_spite_of_preemption_counts(self, executor: Executor, tmp_path: Path) -> None:
        final = self._run(executor, tmp_path, "preempted_quietly")
        assert isinstance(final, AttemptFinished) and not final.stopped

    def test_exit_without_a_result_is_a_crash(self, executor: Executor, tmp_path: Path) -> None:
        final = self._run(executor, tmp_path, "leave", code=7)
        assert isinstance(final, AttemptFailed) and final.status == "crashed" and final.signal is None
        assert "status 7" in final.reason

    def test_cpu_time_is_the_trials_own(self, executor: Executor, tmp_path: Path) -> None:
        final = self._run(executor, tmp_path, "spin", cpu_seconds=1)
        assert isinstance(final, AttemptFinished) and 0.9 < final.cpu_seconds < 2.0

    def test_cpu_time_of_a_killed_worker_is_known(self, executor: Executor, tmp_path: Path) -> None:
        final = self._run(executor, tmp_path, "spin", Allowance(seconds=1.5), cpu_seconds=600)
        assert isinstance(final, AttemptFailed) and 0.05 < final.cpu_seconds < 3.0

    def test_close_while_running_leaves_nothing_alive(self, executor: Executor, tmp_path: Path) -> None:
        processes = []
        for trial, script in ((1, "hang_with_children"), (2, "hang_holding_interpreter")):
            executor.submit(scripted_job(trial, tmp_path, script), FREE)
            processes += self._processes(executor)
        assert len(processes) == 4 and all(map(alive, processes))
        executor.close()
        assert wait_until_gone(processes, 5.0) == []

    def test_close_with_grace_lets_the_work_end(self, executor: Executor, tmp_path: Path) -> None:
        job = scripted_job(1, tmp_path, "report", epochs=100_000, pause=0.01)
        executor.submit(job, FREE)
        self._processes(executor)
        executor.close(grace=20.0)
        assert (job.folder / "checkpoint.txt").exists()


def _go(record: Mapping[str, Any]) -> Literal["go", "stop"]:
    return "go"
