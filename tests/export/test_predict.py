from __future__ import annotations

import csv
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netwright.data.decode import load_image
from netwright.export.predict import BadArrays, BadExport, Predictor, cell, load_array, main
from tests.export.exports import SETTINGS, TASK, by_torch, make_export, pixels
from tests.networks.plans import make_task

ALONE = """
import sys
from importlib.abc import MetaPathFinder
class Blocker(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("netwright", "torch", "safetensors", "onnx", "sklearn", "pandas"):
            raise ImportError(f"{name} is not there")
sys.meta_path.insert(0, Blocker())
import runpy
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_export(tmp_path_factory.mktemp("a run") / "export")


def alone(folder: Path, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Runs predict.py of `folder` isolated, with netwright and torch made unimportable."""
    command = [sys.executable, "-I", "-X", "utf8", "-W", "error", "-c", ALONE, folder / "predict.py", *arguments]
    return subprocess.run([str(part) for part in command], check=False, capture_output=True, text=True, cwd=cwd)


def rows(output: str) -> list[list[str]]:
    return [line.split("\t") for line in output.splitlines()]


def test_script_alone_gives_the_answers_of_the_torch_module(exported: Path, tmp_path: Path) -> None:
    shutil.copytree(exported, tmp_path / "shipped network")
    pictures = tmp_path / "Bilder – 画像"
    (pictures / "below").mkdir(parents=True)
    for index, picture in enumerate(pixels(5, shape=(30, 40, 3))):
        place = pictures / "below" if index > 2 else pictures
        Image.fromarray(picture).save(place / f"nº {index}.png")
    (pictures / "notes.txt").write_text("not a picture, and not named as one")
    finished = alone(tmp_path / "shipped network", pictures, cwd=tmp_path)
    assert (finished.returncode, finished.stderr) == (0, "")
    answers = rows(finished.stdout)
    files = sorted(pictures.rglob("*.png"))
    assert [file for file, _, _ in answers] == [str(file) for file in files]
    expected = by_torch(np.stack([load_image(file, SETTINGS) for file in files]))
    assert [label for _, label, _ in answers] == [TASK.labels[best] for best in expected.argmax(1)]
    assert np.abs(np.array([float(p) for _, _, p in answers]) - expected.max(1)).max() < 1e-3


def test_pictures_are_found_as_for_a_training(exported: Path, tmp_path: Path) -> None:
    for name in (
        "a.jfif",
        "b.JPE",
        "c.pnm",
        "d.pbm",
        ".hidden/e.png",
        "__MACOSX/f.png",
        "below/g.png",
        "below/._g.png",
    ):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        kind = "PPM" if name.endswith(("pnm", "pbm")) else "PNG" if name.endswith("png") else "JPEG"
        Image.fromarray(pixels(1)[0]).save(tmp_path / "set" / name, kind)
    answers = list(Predictor(exported).predict([tmp_path / "set"]))
    assert [Path(answer.file).name for answer in answers] == ["a.jfif", "b.JPE", "g.png", "c.pnm", "d.pbm"]
    assert all(answer.error == "" for answer in answers)


def test_one_path_need_not_be_a_list(exported: Path, tmp_path: Path) -> None:
    Image.fromarray(pixels(1)[0]).save(tmp_path / "a.png")
    for path in (tmp_path / "a.png", str(tmp_path / "a.png")):
        (answer,) = Predictor(exported).predict(path)
        assert answer.file == str(tmp_path / "a.png") and answer.label in TASK.labels


def test_arrays_alone(exported: Path, tmp_path: Path) -> None:
    images = pixels(130)
    np.save(tmp_path / "plain.npy", images)
    np.savez_compressed(
        tmp_path / "medmnist.npz", train_images=images[:2], test_images=images[2:], test_labels=np.zeros(128)
    )
    np.savez(tmp_path / "grey.npz", images=images[:3, :, :, 0])
    finished = alone(exported, "plain.npy", "medmnist.npz", "grey.npz", "--json", cwd=tmp_path)
    assert (finished.returncode, finished.stderr) == (0, "")
    records = [json.loads(line) for line in finished.stdout.splitlines()]
    grey = np.repeat(images[:3, :, :, :1], 3, axis=3)
    expected = by_torch(np.concatenate([images, images[:2], grey]))
    assert [(r["file"], r["index"]) for r in records] == [
        *(("plain.npy", i) for i in range(130)),
        ("medmnist.npz", 0),
        ("medmnist.npz", 1),
        *(("grey.npz", i) for i in range(3)),
    ]
    assert [r["label"] for r in records] == [TASK.labels[best] for best in expected.argmax(1)]
    assert np.abs(np.array([r["probability"] for r in records]) - expected.max(1)).max() < 1e-3
    by_key = alone(exported, "medmnist.npz", "--key", "test_images", cwd=tmp_path)
    assert [row[1] for row in rows(by_key.stdout)] == [TASK.labels[best] for best in by_torch(images[2:]).argmax(1)]


