"""Searching from Python, and what a run answers."""

from __future__ import annotations

import copy
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import netwright as nw
from netwright.core.errors import DataError, InputError, RunChanged, SpaceError
from netwright.data.dataset import Dataset
from netwright.experiment.settings import ARRAYS, PYTHON_SPACE, Settings
from netwright.experiment.watching import Watch
from netwright.spaces import Conv, Flatten, Linear, Recipe, Space, choose

IMAGES = (load_digits().images[:160] * 15).astype(np.uint8)
LABELS = np.array([f"digit {label}" for label in load_digits().target[:160]])
TINY: dict[str, Any] = {"epochs": 1, "executor": "inline", "precision": "fp32", "verbose": False}
KEPT = ["id", "source", "origin", "status", "key", "accuracy", "parameters", "seconds"]
"""What a trial keeps for ever; latency and memory are measured anew in each final stage, side by side."""
RECIPE = Recipe(optimizer="adamw", lr=0.01, batch=32)


def small(widths: tuple[int, ...] = (4, 8, 16, 32)) -> Space:
    return Space([Conv(width=choose(*widths), stride=2), Flatten(), Linear(choose(8, 16))], RECIPE, name="small")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> nw.Run:
    out = tmp_path_factory.mktemp("runs") / "digits"
    return nw.search(IMAGES, labels=LABELS, out=out, trials=3, space=small(), limits="parameters<=50k", **TINY)


@pytest.fixture
def going_on(run: nw.Run, tmp_path: Path) -> Path:
    """A copy of the run, to go on with."""
    import shutil

    return Path(shutil.copytree(run.folder, tmp_path / "copy"))


def test_a_run_holds_a_network_with_measurements(run: nw.Run) -> None:
    best = run.best
    assert best is not None
    assert best.measurements["parameters"].value <= 50_000
    assert best.measurements["accuracy"].split == "validation"
    assert best.measurements["test_accuracy"].split == "test"
    assert best.measurements["latency"].unit == "ms"
    assert best.trial in [network.trial for network in run.front]
    assert "parameters" in repr(best)


def test_trials_are_a_table(run: nw.Run) -> None:
    table = run.trials
    assert isinstance(table, pd.DataFrame)
    assert list(table.columns[:9]) == [
        "id", "source", "origin", "status", "reason", "parents", "epochs", "key", "accuracy",
    ]  # fmt: skip
    assert table.columns[-1] == "seconds"
    assert list(table.id) == list(range(1, len(table) + 1))
    assert (table.source == "search").sum() == 3
    assert table.accuracy[table.status == "completed"].between(0, 1).all()
    assert table.parameters[table.key == "forest"].isna().all()
    final = table[table.source == "final"].iloc[0]
    assert final.key == table.key[table.id == final.parents[0]].item()


def test_verdict_report_and_export(run: nw.Run) -> None:
    assert "on 24 images it never saw" in run.verdict
    assert run.report is not None
    assert run.report.read_text("utf-8").startswith("<!doctype html>")
    assert run.export is not None
    assert (run.export / "model.onnx").is_file()
    assert run.labels == tuple(sorted(set(LABELS)))
    assert "trials: " in str(run)
    assert repr(run) == f"Run({str(run.folder)!r})"


