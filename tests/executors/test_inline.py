"""What is particular to the inline executor: lock-step, and that force has its limits."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from netwright.core.job import Allowance, AttemptFinished, AttemptProgress, Evaluated, Job, Report
from netwright.executors.inline import InlineExecutor
from netwright.testing.executors import FREE, drain_final
from netwright.testing.jobs import scripted, scripted_job


def test_the_work_waits_until_its_report_was_answered(tmp_path: Path) -> None:
    reached: list[int] = []

    def work(job: Job, report: Report) -> Evaluated:
        for epoch in range(3):
            reached.append(epoch)
            report({"epoch": epoch})
        return Evaluated({})

    with InlineExecutor(work) as executor:
        executor.submit(scripted_job(1, tmp_path, ""), FREE)
        for expected in range(3):
            events = executor.drain(10.0)
            while not any(isinstance(event, AttemptProgress) for event in events):
                events = executor.drain(10.0)
            time.sleep(0.05)
            assert reached == list(range(expected + 1)), "it went on before the driver had answered"
        assert isinstance(drain_final(executor), AttemptFinished)


@pytest.mark.fault(26)
@pytest.mark.parametrize("after", [0, 3, 7])
def test_a_stop_takes_effect_at_the_same_epoch_every_time(tmp_path: Path, after: int) -> None:
    stopped_at = set()
    for attempt in range(1, 6):
        with InlineExecutor(scripted) as executor:
            executor.submit(scripted_job(1, tmp_path, "report", attempt, epochs=20), FREE)
            final = None
            while final is None:
                for event in executor.drain(10.0):
                    if isinstance(event, AttemptProgress) and event.record["epoch"] == after:
                        executor.stop(1, None)
                    final = event if isinstance(event, AttemptFinished) else None
            stopped_at.add(final.evaluated.notes["epochs"])
    assert stopped_at == {after + 1}


def test_the_driver_stays_responsive_while_work_runs(tmp_path: Path) -> None:
    release = threading.Event()

    def work(job: Job, report: Report) -> Evaluated:
        release.wait(30)
        return Evaluated({})

    with InlineExecutor(work) as executor:
        executor.submit(scripted_job(1, tmp_path, ""), Allowance(seconds=0.01))
        executor.drain(0.1)
        assert executor.drain(0.05) == [] and executor.slots() == 0
        release.set()
        assert isinstance(drain_final(executor), AttemptFinished), "no deadline can be enforced here"


def test_close_unwinds_the_work_at_its_next_report(tmp_path: Path) -> None:
    cleaned = threading.Event()

    def work(job: Job, report: Report) -> Evaluated:
        try:
            while True:
                report({})
        finally:
            cleaned.set()

    executor = InlineExecutor(work)
    executor.submit(scripted_job(1, tmp_path, ""), FREE)
    executor.drain(10.0)
    executor.close()
    assert cleaned.wait(10.0)


def test_any_callable_will_do(tmp_path: Path) -> None:
    with InlineExecutor(lambda job, report: Evaluated({}, notes={"seed": job.seed})) as executor:
        executor.submit(scripted_job(4, tmp_path, ""), FREE)
        final = drain_final(executor)
    assert isinstance(final, AttemptFinished) and final.evaluated.notes == {"seed": 1004}
