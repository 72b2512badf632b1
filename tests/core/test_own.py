from __future__ import annotations

from pathlib import Path

import pytest

from netwright.core.errors import InputError, SpaceError
from netwright.core.own import is_file, load
from netwright.strategies import RandomSearch, Strategy, find_strategy

MINE = """
from netwright.strategies import RandomSearch

class Mine(RandomSearch):
    name = "mine"

number = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own_file_of_a_test.py"
    path.write_text(MINE, "utf-8")
    return path


def test_names_of_files_are_told_from_names() -> None:
    assert is_file("mine.py:Mine") and is_file("mine.py") and is_file("mine.py:Mine+halving")
    assert not is_file("nsga2+halving")


def test_a_strategy_of_a_file(file: Path) -> None:
    mine = find_strategy(f"{file}:Mine")
    assert issubclass(mine, RandomSearch)
    assert mine.name == "mine"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("Other", MINE, "must define Other, but it does not; there is in it: Mine$"),
        ("number", MINE, "must be a class derived from Strategy, but it is int"),
        ("", MINE, "named FILE.py:NAME"),
        ("Mine", "1 / 0", "must run without errors, but it raised ZeroDivisionError"),
        ("Mine", "class Mine: pass", "must be a class derived from Strategy, but it is type"),
    ],
)
def test_what_is_no_strategy_is_said(file: Path, name: str, text: str, message: str) -> None:
    file.write_text(text, "utf-8")
    with pytest.raises(InputError, match=message):
        find_strategy(f"{file}:{name}")


def test_a_missing_file_is_said_with_the_error_that_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match="the file of a space must exist, but there is no "):
        load(f"{tmp_path / 'none.py'}:space", "space", Strategy, SpaceError)


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(
        InputError, match=r"one of auto, .*tpe, .*or FILE.py:NAME for one of your own, .*but got 'best'"
    ):
        find_strategy("best")
