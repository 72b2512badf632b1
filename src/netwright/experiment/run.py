"""One run from beginning to end: open the folder, search, train the best, test, export, report."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from netwright.core.errors import InputError, NetwrightError, StorageError
from netwright.core.trial import TrialId
from netwright.data.catalog import open_data
from netwright.data.dataset import Dataset
from netwright.experiment.closing import Closing
from netwright.experiment.driving import Driver, interrupts, process_age
from netwright.experiment.opening import OpenData, Opened, open_run
from netwright.experiment.outcome import outcome
from netwright.experiment.page import write_page
from netwright.experiment.settings import ARRAYS, Settings
from netwright.experiment.shipping import export_trial
from netwright.experiment.stages import Stages, baselines, search_source
from netwright.experiment.view import strategy_in_words, view_of
from netwright.loop import Ended
from netwright.reports.terminal import end_summary, error_console, silent_console
from netwright.reports.verdict import verdict
from netwright.spaces.catalog import SpaceMaker
from netwright.strategies import RandomSearch, Screening


@dataclass(frozen=True, slots=True)
class SearchEnded:
    """What a search came to: the object that `--json` prints, and whether Ctrl-C ended it."""

    outcome: dict[str, Any]
    interrupted: bool


def search_command(settings: Settings, out: Path, *, allow_changed: bool = False) -> SearchEnded:
    """A search as the command line runs it."""
    return run_search(settings, out, data_of, allow_changed=allow_changed, head_start=process_age())


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
        ended = _SearchRun(opened, stack, silent_console() if quiet else error_console(), page).run()
    return SearchEnded(outcome(out), ended)


class _SearchRun:
    """A search on an opened folder: its sources and stages, and what is said at the end."""

    def __init__(self, opened: Opened, stack: ExitStack, console: Console, page: bool) -> None:
        self.opened = opened
        self.page = page
        self.console = console
        self.driver = Driver(opened, stack, console, strategy_in_words(opened.settings))
        self.desk, self.watch, self.loop = self.driver.desk, self.driver.watch, self.driver.loop
        self.ladder, settings = self.driver.ladder, opened.settings
        strategy = self.strategy = search_source(opened, self.desk, self.ladder, opened.strategy, "search")
        sources = {"baseline": baselines(opened.reference, self.ladder), "search": strategy}
        if settings.rival:
            sources["rival"] = search_source(opened, self.desk, self.ladder, RandomSearch, "rival")
        self.loop.restore(sources)
        for remark in strategy.remarks():  # some of them are learned from results
            self.console.print(remark, style="dim")
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
        with interrupts(self.loop):
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
            self.driver.stop()
            return True
        self.watch.stage = "closing"
        if trials:
            closing = Closing(self.stages, trials, memory=self.page or "memory" in self.opened.goal.metrics)
            winner = closing.run()
            judged = verdict(view_of(self.opened.folder, images=False))
            export_trial(self.opened.folder, winner)
            measured = self.opened.fact("measured") or {}
            told = judged.text
            self._note_outcome(closing.number, winner, measured.get("front", [winner]), told)
        else:
            told = self._without_network()
            self._note_outcome((self.opened.fact("stage") or {"number": 0})["number"], None, [], told)
        self.loop.tick(force=True)
        html = write_page(self.opened.folder)[0] if self.page else None
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

    def _note_outcome(self, stage: int, winner: TrialId | None, front: Sequence[TrialId], told: str) -> None:
        """What this `stage` has come to."""
        asked = self._asked()
        self.opened.note(
            "outcome", {"stage": stage, "winner": winner, "front": list(front), "verdict": told, "asked": asked}
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
