"""Every executor against the suite that ships with the package."""

from __future__ import annotations

from pathlib import Path

from netwright.core.job import Work
from netwright.executors import EXECUTORS
from netwright.executors.base import Executor
from netwright.executors.inline import InlineExecutor
from netwright.executors.local import LocalExecutor
from netwright.testing.executors import ExecutorSuite, IsolatedExecutorSuite


class TestInlineExecutor(ExecutorSuite):
    def open(self, work: Work, workers: int, folder: Path) -> Executor:
        return InlineExecutor(work)


class TestLocalExecutor(IsolatedExecutorSuite):
    def open(self, work: Work, workers: int, folder: Path) -> Executor:
        # torch takes seconds to import and no script uses it.
        return LocalExecutor(work, workers=workers, logs_folder=folder, preload=("netwright.testing.jobs",))


def test_every_registered_executor_is_tested() -> None:
    assert set(EXECUTORS.values()) == {InlineExecutor, LocalExecutor}
    assert LocalExecutor.isolated and not InlineExecutor.isolated
