"""What is particular to the local executor: the keeper, its workers, what is printed, what is left behind."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from netwright.core.errors import InputError, NetwrightError
from netwright.core.job import (
    Allowance,
    AttemptEvent,
    AttemptFailed,
    AttemptFinished,
    AttemptLost,
    AttemptProgress,
    Evaluated,
    Work,
)
from netwright.executors import local
from netwright.executors.local import PRELOAD, LocalExecutor
from netwright.testing.executors import FREE, alive, drain_final, drain_until, finals, wait_until_gone
from netwright.testing.jobs import scripted, scripted_job

from . import works

LIGHT = ("netwright.testing.jobs",)


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[LocalExecutor]:
    with LocalExecutor(scripted, workers=2, logs_folder=tmp_path / "logs", preload=LIGHT) as executor:
        yield executor


def run(work: Work, tmp_path: Path, allowance: Allowance = FREE, **settings: Any) -> Any:
    with LocalExecutor(work, workers=1, logs_folder=tmp_path / "logs", preload=()) as executor:
        executor.submit(scripted_job(1, tmp_path, "", **settings), allowance)
        return drain_final(executor)


def reported(executor: LocalExecutor) -> dict[str, Any]:
    """The first progress record."""
    events = drain_until(executor, lambda events: any(isinstance(event, AttemptProgress) for event in events))
    return dict(next(event.record for event in events if isinstance(event, AttemptProgress)))


def driver(code: str, tmp_path: Path) -> subprocess.Popen[str]:
    """A driver in a process of its own: a plain script, without any guard."""
    script = tmp_path / "driver.py"
    script.write_text(textwrap.dedent(code))
    return subprocess.Popen([sys.executable, str(script), str(tmp_path)], stdout=subprocess.PIPE, text=True)


SCRIPT = """
import sys, time
from pathlib import Path
from netwright.core.job import Allowance
from netwright.executors.local import LocalExecutor
from netwright.testing.jobs import scripted, scripted_job

folder = Path(sys.argv[1])
with (folder / "runs.txt").open("a") as runs:
    runs.write("the script runs\\n")
