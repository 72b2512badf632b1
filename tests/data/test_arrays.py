"""Arrays from Python: shapes, types, ranges, labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netwright.core.errors import DataError
from netwright.data.arrays import IMAGE_LIMIT
from netwright.data.catalog import arrays_data, open_data
from netwright.data.decode import prepare_array
from netwright.data.split import make_split


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape)


LABELS = np.arange(90) % 3


def test_pixels_are_kept(tmp_path: Path) -> None:
    images = (random(90, 9, 7, 3) * 255).astype(np.uint8)
    dataset = arrays_data(images, LABELS, tmp_path)
    assert (dataset.images == images).all()
    assert dataset.task.inputs == (3, 9, 7)
    assert dataset.task.labels == ("0", "1", "2")
    assert dataset.decode.low is None
    assert dataset.findings == ()


def test_floats_are_scaled_by_the_training_part(tmp_path: Path) -> None:
    images = random(90, 9, 7) * 4 - 1
    dataset = arrays_data(images, LABELS, tmp_path)
    training = images[dataset.indices("train")]
    assert dataset.decode.low == (training.min(),)
    assert dataset.decode.high == (training.max(),)
    assert dataset.images[dataset.indices("train")].min() == 0
    assert dataset.images[dataset.indices("train")].max() == 255
    assert (prepare_array(images, dataset.decode) == dataset.images).all()


def test_flat_features_are_pictures_of_one_pixel(tmp_path: Path) -> None:
    """Each feature has its own range; one wild value does not press the others together; constants do no harm."""
    features = np.random.default_rng(0).normal(size=(900, 4)) * [1, 1000, 0, 1] + [0, 5000, 7, 0]
    features[0, 3] = 1e9
    labels = np.arange(900) % 3
    split = make_split(labels)
    split[0] = 0
    dataset = arrays_data(features, labels, tmp_path, split=split)
    assert dataset.task.inputs == (4, 1, 1)
    assert dataset.images.shape == (900, 1, 1, 4)
    levels = [len(np.unique(dataset.images[:, 0, 0, feature])) for feature in range(4)]
    assert levels[0] > 120 and levels[1] > 120 and levels[2] == 1 and levels[3] > 60
    assert all(deviation > 0 for deviation in dataset.task.std)
    ordered = np.argsort(features[1:, 1])
    assert (np.diff(dataset.images[1:][ordered, 0, 0, 1].astype(int)) >= 0).all()


def test_a_given_split_is_kept_even_without_a_test_part(tmp_path: Path) -> None:
    split = make_split(LABELS, test=0.0)
    dataset = arrays_data(random(90, 5), LABELS, tmp_path, split=split)
    assert (dataset.split == split).all()
    assert len(dataset.indices("test")) == 0
    with pytest.raises(DataError, match="split must hold"):
        arrays_data(random(90, 5), LABELS, tmp_path / "b", split=split[:5])


def test_labels_may_be_words_or_named_numbers(tmp_path: Path) -> None:
    words = np.array(["pear", "apple", "fig"], object)[LABELS]
    dataset = arrays_data(random(90, 5), words, tmp_path / "a")
    assert dataset.task.labels == ("apple", "fig", "pear")
    assert [dataset.task.labels[label] for label in dataset.labels[:3]] == ["pear", "apple", "fig"]
    dataset = arrays_data(random(90, 5), LABELS[:, None], tmp_path / "b", classes=["x", "y", "z"])
    assert dataset.task.labels == ("x", "y", "z")
    dataset = arrays_data(random(90, 5), LABELS * 5.0 - 5, tmp_path / "c")
    assert dataset.task.labels == ("-5", "0", "5")


def test_labels_may_be_texts_of_any_length(tmp_path: Path) -> None:
    words = np.array(["cat", "dog", "a long name"], np.dtypes.StringDType())[np.arange(90) % 3]
    assert arrays_data(random(90, 5), words, tmp_path).task.labels == ("a long name", "cat", "dog")


@pytest.mark.parametrize("dtype", [np.float64, np.uint8])
def test_equal_features_are_no_grey_picture(tmp_path: Path, dtype: type) -> None:
    column = (np.arange(90) % 7 * 30).astype(dtype)[:, None]
    assert arrays_data(column.repeat(3, axis=1), LABELS, tmp_path).task.inputs == (3, 1, 1)


def test_groups_hold_arrays_together(tmp_path: Path) -> None:
    groups = np.array([f"patient {number // 9}" for number in range(90)], object)
    dataset = arrays_data(random(90, 5), LABELS, tmp_path, groups=groups)
    assert dataset.groups is not None
    assert all(len(set(dataset.split[dataset.groups == group])) == 1 for group in range(10))


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (random(90, 3, 20, 20), LABELS, "channels last"),
        (random(90, 3, 8, 8), LABELS, "channels last"),
        (random(90, 1, 16, 16), LABELS, "channels last"),
        (np.array([*random(90, 5, 5), None], object)[:90], LABELS, "numbers"),
        (random(90), LABELS, "must be"),
        (random(90, 5), LABELS[:80], "80 labels"),
        (random(90, 5), np.eye(90), "one label"),
        (random(90, 5), random(90), "fractions"),
        (random(90, 5).astype(complex), LABELS, "numbers"),
        (np.where(random(90, 5) > 0.9, np.nan, 1.0), LABELS, "NaN"),
        (random(0, 5), LABELS[:0], "empty"),
        (random(90, 5), LABELS * 0, "at least 2 classes"),
        (random(90, 5), np.arange(90), "never repeat"),
    ],
)
def test_arrays_that_cannot_be_used(tmp_path: Path, images: np.ndarray, labels: np.ndarray, words: str) -> None:
    with pytest.raises(DataError, match=words):
        arrays_data(images, labels, tmp_path)


def test_rare_classes_are_weighted(tmp_path: Path) -> None:
    labels = np.repeat([0, 1], [800, 100])
    images = (random(900, 4, 4) * 255).astype(np.uint8)
    weights = arrays_data(images, labels, tmp_path / "a").task.class_weights
    assert weights is not None
    assert weights[1] / weights[0] == pytest.approx(8**0.5, rel=0.01)
    assert np.mean(weights) == pytest.approx(1)
    assert arrays_data(images[:400], np.repeat([0, 1], [290, 110]), tmp_path / "b").task.class_weights is None


def test_digits_by_name(tmp_path: Path) -> None:
    dataset = open_data("digits", tmp_path / "data")
    assert dataset.images.shape == (1797, 8, 8, 1)
    assert dataset.images.max() == 255
    assert dataset.task.labels == tuple("0123456789")
    assert [len(dataset.indices(part)) for part in ("train", "validation", "test")] == [1257, 270, 270]
    assert dataset.findings == ()
    from sklearn.datasets import load_digits

    assert (prepare_array(load_digits().images, dataset.decode) == dataset.images).all()


@pytest.mark.attack(13)
def test_more_images_than_can_be_named_are_refused(tmp_path: Path) -> None:
    """A small archive may promise them: an image of one pixel is one byte before it is packed."""
    images = np.broadcast_to(np.uint8(0), (IMAGE_LIMIT + 1, 1, 1))
    labels = np.broadcast_to(np.uint8(0), (IMAGE_LIMIT + 1,))
    with pytest.raises(DataError, match="at most 10,000,000 images, but got 10,000,001"):
        arrays_data(images, labels, tmp_path)
