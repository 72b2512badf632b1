"""Every fault of a data set is found before a search, with the file's name and what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netwright.core.errors import DataError
from netwright.data.catalog import arrays_data, open_data
from netwright.data.check import Finding, check_data

from .conftest import Pictures
from .test_decode import png_bomb


def kinds(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.kind: finding for finding in findings}


def test_a_sound_folder_has_no_finding(pictures: Pictures) -> None:
    assert check_data(pictures("set", {"a": 40, "b": 40})) == []


@pytest.mark.fault(23)
def test_a_zoo_of_bad_data(pictures: Pictures, tmp_path: Path) -> None:
    """One folder with everything at once: each fault is found, named, and the check writes nothing."""
    root = pictures("zoo", {"a": 150, "b": 150, "c": 1})
    (root / "empty").mkdir()
    (root / "a" / "corrupt.png").write_bytes((root / "a" / "000.png").read_bytes()[:60])
    (root / "a" / "text.jpg").write_text("not an image")
    (root / "b" / "bomb.png").write_bytes(png_bomb(20_000, 20_000))
    Image.fromarray(np.full((10, 12), 40_000, np.uint16)).save(root / "a" / "deep.png")
    Image.new("CMYK", (12, 10), (10, 20, 30, 40)).save(root / "a" / "print.jpg")
    Image.new("P", (12, 10), 3).save(root / "a" / "palette.png")
    Image.new("RGBA", (12, 10), (10, 20, 30, 40)).save(root / "a" / "glass.png")
    Image.new("1", (6000, 5000)).save(root / "b" / "huge.png")
    frames = [Image.new("L", (12, 10), 9), Image.new("L", (12, 10), 99)]
    frames[0].save(root / "b" / "film.gif", save_all=True, append_images=frames[1:])
    Image.new("RGB", (12, 10)).save(root / "loose.png")
    (root / "a" / "raw.heic").write_bytes(b"?")
    (root / "b" / "copy.png").write_bytes((root / "b" / "001.png").read_bytes())
    (root / "b" / "wrong.png").write_bytes((root / "a" / "002.png").read_bytes())
    before = sorted(tmp_path.rglob("*"))

    found = kinds(check_data(root))

    assert sorted(tmp_path.rglob("*")) == before
    expected = {
        "corrupt": "a/corrupt.png", "too large": "b/bomb.png", "16-bit": "a/deep.png", "CMYK": "a/print.jpg",
        "palette": "a/palette.png", "alpha": "a/glass.png", "huge": "b/huge.png", "animation": "b/film.gif",
        "loose image": "loose.png", "ignored": "a/raw.heic", "mixed sizes": "b/huge.png", "empty class": "empty",
        "contradiction": "b/wrong.png",
    }  # fmt: skip
    for kind, file in expected.items():
        assert file in found[kind].files, kind
        assert found[kind].message and found[kind].fix
    assert "a/text.jpg" in found["corrupt"].files
    assert "b/001.png = b/copy.png" in str(found)
    assert "c" in found["single image"].message
    assert found["imbalance"].severity == "warn"
    assert found["empty class"].severity == "stop"
    assert check_data(root)[0].severity == "stop"
    with pytest.raises(DataError, match="without any image: empty"):
        open_data(root, tmp_path / "data")
    assert not (tmp_path / "data" / "images.npy").exists()


@pytest.mark.fault(23)
def test_few_corrupt_files_are_left_out_and_said(pictures: Pictures, tmp_path: Path) -> None:
    root = pictures("set", {"a": 100, "b": 100})
    (root / "a" / "007.png").write_bytes(b"")
    dataset = open_data(root, tmp_path / "data")
    assert len(dataset) == len(dataset.files) == 199
    assert dataset.skipped[0][0] == "a/007.png"
    assert dataset.skipped[0][1]
    assert "a/007.png" not in dataset.files
    finding = kinds(list(dataset.findings))["corrupt"]
    assert (finding.severity, finding.files) == ("warn", ("a/007.png",))
    with Image.open(root / dataset.files[7]) as image:
        assert (np.asarray(image) == dataset.images[7]).all()
    assert "left out" in dataset.describe()


@pytest.mark.fault(23)
def test_many_corrupt_files_stop(pictures: Pictures, tmp_path: Path) -> None:
    root = pictures("set", {"a": 100, "b": 100})
    for index in range(3):
        (root / "a" / f"{index:03d}.png").write_bytes(b"")
    with pytest.raises(DataError, match="3 images of 200 cannot be read"):
        open_data(root, tmp_path / "data")
    assert kinds(check_data(root))["corrupt"].severity == "stop"


@pytest.mark.fault(23)
def test_nothing_can_be_read(pictures: Pictures) -> None:
    root = pictures("set", {"a": 5, "b": 5})
    for path in root.glob("*/*"):
        path.write_bytes(b"x")
    assert kinds(check_data(root))["unreadable"].severity == "stop"


@pytest.mark.fault(23)
def test_a_class_of_corrupt_files_only(pictures: Pictures) -> None:
    root = pictures("set", {"a": 300, "b": 1})
    (root / "b" / "000.png").write_bytes(b"x")
    assert kinds(check_data(root))["empty class"].severity == "stop"


@pytest.mark.fault(23)
def test_one_class(pictures: Pictures) -> None:
    assert kinds(check_data(pictures("set", {"a": 70})))["one class"].severity == "stop"


@pytest.mark.fault(23)
def test_imbalance_and_few_images(pictures: Pictures) -> None:
    found = kinds(check_data(pictures("set", {"a": 45, "b": 2})))
    assert "45 images" in found["imbalance"].message
    assert "47 images" in found["few images"].message


@pytest.mark.fault(23)
def test_a_class_that_never_trains(pictures: Pictures, tmp_path: Path) -> None:
    pictures("set/train", {"a": 30, "b": 30})
    pictures("set/test", {"a": 30, "new": 30}, seed=1)
    found = kinds(check_data(tmp_path / "set"))
    assert found["untrained class"].severity == "stop"
    assert "new" in found["untrained class"].message
    assert "b" in found["missing class"].message


def test_duplicates_are_counted_by_part(tmp_path: Path) -> None:
    """Two extra copies in train, one picture in train and test, one picture under two labels."""
    images = np.random.default_rng(0).integers(0, 256, (90, 5, 5), dtype=np.uint8)
    labels = np.arange(90) % 2
    split = np.repeat(np.array([0, 1, 2], np.uint8), 30)
    images[[2, 4]] = images[0]
    images[60] = images[10]
    images[7] = images[6]
    dataset = arrays_data(images, labels, tmp_path / "data", split=split)
    messages = [finding.message for finding in dataset.findings]
    assert any(message.startswith("3 exact duplicates inside the train part") for message in messages)
    assert any(message.startswith("1 picture in both the train and the test part") for message in messages)
    assert any(message.startswith("1 picture that are in the data under different labels") for message in messages)
    assert len(messages) == 3


def test_duplicates_never_sit_on_two_sides_of_a_split_made_here(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (300, 5, 5), dtype=np.uint8)
    images[150:] = images[:150]
    labels = np.tile(np.arange(150) % 3, 2)
    dataset = arrays_data(images, labels, tmp_path / "data")
    assert (dataset.split[:150] == dataset.split[150:]).all()
    assert "leak" not in kinds(list(dataset.findings))
    assert set(dataset.split.tolist()) == {0, 1, 2}


@pytest.mark.fault(23)
def test_a_class_whose_only_training_image_is_corrupt_trains_with_another(pictures: Pictures) -> None:
    root = pictures("set", {"a": 100, "b": 100, "rare": 2})
    (root / "rare" / "000.png").write_bytes(b"broken")
    for seed in range(4):
        assert "untrained class" not in kinds(check_data(root, seed=seed))


def test_a_source_that_cannot_be_listed_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"x")
    finding = check_data(tmp_path / "model.pt")[0]
    assert (finding.severity, finding.kind) == ("stop", "unreadable")
    assert "pickle" in finding.message


def test_findings_survive_json(pictures: Pictures) -> None:
    for finding in check_data(pictures("set", {"a": 45, "b": 1})):
        assert Finding.from_json(finding.to_json()) == finding


def test_the_check_and_the_search_find_the_same(pictures: Pictures, tmp_path: Path) -> None:
    root = pictures("set", {"a": 100, "b": 3})
    (root / "a" / "extra.png").write_bytes((root / "a" / "001.png").read_bytes())
    dataset = open_data(root, tmp_path / "data")
    assert sorted(map(str, dataset.findings)) == sorted(map(str, check_data(root)))
    assert {finding.kind for finding in dataset.findings} == {"imbalance", "duplicate"}
