"""Checkpoint files: whole or not at all, versioned, and never unpickled."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from netwright.core.errors import RunVersion, Untrusted
from netwright.training.checkpoint import Checkpoint, load_checkpoint, load_weights, save_checkpoint, save_weights

KILLS = """
import os, signal, sys, time, torch
from pathlib import Path
from netwright.core.files import sweep
from netwright.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint

torch.set_num_threads(1)  # a forked child must not wait for threads that it does not have
path, left = Path(sys.argv[1]), 0

def save(number):
    save_checkpoint(Checkpoint({"a": torch.full((100_000,), float(number))}, {"number": number}), path)

def write_for_ever(number, die):
    def step(function):
        def stepped(*arguments):
            if die:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments)
        return stepped
    os.replace = step(os.replace)
    while True:
        number += 1
        save(number)

save(0)
for kill in range(30):
    child = os.fork()
    if child == 0:
        write_for_ever(kill * 10_000, die=kill % 10 == 0)
    if kill % 10:  # the others die by themselves
        time.sleep(0.002 + 0.0003 * kill)
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    stored = load_checkpoint(path)
    assert torch.equal(stored.tensors["a"], torch.full((100_000,), float(stored.facts["number"])))
    left += len(sweep(path.parent))
    assert list(path.parent.iterdir()) == [path]
print(left, stored.facts["number"])
"""


def checkpoint(value: float = 1.0) -> Checkpoint:
    tensors = {
        "module.weight": torch.full((2, 3, 4, 4), value).to(memory_format=torch.channels_last),
        "module.count": torch.tensor(7),
    }
    return Checkpoint(tensors, {"seed": 2**63 - 1, "curve": [{"epoch": 1, "loss": 0.1}], "hooks": {}})


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(checkpoint(), path)
    back = load_checkpoint(path)
    assert back.facts == checkpoint().facts
    assert all(torch.equal(back.tensors[name], tensor) for name, tensor in checkpoint().tensors.items())
    assert list(tmp_path.iterdir()) == [path]


def test_weights_come_back_as_they_were(tmp_path: Path) -> None:
    save_weights(dict(checkpoint().tensors), tmp_path / "w.safetensors")
    back = load_weights(tmp_path / "w.safetensors")
    assert all(torch.equal(back[name], tensor) for name, tensor in checkpoint().tensors.items())


@pytest.mark.fault(2)
def test_killed_while_writing_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    """Thirty real SIGKILLs, three of them just before the new file takes the old one's place."""
    command = [sys.executable, "-c", KILLS, str(tmp_path / "checkpoint.safetensors")]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    left, written = (int(number) for number in answer.stdout.split())
    assert left >= 3  # files under way were left behind, and swept
    assert written > 10_000


@pytest.mark.fault(17)
def test_a_checkpoint_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netwright.training.checkpoint.VERSION", 2)
    save_checkpoint(checkpoint(), tmp_path / "new")
    monkeypatch.undo()
    with pytest.raises(RunVersion, match="'2'"):
        load_checkpoint(tmp_path / "new")
    save_weights(dict(checkpoint().tensors), tmp_path / "none")
    with pytest.raises(RunVersion, match="none"):
        load_checkpoint(tmp_path / "none")


class Canary:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("canary"),)


@pytest.mark.attack(1)
@pytest.mark.parametrize("read", [load_checkpoint, load_weights])
def test_a_pickle_is_never_opened(read: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"a": Canary()}, tmp_path / "zip.pt")
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Canary()))
    for name in ("zip.pt", "plain.pkl"):
        with pytest.raises(Untrusted, match=name):
            read(tmp_path / name)  # type: ignore[operator]
    assert not (tmp_path / "canary").exists()


@pytest.mark.attack(15)
@pytest.mark.parametrize("length", [0, 5, 100, -1])
def test_a_cut_file_is_a_clean_error(length: int, tmp_path: Path) -> None:
    save_checkpoint(checkpoint(), tmp_path / "whole")
    (tmp_path / "cut").write_bytes((tmp_path / "whole").read_bytes()[:length])
    with pytest.raises(Untrusted, match="cut"):
        load_checkpoint(tmp_path / "cut")


def test_facts_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        save_checkpoint(Checkpoint({"a": torch.zeros(1)}, {"loss": float("nan")}), tmp_path / "a")
    assert not list(tmp_path.iterdir())
