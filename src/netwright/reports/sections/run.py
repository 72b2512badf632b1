"""The parts about the run: 6 how the search went, 7 all trials, 8 how to do it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netwright.core.text import plain_lines, public
from netwright.reports import figures, words
from netwright.reports.axes import Frame
from netwright.reports.comparison import random_count
from netwright.reports.markup import Markup, join, tag
from netwright.reports.promoted import about_promoted
from netwright.reports.sections.parts import both, figure, section, table
from netwright.reports.story import Story
from netwright.reports.tables import FailureRow
from netwright.reports.terminal import data_in_words, size_in_words

TAIL = 40

# -- 6 -----------------------------------------------------------------------------------------------------------------


def search(story: Story) -> Markup:
    """Progress, rungs, time, parallel work and failures."""
    parts: list[object] = []
    if story.best.steps:
        says = _best_says(story)
        wide, narrow = (
            figures.plot_best(story.best, story.references, metric=story.view.metric.metric, says=says, frame=frame)
            for frame in (Frame(1080, 330, 52, 16, 34, 44), Frame(380, 320, 46, 14, 34, 44))
        )
        parts.append(figure(says, both(wide, narrow), title="Best so far"))
    if story.promoted:
        says = about_promoted(story.promoted, story.view.metric.metric)
        parts += [tag("h3", None, "From short to longer training"), tag("p", None, says)]
    if story.time:
        parts.append(_time(story))
    if story.timeline.spans:
        lanes = story.timeline.lanes
        height = 62 + min(26, 300 / lanes) * lanes
        says = (
            f"Each bar is a trial, each row a worker: {words.plural(len(story.timeline.spans), 'trial')} on "
            f"{words.plural(lanes, 'worker')}. Gaps are waiting."
        )
        wide, narrow = (
            figures.plot_timeline(story.timeline, Frame(width, height, 26, 14, 18, 44), says) for width in (1080, 380)
        )
        parts.append(figure(says, both(wide, narrow), title="Side by side"))
    parts.append(_failures(story.failures))
    return section(6, "search", "How the search went", *parts)


def _best_says(story: Story) -> str:
    best, metric = story.best, story.view.metric.metric
    last = best.steps[-1]
    says = (
        f"The search reached {words.measured(metric, last.quality)} on validation images after "
        f"{words.duration(last.seconds)} of training, in trial {last.trial}; {words.duration(best.seconds)} were used."
    )
    if not best.random:
        return f"{says} Too few random candidates ({best.random_candidates}) to say what random search would give."
    end = best.random[-1]
    return (
        f"{says} The band is what the best of the run's own {words.plural(best.random_candidates, 'random candidate')} "
        f"would be, drawn in random order (mean, and the middle 90 %): {words.valued(metric, end.mean)} after "
        f"{words.duration(end.seconds)}."
    )


def _time(story: Story) -> Markup:
    total = sum(row.seconds for row in story.time) or 1.0
    rows = [
        tag(
            "li",
            None,
            tag("i", {"class": f"time {row.what.replace(' ', '-')}"}),
            f"{row.what} ",
            tag("strong", None, f"{100 * row.seconds / total:.0f} %"),
            tag(
                "span",
                {"class": "soft"},
                f" {words.duration(row.seconds)}" + (f", {words.plural(row.trials, 'trial')}" if row.trials else ""),
            ),
        )
        for row in story.time
    ]
    wide, narrow = (figures.plot_time(story.time, Frame(width, 30, 0, 0, 2, 2)) for width in (1080, 380))
    workers = story.facts.get("workers")
    of_all = f"All {words.plural(workers, 'worker')}" if isinstance(workers, int) and workers > 1 else "The worker"
    says = f"{of_all}: {words.duration(total)} in {words.duration(story.view.history.seconds)}."
    return figure(says, both(wide, narrow), tag("ul", {"class": "shares"}, *rows), title="Where the time went")


def _failures(rows: Sequence[FailureRow]) -> Markup:
    head = tag("h3", None, "Failures")
    if not rows:
        return join((head, tag("p", {"class": "none"}, "No trial failed.")))
    cells = []
    for row in rows[:20]:
        tail = public(plain_lines("\n".join(row.detail.splitlines()[-TAIL:])))
        reason: object = tag("span", {"class": "reason"}, words.clipped(row.reason, 300))
        if tail:
            log = tag("details", None, tag("summary", None, f"log of trial {row.example}"), tag("pre", None, tail))
            reason = join((reason, log))
        button = tag("button", {"type": "button", "data-trial": row.example}, f"trial {row.example}")
        cells.append(
            (
                tag("span", {"class": "status"}, row.status.replace("_", " ")),
                words.count(row.trials),
                words.duration(row.seconds) if row.seconds else "",
                reason,
                button,
            )
        )
    more = f" The {len(rows) - 20} rarest causes are not listed." if len(rows) > 20 else ""
    total = words.plural(sum(row.trials for row in rows), "trial")
    note = f"{total} failed, for {words.plural(len(rows), 'cause')}. A failure costs its own trial alone.{more}"
    return join(
        (
            head,
            table(("status", "trials", "time lost", "reason", "example"), cells, "failures"),
            tag("p", {"class": "soft"}, note),
        )
    )


# -- 7 and 8 -----------------------------------------------------------------------------------------------------------


def trials(story: Story) -> Markup:
    """The frame of the table of all trials; the script fills it from the data in the page."""
    statuses = sorted({row.status for row in story.trials})
    options = [tag("option", {"value": ""}, "any status")]
    options += [tag("option", {"value": status}, status.replace("_", " ")) for status in statuses]
    controls = tag(
        "div",
        {"class": "controls"},
        tag(
            "input",
            {"type": "search", "id": "find", "placeholder": "Find in all trials", "aria-label": "Find in all trials"},
        ),
        tag("select", {"id": "status", "aria-label": "Status"}, *options),
        tag("button", {"type": "button", "id": "csv"}, "Download CSV"),
    )
    grid = tag("div", {"class": "scroll"}, tag("table", {"id": "all", "class": "numbers"}))
    pager = tag(
        "div",
        {"class": "pager"},
        tag("button", {"type": "button", "id": "before"}, "Previous"),
        tag("span", {"id": "page", "aria-live": "polite"}),
        tag("button", {"type": "button", "id": "after"}, "Next"),
    )
    says = f"{words.plural(len(story.trials), 'trial')}, baselines and final trainings included."
    return section(7, "trials", "All trials", tag("p", {"class": "soft"}, says), controls, grid, pager)


def again(story: Story) -> Markup:
    """What it takes to repeat, to go on, and to use the result."""
    facts = story.facts
    data = facts.get("data") or {}
    space = facts.get("space") or {}
    random = random_count(story.view)
    lines: list[tuple[str, object]] = [
        ("Command", _code(facts.get("command"))),
        ("Go on", _code(facts.get("resume"))),
        ("Use it", _code(facts.get("predict"))),
        ("Network", facts.get("export")),
        ("Seed", facts.get("seed")),
        ("Data", data_in_words(data) if data else None),
        ("Fingerprint of the data", data.get("fingerprint")),
        ("Licence of the data", data.get("licence")),
        ("Findings", _findings(data.get("findings") or ())),
        ("Space", f"{space.get('name', 'custom')}, {size_in_words(space.get('size'))}" if space else None),
        ("Strategy", facts.get("strategy")),
        ("Random candidates", words.count(random) if random else None),
        ("Budget", facts.get("budget")),
        ("Workers", facts.get("workers")),
        ("Epochs", _rungs(facts.get("epochs"), facts.get("epoch_images"))),
        ("Objectives", ", ".join(map(str, story.view.goal.objectives))),
        ("Limits", ", ".join(map(str, story.view.goal.limits)) or None),
        ("Test images read", _reads(story.view.test_reads)),
        ("Machine", ", ".join(str(value) for value in (facts.get("machine") or {}).values()) or None),
        ("Versions", ", ".join(f"{name} {version}" for name, version in (facts.get("versions") or {}).items()) or None),
    ]
    shown = [
        tag("div", None, tag("dt", None, name), tag("dd", None, value))
        for name, value in lines
        if value not in (None, "")
    ]
    return section(8, "again", "Again", tag("dl", {"class": "facts"}, *shown))


def _code(command: object) -> Markup | None:
    return tag("code", None, command) if command else None


def _findings(findings: Sequence[Any]) -> Markup | None:
    if not findings:
        return None
    return tag("ul", None, *(tag("li", None, f"{entry.get('severity')}: {entry.get('message')}") for entry in findings))


def _rungs(epochs: object, images: object) -> str | None:
    if not isinstance(epochs, list) or not epochs:
        return None
    rungs = words.listed([str(epoch) for epoch in epochs[:-1]])
    said = f"{rungs} while searching, {epochs[-1]} for finalists" if rungs else str(epochs[-1])
    return f"{said}; an epoch is {words.count(images)} images" if isinstance(images, int) else said


def _reads(reads: int) -> str | None:
    return None if not reads else "once" if reads == 1 else f"{reads} times"
