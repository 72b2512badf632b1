from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

import netwright.export.folder as folder_module
from netwright.core.errors import CandidateError, InputError, StorageError
from netwright.data.decode import load_image
from netwright.export.folder import export
from netwright.networks.weights import weight_shapes
from tests.export.exports import FILES, SETTINGS, TASK, by_torch, make_card, make_export, pixels
from tests.networks.plans import PLANS, lived_in_weights
from tests.networks.test_source import load

ROOT = Path(__file__).parents[2]


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_folder_holds_the_network_in_three_forms_and_is_reproducible(tmp_path: Path) -> None:
    folder = make_export(tmp_path / "runs" / "export")
    assert {path.name for path in folder.iterdir()} == FILES
    assert digests(make_export(tmp_path / "again")) == digests(folder)
    plan = PLANS["mbconv"](TASK)
    weights = load_file(folder / "weights.safetensors")
    assert {name: array.shape for name, array in weights.items()} == weight_shapes(plan)
    onnx.checker.check_model(onnx.load(folder / "model.onnx"), full_check=True)
    assert json.loads((folder / "labels.json").read_text()) == list(TASK.labels)
    assert json.loads((folder / "decode.json").read_text()) == SETTINGS.to_json()
    images = pixels(3)
    network = load((folder / "model.py").read_text(), folder)
    with torch.no_grad():
        answers = network(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).softmax(1).numpy()
    assert np.abs(answers - by_torch(images)).max() < 1e-4


def test_copied_scripts_are_the_ones_of_the_package(tmp_path: Path) -> None:
    folder = make_export(tmp_path / "export")
    source = ROOT / "src" / "netwright"
    assert (folder / "decode.py").read_bytes() == (source / "data" / "decode.py").read_bytes()
    assert (folder / "predict.py").read_bytes() == (source / "export" / "predict.py").read_bytes()


def test_model_script_labels_a_picture(tmp_path: Path) -> None:
    folder = make_export(tmp_path / "export")
    picture = tmp_path / "a picture.png"
    Image.fromarray(pixels(1, shape=(26, 22, 3))[0]).save(picture)
    expected = by_torch(load_image(picture, SETTINGS)[None])[0]
    finished = subprocess.run(
        [sys.executable, folder / "model.py", picture], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    file, label, probability = finished.stdout.rstrip("\n").split("\t")
    assert (file, label) == (str(picture), TASK.labels[expected.argmax()])
    assert float(probability) == pytest.approx(expected.max(), abs=1e-3)


def test_a_new_export_replaces_the_old_one_whole(tmp_path: Path) -> None:
    folder = make_export(tmp_path / "export", seed=0)
    before = digests(folder)
    assert make_export(tmp_path / "export", seed=1) == folder
    assert digests(folder)["model.onnx"] != before["model.onnx"]
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_the_old_export_stays_when_the_new_one_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_export(tmp_path / "export", seed=0)
    before = digests(folder)
    written = 0

    def full_disk(path: Path, content: bytes) -> None:
        nonlocal written
        written += 1
        if written == 4:
            raise OSError(28, "No space left on device")
        path.write_bytes(content)

    monkeypatch.setattr(folder_module, "write_bytes", full_disk)
    with pytest.raises(StorageError, match="export: No space left on device; free space"):
        make_export(tmp_path / "export", seed=1)
    assert digests(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


@pytest.mark.fault(2)
def test_kill_in_the_middle_of_an_export_leaves_a_whole_one(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    whole = [digests(make_export(folder, seed=seed)) for seed in (1, 0)]
    script = (
        "import sys, itertools; from pathlib import Path; from tests.export.exports import make_export\n"
        "print('ready', flush=True)\n"
        "for seed in itertools.cycle((1, 0)): make_export(Path(sys.argv[1]), seed=seed)"
    )
    generator = np.random.default_rng(0)
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", script, folder],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert process.stdout is not None and process.stdout.readline()
        time.sleep(generator.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        old = list(tmp_path.glob(".export.old-*"))
        assert digests(folder if folder.exists() else old[0]) in whole
    make_export(folder, seed=1)
    assert digests(folder) == whole[0]
    assert [path.name for path in tmp_path.iterdir()] == ["export"], "leftovers are swept"


def test_killed_between_its_two_renames_the_old_export_comes_back(tmp_path: Path) -> None:
    folder = make_export(tmp_path / "export[1]", seed=0)
    before = digests(folder)
    folder.rename(tmp_path / ".export[1].old-0123abcd")
    plan = PLANS["mbconv"](TASK)
    with pytest.raises(CandidateError):
        export(folder, plan=plan, task=TASK, weights={}, decode_settings=SETTINGS.to_json(), card=make_card())
    assert digests(folder) == before
    assert make_export(tmp_path / "export[1]", seed=1) == folder
    assert [path.name for path in tmp_path.iterdir()] == ["export[1]"]


@pytest.mark.parametrize("occupied", ["file", "folder"])
def test_other_things_are_never_replaced(tmp_path: Path, occupied: str) -> None:
    target = tmp_path / "thesis"
    if occupied == "folder":
        target.mkdir()
        (target / "chapter1.tex").write_text("years of work")
    else:
        target.write_text("years of work")
    with pytest.raises(InputError, match="new or empty folder or replace an earlier export, but 'thesis' holds"):
        make_export(target)
    assert "years of work" in (target / "chapter1.tex" if occupied == "folder" else target).read_text()


def test_an_empty_folder_may_be_used_and_others_can_read_the_export(tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    previous = os.umask(0o022)
    try:
        folder = make_export(tmp_path / "export")
    finally:
        os.umask(previous)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert stat.S_IMODE((folder / "model.onnx").stat().st_mode) == 0o644


def test_what_does_not_fit_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    plan = PLANS["residual"](TASK)
    weights = lived_in_weights(plan)
    options = {"plan": plan, "task": TASK, "decode_settings": SETTINGS.to_json(), "card": make_card()}
    with pytest.raises(CandidateError, match="is needed, but there is none"):
        export(tmp_path / "export", **{**options, "weights": dict(list(weights.items())[1:])})  # type: ignore[arg-type]
    wrong = {**SETTINGS.to_json(), "height": 28}
    with pytest.raises(InputError, match=r"decoding must give \(13, 11, 3\)"):
        export(tmp_path / "export", **{**options, "weights": weights, "decode_settings": wrong})  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_labels_of_every_script_survive(tmp_path: Path) -> None:
    labels = ("猫", 'naïve "q"\n', "\udcff bytes", "=1+1", "e")
    folder = make_export(tmp_path / "export", task=replace(TASK, labels=labels))
    assert tuple(json.loads((folder / "labels.json").read_text(encoding="utf-8"))) == labels
