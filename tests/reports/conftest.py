from __future__ import annotations

from pathlib import Path

import pytest

from netwright.reports.story import Story, tell
from netwright.reports.view import RunView
from tests.reports.runs import make_run


@pytest.fixture(scope="session")
def view(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    """A run of 160 trials with a limit, all stages ended."""
    return make_run(tmp_path_factory.mktemp("run"), trials=160, limits=("parameters<=100k",))


@pytest.fixture(scope="session")
def story(view: RunView) -> Story:
    return tell(view)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")
