"""What goes wrong around a run, at the level of the whole product."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netwright.data.dataset import Dataset
from netwright.experiment.outcome import read_history
from netwright.ledger.lock import RunLock
from netwright.ledger.sqlite import SqliteLedger
from netwright.loop import FAILURES_IN_A_ROW
from tests.experiment.commands import TINY, Done, call, class_folders, ids, spawn
from tests.experiment.conftest import FinishedRun

EXPLODING = """
from netwright.spaces.choices import integer
from netwright.spaces.layers import Flatten, Linear
from netwright.spaces.recipe import Recipe
from netwright.spaces.space import Space

exploding = Space(
    {"input": Flatten(), "hidden": Linear(width=integer(8, 256))},
    Recipe(lr=100, weight_decay=10, schedule="constant", warmup=0, batch=2),
    name="exploding",
)
"""


def refused(done: Done, code: int, *words: str) -> None:
    """A refusal: its exit code, one message on standard error, nothing of Python's own."""
    assert done.code == code, done.err
    assert "Traceback" not in done.err
    assert done.err.count("error: ") == 1
    for word in words:
        assert word in done.err
    assert done.out == ""


@pytest.mark.fault(10)
@pytest.mark.parametrize(("trials", "code"), [(2, 6), (40, 1)])
def test_a_search_in_which_every_trial_fails(tmp_path: Path, trials: int, code: int) -> None:
    """A few failures use up the budget; many in a row stop the search. Both end in words and with a report."""
    space = tmp_path / "mine.py"
    space.write_text(EXPLODING)
    pictures = class_folders(tmp_path / "pictures")
    run = tmp_path / "run"
    options = ("--space", f"{space}:exploding", "--strategy", "random", "--epochs", "3", "--executor", "inline")
    done = call("search", pictures, *options, "--precision", "fp32", "--trials", trials, "--out", run)
    assert done.code == code, done.err
    assert "Traceback" not in done.err
    words = "without a trained network" if code == 6 else "trials in a row failed, so the search was stopped"
    assert words in " ".join(done.err.split())
    assert (run / "report.html").exists()
    failed = [trial for trial in read_history(run).trials.values() if trial.source == "search"]
    assert {trial.status for trial in failed} <= {"diverged", "asked"}
    assert sum(trial.status == "diverged" for trial in failed) == min(trials, FAILURES_IN_A_ROW)
    assert all(trial.reason for trial in failed if trial.status == "diverged")
    assert not (run / "export").exists()
    verdict = json.loads(call("status", run, "--json").out)["verdict"]
    assert ("without a trained network" in verdict) == (code == 6)


def test_failures_in_a_row_cancel_what_runs_beside(tmp_path: Path) -> None:
    """The hand-made network is still in training; it is no cause of the end, and is asked again."""
    space, run = tmp_path / "mine.py", tmp_path / "run"
    space.write_text(EXPLODING)
    options = ("--space", f"{space}:exploding", "--strategy", "random", "--epochs", "20000", "--workers", "2")
    pictures = class_folders(tmp_path / "pictures")
    done = call("search", pictures, *options, "--precision", "fp32", "--trials", "40", "--out", run)
    assert done.code == 1, done.err
    assert "trials in a row failed" in " ".join(done.err.split())
    trials = read_history(run).trials.values()
    statuses = {trial.proposal.notes.get("role"): trial.status for trial in trials if trial.source == "baseline"}
    assert statuses["handmade"] == "cancelled"
    assert not {trial.status for trial in trials} & {"running", "crashed"}


def test_a_stage_that_died_after_its_test_does_not_read_the_test_split_again(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*arguments: object) -> None:
        raise KeyboardInterrupt

    command = ("search", pictures, *TINY, "--trials", "2", "--out", tmp_path / "run")
    with monkeypatch.context() as killed:
        killed.setattr("netwright.experiment.run.export_trial", die)
        assert call(*command).code == 130
    history = read_history(tmp_path / "run")
    assert history.note("test") is not None
    assert history.note("outcome") is None
    assert "final stage has begun" in call("status", tmp_path / "run").out
    done = call(*command, "--json")
    assert done.code == 0, done.err
    assert [topic for _, topic, _ in read_history(tmp_path / "run").notes].count("test") == 1
    assert "The test images were read once" in done.answer["verdict"]


