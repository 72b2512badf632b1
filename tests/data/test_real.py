"""What is known about real data sets is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netwright.data import archives
from netwright.data.catalog import open_data
from netwright.data.check import check_data


@pytest.fixture
def sign_digits(real_data: Path) -> Path:
    if not (real_data / "sign_digits").is_dir():
        pytest.skip("sign_digits absent")
    return real_data / "sign_digits"


def test_sign_digits(sign_digits: Path, tmp_path: Path) -> None:
    groups = sign_digits.with_name("sign_digits_groups.csv")
    dataset = open_data(sign_digits, tmp_path / "data", groups=groups)
    assert dataset.task.inputs == (3, 64, 64)
    assert dataset.task.labels == tuple("0123456789")
    assert dataset.class_counts().tolist() == [205, 206, 206, 206, 207, 207, 207, 206, 208, 204]
    assert dataset.licence == "Apache-2.0"
    assert dataset.skipped == ()
    assert dataset.task.mean == pytest.approx((0.675, 0.646, 0.616), abs=0.01)
    assert {finding.kind for finding in dataset.findings} == {"ignored", "mixed sizes"}
    mixed = next(finding for finding in dataset.findings if finding.kind == "mixed sizes")
    assert mixed.files == ("7/IMG_5874.JPG", "7/IMG_5935.JPG", "7/IMG_5978.JPG")
    assert dataset.groups is not None
    assert len(np.unique(dataset.groups)) == 220
    sides = [set(dataset.split[dataset.groups == group].tolist()) for group in range(220)]
    assert all(len(side) == 1 for side in sides)
    for part, share in (("train", 0.7), ("validation", 0.15), ("test", 0.15)):
        assert dataset.class_counts(part).sum() == pytest.approx(2062 * share, abs=8)
        assert np.abs(dataset.class_counts(part) - dataset.class_counts() * share).max() < 4


def test_the_three_camera_originals_stand_upright(sign_digits: Path, tmp_path: Path) -> None:
    """They are stored lying on their side: upright, they resemble the class's mean picture more than as stored."""
    dataset = open_data(sign_digits, tmp_path / "data", size="32x32")
    seven = dataset.images[dataset.labels == 7].astype(np.float64).mean(axis=-1)
    mean = np.median(seven, axis=0)
    for name in ("7/IMG_5874.JPG", "7/IMG_5935.JPG", "7/IMG_5978.JPG"):
        upright = dataset.images[dataset.files.index(name)].astype(np.float64).mean(axis=-1)
        likeness = [np.corrcoef(np.rot90(upright, turns).ravel(), mean.ravel())[0, 1] for turns in range(4)]
        assert int(np.argmax(likeness)) == 0, (name, likeness)


def test_pneumoniamnist(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "pneumoniamnist.npz"
    if not path.is_file():
        pytest.skip("pneumoniamnist.npz absent")
    dataset = open_data(path, tmp_path / "data")
    assert [len(dataset.indices(part)) for part in ("train", "validation", "test")] == [4708, 524, 624]
    assert dataset.class_counts("train").tolist() == [1214, 3494]
    assert dataset.class_counts("test").tolist() == [234, 390]
    assert dataset.task.mean == pytest.approx((0.5719,), abs=1e-4)
    assert dataset.task.std == pytest.approx((0.1684,), abs=1e-4)
    assert dataset.task.class_weights is None
    messages = [finding.message for finding in dataset.findings]
    assert [message.split(":")[0] for message in messages] == [
        "18 exact duplicates inside the train part",
        "3 exact duplicates inside the test part",
        "8 pictures in both the train and the validation part",
    ]
    assert check_data(path) == list(dataset.findings)
    with np.load(path, allow_pickle=False) as archive:
        assert (dataset.images[dataset.indices("test"), :, :, 0] == archive["test_images"]).all()


def test_fashion_mnist(tmp_path: Path) -> None:
    if not archives.FASHION_FOLDER.is_dir():
        pytest.skip("dataset-fashion-mnist is not installed")
    dataset = open_data("fashion-mnist", tmp_path / "data")
    assert [len(dataset.indices(part)) for part in ("train", "validation", "test")] == [50_000, 10_000, 10_000]
    assert dataset.class_counts("validation").tolist() == [1000] * 10
    assert dataset.indices("test").tolist() == list(range(60_000, 70_000))
    assert dataset.task.labels[0] == "T-shirt/top"
    assert dataset.licence == "MIT"
    assert open_data("fashion-mnist", tmp_path / "data").fingerprint == dataset.fingerprint
