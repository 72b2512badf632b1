"""Folders of images in every accepted layout become data sets."""

from __future__ import annotations

import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netwright.core.errors import DataError
from netwright.data.catalog import find_source, open_data
from netwright.data.source import target_size

from .conftest import Pictures


def sizes(*pairs: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """(heights, widths)."""
    return np.array([h for h, _ in pairs], np.int64), np.array([w for _, w in pairs], np.int64)


@pytest.mark.parametrize(
    ("size", "pictures_given", "wanted"),
    [
        (None, [(28, 28)] * 3, (28, 28)),
        (None, [(48, 64)] * 3, (48, 64)),
        (None, [(100, 100), (3024, 3024)], (64, 64)),
        (None, [(480, 640)] * 2, (48, 64)),
        (None, [(640, 480)] * 2, (64, 48)),
        (None, [(20, 30), (22, 31), (18, 27)], (20, 30)),
        (None, [(1, 5000)] * 2, (1, 64)),
        ("32", [(480, 640)], (24, 32)),
        ("48x96", [(480, 640)], (48, 96)),
        ("200", [(28, 28)], (200, 200)),
    ],
)
def test_the_rule_of_sizes(size: str | None, pictures_given: list[tuple[int, int]], wanted: tuple[int, int]) -> None:
    assert target_size(size, *sizes(*pictures_given)) == wanted


@pytest.mark.parametrize("size", ["", "x", "0", "64x", "5000", "-3", "6.5", "1x2x3"])
def test_sizes_that_are_none(size: str) -> None:
    with pytest.raises(DataError, match="longest side"):
        target_size(size, *sizes((28, 28)))


def test_one_folder_a_class(pictures: Pictures, tmp_path: Path) -> None:
    root = pictures("pets", {"dog": 30, "cat": 40}, size=(12, 10))
    (root / "README.md").write_text("License: CC-BY-4.0")
    dataset = open_data(root, tmp_path / "data")
    assert dataset.name == "pets"
    assert dataset.task.labels == ("cat", "dog")
    assert dataset.task.inputs == (3, 10, 12)
    assert dataset.images.shape == (70, 10, 12, 3)
    assert dataset.class_counts().tolist() == [40, 30]
    assert [len(dataset.indices(part)) for part in ("train", "validation", "test")] == [50, 10, 10]
    assert dataset.licence == "CC-BY-4.0"
    assert dataset.files[0] == "cat/000.png"
    with Image.open(root / dataset.files[50]) as image:
        assert (np.asarray(image) == dataset.images[50]).all()
    assert [finding.kind for finding in dataset.findings] == ["ignored"]
    assert "README" not in "".join(dataset.files)
    text = dataset.describe()
    for words in ("pets: 70 images", "12 x 10", "colour", "30 to 40", "train 50, validation 10, test 10", "CC-BY-4.0"):
        assert words in text


def test_mean_and_deviation_are_those_of_the_training_part(pictures: Pictures, tmp_path: Path) -> None:
    dataset = open_data(pictures("a", {"x": 40, "y": 40}), tmp_path / "data")
    training = dataset.images[dataset.indices("train")] / 255
    assert np.allclose(dataset.task.mean, training.mean((0, 1, 2)))
    assert np.allclose(dataset.task.std, training.std((0, 1, 2)))


def test_train_val_and_test_folders(pictures: Pictures, tmp_path: Path) -> None:
    for part, number in (("train", 40), ("valid", 8), ("Test", 9)):
        pictures(f"set/{part}", {"a": number, "b": number}, seed=number)
    (tmp_path / "set" / "annotations").mkdir()
    dataset = open_data(tmp_path / "set", tmp_path / "data")
    assert dataset.task.labels == ("a", "b")
    assert [len(dataset.indices(part)) for part in ("train", "validation", "test")] == [80, 16, 18]
    assert dataset.how_split == "as given"
    assert {dataset.files[i].split("/")[0] for i in dataset.indices("validation")} == {"valid"}
    assert "annotations" in str(dataset.findings)


def test_a_missing_part_is_made_and_said(pictures: Pictures, tmp_path: Path) -> None:
    pictures("set/train", {"a": 60, "b": 60})
    pictures("set/test", {"a": 10, "b": 10}, seed=1)
    dataset = open_data(tmp_path / "set", tmp_path / "data")
    assert [len(dataset.indices(part)) for part in ("train", "validation", "test")] == [100, 20, 20]
    assert "validation made here" in dataset.describe()


def test_a_train_folder_alone_is_the_data(pictures: Pictures, tmp_path: Path) -> None:
    pictures("set/train", {"a": 60, "b": 60})
    (tmp_path / "set" / "test").mkdir()
    dataset = open_data(tmp_path / "set", tmp_path / "data")
    assert [len(dataset.indices(part)) for part in ("train", "validation", "test")] == [84, 18, 18]


def test_a_class_may_be_called_train(pictures: Pictures, tmp_path: Path) -> None:
    root = pictures("vehicles", {"train": 30, "car": 30, "bus": 30})
    assert open_data(root, tmp_path / "data").task.labels == ("bus", "car", "train")


@pytest.mark.parametrize("parts", [("train", "test"), ("val", "test"), ("Testing",)])
def test_parts_are_not_taken_for_classes(pictures: Pictures, tmp_path: Path, parts: tuple[str, ...]) -> None:
    """Pictures in train/ and test/ without class folders, and class folders in parts that train nothing."""
    for part in parts:
        pictures(f"set/{part}", {"." if "train" in parts else "a": 30} | ({} if "train" in parts else {"b": 30}))
    with pytest.raises(DataError, match="must hold train/ and in it a folder of images for each class"):
        open_data(tmp_path / "set", tmp_path / "data")


def test_a_class_has_one_name_however_its_accents_are_stored(pictures: Pictures, tmp_path: Path) -> None:
    for part, seed, form in (("train", 0, "NFC"), ("val", 1, "NFD"), ("test", 2, "NFD")):
        pictures(f"set/{part}", {unicodedata.normalize(form, "café"): 30, "thé": 30}, seed=seed)
    dataset = open_data(tmp_path / "set", tmp_path / "data")
    assert dataset.task.labels == ("café", "thé")
    assert dataset.findings == ()


def test_a_linked_folder_in_a_class_is_left_out_and_said(pictures: Pictures, tmp_path: Path) -> None:
    root = pictures("set", {"a": 30, "b": 30})
    (root / "a" / "more").symlink_to(root / "b")
    (finding,) = open_data(root, tmp_path / "data").findings
    assert "a linked folder (1)" in finding.message
    assert finding.files == ("a/more",)


def test_two_folders_for_one_part_are_refused(pictures: Pictures, tmp_path: Path) -> None:
    for part in ("train", "val", "validation"):
        pictures(f"set/{part}", {"a": 5, "b": 5})
    with pytest.raises(DataError, match="one folder"):
        open_data(tmp_path / "set", tmp_path / "data")


def test_files_in_deeper_folders_and_hidden_ones(pictures: Pictures, tmp_path: Path) -> None:
    root = pictures("set", {"a": 30, "b": 30})
    (root / "a" / "deep").mkdir()
    shutil.move(root / "a" / "000.png", root / "a" / "deep" / "000.png")
    (root / ".cache").mkdir()
    (root / "b" / "._001.png").write_bytes(b"resource fork")
    dataset = open_data(root, tmp_path / "data")
    assert len(dataset) == 60
    assert "a/deep/000.png" in dataset.files
    assert dataset.findings == ()


def test_grey_pictures_have_one_channel_even_when_stored_in_colour(pictures: Pictures, tmp_path: Path) -> None:
    root = pictures("grey", {"a": 30, "b": 30}, mode="L")
    stored_grey = open_data(root, tmp_path / "one")
    for path in root.glob("*/*.png"):
        with Image.open(path) as image:
            colour = image.convert("RGB")
        colour.save(path)
    stored_colour = open_data(root, tmp_path / "two")
    assert stored_grey.images.shape == stored_colour.images.shape == (60, 10, 12, 1)
    assert stored_colour.fingerprint == stored_grey.fingerprint


def test_one_colour_picture_makes_all_three_channels(pictures: Pictures, tmp_path: Path) -> None:
    root = pictures("grey", {"a": 30, "b": 30}, mode="L")
    Image.new("RGB", (12, 10), (9, 8, 7)).save(root / "a" / "colour.png")
    assert open_data(root, tmp_path / "data").images.shape == (61, 10, 12, 3)


def test_a_size_can_be_asked_for(pictures: Pictures, tmp_path: Path) -> None:
    root = pictures("set", {"a": 30, "b": 30})
    assert open_data(root, tmp_path / "data", size="8x20").task.inputs == (3, 8, 20)


def test_split_and_groups_from_files(pictures: Pictures, tmp_path: Path) -> None:
    root = pictures("set", {"a": 40, "b": 40})
    keys = [f"{label}/{index:03d}.png" for label in "ab" for index in range(40)]
    (tmp_path / "groups.csv").write_text("file,group\n" + "".join(f"{key},p{int(key[2:5]) // 4}\n" for key in keys))
    dataset = open_data(root, tmp_path / "grouped", groups=tmp_path / "groups.csv")
    assert dataset.groups is not None
    assert all(len(set(dataset.split[dataset.groups == group])) == 1 for group in range(10))
    parts = ["train", "val", "test", "train"] * 20
    (tmp_path / "split.csv").write_text(
        "file,split\n" + "".join(f"{k},{p}\n" for k, p in zip(keys, parts, strict=True))
    )
    dataset = open_data(root, tmp_path / "split", split=tmp_path / "split.csv", groups=tmp_path / "groups.csv")
    assert [len(dataset.indices(part)) for part in ("train", "validation", "test")] == [40, 20, 20]
    assert [finding.kind for finding in dataset.findings] == ["split group"]


def test_a_thousand_classes(tmp_path: Path) -> None:
    for label in range(1000):
        (tmp_path / "many" / f"class {label}").mkdir(parents=True)
        for index in range(2):
            pixels = np.array([[label % 256, label // 256, index]], np.uint8)
            Image.fromarray(pixels).save(tmp_path / "many" / f"class {label}" / f"{index}.bmp")
    dataset = open_data(tmp_path / "many", tmp_path / "data")
    assert dataset.task.outputs == 1000
    assert set(dataset.labels[dataset.indices("train")].tolist()) == set(range(1000))


def test_numbered_classes_are_in_order_of_number(pictures: Pictures) -> None:
    assert find_source(pictures("set", {"10": 1, "9": 1, "-1": 1})).classes == ("-1", "9", "10")


def test_a_run_that_is_called_after_its_data_does_not_stand_in_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pictures: Pictures
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("digits").mkdir()
    with pytest.raises(DataError):
        find_source("digits")
    Path("digits/run.toml").touch()
    assert len(find_source("digits").classes) == 10
    shutil.rmtree("digits")
    pictures("digits", {"a": 2, "b": 2}).rename("digits")
    assert find_source("digits").classes == ("a", "b")


@pytest.mark.attack(11)
def test_class_names_are_for_show_only(pictures: Pictures, tmp_path: Path) -> None:
    """Names that would be paths, escapes or markup elsewhere are kept as text, and make no file."""
    names = [
        "..",
        "CON",
        "C:\\x",
        "<img onerror>",
        "\x1b[31mred",
        "мрамор",
        "🐈",
        "a" * 200,
        "-rf",
        "[red]",
        "x. ",
        "\u202egnp",
    ]
    given = {name: 4 for name in names if name != ".."}
    root = pictures("set", given)
    before = set(tmp_path.rglob("*"))
    dataset = open_data(root, tmp_path / "data")
    made = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")} - {
        path.relative_to(tmp_path).as_posix() for path in before
    }
    assert made == {"data"} | {
        f"data/{name}" for name in ("images.npy", "labels.npy", "split.npy", "files.json", "dataset.json")
    }
    assert {"CON", "C:\\x", "<img onerror>", "мрамор", "🐈", "-rf", "[red]"} <= set(dataset.task.labels)
    assert not any(mark in name for name in (*dataset.task.labels, *dataset.files) for mark in "\x1b\u202e\n")


def test_names_that_are_not_text_do_no_harm(pictures: Pictures, tmp_path: Path) -> None:
    root = pictures("set", {"a": 30, "b": 30})
    (root / "a" / "000.png").rename(root / "a" / "\udcff.png")
    dataset = open_data(root, tmp_path / "data")
    assert len(dataset.files) == 60
    "".join(dataset.files).encode("utf-8")


def test_class_names_that_look_the_same_are_refused(pictures: Pictures, tmp_path: Path) -> None:
    root = pictures("set", {"cat": 4, "cat\x07": 4})
    with pytest.raises(DataError, match="different names"):
        open_data(root, tmp_path / "data")


@pytest.mark.parametrize("layout", ["empty", "flat", "text"])
def test_folders_without_classes_say_what_they_hold(tmp_path: Path, layout: str) -> None:
    root = tmp_path / "set"
    root.mkdir()
    if layout == "flat":
        Image.new("L", (3, 3)).save(root / "a.png")
    if layout == "text":
        (root / "notes.txt").write_text("x")
    words = {"empty": "nothing", "flat": "1 image that lie in no class folder", "text": "notes.txt"}[layout]
    with pytest.raises(DataError, match=words):
        open_data(root, tmp_path / "data")


def test_sources_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="digits, fashion-mnist"):
        open_data(tmp_path / "absent", tmp_path / "data")
    with pytest.raises(DataError, match="too long"):
        open_data("a" * 300, tmp_path / "data")
    with pytest.raises(DataError, match="on this machine"):
        open_data("https://example.org/data.zip", tmp_path / "data")
    (tmp_path / "a.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match="unpacked first"):
        open_data(tmp_path / "a.zip", tmp_path / "data")
    assert not (tmp_path / "data").exists()
