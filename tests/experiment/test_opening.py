"""Opening a run folder: what counts as time used, and what is said of the driver."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from netwright.data.dataset import Dataset
from netwright.experiment.opening import Opened, open_run
from netwright.experiment.run import data_of
from netwright.experiment.settings import Settings


def opened_after(seconds: float, folder: Path, pictures: Path, stack: ExitStack) -> Opened:
    """A run on pictures whose decoding takes so long."""

    def slow(settings: Settings, folder: Path, expected: str | None) -> Dataset:
        time.sleep(seconds)
        return data_of(settings, folder, expected)

    given = Settings(str(pictures), trials=1, space="mlp", executor="inline")
    return open_run(given, folder, slow, stack, make_space=None, allow_changed=False, head_start=100.0)


def test_the_time_of_decoding_counts(pictures: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        opened = opened_after(2.0, tmp_path / "run", pictures, stack)
        assert opened.stopwatch.seconds >= 102.0


@pytest.mark.usefixtures("onnxruntime_by_another_name")
def test_a_library_by_another_name_is_no_hindrance(pictures: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        driver = opened_after(0.0, tmp_path / "run", pictures, stack).fact("driver")
    assert driver is not None
    assert set(driver["libraries"]) == {"torch", "numpy", "scikit-learn"}
