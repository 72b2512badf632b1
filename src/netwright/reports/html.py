"""Writes the report: one HTML file that needs nothing else, and the same numbers as JSON.

Text reaches the page through `markup`, which escapes it, or through JSON islands that the page's script shows by
`textContent`. A content security policy names our own style and script by their hashes and allows nothing from
elsewhere, so that even a hole in the escaping could load and run nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from netwright.core.files import storing, write_text
from netwright.core.text import plain, public
from netwright.reports import words
from netwright.reports.markup import Markup, island, join, tag
from netwright.reports.network import compute_blocks
from netwright.reports.sections import result, run, trust
from netwright.reports.story import Story, differences_of, report_json, tell
from netwright.reports.tables import TrialRow, cost_names, trials_csv
from netwright.reports.view import RunView

DRAWINGS = 80
"""Networks that can be looked at besides the winner; the front first, then by quality."""

PARTS = (
    ("answer", "Answer"),
    ("choice", "Choice"),
    ("network", "Network"),
    ("trust", "Trust"),
    ("mattered", "What mattered"),
    ("search", "Search"),
    ("trials", "All trials"),
    ("again", "Again"),
)


def write_report(view: RunView, folder: Path, *, images: bool = True) -> tuple[Path, Path]:
    """Write `report.html` and `report.json` into `folder`, each whole or not at all; gives their paths.

    `images=False` leaves out all images of the data and the names of their files. Raises StorageError.
    """
    if not images:
        view = replace(view, image=None, test_names=(), facts=_without_names(view.facts))
    story = tell(view)
    page, record = folder / "report.html", folder / "report.json"
    numbers = json.dumps(report_json(story), ensure_ascii=False, indent=1, allow_nan=False)
    with storing(f"the report in {folder}"):
        write_text(record, f"{numbers}\n")
        write_text(page, page_of(story))
    return page, record


def _without_names(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a run, where findings about its data name no file."""
    data = facts.get("data") or {}
    findings = [
        {"severity": finding["severity"], "message": finding["unnamed"]} for finding in data.get("findings", ())
    ]
    return {**facts, "data": {**data, "findings": findings}} if findings else dict(facts)


def page_of(story: Story) -> str:
    """The whole page."""
    style, script = (_asset(name) for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    name = _name(story)
    head = tag(
        "head",
        None,
        tag("meta", {"charset": "utf-8"}),
        tag("meta", {"http-equiv": "Content-Security-Policy", "content": policy}),
        tag("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        tag("meta", {"name": "color-scheme", "content": "light dark"}),
        tag("meta", {"name": "referrer", "content": "no-referrer"}),
        tag("title", None, f"{name}: netwright report"),
        tag("style", None, Markup(style)),
    )
    body = tag(
        "body",
        None,
        _header(story, name),
        tag(
            "main",
            None,
            result.answer(story),
            result.choice(story),
            result.network(story),
            trust.trust(story),
            trust.mattered(story),
            run.search(story),
            run.trials(story),
            run.again(story),
        ),
        tag("div", {"id": "tip", "role": "tooltip", "hidden": True}),
        _drawings(story),
        island("data", table_data(story)),
        tag("script", None, Markup(script)),
    )
    return f"<!doctype html>\n{tag('html', {'lang': 'en'}, head, body)}\n"


def _asset(name: str) -> str:
    return files("netwright.reports").joinpath(name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _name(story: Story) -> str:
    data = story.facts.get("data") or {}
    return str(data.get("name") or "netwright")


def _header(story: Story, name: str) -> Markup:
    said = [name, story.facts.get("created"), story.facts.get("budget")]
    links = (tag("a", {"href": f"#{part}"}, title) for part, title in PARTS)
    return tag(
        "header",
        None,
        tag("p", {"class": "brand"}, tag("strong", None, "netwright"), " ", " · ".join(str(s) for s in said if s)),
        tag("nav", {"aria-label": "Parts of the report"}, *links),
    )


def _drawings(story: Story) -> Markup:
    """Drawings of further networks, as templates that the script takes out when a trial is chosen."""
    view = story.view
    roles = view.roles
    ranked = sorted(story.candidates, key=lambda row: (not (row.front or row.final),))
    numbers = [roles.handmade, *(row.trial for row in ranked)]
    parts: list[Markup] = []
    for number in dict.fromkeys(number for number in numbers if number is not None and number != story.shown):
        if len(parts) == DRAWINGS:
            break
        blocks = compute_blocks(view, number)
        if blocks:
            drawn = result.drawing(blocks, differences_of(view, number), view, number)
            parts.append(tag("template", {"id": f"network-{number}"}, drawn))
    return join(parts)


# -- the data of the table ---------------------------------------------------------------------------------------------


def table_data(story: Story) -> dict[str, Any]:
    """All trials for the page's script: columns, rows, the words they share, and the CSV.

    A cell is a text or number, null, or a pair of the number to sort by and its text. Networks are kept once each
    and named by their place in `networks`.
    """
    metric = story.view.metric.metric
    costs = cost_names(story.view)
    networks: dict[str, int] = {}
    rows = [[*_cells(row, [metric, *costs]), networks.setdefault(row.words, len(networks))] for row in story.trials]
    columns = [
        "trial",
        "status",
        "origin",
        "epochs",
        words.heading(metric),
        *map(words.heading, costs),
        "time",
        "parents",
    ]
    tested = {
        str(number): [f"{words.heading(metric)}, {value.split}", words.measured(metric, value)]
        for number, value in story.tested.values.items()
    }
    return {
        "columns": [*columns, "key", "reason", "network"],
        "rows": rows,
        "networks": list(networks),
        "tested": tested,
        "shown": story.shown,
        "winner": story.view.roles.winner,
        "csv": trials_csv(story.trials),
        "name": _file_name(_name(story)),
    }


def _cells(row: TrialRow, metrics: list[str]) -> list[object]:
    cells: list[object] = [row.trial, row.status.replace("_", " "), row.origin, row.epochs]
    for name in metrics:
        measurement = row.measurements.get(name)
        cells.append(None if measurement is None else [measurement.value, words.measured(name, measurement)])
    cells.append([round(row.seconds, 2), words.duration(row.seconds)] if row.seconds else None)
    cells.append(", ".join(map(str, row.parents)) or None)
    return [*cells, public(plain(row.key))[:12], row.reason or None]


def _file_name(name: str) -> str:
    kept = "".join(mark if mark.isascii() and mark.isalnum() else "-" for mark in name.lower()).strip("-")
    return f"{kept[:40] or 'netwright'}-trials.csv"
