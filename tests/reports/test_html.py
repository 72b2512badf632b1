from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from netwright.reports.figures import MOST_DOTS
from netwright.reports.html import page_of, write_report
from netwright.reports.markup import VOID, island, tag, text
from netwright.reports.story import Story, tell
from netwright.reports.view import RunView
from tests.reports.browser import opened
from tests.reports.runs import make_run

HOSTILE = (
    "<img src=x onerror=\"document.title='owned'\">",
    "</script><script>document.title='owned'</script>",
    "'\"><svg onload=document.title='owned'>",
    "=cmd|' /C calc'!A0",
    "[red]bold[/red]\x1b[31m",
    "n" * 80,
)
CASES: dict[str, dict[str, Any]] = {
    "five trials": {"trials": 5},
    "many": {"trials": 500, "limits": ("parameters<=100k", "accuracy>=60%")},
    "three objectives": {
        "trials": 60,
        "objectives": ("accuracy", "latency", "parameters"),
        "limits": ("latency<=1ms",),
    },
    "loss": {"trials": 60, "objectives": ("loss", "macs")},
    "one objective": {"trials": 60, "objectives": ("auc",)},
    "none finished": {"trials": 30, "final": False},
    "all failed": {"trials": 30, "failing": 1.1},
    "no trial": {"trials": 0, "final": False},
    "rare class": {"trials": 30, "rare": True},
    "hostile": {"trials": 30, "labels": HOSTILE},
    "many classes": {"trials": 30, "labels": tuple(f"class {i}" for i in range(100))},
    "no images": {"trials": 30, "images": False},
}


