"""docs/reliability.md and the tests name each other: every row has a marked test, every mark has a row."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROW

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reliability.md"
LINE = re.compile(r"\| (A?)(\d+) \|.*\|(.*)\|")
NAMED = re.compile(r"`([\w/.]+\.py)::(\w+)`")
MARK = re.compile(r"pytest\.mark\.(fault|attack)\((\d+)\)")

Number = tuple[str, int]
Test = tuple[str, str]


def numbers_of(function: ast.FunctionDef) -> Iterator[Number]:
    """By mark, or by name where the package ships the test."""
    found = [MARK.fullmatch(ast.unparse(mark)) for mark in function.decorator_list]
    for match in (*found, ROW.match(function.name)):
        if match:
            yield match[1], int(match[2])


@cache
def marked() -> dict[Number, set[Test]]:
    """All tests, as (file, name), of each number."""
    rows: dict[Number, set[Test]] = {}
    for folder in (ROOT / "tests", ROOT / "src" / "netwright" / "testing"):
        for path in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                    for number in numbers_of(node):
                        rows.setdefault(number, set()).add((path.relative_to(ROOT).as_posix(), node.name))
    return rows


@cache
def told() -> dict[Number, list[Test]]:
    """The tests that the page names for each number. A number with two rows is an error."""
    rows: dict[Number, list[Test]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if match := LINE.fullmatch(line):
            number = "attack" if match[1] else "fault", int(match[2])
            assert number not in rows, line
            rows[number] = NAMED.findall(match[3])
    return rows


def test_the_page_and_the_marks_have_the_same_numbers() -> None:
    assert sorted(told()) == sorted(marked())
    assert len(told()) > 30


@pytest.mark.parametrize("number", sorted(told()), ids=lambda number: " ".join(map(str, number)))
def test_the_tests_that_a_row_names_show_it(number: Number) -> None:
    named = told()[number]
    assert named
    assert set(named) <= marked()[number]
