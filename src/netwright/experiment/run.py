"""One run from beginning to end: open the folder, search, train the best, test, export, report."""

from __future__ import annotations

import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import psutil
from rich.console import Console
from rich.text import Text

from netwright.core.errors import InputError, NetwrightError, StorageError
from netwright.core.job import Allowance
from netwright.core.own import is_file
from netwright.core.text import plain
from netwright.data.catalog import open_data
from netwright.data.dataset import Dataset
from netwright.experiment.closing import Closing
from netwright.experiment.desk import Desk
from netwright.experiment.opening import OpenData, Opened, open_run
from netwright.experiment.outcome import outcome
from netwright.experiment.page import write_page
from netwright.experiment.settings import ARRAYS, PYTHON_SPACE, Settings
from netwright.experiment.shipping import export_trial
from netwright.experiment.stages import Stages, baselines, find_ladder, search_source
from netwright.experiment.stopping import make_stopping
from netwright.experiment.view import budget_in_words, data_facts, strategy_in_words, view_of
from netwright.experiment.watching import Watch
from netwright.loop import Ended, Loop
from netwright.reports.terminal import LiveView, end_summary, error_console, silent_console, start_summary
from netwright.reports.verdict import verdict
from netwright.spaces.catalog import SpaceMaker
from netwright.strategies import RandomSearch, Screening

LONGEST_TRIAL_SHARE = 0.4
LONGEST_TRIAL_SECONDS = 3600.0
MEMORY_SHARE = 0.8
LAST_SECONDS = 2.0
"""What a training under way has, when a run is interrupted, to come to the end of its epoch and be kept."""


@dataclass(frozen=True, slots=True)
class SearchEnded:
    """What a search came to: the object that `--json` prints, and whether Ctrl-C ended it."""

    outcome: dict[str, Any]
    interrupted: bool


def search_command(settings: Settings, out: Path, *, allow_changed: bool = False) -> SearchEnded:
    """A search as the command line runs it."""
    age = time.time() - psutil.Process().create_time()
    return run_search(settings, out, data_of, allow_changed=allow_changed, head_start=age)


def data_of(settings: Settings, folder: Path, expected: str | None = None) -> Dataset:
    """The data that the settings name, decoded into `folder`. Raises RunChanged unless they have that fingerprint."""
    if settings.data == ARRAYS:
        raise InputError(
            "the data of this run were given from Python as arrays; go on from Python with the same arrays"
        )
    return open_data(
        settings.data,
        folder,
        split=settings.split,
        groups=settings.groups,
        size=settings.size,
        seed=settings.seed or 0,
        expected=expected,
    )


def run_search(
    given: Settings,
    out: Path,
    open_data: OpenData,
    *,
    make_space: SpaceMaker | None = None,
    allow_changed: bool = False,
    head_start: float = 0.0,
    quiet: bool = False,
    page: bool = True,
) -> SearchEnded:
    """Search in the folder `out`, or go on there, until the budget is spent; then close the run.

    `make_space` takes the place of the space that the settings name. `quiet` keeps the terminal still; without `page`
    no report is written, and what only a report shows is not measured.
    Raises the errors of `open_run`, and NetwrightError when so many trials fail in a row that the search makes no sense.
    """
    with ExitStack() as stack:
        opened = open_run(
            given,
            out,
            open_data,
            stack,
            make_space=make_space,
            allow_changed=allow_changed,
            head_start=head_start,
        )
        ended = _Drive(opened, stack, silent_console() if quiet else error_console(), page).run()
    return SearchEnded(outcome(out), ended)


