"""The terminal: what was understood before a search, one live view while it runs, one sentence when it ends.

Everything goes to standard error. On a terminal the view is redrawn in place; elsewhere one line is written every
ten seconds or on a new best. `NO_COLOR` is honoured. Text from outside is shown without control characters, and
never read as markup.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from netwright.core.objective import Goal
from netwright.core.text import plain
from netwright.reports import words
from netwright.reports.progress import Progress, WorkerNow

LINE_SECONDS = 10.0
WORKERS_SHOWN = 8
_BARS = "▁▂▃▄▅▆▇█"


def error_console() -> Console:
    """A console on standard error; without colour when `NO_COLOR` is set or it is not a terminal.

    A notebook is no terminal: it gets a line now and then.
    """
    return Console(stderr=True, highlight=False, force_jupyter=False)


def silent_console() -> Console:
    """A console that shows nothing."""
    return Console(quiet=True, force_terminal=False, force_jupyter=False)


class LiveView:
    """Shows the progress of one search. Use it in a `with` block and hand it a `Progress` as often as you like."""

    def __init__(
        self,
        goal: Goal,
        *,
        title: str = "",
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._goal = goal
        self._title = plain(title)
        self._console = console or error_console()
        self._clock = clock
        self._live: Live | None = None
        self._line_at: float | None = None
        self._line_best: int | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def update(self, progress: Progress) -> None:
        """Show `progress`: at most four redraws a second, or a line when one is due."""
        now = self._clock()
        if self._live is not None:
            if self._line_at is None or now - self._line_at >= 0.25:
                self._line_at = now
                self._live.update(live_view(progress, self._goal, self._title), refresh=True)
            return
        due = self._line_at is None or now - self._line_at >= LINE_SECONDS
        if due or progress.best_trial != self._line_best:
            self._line_at, self._line_best = now, progress.best_trial
            self._console.print(Text(progress_line(progress, self._goal)), soft_wrap=True)


def live_view(progress: Progress, goal: Goal, title: str = "") -> Group:
    """The whole view, at most 19 lines."""
    head = Text.assemble(("netwright ", "bold"), (title, ""), ("  " + plain(progress.stage), "dim"), no_wrap=True)
    head.truncate(100, overflow="ellipsis")
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="ellipsis", no_wrap=True)
    rows.add_row("time", _time(progress))
    rows.add_row("trials", _trials(progress))
    rows.add_row("best", _best(progress, goal))
    rows.add_row("front", Text(words.plural(progress.front, "network")))
    if len(progress.bests) > 1:
        rows.add_row("", Text.assemble((sparkline(progress.bests), "cyan"), (" best over time", "dim")))
    shown = progress.workers[:WORKERS_SHOWN]
    for number, worker in enumerate(shown, start=1):
        rows.add_row(f"worker {number}", Text(worker_line(worker)))
    if len(progress.workers) > len(shown):
        rows.add_row("", Text(f"and {len(progress.workers) - len(shown)} more workers", style="dim"))
    if progress.last_failure:
        rows.add_row("last failure", Text(words.clipped(plain(progress.last_failure), 90), style="magenta"))
    parts: list[Any] = [head]
    if progress.seconds_left is not None:
        total = progress.seconds + progress.seconds_left
        parts.append(ProgressBar(total=max(total, 1e-9), completed=progress.seconds, width=60))
    return Group(*parts, rows, Text("Ctrl-C stops; the same command goes on.", style="dim"))


def progress_line(progress: Progress, goal: Goal) -> str:
    """The progress in one line, for logs."""
    parts = [
        f"{words.duration(progress.seconds)}",
        plain(progress.stage),
        f"{words.count(progress.done)} done, {progress.running} running, {progress.failed} failed",
    ]
    if progress.best:
        parts.append(f"best {_measured_all(progress, goal)} (trial {progress.best_trial})")
    if progress.seconds_left is not None:
        parts.append(f"{words.duration(max(0.0, progress.seconds_left))} left")
    return " | ".join(parts)


def worker_line(worker: WorkerNow) -> str:
    """`trial 12: training, epoch 3 of 9, 14 s`."""
    epochs = f", epoch {worker.epoch} of {worker.epochs}" if worker.epochs else ""
    return f"trial {worker.trial}: {plain(worker.doing)}{epochs}, {words.duration(worker.seconds)}"


def sparkline(values: Sequence[float], width: int = 40) -> str:
    """`values` as bars from their lowest to their highest; the last `width` of them."""
    shown = values[-width:]
    low, high = min(shown), max(shown)
    if high <= low:
        return _BARS[0] * len(shown)
    return "".join(_BARS[round((value - low) / (high - low) * (len(_BARS) - 1))] for value in shown)


def _time(progress: Progress) -> Text:
    text = Text(words.duration(progress.seconds))
    if progress.seconds_left is not None:
        text.append(f" used, {words.duration(max(0.0, progress.seconds_left))} left", style="dim")
    return text


def _trials(progress: Progress) -> Text:
    expected = f" of about {words.count(progress.expected)}" if progress.expected else ""
    text = Text(f"{words.count(progress.done)}{expected} done, {progress.running} running, ")
    text.append(f"{words.count(progress.failed)} failed", style="magenta" if progress.failed else "")
    return text


def _best(progress: Progress, goal: Goal) -> Text:
    if not progress.best:
        return Text("none yet", style="dim")
    return Text.assemble((_measured_all(progress, goal), "bold"), (f"  trial {progress.best_trial}", "dim"))


def _measured_all(progress: Progress, goal: Goal) -> str:
    parts = []
    for objective in goal.objectives:
        measurement = progress.best.get(objective.metric)
        if measurement is not None:
            text = words.measured(objective.metric, measurement)
            parts.append(text if objective.metric in words.PERCENT else f"{text} {_noun(objective.metric)}".strip())
    return ", ".join(parts)


def _noun(metric: str) -> str:
    return "" if metric == "macs" else words.title(metric)


# -- before and after --------------------------------------------------------------------------------------------------


def start_summary(facts: Mapping[str, Any], goal: Goal, *, console: Console | None = None) -> None:
    """Say what was understood. `facts` are those of `reports.view`, and `expected_trials`."""
    console = console or error_console()
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, text in start_lines(facts, goal):
        table.add_row(name, escape(plain(text)))
    console.print(table)


def start_lines(facts: Mapping[str, Any], goal: Goal) -> list[tuple[str, str]]:
    """(what, in words) for each thing that is known before a search begins."""
    lines = []
    data = facts.get("data") or {}
    if data:
        lines.append(("data", data_in_words(data)))
    lines.extend((finding["severity"], finding["message"]) for finding in data.get("findings", ())[:3])
    space = facts.get("space") or {}
    if space:
        lines.append(("space", f"{space.get('name', 'custom')}, {size_in_words(space.get('size'))}"))
    aims = [f"{words.title(objective.metric)} {_aim(objective.direction)}" for objective in goal.objectives]
    limits = [str(limit) for limit in goal.limits]
    lines.append(("aims", words.listed(aims) + (f"; within {words.listed(limits)}" if limits else "")))
    plan = [str(facts[name]) for name in ("strategy", "budget") if facts.get(name)]
    if facts.get("workers"):
        plan.append(words.plural(facts["workers"], "worker"))
    if facts.get("expected_trials"):
        plan.append(f"about {words.plural(facts['expected_trials'], 'trial')}")
    if plan:
        lines.append(("search", ", ".join(plan)))
    return lines


def _aim(direction: str) -> str:
    return "as high as possible" if direction == "max" else "as low as possible"


def data_in_words(data: Mapping[str, Any]) -> str:
    """`signs: 2,062 images of 64x64x3 in 10 classes (204 to 208 each); 1,442 train, …`."""
    parts = [str(data.get("name", "data"))]
    if data.get("images"):
        size = "x".join(str(side) for side in data.get("size", ()))
        parts.append(f"{words.plural(data['images'], 'image')}{' of ' + size if size else ''}")
    classes = data.get("classes") or {}
    if classes:
        fewest, most = min(classes.values()), max(classes.values())
        each = f"{words.count(fewest)} each" if fewest == most else f"{words.count(fewest)} to {words.count(most)} each"
        parts.append(f"{words.plural(len(classes), 'class', 'classes')} ({each})")
    split = data.get("split") or {}
    if split:
        how = f" ({data['how_split']})" if data.get("how_split") else ""
        parts.append(" / ".join(f"{words.count(number)} {name}" for name, number in split.items()) + how)
    return ", ".join(parts)


def size_in_words(size: int | None) -> str:
    """`15,625 candidates`, `about 3.2e14 candidates`, or that there is no end."""
    if size is None:
        return "endlessly many candidates (a value is continuous)"
    return words.plural(size, "candidate") if size < 10_000_000 else f"about {size:.1e} candidates".replace("e+", "e")


def end_summary(
    verdict: str,
    *,
    report: Path | None = None,
    export: Path | None = None,
    next_command: str = "",
    console: Console | None = None,
) -> None:
    """Say the verdict, where things lie, and what to do next."""
    console = console or error_console()
    console.print(Text(plain(verdict), style="bold"))
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    if report is not None:
        table.add_row("report", escape(plain(str(report))))
    if export is not None:
        table.add_row("network", escape(plain(str(export))))
    if next_command:
        table.add_row("next", escape(plain(next_command)))
    if table.row_count:
        console.print(table)