class Strict(HTMLParser):
    """Fails on elements that are not closed in order, and gathers tags and attributes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(page: str) -> Strict:
    parser = Strict()
    parser.feed(page)
    assert parser.open == []
    return parser


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    view = make_run(tmp_path_factory.mktemp("hostile"), trials=40, labels=HOSTILE)
    for number, trial in enumerate(list(view.history.trials.values())):
        if trial.reason:
            trial.reason, trial.detail = HOSTILE[number % 3], "\n".join(HOSTILE)
    facts = {**view.facts, "command": HOSTILE[1], "data": {**view.facts["data"], "name": HOSTILE[0]}}
    return write_report(replace(view, facts=facts), tmp_path_factory.mktemp("page"))[0]


@pytest.mark.parametrize("name", CASES)
def test_every_kind_of_run_has_a_sound_page_and_json(name: str, tmp_path: Path) -> None:
    view = make_run(tmp_path, **CASES[name])
    page, record = write_report(view, tmp_path)
    found = parsed(page.read_text(encoding="utf-8"))
    assert json.loads(record.read_text(encoding="utf-8"))["schema"] == 1
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for part in ("answer", "choice", "network", "trust", "mattered", "search", "trials", "again"):
        assert part in ids
    assert not [attributes for _, attributes in found.tags if "style" in attributes]  # the policy forbids them
    assert not re.search(r"\b(nan|inf)\b", re.sub(r"<script.*?</script>", "", page.read_text(), flags=re.S), re.I)
    for svg in re.findall(r"<svg.*?</svg>", page.read_text(encoding="utf-8"), flags=re.S):
        ET.fromstring(svg)


def test_page_and_json_tell_the_same(view: RunView, folder: Path) -> None:
    page, record = write_report(view, folder)
    told = json.loads(record.read_text(encoding="utf-8"))
    shown = page.read_text(encoding="utf-8").replace("\u00a0", " ")
    for sentence in tell(view).verdict.remarks:
        assert sentence in told["verdict"]
        assert text(sentence) in shown
    assert told["winner"] == view.roles.winner
    assert told["front"][0]["quality"]["value"] >= told["front"][-1]["quality"]["value"]
    assert len(told["trials"]) == len(view.history.trials)


def test_nothing_is_loaded_from_elsewhere(view: RunView, folder: Path) -> None:
    page = write_report(view, folder)[0].read_text(encoding="utf-8")
    found = parsed(page)
    loaded = [
        value
        for tag_, attributes in found.tags
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action", "data") and tag_ != "a"
    ]
    assert all((value or "").startswith("data:image/png") for value in loaded)
    assert "url(" not in page
    assert "@import" not in page
    policy = next(a["content"] for t, a in found.tags if t == "meta" and a.get("http-equiv"))
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_pictures_say_what_they_show(story: Story) -> None:
    page = page_of(story)
    figures = re.findall(r"<figure.*?</figure>", page, flags=re.S)
    assert len(figures) >= 8
    assert all(re.search(r"<figcaption>[^<]{15,}", figure) for figure in figures)
    assert all('aria-label="' in svg or 'aria-hidden="true"' in svg for svg in re.findall(r"<svg[^>]*>", page))


def test_the_front_is_drawn_whole_and_reached_by_keyboard(story: Story) -> None:
    page = page_of(story)
    for row in story.front:
        assert re.search(rf'data-trial="{row.trial}" tabindex="0" role="button"', page)


def test_a_large_run_is_thinned_and_small_enough(tmp_path: Path) -> None:
    view = make_run(tmp_path, trials=3000)
    story = tell(view)
    page = page_of(story)
    dots = max(group.count("<circle") for group in re.findall(r'<g class="dots">.*?</g>', page, flags=re.S))
    assert len(story.candidates) > MOST_DOTS
    assert 200 < dots <= MOST_DOTS
    for row in story.front:
        assert f'data-trial="{row.trial}" tabindex="0"' in page
    assert len(page.encode()) < 3_000_000


def test_without_images_none_is_in_the_page_and_no_name_of_a_file(view: RunView, folder: Path) -> None:
    page, record = write_report(view, folder, images=False)
    for file in (page, record):
        content = file.read_text(encoding="utf-8")
        assert "data:image" not in content
        assert "IMG_" not in content
        assert "corrupt; replace or remove it" in content
    assert "data:image" in write_report(view, folder)[0].read_text(encoding="utf-8")


@pytest.mark.attack(20)
def test_nothing_of_this_machine_is_in_the_report(view: RunView, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETWRIGHT_CANARY_TOKEN", "canary-5b1f77")
    crashed = next(trial for trial in view.history.trials.values() if trial.status == "crashed")
    detail = 'File "/home/ada/secret-project/fit.py"\nNETWRIGHT_CANARY_TOKEN=canary-5b1f77\n' + crashed.detail
    history = replace(view.history, trials={**view.history.trials, crashed.id: replace(crashed, detail=detail)})
    facts = {**view.facts, "command": "netwright search /home/ada/secret-project/data --out /srv/private/runs/signs"}
    for file in write_report(replace(view, history=history, facts=facts), folder):
        content = file.read_text(encoding="utf-8")
        for canary in ("canary-5b1f77", "/home/ada", "secret-project", "/srv/private", str(folder)):
            assert canary not in content
        assert "netwright search …/data --out …/signs" in content


@pytest.mark.attack(7)
def test_hostile_names_are_text(hostile: Path) -> None:
    page = hostile.read_text(encoding="utf-8")
    found = parsed(page)
    scripts = [attributes for tag_, attributes in found.tags if tag_ == "script"]
    assert len(scripts) == 2  # the data and our own
    assert not [attributes for _, attributes in found.tags if any(name.startswith("on") for name in attributes)]
    assert not [1 for tag_, attributes in found.tags if tag_ == "img" and attributes.get("src") == "x"]
    assert "&lt;img src=x onerror=" in page


@pytest.mark.attack(7)
def test_hostile_names_run_nothing_in_a_browser(hostile: Path) -> None:
    document, log = opened(hostile)
    assert log == ""
    title = re.search(r"<title>(.*?)</title>", document, flags=re.S)
    assert title is not None
    assert "netwright report" in title.group(1)
    assert re.search(r'<table id="all".*?<tbody><tr data-trial="1"', document, flags=re.S)
    assert "<img src=x" not in document.replace("&lt;img", "")


@pytest.mark.attack(7)
def test_the_policy_stops_what_would_get_through(view: RunView, folder: Path) -> None:
    """Even with a hole in the escaping, an injected script or image does nothing."""
    page = write_report(view, folder)[0]
    hole = page.read_text(encoding="utf-8").replace(
        "<main>",
        "<main><script>document.title='owned'</script><img src=\"file:///x.png\" onerror=\"document.title='owned'\">",
    )
    broken = folder / "hole.html"
    broken.write_text(hole, encoding="utf-8")
    document, log = opened(broken)
    assert "<title>owned</title>" not in document
    assert "Content Security Policy" in log


@pytest.fixture
def visits() -> Iterator[tuple[str, list[str]]]:
    """A server on this machine: its address, and the paths that somebody asked it for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


