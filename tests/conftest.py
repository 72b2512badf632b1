"""Numbers of faults and attacks (docs/reliability.md): each test has its marks, and is selected by `-k fault_04`.

Tests that the package ships carry the number in their name, because whoever runs them has not declared the marks.
"""

from __future__ import annotations

import re
from importlib import metadata

import pytest

ROW = re.compile(r"test_(fault|attack)_(\d+)_")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if row := ROW.match(item.name):
            item.add_marker(getattr(pytest.mark, row[1])(int(row[2])))
        for mark in item.iter_markers():
            if mark.name in ("fault", "attack"):
                item.extra_keyword_matches.add(f"{mark.name}_{mark.args[0]:02d}")


@pytest.fixture
def onnxruntime_by_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where onnxruntime-gpu is installed in its place."""
    version = metadata.version

    def known(name: str) -> str:
        if name == "onnxruntime":
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", known)