class _Drive:
    """The run of one driver on an opened folder."""

    def __init__(self, opened: Opened, stack: ExitStack, console: Console, page: bool) -> None:
        self.opened = opened
        self.page = page
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
        self.console = console
        start_summary(self._understood(), goal, console=self.console)
        self.ladder = find_ladder(opened)
        view = stack.enter_context(LiveView(self.desk.goal_of("search"), title=opened.data.name, console=self.console))
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
        strategy = self.strategy = search_source(opened, self.desk, self.ladder, opened.strategy, "search")
        sources = {"baseline": baselines(opened.reference, self.ladder), "search": strategy}
        if settings.rival:
            sources["rival"] = search_source(opened, self.desk, self.ladder, RandomSearch, "rival")
        for remark in strategy.remarks():
            self.console.print(remark, style="dim")
        self.loop.restore(sources)
        self.stages = Stages(opened, self.desk, self.loop, self.ladder)

    def run(self) -> bool:
        """All stages; True when Ctrl-C cut them off.

        What is under way when an error ends them is cancelled (on a full disk with what is left of the reserve), so that
        it is simply asked again when the run goes on; then the error is raised.
        """
        try:
            return self._run()
        except NetwrightError:
            with suppress(StorageError):
                self.loop.cancel("an error ended the search")
            raise

    def _run(self) -> bool:
        with _interrupts(self.loop):
            if self._nothing_left():
                self.console.print("This run has ended; give it a larger budget, or other limits, to go on.")
                if self.page and not (self.opened.folder / "report.html").exists():
                    write_page(self.opened.folder)
                return False
            ended = self.stages.search()
            self._note_screening()
            self._complain(ended)
            self.watch.stage = "final training"
            trials = [] if ended.why == "interrupted" else self.stages.final()
        if self.loop.interrupted:
            self.loop.cancel("interrupted", grace=LAST_SECONDS)
            self.opened.executor.close(LAST_SECONDS)
            again = plain(to_go_on(self.opened.settings, self.opened.folder))
            self.console.print(Text(f"Stopped. To go on: {again}"), soft_wrap=True)
            return True
        self.watch.stage = "closing"
        if trials:
            closing = Closing(self.stages, trials, memory=self.page or "memory" in self.opened.goal.metrics)
            winner = closing.run()
            judged = verdict(view_of(self.opened.folder, images=False))
            export_trial(self.opened.folder, winner)
            measured = self.opened.fact("measured") or {}
            self.opened.note(
                "outcome",
                {
                    "stage": closing.number,
                    "winner": winner,
                    "front": measured.get("front", [winner]),
                    "verdict": judged.text,
                    "asked": self._asked(),
                },
            )
        self.loop.tick(force=True)
        html = write_page(self.opened.folder)[0] if self.page else None
        told = (self.opened.fact("outcome") or {}).get("verdict") or self._without_network()
        folder = self.opened.folder
        end_summary(
            told,
            report=html,
            export=folder / "export" if trials else None,
            next_command=f"netwright predict {shlex.quote(str(folder))} image.jpg" if trials else "",
            console=self.console,
        )
        return False

    def _note_screening(self) -> None:
        """How far the score agreed with the results it was held against, and whether screening turned itself off."""
        if isinstance(self.strategy, Screening):
            score, parameters = self.strategy.agreement()
            self.opened.note(
                "screening",
                {
                    "score": self.strategy.score,
                    "results": len(self.strategy.pairs),
                    "agreement": score,
                    "parameters": parameters,
                    "off": self.strategy.off,
                },
            )

    def _without_network(self) -> str:
        judged = verdict(view_of(self.opened.folder, images=False))
        return f"The search ended without a trained network. {judged.headline}"

    def _asked(self) -> dict[str, Any]:
        """What a run that has ended would have to be given more of, or other ones of, to go on."""
        settings = self.opened.settings.to_json()
        return {name: settings[name] for name in ("minutes", "trials", "cpu_seconds", "limits", "rival")}

    def _nothing_left(self) -> bool:
        """Whether the run has ended, and is neither given more budget nor asked for anything else."""
        budget = self.opened.settings.budget
        done = self.opened.fact("outcome")
        stage = self.opened.fact("stage")
        closed = done is not None and (stage is None or done["stage"] >= stage["number"])
        if done is None or not closed:
            return False
        asked, now = done.get("asked", {}), self._asked()
        used_up = budget.used(self.loop.spent()) >= 1 - 0.02
        return asked == now or (used_up and asked.get("limits", now["limits"]) == now["limits"])

    def _complain(self, ended: Ended) -> None:
        """Say why a search ended before its budget did."""
        if ended.why == "exhausted":
            why = f"is refused (the last one: {ended.detail})" if ended.detail else "was tried already"
            self.console.print(f"Every candidate that the strategy proposes {why}; the search ends here.")
        if ended.why == "failures":
            if self.page:
                write_page(self.opened.folder)
            raise NetwrightError(
                f"{self.loop.book.failures_in_a_row} trials in a row failed, so the search was stopped. The last one: "
                f"{ended.detail}. See report.html and logs/ in {self.opened.folder}; what was recorded is kept."
            )

    def _allowance(self) -> Allowance:
        """What one trial may use: a large share of the time budget, and its part of the memory that is free."""
        seconds = self.opened.settings.budget.seconds
        longest = LONGEST_TRIAL_SECONDS if seconds is None else max(60.0, seconds * LONGEST_TRIAL_SHARE)
        share = psutil.virtual_memory().total * MEMORY_SHARE / self.opened.executor.workers
        return Allowance(longest, int(share))

    def _understood(self) -> dict[str, Any]:
        settings, space = self.opened.settings, self.opened.space
        described = {"name": space.name, "size": space.size()}
        if self.opened.fact("space") != described:
            self.opened.note("space", described)
        return {
            "data": data_facts(self.opened.data),
            "space": described,
            "strategy": strategy_in_words(settings),
            "budget": budget_in_words(settings),
            "workers": self.opened.executor.workers,
        }


def to_go_on(settings: Settings, folder: Path) -> str:
    """The shortest command that goes on with a run, paths as they were given: what is left out keeps its value."""
    if settings.data != ARRAYS and settings.space != PYTHON_SPACE:
        files = {"--strategy": settings.strategy or "", "--space": settings.space or ""}
        named = [word for option, name in files.items() if is_file(name) for word in (option, name)]
        return shlex.join(["netwright", "search", settings.data, *named, "--out", str(folder)])
    data = "images, labels=labels" if settings.data == ARRAYS else repr(settings.data)
    given = ", space=space" if settings.space == PYTHON_SPACE else ""
    return f"nw.search({data}{given}, out={str(folder)!r})"


@contextmanager
def _interrupts(loop: Loop) -> Iterator[None]:
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