def test_arrays_and_files_get_the_same_answer(run: nw.Run, tmp_path: Path) -> None:
    for index in range(3):
        Image.fromarray(IMAGES[index]).save(tmp_path / f"{index}.png")
    expected = run.predict_proba(IMAGES[:3])
    assert expected.shape == (3, 10)
    np.testing.assert_allclose(expected.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(run.predict_proba(tmp_path), expected)
    np.testing.assert_array_equal(run.predict_proba([tmp_path / "2.png", str(tmp_path / "0.png")]), expected[[2, 0]])
    assert list(run.predict(tmp_path / "1.png")) == [run.labels[expected[1].argmax()]]
    right = run.predict(IMAGES) == LABELS
    assert right.mean() > 0.2  # one epoch; chance is 0.1


def test_a_picture_that_cannot_be_read_is_named(run: nw.Run, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"broken\.png"):
        run.predict(tmp_path / "broken.png")


def test_a_run_is_its_folder(run: nw.Run) -> None:
    again = nw.open_run(str(run.folder))
    assert again.trials.equals(run.trials)
    assert copy.deepcopy(run).folder == run.folder


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not the folder of a run"):
        nw.open_run(tmp_path)


def test_the_same_call_goes_on(run: nw.Run, going_on: Path) -> None:
    longer = nw.search(IMAGES, labels=LABELS, out=going_on, trials=5, space=small(), **TINY)
    before, after = run.trials, longer.trials
    assert after.iloc[: len(before)][KEPT].equals(before[KEPT])
    assert (after.source == "search").sum() == 5
    assert "read 2 times" in longer.verdict


def test_other_arrays_are_refused_and_nothing_is_lost(run: nw.Run, going_on: Path) -> None:
    other = IMAGES.copy()
    other[0, 0, 0] += 1
    with pytest.raises(RunChanged, match="images, labels, split or reading rule"):
        nw.search(other, labels=LABELS, out=going_on, trials=5, space=small(), **TINY)
    assert Dataset.open(going_on / "data").fingerprint == Dataset.open(run.folder / "data").fingerprint


def test_another_space_of_the_same_name_is_refused(going_on: Path) -> None:
    with pytest.raises(RunChanged, match="must keep its space"):
        nw.search(IMAGES, labels=LABELS, out=going_on, trials=5, space=small((4, 8)), **TINY)


def test_a_space_from_python_must_be_given_again(going_on: Path) -> None:
    with pytest.raises(RunChanged, match="space of this run was given from Python"):
        nw.search(IMAGES, labels=LABELS, out=going_on, trials=5, **TINY)


def test_the_command_line_cannot_go_on_with_arrays(going_on: Path) -> None:
    from netwright.experiment.run import search_command

    with pytest.raises(InputError, match="given from Python as arrays"):
        search_command(Settings(ARRAYS, trials=5), going_on)


def test_objects_are_recorded_by_what_they_are(run: nw.Run) -> None:
    text = (run.folder / "run.toml").read_text("utf-8")
    assert f'data = "{ARRAYS}"' in text
    assert f'space = "{PYTHON_SPACE}"' in text
    assert "nw.search(images, labels=labels, trials=3" in (run.folder / "report.html").read_text("utf-8")


def test_nothing_is_shown_unless_asked(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    features = IMAGES.reshape(160, 64)
    nw.search(features, labels=LABELS, out=tmp_path / "quiet", trials=1, **TINY)
    assert capfd.readouterr() == ("", "")
    shown = nw.search(features, labels=LABELS, out=tmp_path / "loud", trials=1, **{**TINY, "verbose": True})
    out, err = capfd.readouterr()
    assert out == ""
    assert "mlp" in err  # what features are searched in
    assert "report" in err
    assert shown.predict(features[:2]).shape == (2,)


def test_a_search_without_a_folder_makes_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = nw.search("digits", trials=1, space=lambda task: small(), **TINY)
    assert first.folder.parent == Path("runs")
    assert first.folder.name.endswith("-digits")
    with pytest.raises(DataError, match="there is no nothing"):
        nw.search("nothing", trials=1, **TINY)
    assert list(Path("runs").iterdir()) == [first.folder]


def test_ctrl_c_stops_in_order_and_the_same_call_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first Ctrl-C comes when the search has two results."""
    original = Watch.__call__

    def press(watch: Watch, loop: Any) -> None:
        original(watch, loop)
        if loop.book.counts.get("completed", 0) == 5 and not loop.interrupted:
            signal.raise_signal(signal.SIGINT)

    call = {"labels": LABELS, "out": tmp_path / "run", "trials": 4, "space": small(), **TINY}
    with monkeypatch.context() as patch:
        patch.setattr(Watch, "__call__", press)
        with pytest.raises(KeyboardInterrupt, match="goes on"):
            nw.search(IMAGES, **call)
    stopped = nw.open_run(tmp_path / "run")
    assert stopped.export is None
    with pytest.raises(InputError, match="no exported network yet"):
        stopped.predict(IMAGES)
    before = stopped.trials[stopped.trials.status == "completed"]
    after = nw.search(IMAGES, **call).trials
    assert after[after.id.isin(before.id)][KEPT].equals(before[KEPT])
    assert (after.source == "search").sum() == 4


def test_a_split_without_test_images_is_closed_by_validation_and_said(tmp_path: Path) -> None:
    split = np.zeros(160, np.uint8)
    split[::4] = 1
    run = nw.search(IMAGES, labels=LABELS, split=split, out=tmp_path / "run", trials=2, space=small(), **TINY)
    assert "on 40 validation images" in run.verdict
    assert "There was no test split" in run.verdict
    assert "never saw" not in run.verdict
    assert run.best is not None
    assert not [name for name in run.best.measurements if name.startswith("test_")]
    assert run.export is not None
    assert "test" not in (run.export / "README.md").read_text("utf-8").partition("## Data")[0]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"data": IMAGES}, InputError, "labels=…"),
        ({"data": "digits", "labels": LABELS}, InputError, "data must be an array"),
        ({"data": IMAGES, "labels": LABELS, "split": "split.csv"}, InputError, "split must be an array"),
        ({"data": "digits", "groups": np.arange(3)}, InputError, "groups must be a path"),
        ({"data": "digits", "space": 3}, SpaceError, "a Space, or a function of the task"),
        ({"data": "digits", "space": lambda task: 3}, SpaceError, "must return a Space, but it returned int"),
        ({"data": "digits", "objectives": "acuracy"}, InputError, "must name a metric"),
        ({"data": IMAGES, "labels": LABELS[:3]}, DataError, "labels"),
    ],
)
def test_what_does_not_fit_is_refused(
    arguments: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        nw.search(**arguments, out=tmp_path / "run", trials=1, **TINY)


def test_a_notebook_needs_no_guard_and_no_file(tmp_path: Path) -> None:
    """Cells live in no file that a worker could import: as here, where the program comes from standard input."""
    script = f"""
import netwright as nw
from netwright.spaces import Flatten, Linear, Recipe, Space, choose
space = Space([Flatten(), Linear(choose(8, 16, 32))], Recipe(optimizer="adamw", lr=0.01))
run = nw.search("digits", out={str(tmp_path / "run")!r}, trials=2, epochs=1, space=space, verbose=False)
print(run.best.trial, run.trials.status.eq("completed").all(), run.predict([[[0] * 8] * 8]).shape)
"""
    done = subprocess.run(
        [sys.executable, "-"], check=False, input=script, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1:] == ["True", "(1,)"]
