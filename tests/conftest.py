"""Marks of tests that the package ships: their names carry the number, because whoever runs them declares no marks."""

from __future__ import annotations

import re

import pytest

ROW = re.compile(r"test_(fault|attack)_(\d+)_")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if row := ROW.match(item.name):
            item.add_marker(getattr(pytest.mark, row[1])(int(row[2])))
