"""Running jobs elsewhere, with limits: one contract (`base`), in this process (`inline`) or a process a trial (`local`)."""

from __future__ import annotations

from netwright.executors.base import Executor
from netwright.executors.inline import InlineExecutor
from netwright.executors.local import LocalExecutor

__all__ = ["EXECUTORS", "Executor", "InlineExecutor", "LocalExecutor"]

EXECUTORS: dict[str, type[Executor]] = {
    "inline": InlineExecutor,
    "local": LocalExecutor,
}
