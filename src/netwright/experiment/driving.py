"""What drives the trials of an opened run folder: its desk, ladder, live view and loop, and an end in order on Ctrl-C."""

from __future__ import annotations

import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import psutil
from rich.console import Console
from rich.text import Text

from netwright.core.job import Allowance
from netwright.core.own import is_file
from netwright.core.text import plain
from netwright.experiment.desk import Desk
from netwright.experiment.opening import Opened
from netwright.experiment.settings import ARRAYS, PYTHON_SPACE, Settings
from netwright.experiment.stages import find_ladder
from netwright.experiment.stopping import make_stopping
from netwright.experiment.view import budget_in_words, data_facts
from netwright.experiment.watching import Watch
from netwright.loop import Loop
from netwright.reports.terminal import LiveView, start_summary

LONGEST_TRIAL_SHARE = 0.4
LONGEST_TRIAL_SECONDS = 3600.0
MEMORY_SHARE = 0.8
LAST_SECONDS = 2.0
"""What a training under way has, when a run is interrupted, to come to the end of its epoch and be kept."""


class Driver:
    """The driver of an opened folder. `plan` says in words what it is about to do; `console` hears how it goes.

    `loop` is still to be restored with the sources that it draws from.
    """

    def __init__(self, opened: Opened, stack: ExitStack, console: Console, plan: str) -> None:
        self.opened = opened
        self.console = console
        goal, settings = opened.goal, opened.settings
        self.desk = Desk(
            goal=goal,
            task=opened.data.task,
            data=opened.data.folder,
            allowance=self._allowance,
            score=settings.score,
            seed=settings.seed or 0,
            trains=settings.trains,
            forced_precision=None if settings.precision == "auto" else settings.precision,
            precision={
                fact.data["kinds"]: fact.data["precision"] for fact in opened.facts if fact.topic == "precision"
            },
        )
        start_summary(self._understood(plan), goal, console=console)
        self.ladder = find_ladder(opened)
        view = stack.enter_context(LiveView(self.desk.goal_of("search"), title=opened.data.name, console=console))
        self.watch = Watch(self.desk, settings.budget, view.update)
        self.loop = Loop(
            desk=self.desk,
            ledger=opened.ledger,
            executor=opened.executor,
            blobs=opened.blobs,
            folder=opened.folder,
            seed=settings.seed or 0,
            stopwatch=opened.stopwatch,
            watch=self.watch,
            stopping=make_stopping(settings.stop or "none", goal, self.desk),
        )

    def stop(self) -> None:
        """Cancel what is under way after an interrupt, and say how to go on."""
        self.loop.cancel("interrupted", grace=LAST_SECONDS)
        self.opened.executor.close(LAST_SECONDS)
        again = plain(to_go_on(self.opened.settings, self.opened.folder, self.opened.purpose))
        self.console.print(Text(f"Stopped. To go on: {again}"), soft_wrap=True)

    def _allowance(self) -> Allowance:
        """What one trial may use: a large share of the time budget, and its part of the memory that is free."""
        seconds = self.opened.settings.budget.seconds
        longest = LONGEST_TRIAL_SECONDS if seconds is None else max(60.0, seconds * LONGEST_TRIAL_SHARE)
        share = psutil.virtual_memory().total * MEMORY_SHARE / self.opened.executor.workers
        return Allowance(longest, int(share))

    def _understood(self, plan: str) -> dict[str, Any]:
        settings, space = self.opened.settings, self.opened.space
        described = {"name": space.name, "size": space.size()}
        if self.opened.fact("space") != described:
            self.opened.note("space", described)
        return {
            "data": data_facts(self.opened.data),
            "space": described,
            "strategy": plan,
            "budget": budget_in_words(settings),
            "workers": self.opened.executor.workers,
        }


def to_go_on(settings: Settings, folder: Path, purpose: str) -> str:
    """The shortest command that goes on with a run, paths as they were given: what is left out keeps its value."""
    if settings.data != ARRAYS and settings.space != PYTHON_SPACE:
        files = {"--strategy": settings.strategy or "", "--space": settings.space or ""}
        named = [word for option, name in files.items() if is_file(name) for word in (option, name)]
        return shlex.join(["netwright", purpose, settings.data, *named, "--out", str(folder)])
    data = "images, labels=labels" if settings.data == ARRAYS else repr(settings.data)
    given = ", space=space" if settings.space == PYTHON_SPACE else ""
    return f"nw.search({data}{given}, out={str(folder)!r})"


def process_age() -> float:
    """Seconds since this process began, which a command has used before its first line ran."""
    return time.time() - psutil.Process().create_time()


@contextmanager
def interrupts(loop: Loop) -> Iterator[None]:
    """The first Ctrl-C, or SIGTERM of a machine that is taken away, ends the loop in order; the second ends at once."""

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        if loop.interrupted:
            raise KeyboardInterrupt
        loop.interrupted = True

    try:
        before = {number: signal.signal(number, on_interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: whoever started it handles Ctrl-C
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