@pytest.mark.fault(23)
def test_bad_files_are_named_and_skipped(exported: Path, tmp_path: Path) -> None:
    Image.fromarray(pixels(1)[0]).save(tmp_path / "good.png")
    whole = (tmp_path / "good.png").read_bytes()
    (tmp_path / "cut off.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "nothing here").mkdir()
    np.save(tmp_path / "floats.npy", np.zeros((2, 13, 11, 3), np.float32))
    np.savez(tmp_path / "labels.npz", test_labels=np.zeros(3, np.uint8))
    bad = ["cut off.png", "text.jpg", "empty.png", "missing.png", "nothing here", "floats.npy", "labels.npz"]
    finished = alone(exported, *bad[:3], "good.png", *bad[3:], "--csv", "answers.csv", cwd=tmp_path)
    assert finished.returncode == 1
    assert [row[0] for row in rows(finished.stdout)] == ["good.png"]
    assert [line.partition(": ")[0] for line in finished.stderr.splitlines()] == bad
    assert "Traceback" not in finished.stderr
    with open(tmp_path / "answers.csv", newline="", encoding="utf-8") as file:
        assert [row["file"] for row in csv.DictReader(file)] == ["good.png"]


def test_rotated_photographs_are_turned_upright(exported: Path, tmp_path: Path) -> None:
    upright = Image.fromarray(pixels(1, shape=(26, 22, 3))[0])
    upright.save(tmp_path / "upright.jpg", quality=100, subsampling=0)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    turned.save(tmp_path / "turned.jpg", quality=100, subsampling=0, exif=exif)
    turned.save(tmp_path / "lying.jpg", quality=100, subsampling=0)
    finished = alone(exported, "upright.jpg", "turned.jpg", "lying.jpg", "--json", "--top", "5", cwd=tmp_path)
    upright_answer, turned_answer, lying_answer = (
        {entry["label"]: entry["probability"] for entry in json.loads(line)["top"]}
        for line in finished.stdout.splitlines()
    )
    near = max(abs(upright_answer[label] - turned_answer[label]) for label in TASK.labels)
    far = max(abs(upright_answer[label] - lying_answer[label]) for label in TASK.labels)
    assert near < 0.02 and far > 2 * near


def test_top_answers_are_ranked_and_sum_to_one(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "a.npy", pixels(2))
    assert main([str(tmp_path / "a.npy"), "--top", "9", "--csv", str(tmp_path / "a.csv")], exported) == 0
    with open(tmp_path / "a.csv", newline="", encoding="utf-8") as file:
        assert {len(row) for row in csv.reader(file)} == {12}
    for _, *answers in rows(capsys.readouterr().out):
        labels, probabilities = answers[::2], [float(text) for text in answers[1::2]]
        assert set(labels) == set(TASK.labels)
        assert probabilities == sorted(probabilities, reverse=True)
        assert sum(probabilities) == pytest.approx(1, abs=1e-3)


@pytest.mark.attack(17)
def test_names_are_no_formulas_in_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_export(tmp_path / "export", task=replace(TASK, labels=("=1+1", "+a", "-b", "@c", 'd,"e"')))
    picture = tmp_path / "=HYPERLINK(x).png"
    Image.fromarray(pixels(1)[0]).save(picture)
    previous = os.getcwd()
    os.chdir(tmp_path)
    try:
        assert main([picture.name, "--top", "5", "--csv", "answers.csv"], folder) == 0
    finally:
        os.chdir(previous)
    capsys.readouterr()
    with open(tmp_path / "answers.csv", newline="", encoding="utf-8") as file:
        head, answers = list(csv.reader(file))
    assert head[:4] == ["file", "index", "label", "probability"] and head[-1] == "probability_5"
    assert answers[0] == "'=HYPERLINK(x).png"
    assert set(answers[2::2]) == {"'=1+1", "'+a", "'-b", "'@c", 'd,"e"'}
    assert [cell(text) for text in ("-1", "+2.5", "-1+2", "-", "+a1")] == ["-1", "+2.5", "'-1+2", "'-", "'+a1"]
    assert cell("plain = text") == "plain = text" and cell("\t=1") == "'\t=1"


def test_terminal_escapes_in_names_are_not_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_export(tmp_path / "export", task=replace(TASK, labels=tuple(f"\x1b[31m{i}\r\n" for i in range(5))))
    (tmp_path / "\x1b[2J.png").write_bytes(b"no picture")
    np.save(tmp_path / "a.npy", pixels(1))
    assert main([str(tmp_path / "\x1b[2J.png"), str(tmp_path / "a.npy")], folder) == 1
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out + captured.err and len(captured.out.splitlines()) == 1


class Canary:
    """Touches a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.file,)  # type: ignore[return-value]


@pytest.mark.attack(1)
def test_arrays_are_never_unpickled(exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    canary = Canary(tmp_path / "unpickled")
    array = np.empty(2, object)
    array[:] = [canary, canary]
    np.save(tmp_path / "object.npy", array, allow_pickle=True)
    np.savez(tmp_path / "object.npz", test_images=array)
    (tmp_path / "raw.npy").write_bytes(pickle.dumps(canary))
    files = [str(tmp_path / name) for name in ("object.npy", "object.npz", "raw.npy")]
    assert main(files, exported) == 1
    assert len(capsys.readouterr().err.splitlines()) == 3
    assert not canary.file.exists()


@pytest.mark.attack(13)
def test_bombs_are_refused_before_they_unpack(exported: Path, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.npz"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("test_images.npy", "w") as member:
        np.lib.format.write_array_header_1_0(
            member, {"descr": "|u1", "fortran_order": False, "shape": (300, 1024, 1024)}
        )
        for _ in range(300):
            member.write(bytes(2**20))
    with pytest.raises(BadArrays, match="would unpack to"):
        load_array(bomb)
    for shape in ((10**6, 1024, 1024), (2**62, 2**62), (2**40,)):
        with zipfile.ZipFile(bomb, "w") as archive, archive.open("test_images.npy", "w") as member:
            np.lib.format.write_array_header_1_0(member, {"descr": "|u1", "fortran_order": False, "shape": shape})
        with pytest.raises(BadArrays, match="promises the shape"):
            load_array(bomb)
    lying = tmp_path / "lying.npy"
    with open(lying, "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (10**9, 13, 11)})
        file.write(struct.pack("<I", 7))
    with pytest.raises(BadArrays, match="not an array file"):
        load_array(lying)
    huge = tmp_path / "huge.png"
    Image.new("1", (16_000, 16_000)).save(huge)
    (answer,) = Predictor(exported).predict([huge])
    assert "pixels" in answer.error and answer.label == "" and answer.top(3) == []


def test_a_broken_export_is_said_in_one_line(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "a.npy", pixels(1))
    for name, content in (
        ("model.onnx", b"\x08junk"),
        ("labels.json", b"{"),
        ("decode.json", b"{}"),
        ("labels.json", None),
    ):
        folder = tmp_path / "copy"
        shutil.copytree(exported, folder)
        (folder / name).unlink()
        if content is not None:
            (folder / name).write_bytes(content)
        with pytest.raises(BadExport, match=name.partition(".")[0]):
            Predictor(folder)
        assert main([str(tmp_path / "a.npy")], folder) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
        shutil.rmtree(folder)


def test_usage(exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "a.npy", pixels(1))
    for arguments in ([], [str(tmp_path / "a.npy"), "--top", "0"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments, exported)
        assert ended.value.code == 2
    assert main([str(tmp_path / "a.npy"), "--csv", str(tmp_path / "missing" / "a.csv")], exported) == 2
    assert "a.csv" in capsys.readouterr().err


def test_flat_features_are_taken_from_arrays(tmp_path: Path) -> None:
    task = make_task((64, 1, 1))
    folder = make_export(tmp_path / "export", "mlp", task)
    features = pixels(5, shape=(1, 1, 64))
    np.save(tmp_path / "table.npy", features[:, 0, 0, :])
    Image.fromarray(pixels(1)[0]).save(tmp_path / "picture.png")
    *answers, refused = Predictor(folder).predict([tmp_path / "table.npy", tmp_path / "picture.png"])
    expected = by_torch(features, "mlp", task)
    assert [answer.label for answer in answers] == [task.labels[best] for best in expected.argmax(1)]
    assert "takes arrays with 64" in refused.error


def test_predictor_from_python(exported: Path, tmp_path: Path) -> None:
    images = pixels(70)
    predictor = Predictor(exported)
    probabilities = predictor.probabilities(images)
    assert probabilities.shape == (70, 5) and probabilities.dtype == np.float32
    assert np.abs(probabilities - by_torch(images)).max() < 1e-3
    assert predictor.probabilities(images[:0]).shape == (0, 5)
    with pytest.raises(ValueError, match=r"uint8 \(N, 13, 11, 3\), but got float64"):
        predictor.probabilities(images / 255.0)
    np.save(tmp_path / "a.npy", images)
    answers = list(predictor.predict(iter([tmp_path / "a.npy"])))
    assert [answer.index for answer in answers] == list(range(70))
    assert np.allclose(
        np.stack([answer.probabilities for answer in answers if answer.probabilities is not None]), probabilities
    )