def test_a_limit_that_refuses_every_candidate_is_named_at_the_end(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netwright.loop.ANSWERS_IN_A_ROW", 30)
    limits = ("--limit", "macs<=1G", "--limit", "parameters<=10")
    done = call("search", pictures, *TINY, *limits, "--trials", "2", "--out", tmp_path / "run")
    assert done.code == 6, done.err
    assert "candidates none was within parameters<=10." in " ".join(done.err.split())


def test_an_ended_run_goes_on_when_its_limits_are_tightened(small: FinishedRun, tmp_path: Path) -> None:
    run, pictures = small.copy(tmp_path), small.folder.parent / "pictures"
    assert "This run has ended" in call("search", pictures, "--out", run).err
    done = call("search", pictures, "--limit", "accuracy>=200%", "--out", run, "--json")
    assert done.code == 0, done.err
    assert "This run has ended" not in done.err
    assert done.answer["verdict"].startswith("No network within the limits was found")
    assert "breaks accuracy" in (run / "export" / "README.md").read_text()
    assert "This run has ended" in call("search", pictures, "--out", run).err


def test_a_run_that_has_not_decoded_its_data_says_so(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    SqliteLedger(run / "ledger.sqlite").close()
    for command in ("report", "clean", "export"):
        refused(call(command, run), 4, "not decoded its data yet", "search again")


@pytest.mark.fault(12)
def test_a_file_where_the_folder_should_be(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "in-the-way").write_text("mine")
    for out in (tmp_path / "in-the-way", tmp_path / "in-the-way" / "run"):
        refused(call("search", pictures, *TINY, "--trials", "2", "--out", out), 5, "in-the-way")
    assert (tmp_path / "in-the-way").read_text() == "mine"


def test_a_folder_of_something_else_is_left_alone(pictures: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    refused(call("search", pictures, *TINY, "--trials", "2", "--out", pictures), 2, "folder of its own", "--out")
    assert sorted(tmp_path.rglob("*")) == before
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".hidden").touch()
    assert call("search", pictures, *TINY, "--trials", "1", "--out", tmp_path / "run").code == 0


def test_a_full_disk_at_the_report_is_said_and_the_next_call_writes_it(
    small: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, pictures = small.copy(tmp_path), small.folder.parent / "pictures"
    for name in ("report.html", "report.json"):
        (run / name).unlink()

    def full(path: Path, content: str) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("netwright.reports.html.write_text", full)
        refused(call("report", run), 5, "the report", "No space left")
        done = call("search", pictures, "--out", run)
        assert done.code == 5, done.err
        assert "Traceback" not in done.err
    assert not (run / "report.html").exists()
    assert call("search", pictures, "--out", run).code == 0
    assert (run / "report.html").exists()


@pytest.mark.fault(12)
def test_a_disk_that_cannot_be_written_is_found_at_the_start(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(handle: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", failing)
    refused(call("search", pictures, *TINY, "--trials", "2", "--out", tmp_path / "run"), 5, "must be writable", "error")
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.fault(16)
def test_a_second_search_on_a_folder_is_refused(small: FinishedRun, pictures: Path, tmp_path: Path) -> None:
    run = small.copy(tmp_path)
    with RunLock(run):
        done = spawn("search", pictures, *TINY, "--trials", "5", "--out", run)
        refused(done, 4, f"process {os.getpid()}", "in use")
        assert "running, process" in call("status", run).out, "looking is allowed"
        assert call("doctor", run).code == 0
        before = sorted(run.rglob("*"))
        refused(call("clean", run), 4, f"process {os.getpid()}", "in use")
        assert sorted(run.rglob("*")) == before
    assert call("clean", run).code == 0
    assert ids(run) == ids(small.folder)


def test_a_driver_of_a_host_that_is_gone_does_not_keep_the_doctor_away(small: FinishedRun, tmp_path: Path) -> None:
    """As where the run was driven in a container."""
    run = small.copy(tmp_path)
    (run / "driver.lock").write_text('{"host": "gone", "pid": 1, "born": "then"}')
    assert "the run is sound" in call("doctor", run).out


@pytest.mark.fault(18)
def test_an_image_that_changed(small: FinishedRun, tmp_path: Path) -> None:
    place = Path(shutil.copytree(small.folder.parent, tmp_path / "again"))
    pictures, run = place / "pictures", place / "run"
    assert call("search", pictures, "--trials", "3", "--out", run, "--allow-changed").code == 0, "the folder moved"
    Image.fromarray(np.full((8, 8), 7, np.uint8)).save(pictures / "light" / "000.png")
    data, known = contents(run / "data"), ids(run)
    under_way = run / "partial" / "000999"
    under_way.parent.mkdir(exist_ok=True)
    under_way.write_bytes(b"a training on the images as they were")

    done = call("search", pictures, "--trials", "5", "--out", run)
    refused(done, 4, "data", "--allow-changed")
    assert contents(run / "data") == data
    assert under_way.exists()
    assert ids(run) == known

    allowed = call("search", pictures, "--trials", "5", "--out", run, "--allow-changed")
    assert allowed.code == 0, allowed.err
    assert contents(run / "data") != data
    assert len(ids(run)) > len(known)
    assert not under_way.exists()


@pytest.mark.fault(18)
def test_a_space_that_changed(small: FinishedRun, tmp_path: Path) -> None:
    pictures, run, file = small.folder.parent / "pictures", tmp_path / "run", tmp_path / "mine.py"
    calm = EXPLODING.replace("lr=100, weight_decay=10", "lr=0.01, weight_decay=0")
    file.write_text(calm)
    options = [*TINY]
    options[1] = f"{file}:exploding"
    command = ("search", pictures, *options, "--out", run)
    assert call(*command, "--trials", "2").code == 0
    known = ids(run)
    refused(call("search", pictures, "--trials", "3", "--out", run), 4, "run only when it is named", str(file))
    file.write_text(calm.replace("256", "64"))
    refused(call(*command, "--trials", "3"), 4, "space", "--allow-changed")
    assert ids(run) == known
    assert call(*command, "--trials", "3", "--allow-changed").code == 0
    assert len(ids(run)) > len(known)


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.fault(19)
def test_a_damaged_ledger_is_refused_mended_and_gone_on_with(small: FinishedRun, tmp_path: Path) -> None:
    run, pictures = small.copy(tmp_path), small.folder.parent / "pictures"
    path = run / "ledger.sqlite"
    content = bytearray(path.read_bytes())
    place = content.rindex(b"accuracy")
    content[place : place + 8] = b"\x00\xff" * 4
    path.write_bytes(content)
    refused(call("search", pictures, "--trials", "5", "--out", run), 4, "netwright doctor")
    assert path.read_bytes() == content, "a refusal changes nothing"

    mended = call("doctor", run, "--json")
    assert mended.code == 4
    assert mended.answer["damage"]
    assert "events were kept" in mended.answer["recovery"]
    (kept,) = run.glob("ledger.corrupt-*.sqlite")
    assert kept.read_bytes() == content
    assert call("doctor", run).code == 0

    done = call("search", pictures, "--trials", "5", "--out", run, "--json")
    assert done.code == 0, done.err
    assert done.answer["export"] == "export"
    trials = read_history(run).trials
    assert list(trials) == sorted(set(trials))
    assert sum(trial.source == "search" and trial.status == "completed" for trial in trials.values()) == 5


@pytest.mark.fault(19)
def test_a_damaged_artefact_is_found(small: FinishedRun, tmp_path: Path) -> None:
    run = small.copy(tmp_path)
    history = read_history(run)
    blob = run / "blobs" / history.trials[(history.note("outcome") or {})["winner"]].artefacts["weights"]
    os.chmod(blob, 0o600)
    blob.write_bytes(b"?" + blob.read_bytes()[1:])
    refused(call("export", run, "--to", tmp_path / "elsewhere"), 5, "damaged", "netwright doctor")
    done = call("doctor", run, "--json")
    assert done.code == 4
    assert len(done.answer["blobs_removed"]) == 1
    assert call("doctor", run).code == 0


class Terminal:
    """A search in a terminal of its own, as a person starts it."""

    def __init__(self, run: Path, *options: str) -> None:
        options = options or ("--epochs", "60")
        command = ["search", "digits", "--minutes", "5", *options, "--workers", "2", "--out", str(run)]
        master, slave = pty.openpty()
        self.run, self.master, self.text = run, master, b""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "netwright", *command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=own_terminal,  # noqa: PLW1509  (the child does one system call)
        )
        os.close(slave)

    def read(self, seconds: float) -> bool:
        """Take what is written; False when the terminal was closed."""
        if select.select([self.master], [], [], seconds)[0]:
            try:
                piece = os.read(self.master, 65536)
            except OSError:
                return False
            self.text += piece
            return bool(piece)
        return self.process.poll() is None

    def read_for(self, seconds: float) -> None:
        """Take what is written for a while."""
        last = time.monotonic() + seconds
        while time.monotonic() < last:
            assert self.read(0.1), self.text.decode(errors="replace")

    def until_training(self, *, network: bool = False) -> None:
        """Wait until workers train; with `network`, until all of them train networks."""
        patience = time.monotonic() + 120
        while time.monotonic() < patience:
            assert self.read(0.1), self.text.decode(errors="replace")
            if (self.run / "ledger.sqlite").exists():
                trials = read_history(self.run).trials.values()
                running = [trial for trial in trials if trial.status == "running"]
                if running and not (network and any(t.proposal.candidate.architecture is None for t in running)):
                    return
        raise AssertionError(self.text.decode(errors="replace"))

    def press_ctrl_c(self) -> None:
        """What the key sends: an interrupt to every process of the terminal."""
        os.write(self.master, b"\x03")

    def end(self) -> int:
        """Wait for the end and give the exit code."""
        patience = time.monotonic() + 60
        while self.read(0.2) and time.monotonic() < patience:
            pass
        code = self.process.wait(timeout=30)
        os.close(self.master)
        return code


def own_terminal() -> None:
    """Make the standard input the controlling terminal of the new session."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.fault(24)
def test_one_ctrl_c_stops_in_order(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "run")
    terminal.until_training()
    terminal.press_ctrl_c()
    code = terminal.end()
    text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", terminal.text).decode(errors="replace")
    assert code == 130, text
    assert "Traceback" not in text
    assert "To go on: netwright search digits" in " ".join(text.split())
    statuses = {trial.status for trial in read_history(terminal.run).trials.values()}
    assert "cancelled" in statuses
    assert not statuses & {"running", "crashed", "lost"}
    assert "not running" in call("status", terminal.run).out


@pytest.mark.fault(20)
@pytest.mark.fault(24)
@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM"])
def test_a_training_that_is_interrupted_is_kept(tmp_path: Path, how: str) -> None:
    """Long before it would have been written anyway: a worker has a moment to end its epoch and write it."""
    options = ("--epochs", "20000", "--space", "mlp", "--strategy", "random", "--precision", "fp32")
    terminal = Terminal(tmp_path / "a run", *options)
    terminal.until_training(network=True)
    terminal.read_for(3.0)
    assert not list(terminal.run.glob("partial/*"))
    terminal.press_ctrl_c() if how == "Ctrl-C" else terminal.process.terminate()
    assert terminal.end() == 130, terminal.text.decode(errors="replace")
    assert f"To go on: netwright search digits --out '{terminal.run}'" in terminal.text.decode(errors="replace")
    running = [trial for trial in read_history(terminal.run).trials.values() if trial.status == "cancelled"]
    kept = {int(path.name) for path in terminal.run.glob("partial/*")}
    assert kept == {trial.id for trial in running if trial.proposal.candidate.architecture is not None}
    assert kept


@pytest.mark.fault(24)
def test_two_ctrl_c_end_at_once(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "run")
    terminal.until_training()
    terminal.press_ctrl_c()
    terminal.read(0.3)
    terminal.press_ctrl_c()
    code = terminal.end()
    assert code == 130, terminal.text.decode(errors="replace")
    assert b"Traceback" not in terminal.text
    assert call("doctor", terminal.run).code == 0


@pytest.mark.fault(20)
def test_a_search_that_is_told_to_end_stops_in_order(tmp_path: Path) -> None:
    """SIGTERM, as a batch system sends it before it takes the machine: nothing running counts as tried."""
    terminal = Terminal(tmp_path / "run")
    terminal.until_training()
    terminal.process.terminate()
    code = terminal.end()
    text = terminal.text.decode(errors="replace")
    assert code == 130, text
    assert "Traceback" not in text
    statuses = {trial.status for trial in read_history(terminal.run).trials.values()}
    assert "cancelled" in statuses
    assert not statuses & {"running", "crashed", "lost"}


@pytest.mark.fault(26)
def test_one_seed_gives_one_result_inline_and_in_a_worker(small: FinishedRun, tmp_path: Path) -> None:
    pictures = small.folder.parent / "pictures"
    options = [*TINY, "--trials", "3", "--workers", "1", "--out", tmp_path / "run"]
    options[options.index("inline")] = "local"
    done = call("search", pictures, *options)
    assert done.code == 0, done.err
    inline, local = (read_history(folder).trials for folder in (small.folder, tmp_path / "run"))
    assert list(inline) == list(local)
    compared = 0
    for number, one in inline.items():
        other = local[number]
        assert one.proposal.identity() == other.proposal.identity()
        for name in ("accuracy", "loss", "auc", "parameters"):
            if name in one.measurements:
                assert one.measurements[name].value == other.measurements[name].value, (number, name)
                compared += 1
    assert compared >= 12
    assert Dataset.open(small.folder / "data").fingerprint == Dataset.open(tmp_path / "run" / "data").fingerprint


@pytest.mark.attack(11)
@pytest.mark.attack(18)
def test_hostile_names_of_classes_and_folders(tmp_path: Path) -> None:
    """Names that would leave the folder, colour the terminal or style the page are shown as letters or not at all."""
    names = ["\x1b[31mred\x1b]0;title\x07", "[red]..%2f", "<img src=x onerror=alert(1)>", "C:\\con."]
    pictures = class_folders(tmp_path / "..\\ [bold]pictures\x1b[2J", names, images=12)
    run = tmp_path / "[link=x] run"
    done = call("search", pictures, *TINY, "--trials", "2", "--out", run)
    assert done.code == 0, done.err
    checked = call("data", "check", pictures)
    status = call("status", run)
    answers = call("predict", run, pictures / names[0] / "000.png")
    for shown in (done.out, done.err, checked.out, checked.err, status.out, status.err, answers.out, answers.err):
        assert "\x1b" not in shown
        assert "\x07" not in shown
    page = (run / "report.html").read_text()
    assert "<img src=x" not in page
    assert "\x1b" not in page
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {pictures.name, run.name}, "nothing was written elsewhere"
    inside = [path.resolve() for path in run.rglob("*")]
    assert all(path.is_relative_to(run.resolve()) for path in inside)
    assert not any("31m" in path.name or "onerror" in path.name for path in inside)


@pytest.mark.attack(11)
@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "C:\\x", "a/../..", "x.py", "\x00", ".py:"])
def test_names_that_are_no_space(pictures: Path, tmp_path: Path, name: str) -> None:
    refused(call("search", pictures, "--space", name, "--trials", "2", "--out", tmp_path / "run"), 2)
