from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from netwright.core.measurement import Measurement
from netwright.core.objective import parse_goal
from netwright.reports.progress import Progress, WorkerNow
from netwright.reports.terminal import (
    LiveView,
    end_summary,
    error_console,
    live_view,
    progress_line,
    sparkline,
    start_summary,
)
from netwright.reports.view import RunView

GOAL = parse_goal((), ("parameters<=100k",))
BEST = {"accuracy": Measurement(0.926, low=0.921, high=0.931), "parameters": Measurement(38_214)}


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def progress(**changes: object) -> Progress:
    made: dict[str, object] = {
        "stage": "search",
        "seconds": 200.0,
        "seconds_left": 400.0,
        "done": 42,
        "running": 2,
        "failed": 3,
        "expected": 120,
        "best_trial": 17,
        "best": BEST,
        "bests": (0.5, 0.7, 0.9, 0.926),
        "front": 7,
        "workers": (WorkerNow(43, epoch=3, epochs=9, seconds=14.0), WorkerNow(44, "measuring", seconds=2.0)),
        "last_failure": "the loss was not finite in epoch 2",
    }
    return Progress(**(made | changes))  # type: ignore[arg-type]


def shown(made: Progress, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(live_view(made, GOAL, "sign_digits"))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def piped() -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, width=80), stream


def test_the_view_says_where_the_search_stands() -> None:
    view = shown(progress())
    for part in (
        "3 min 20 s used, 6 min 40 s left",
        "42 of about 120 done, 2 running, 3 failed",
        "92.6 ± 0.5 %, 38,214 parameters",
        "7 networks",
        "trial 43: training, epoch 3 of 9, 14 s",
        "trial 44: measuring, 2.0 s",
        "the loss was not finite in epoch 2",
        "▁",
    ):
        assert part in view


@pytest.mark.parametrize("workers", [0, 2, 64])
@pytest.mark.parametrize("width", [40, 100])
def test_the_view_stays_under_twenty_lines(workers: int, width: int) -> None:
    made = progress(workers=tuple(WorkerNow(i) for i in range(workers)), last_failure="long " * 60)
    assert len(shown(made, width).splitlines()) < 20


def test_a_search_without_a_best_has_a_view() -> None:
    assert "none yet" in shown(Progress("baselines", 1.0))


def test_elsewhere_a_line_comes_every_ten_seconds_or_on_a_new_best() -> None:
    console, stream = piped()
    clock = Clock()
    with LiveView(GOAL, console=console, clock=clock) as view:
        for now, best in ((0, 17), (3, 17), (6, 18), (9, 18), (15, 18), (16, 18), (17, 18)):
            clock.now = float(now)
            view.update(progress(best_trial=best, seconds=float(now)))
    lines = stream.getvalue().splitlines()
    assert [line.split(" |")[0] for line in lines] == ["0 ms", "6.0 s", "16 s"]
    assert all("search | 42 done, 2 running, 3 failed | best 92.6 ± 0.5 %" in line for line in lines)
    assert "\x1b" not in stream.getvalue()


def test_a_terminal_is_redrawn_in_place_and_left_clean() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=100, force_terminal=True, color_system=None)
    clock = Clock()
    with LiveView(GOAL, title="signs", console=console, clock=clock) as view:
        view.update(progress())
        clock.now = 0.1
        view.update(progress(done=43))
        clock.now = 1.0
        view.update(progress(done=44))
    text = stream.getvalue()
    assert "42 of about 120" in text
    assert "43 of about 120" not in text  # within a quarter of a second
    assert "44 of about 120" in text
    assert "\x1b[1A\x1b[2K" in text.rpartition("44 of about 120")[2]  # the last view is wiped


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert error_console().no_color
    stream = io.StringIO()
    console = Console(file=stream, width=100, force_terminal=True)
    console.print(live_view(progress(), GOAL))
    assert "\x1b[35m" not in stream.getvalue()
    assert "\x1b[36m" not in stream.getvalue()


def test_everything_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with LiveView(GOAL) as view:
        view.update(progress())
    end_summary("It works.")
    said = capsys.readouterr()
    assert said.out == ""
    assert "It works." in said.err


@pytest.mark.attack(18)
def test_escapes_and_markup_are_shown_as_text(view: RunView) -> None:
    evil = "cat\x1b]0;owned\x07\x1b[2J[red]x[/red] [link=http://x]y[/link]"
    console, stream = piped()
    data = {**view.facts["data"], "name": evil}
    start_summary({**view.facts, "data": data, "strategy": evil}, GOAL, console=console)
    with LiveView(GOAL, title=evil, console=console) as live:
        live.update(progress(last_failure=evil, stage=evil))
    end_summary(evil, report=Path("runs/[red]x/report.html"), next_command=f"netwright {evil}", console=console)
    text = stream.getvalue() + shown(progress(last_failure=evil, stage=evil))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert text.count("[red]x[/red]") >= 5
    assert "runs/[red]x/report.html" in text.replace("\n", "")


def test_the_start_says_what_was_understood(view: RunView) -> None:
    console, stream = piped()
    start_summary({**view.facts, "expected_trials": 120}, GOAL, console=console)
    text = " ".join(stream.getvalue().split())
    for part in (
        "sign_digits, 2,062 images of 32x32x3, 10 classes (206 each), 1,441 train / 310 validation / 311 test",
        "mobile, endlessly many candidates",
        "accuracy as high as possible and parameters as low as possible; within parameters<=100k",
        "nsga2 with successive halving, 10 minutes, 2 workers, about 120 trials",
        "3 images carry an EXIF rotation",
    ):
        assert part in text


def test_the_end_says_the_sentence_and_where_things_lie() -> None:
    console, stream = piped()
    end_summary(
        "A network reaches 92.6 %.",
        report=Path("runs/signs/report.html"),
        export=Path("runs/signs/export"),
        next_command="netwright predict runs/signs some.jpg",
        console=console,
    )
    lines = stream.getvalue().splitlines()
    assert lines[0] == "A network reaches 92.6 %."
    assert [line.split()[0] for line in lines[1:]] == ["report", "network", "next"]


def test_a_sparkline_spans_its_values() -> None:
    assert sparkline([0.0, 0.5, 1.0]) == "▁▅█"
    assert sparkline([0.4, 0.4]) == "▁▁"
    assert len(sparkline(list(range(500)))) == 40


def test_the_line_names_no_time_left_where_there_is_none() -> None:
    assert "left" not in progress_line(progress(seconds_left=None), GOAL)