executor = LocalExecutor(scripted, workers=2, logs_folder=folder / "logs", preload=("netwright.testing.jobs",))
"""


# -- nothing outlives the driver ---------------------------------------------------------------------------------------


@pytest.mark.fault(3)
def test_workers_and_their_children_die_with_the_driver(tmp_path: Path) -> None:
    code = """
    for trial, script in ((1, "hang_with_children"), (2, "hang_holding_interpreter")):
        executor.submit(scripted_job(trial, folder, script), Allowance())
    seen = 0
    while seen < 2:
        for event in executor.drain(1.0):
            if hasattr(event, "record"):
                print(event.record["process"], *event.record.get("children", ()), flush=True)
                seen += 1
    print("done", flush=True)
    time.sleep(600)
    """
    with driver(SCRIPT + textwrap.dedent(code), tmp_path) as process:
        assert process.stdout is not None
        processes = [int(word) for line in iter(process.stdout.readline, "done\n") for word in line.split()]
        keepers = [child.pid for child in psutil.Process(process.pid).children()]
        assert len(processes) == 4 and len(keepers) == 1 and all(map(alive, processes + keepers))
        process.kill()
        assert wait_until_gone(processes + keepers, 5.0) == []


@pytest.mark.fault(3)
def test_a_driver_that_forgets_to_close_leaves_nothing(tmp_path: Path) -> None:
    code = """
    executor.submit(scripted_job(1, folder, "hang"), Allowance())
    while not any(hasattr(event, "record") and print(event.record["process"]) is None for event in executor.drain(1.0)):
        pass
    """
    with driver(SCRIPT + textwrap.dedent(code), tmp_path) as process:
        assert process.stdout is not None
        left = int(process.stdout.read())
        assert process.wait(20) == 0
        assert wait_until_gone([left], 5.0) == []


def test_the_death_of_the_keeper_loses_its_attempts_and_no_more(executor: LocalExecutor, tmp_path: Path) -> None:
    executor.submit(scripted_job(1, tmp_path, "hang_holding_interpreter"), FREE)
    process = reported(executor)["process"]
    keeper = psutil.Process(process).parent()
    assert keeper is not None
    keeper.kill()
    final = drain_final(executor)
    assert isinstance(final, AttemptLost) and final.counts
    assert wait_until_gone([process], 5.0) == []
    assert executor.slots() == 2
    executor.submit(scripted_job(2, tmp_path, "finish"), FREE)
    assert isinstance(drain_final(executor), AttemptFinished)


def test_submit_to_a_dead_keeper_starts_another(executor: LocalExecutor, tmp_path: Path) -> None:
    executor.submit(scripted_job(1, tmp_path, "echo"), FREE)
    drain_final(executor)
    [keeper] = psutil.Process().children()
    keeper.kill()
    assert wait_until_gone([keeper.pid], 5.0) == []
    executor.submit(scripted_job(2, tmp_path, "finish"), FREE)
    assert isinstance(drain_final(executor), AttemptFinished)


def test_a_keeper_that_cannot_begin_is_an_error_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_preload.py").write_text("raise RuntimeError('this module is broken')")
    monkeypatch.syspath_prepend(tmp_path)
    executor = LocalExecutor(scripted, workers=1, logs_folder=tmp_path / "logs", preload=("broken_preload",))
    executor.submit(scripted_job(1, tmp_path, "finish"), FREE)
    with pytest.raises(NetwrightError, match="this module is broken"):
        drain_final(executor)
    executor.close()


# -- how workers begin -------------------------------------------------------------------------------------------------


@pytest.mark.fault(25)
def test_workers_are_forked_from_a_process_that_ran_imports_only(tmp_path: Path) -> None:
    assert LocalExecutor.start_method == "forkserver"
    assert all(name.partition(".")[0] in ("torch", "numpy") for name in PRELOAD), "modules, and not the user's script"
    with LocalExecutor(works.facts, workers=1, logs_folder=tmp_path / "logs") as executor:
        executor.submit(scripted_job(1, tmp_path, ""), FREE)
        final = drain_final(executor)
        assert isinstance(final, AttemptFinished), final
        notes = final.evaluated.notes
        [keeper] = psutil.Process().children()
        assert notes["parent"] == keeper.pid
        assert os.getsid(keeper.pid) == keeper.pid, "signals of the driver's terminal do not reach it"
        assert keeper.num_threads() == 1, "a thread in the fork server would be missing in its forks"
        mapped = {Path(entry.path).name for entry in keeper.memory_maps()}
        assert any(name.startswith("libtorch") for name in mapped), "torch was preloaded"
    assert notes["torch_threads"] == 1 and notes["cuda"] is False
    assert notes["imported_by_a_step"] < 50, "what every training imports is preloaded"
    assert notes["threads"] == 2, "the work's, and the one that watches for the driver's end"


def test_threads_of_a_worker(tmp_path: Path) -> None:
    # The preload of torch alone is quick, and enough to ask it.
    preload = ("torch",)
    with LocalExecutor(works.facts, workers=1, logs_folder=tmp_path / "logs", threads=2, preload=preload) as executor:
        executor.submit(scripted_job(1, tmp_path, ""), FREE)
        final = drain_final(executor)
    assert isinstance(final, AttemptFinished) and final.evaluated.notes["torch_threads"] == 2


@pytest.mark.fault(25)
def test_a_script_without_guard_is_run_once(tmp_path: Path) -> None:
    code = """
    executor.submit(scripted_job(1, folder, "finish"), Allowance())
    while not any(hasattr(event, "evaluated") for event in executor.drain(5.0)):
        pass
    executor.close()
    print("finished")
    """
    with driver(SCRIPT + textwrap.dedent(code), tmp_path) as process:
        assert process.communicate(timeout=60)[0] == "finished\n"
    assert (tmp_path / "runs.txt").read_text() == "the script runs\n"


@pytest.mark.fault(25)
def test_works_where_main_has_no_file_as_in_a_notebook(tmp_path: Path) -> None:
    code = SCRIPT + textwrap.dedent(
        """
        executor.submit(scripted_job(1, folder, "finish"), Allowance())
        while not any(hasattr(event, "evaluated") for event in executor.drain(5.0)):
            pass
        executor.close()
        print("finished")
        """
    )
    command = [sys.executable, "-", str(tmp_path)]
    ended = subprocess.run(command, input=code, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == "finished\n"


def test_a_work_defined_in_the_script_is_refused_with_advice(tmp_path: Path) -> None:
    code = """
    def mine(job, report): ...

    try:
        LocalExecutor(mine, workers=1, logs_folder=folder / "logs")
    except ValueError as error:
        print(error)
    executor.close()
    """
    with driver(SCRIPT + textwrap.dedent(code), tmp_path) as process:
        said = process.communicate(timeout=60)[0]
    assert "importable by name" in said and "into a file of their own" in said and "inline executor" in said


def test_a_work_without_a_name_or_with_arguments_that_are_not_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="importable by name"):
        LocalExecutor(lambda job, report: Evaluated({}), workers=1, logs_folder=tmp_path)
    unfit = functools.partial(works.greet, "hello", mark=b"!")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="must be JSON"):
        LocalExecutor(unfit, workers=1, logs_folder=tmp_path)


def test_a_partial_keeps_its_arguments(tmp_path: Path) -> None:
    final = run(functools.partial(works.greet, "hello", mark="!"), tmp_path)
    assert final.evaluated.notes == {"greeting": "hello!"}


def test_numbers_of_workers_are_checked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least 1"):
        LocalExecutor(scripted, workers=0, logs_folder=tmp_path)


def test_a_system_without_fork_is_told_of_the_inline_executor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    with pytest.raises(InputError, match="inline"):
        LocalExecutor(scripted, workers=1, logs_folder=tmp_path)


def test_a_worker_stands_alone(tmp_path: Path) -> None:
    notes = [run(works.facts, tmp_path).evaluated.notes for _ in range(2)]
    first, second = notes
    assert first["process"] == first["session"] == first["group"], "Ctrl-C in the driver's terminal does not reach it"
    assert first["input"] == "" and first["main"] is None and first["arguments"] == ["-c"]
    assert first["order_of_a_set"] == second["order_of_a_set"], "equal seeds would give unequal results"
    assert first["random"] != second["random"]


# -- what a worker says ------------------------------------------------------------------------------------------------


def test_what_is_printed_is_in_the_log_of_the_attempt(executor: LocalExecutor, tmp_path: Path) -> None:
    executor.submit(scripted_job(12, tmp_path, "echo", attempt=2), FREE)
    drain_final(executor)
    log = (tmp_path / "logs" / "000012-2.txt").read_text()
    assert "printed by the work" in log and "printed in red" in log and "written to the descriptor" in log


@pytest.mark.attack(18)
def test_the_tail_of_the_log_is_fit_to_show(tmp_path: Path) -> None:
    final = run(works.print_much, tmp_path)
    assert isinstance(final, AttemptFailed) and final.reason == "ValueError: after much was printed"
    assert final.detail.endswith("ValueError: after much was printed")
    assert "line 1999" in final.detail and "line 10 " not in final.detail and len(final.detail) <= 4_002
    assert not any(ord(mark) < 32 and mark != "\n" for mark in final.detail)


@pytest.mark.fault(4)
@pytest.mark.parametrize(("sent", "status"), [('{"finished": {"measurements"', "lost"), ("nonsense\n", "crashed")])
def test_a_half_written_result_is_none(tmp_path: Path, sent: str, status: str) -> None:
    final = run(works.write_to_the_driver, tmp_path, bytes=sent, die=True)
    assert ("lost" if isinstance(final, AttemptLost) else final.status) == status


@pytest.mark.parametrize("sent", ["nonsense\n", "[1, 2]\n", "\n", '{"finished": 3}\n{"progress'])
def test_a_worker_that_sends_no_records_is_a_crash(tmp_path: Path, sent: str) -> None:
    final = run(works.write_to_the_driver, tmp_path, Allowance(seconds=1.0), bytes=sent, die=False)
    assert isinstance(final, AttemptFailed) and final.status == "crashed" and final.signal is None
    assert "not a result" in final.reason


def test_sigterm_of_a_child_is_not_the_workers(tmp_path: Path) -> None:
    final = run(works.terminate_a_child, tmp_path)
    assert isinstance(final, AttemptFinished) and not final.stopped
    assert final.evaluated.notes == {"exit": -signal.SIGTERM, "report": "go"}


@pytest.mark.fault(20)
def test_a_preempted_worker_has_its_grace_and_no_more(
    executor: LocalExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "PREEMPTION_GRACE", 0.3)
    executor.submit(scripted_job(1, tmp_path, "ignore_stop"), FREE)
    os.kill(reported(executor)["process"], signal.SIGTERM)
    final = drain_final(executor)
    assert isinstance(final, AttemptLost) and not final.counts


def test_limits_hold_while_the_driver_is_busy(executor: LocalExecutor, tmp_path: Path) -> None:
    executor.submit(scripted_job(1, tmp_path, "hang"), Allowance(seconds=0.5))
    process = reported(executor)["process"]
    assert wait_until_gone([process], 10.0) == [], "nobody drained meanwhile"
    final = drain_final(executor)
    assert isinstance(final, AttemptFailed) and final.status == "timeout"


def test_a_flood_of_progress_waits_for_the_driver(executor: LocalExecutor, tmp_path: Path) -> None:
    executor.submit(scripted_job(1, tmp_path, "report", epochs=20_000), FREE)
    time.sleep(0.5)
    events = drain_until(executor, lambda events: bool(finals(events)))
    epochs = [event.record["epoch"] for event in events if isinstance(event, AttemptProgress)]
    assert epochs == list(range(20_000))


# -- what is left behind -----------------------------------------------------------------------------------------------


def test_three_hundred_jobs_leave_no_descriptor_and_no_zombie(executor: LocalExecutor, tmp_path: Path) -> None:
    me = psutil.Process()

    def work_through(trials: range) -> None:
        waiting, events = list(trials), list[AttemptEvent]()
        while len(finals(events)) < len(trials):
            while waiting and executor.slots():
                executor.submit(scripted_job(waiting.pop(0), tmp_path, "finish"), FREE)
            events += executor.drain(5.0)
        assert all(isinstance(event, AttemptFinished) for event in finals(events))

    work_through(range(10))
    [keeper] = me.children()
    before = me.num_fds(), keeper.num_fds(), me.num_threads()
    work_through(range(10, 310))
    assert (me.num_fds(), keeper.num_fds(), me.num_threads()) == before
    assert me.children() == [keeper] and keeper.children() == []
    assert keeper.memory_info().rss < 200 * 2**20


def test_close_before_the_keeper_is_ready(tmp_path: Path) -> None:
    executor = LocalExecutor(scripted, workers=1, logs_folder=tmp_path / "logs")
    executor.close()
    assert psutil.Process().children() == []


def test_events_of_closing_can_still_be_drained(executor: LocalExecutor, tmp_path: Path) -> None:
    executor.submit(scripted_job(1, tmp_path, "hang"), FREE)
    reported(executor)
    executor.close()
    final = drain_final(executor)
    assert isinstance(final, AttemptLost) and not final.counts and final.cpu_seconds >= 0


# -- memory, by a real kill of the kernel ------------------------------------------------------------------------------


def memory_cgroup() -> Path | None:
    """The folder of this process's memory cgroup, where a child group may be made; None where there is none."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            folder = Path("/sys/fs/cgroup/memory") / path.lstrip("/")
            return folder if os.access(folder, os.W_OK) and (folder / "memory.limit_in_bytes").exists() else None
    return None


@pytest.mark.fault(7)
def test_a_kill_by_the_kernel_for_want_of_memory_is_out_of_memory(tmp_path: Path) -> None:
    parent = memory_cgroup()
    if parent is None:
        pytest.skip("needs a memory cgroup (version 1) in which a child group may be made")
    group = parent / f"netwright-test-{os.getpid()}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(300 * 2**20))
        code = f"""
        Path({str(group / "cgroup.procs")!r}).write_text(str(__import__("os").getpid()))
        executor = LocalExecutor(scripted, workers=2, logs_folder=folder / "logs", preload=())
        executor.submit(scripted_job(1, folder, "allocate", mebibytes=800), Allowance())
        final = None
        while final is None:
            final = next((event for event in executor.drain(5.0) if hasattr(event, "cpu_seconds")), None)
        print(type(final).__name__, getattr(final, "status", ""), final.reason)
        executor.close()
        """
        with driver(SCRIPT + textwrap.dedent(code), tmp_path) as process:
            said = process.communicate(timeout=60)[0]
    finally:
        group.rmdir()
    assert said.startswith("AttemptFailed out_of_memory the system ran out of memory")