@pytest.mark.attack(7)
def test_the_page_asks_nobody_for_anything(visits: tuple[str, list[str]], tmp_path: Path) -> None:
    """Neither for names that are elements, nor, with a hole in the escaping, for those elements themselves."""
    address, asked = visits
    calls = (
        f'<img src="{address}/image">',
        f'<link rel="stylesheet" href="{address}/style"><iframe src="{address}/frame"></iframe>',
        f"<script>fetch('{address}/fetch')</script>",
    )
    page = write_report(make_run(tmp_path, trials=20, labels=(*calls, "a plain name")), tmp_path)[0]
    opened(page)
    assert asked == []
    hole = tmp_path / "hole.html"
    hole.write_text(page.read_text(encoding="utf-8").replace("<main>", "<main>" + "".join(calls)), encoding="utf-8")
    opened(hole)
    assert asked == []
    policy = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
    hole.write_text(policy.sub("", hole.read_text(encoding="utf-8")), encoding="utf-8")
    opened(hole)
    assert {"/image", "/style", "/frame"} <= set(asked), "without the policy they are asked for"


def test_choosing_a_trial_changes_panel_and_drawing(story: Story, folder: Path) -> None:
    page = folder / "chosen.html"
    page.write_text(page_of(story), encoding="utf-8")
    other = next(row for row in story.candidates if row.final and not row.winner)
    mark = f'g.mark[data-trial="{other.trial}"]'
    document, log = opened(
        page, script=f"document.querySelector('svg {mark}').dispatchEvent(new Event('click', {{bubbles: true}}))"
    )
    assert log == ""
    assert f"<h3>Trial {other.trial}</h3>" in document
    assert f'<p class="soft" id="drawn-title">Trial {other.trial}.</p>' in document


def test_the_table_sorts_and_filters(story: Story, folder: Path) -> None:
    page = folder / "table.html"
    page.write_text(page_of(story), encoding="utf-8")
    script = """
      const select = document.getElementById('status');
      select.value = 'crashed';
      select.dispatchEvent(new Event('change'));
      document.querySelector('#all th button').click();
    """
    document, log = opened(page, script=script)
    assert log == ""
    body = re.search(r"<tbody>(.*?)</tbody>\s*</table>\s*</div>\s*<div class=\"pager\"", document, flags=re.S)
    assert body is not None
    shown = [int(number) for number in re.findall(r'<tr data-trial="(\d+)"', body.group(1))]
    crashed = [row.trial for row in story.trials if row.status == "crashed"]
    assert shown == sorted(crashed, reverse=True)[:25]


def test_no_scrolling_sideways_on_a_phone(story: Story, folder: Path) -> None:
    page = folder / "phone.html"
    page.write_text(page_of(story), encoding="utf-8")
    script = "document.title = document.documentElement.scrollWidth <= innerWidth ? 'fits' : 'too wide'"
    document, _ = opened(page, script=script, width=500)
    assert "<title>fits</title>" in document


def test_an_island_cannot_be_left() -> None:
    held = island("data", {"name": "</script><!-- \u2028"})
    assert held.count("</script>") == 1
    assert "<!--" not in held
    content = held.removeprefix('<script type="application/json" id="data">').removesuffix("</script>")
    assert json.loads(content) == {"name": "</script><!-- \u2028"}


def test_elements_escape_their_texts_and_attributes() -> None:
    made = tag("p", {"title": '"><b>', "hidden": True, "id": None}, "<i>", tag("b", None, "&"))
    assert made == '<p title="&quot;&gt;&lt;b&gt;" hidden>&lt;i&gt;<b>&amp;</b></p>'
