"""One small finished run for the whole session, and small data."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.experiment.commands import CANARY, TINY, Done, call, class_folders, spawn


@dataclass(frozen=True)
class FinishedRun:
    """A run on digits, as the command line made it. Tests that change it take a copy."""

    folder: Path
    ended: Done

    def copy(self, place: Path) -> Path:
        """The run again, in another folder."""
        return Path(shutil.copytree(self.folder, place / "run"))


DIGITS = ("--trials", "6", "--epochs", "2", "--workers", "2", "--json")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    folder = tmp_path_factory.mktemp(CANARY) / "run"
    secret = {"SERVICE_TOKEN": f"{CANARY}-token"}
    return FinishedRun(folder, spawn("search", "digits", *DIGITS, "--out", folder, environment=secret))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """Three trials on a folder of pictures; the data lie beside the run as `pictures`."""
    place = tmp_path_factory.mktemp(f"{CANARY}-small")
    pictures = class_folders(place / "pictures")
    folder = place / "run"
    return FinishedRun(folder, call("search", pictures, *TINY, "--trials", "3", "--out", folder, "--json"))


@pytest.fixture
def pictures(small: FinishedRun, tmp_path: Path) -> Path:
    """The pictures of `small`, for changing."""
    return Path(shutil.copytree(small.folder.parent / "pictures", tmp_path / "pictures"))
