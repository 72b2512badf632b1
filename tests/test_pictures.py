"""The pictures of the strategies' pages: every page shows its own, and all are well-formed, legible and the same each time."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest

from netwright.strategies import STRATEGIES, WRAPPERS

pytest.importorskip("scripts.pictures", reason="the scripts are not part of this copy")

from scripts.pictures.catalog import PICTURES, write
from scripts.pictures.sheet import DARK, LIGHT, WIDTH

PAGES = Path(__file__).parent.parent / "docs" / "algorithms"
KEPT = sorted((PAGES / "pictures").glob("*.svg"))
SHOWN = re.compile(r"!\[([^\]]*)\]\(pictures/(\w+\.svg)\)")
SVG = "{http://www.w3.org/2000/svg}"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
CHARACTER = 7.0
"""Pixels of a character of 13, which is what most fonts take at most, in the mean."""


def shown_on(page: str) -> dict[str, str]:
    """What a page says of each of its pictures, by file."""
    text = (PAGES / f"{page}.md").read_text("utf-8")
    return {file: " ".join(said.split()) for said, file in SHOWN.findall(text)}


@pytest.mark.parametrize("name", [*STRATEGIES, *WRAPPERS])
def test_every_strategy_has_a_page_that_begins_with_its_picture(name: str) -> None:
    page = {**STRATEGIES, **WRAPPERS}[name].__module__.rpartition(".")[2]
    assert page in PICTURES
    title, first, *_ = (PAGES / f"{page}.md").read_text("utf-8").split("\n\n")
    assert title.startswith("# ")
    assert f"(pictures/{page}.svg)" in first


def test_every_page_has_a_picture_and_every_picture_a_page() -> None:
    pages = {path.stem for path in PAGES.glob("*.md")}
    assert pages == set(PICTURES)
    assert {path.name for path in KEPT} == {file for page in pages for file in shown_on(page)}


@pytest.mark.parametrize("page", PICTURES)
def test_a_page_shows_each_of_its_pictures_once(page: str) -> None:
    files = [file for _, file in SHOWN.findall((PAGES / f"{page}.md").read_text("utf-8"))]
    assert sorted(files) == sorted(set(files))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_a_page_says_what_its_picture_says_of_itself(path: Path) -> None:
    description = ElementTree.parse(path).getroot().findtext(f"{SVG}desc")
    for page in PICTURES:
        assert shown_on(page).get(path.name, description) == description


def test_pictures_are_the_same_each_time(tmp_path: Path) -> None:
    for folder in ("first", "again"):
        write(tmp_path / folder)
    for path in sorted((tmp_path / "first").iterdir()):
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


@pytest.mark.parametrize("page", PICTURES)
def test_the_page_shows_what_the_command_draws(page: str) -> None:
    """To a pixel, which is more than other versions of what it reckons with would change."""
    drawn, kept = PICTURES[page](), (PAGES / "pictures" / f"{page}.svg").read_text("utf-8").removesuffix("\n")
    assert NUMBER.sub("", drawn) == NUMBER.sub("", kept)
    found, expected = (list(map(float, NUMBER.findall(text))) for text in (drawn, kept))
    assert found == pytest.approx(expected, abs=1.0)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_a_picture_is_whole_and_asks_for_nothing_outside(path: Path) -> None:
    text = path.read_text("utf-8")
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert root.get("width") == str(WIDTH)
    assert root.findtext(f"{SVG}title")
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "title", "desc", "style", "rect", "circle", "line", "path", "text",
    }  # fmt: skip
    assert re.findall(r"https?:[^\"']*", text) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"href|url\(|@import|\bon\w+=", text)
    assert "prefers-color-scheme: dark" in text


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_what_a_picture_is_made_of_has_a_look(path: Path) -> None:
    """A class that the style does not know would be drawn black."""
    root = ElementTree.parse(path).getroot()
    style = root.findtext(f"{SVG}style") or ""
    used = {name for element in root.iter() for name in (element.get("class") or "").split()}
    assert used <= set(re.findall(r"\.([a-z][\w-]*)", style))
    assert all(element.get("class") for element in root.iter() if element.tag in (f"{SVG}path", f"{SVG}circle"))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_texts_are_large_enough_and_none_is_cut_off(path: Path) -> None:
    root = ElementTree.parse(path).getroot()
    sizes = re.findall(r"font(?:-size)?: (\d+)px", root.findtext(f"{SVG}style") or "")
    assert min(map(int, sizes)) >= 12
    for element in root.iter(f"{SVG}text"):
        (left, width), y, content = extent(element), float(element.get("y", 0)), element.text
        assert left >= 0, content
        assert left + width <= WIDTH, content
        assert 10 <= y <= float(root.get("height", 0)) - 3, content


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_no_text_lies_on_another(path: Path) -> None:
    boxes: list[tuple[float, float, float, str]] = []
    for element in ElementTree.parse(path).getroot().iter(f"{SVG}text"):
        left, width = extent(element)
        boxes.append((left, left + width, float(element.get("y", 0)), element.text or ""))
    for (left, right, y, one), (begin, end, height, other) in combinations(boxes, 2):
        assert abs(y - height) >= 12 or right <= begin or end <= left, (one, other)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_texts_stand_out_from_the_paper(colours: dict[str, str]) -> None:
    assert colours.keys() == LIGHT.keys()
    for name, colour in colours.items():
        if name.endswith("-text") or name in ("ink", "soft"):
            assert contrast(colour, colours["paper"]) >= 4.5, name


def extent(text: ElementTree.Element) -> tuple[float, float]:
    """Its left end and its width."""
    width = CHARACTER * len(text.text or "")
    return float(text.get("x", 0)) - {"middle": width / 2, "end": width}.get(text.get("text-anchor", ""), 0), width


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2."""
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
