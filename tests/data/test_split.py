"""Splits are exact, in proportion, seeded, and keep groups whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netwright.core.errors import DataError
from netwright.data.source import UNASSIGNED
from netwright.data.split import complete_split, keep_copies_together, make_split, read_groups, read_split


@pytest.mark.parametrize(("classes", "images"), [(2, 60), (10, 1797), (100, 3000), (1000, 5000), (7, 60_000)])
def test_parts_are_70_15_15_and_every_class_is_in_proportion(classes: int, images: int) -> None:
    labels = np.random.default_rng(0).permutation(np.arange(images) % classes).astype(np.int64)
    parts = make_split(labels, seed=3)
    assert np.bincount(parts).tolist() == [images - 2 * round(images * 0.15), *[round(images * 0.15)] * 2]
    counts = np.array([np.bincount(labels[parts == part], minlength=classes) for part in range(3)])
    assert (counts[0] > 0).all()
    assert np.abs(counts[1:] - images / classes * 0.15).max() <= 1.5


def test_rare_classes_always_train() -> None:
    labels = np.array([0] * 100 + [1, 2, 2, 3, 3, 3])
    for seed in range(20):
        parts = make_split(labels, seed=seed)
        assert set(labels[parts == 0]) == {0, 1, 2, 3}
        assert parts[labels == 1].tolist() == [0]


def test_rare_classes_are_in_every_part_while_that_fits() -> None:
    labels = np.array([0] * 300 + [1] * 3 + [2] * 4 + [3] * 2)
    for seed in range(20):
        parts = make_split(labels, seed=seed)
        assert all({0, 1, 2} <= set(labels[parts == part]) for part in range(3))
        assert np.bincount(parts).tolist() == [217, 46, 46]


def test_common_classes_keep_their_share_of_every_part_beside_a_long_tail() -> None:
    labels = np.repeat(np.arange(61), [400, *[3] * 60])
    for seed in range(10):
        parts = make_split(labels, seed=seed)
        assert np.bincount(parts).tolist() == [406, 87, 87]
        assert set(labels[parts == 0]) == set(range(61))
        for part in (1, 2):
            assert 59 <= (labels[parts == part] == 0).sum() <= 60
            assert len(set(labels[parts == part])) >= 28


def test_the_seed_decides() -> None:
    labels = np.arange(200) % 4
    assert (make_split(labels, seed=1) == make_split(labels, seed=1)).all()
    assert (make_split(labels, seed=1) != make_split(labels, seed=2)).any()


def test_groups_stay_whole_and_classes_even() -> None:
    generator = np.random.default_rng(0)
    for trial in range(10):
        sizes = generator.integers(1, 30, 60)
        groups = np.repeat(np.arange(60), sizes)
        labels = generator.integers(0, 5, len(groups))
        parts = make_split(labels, groups=groups, seed=trial)
        assert all(len(set(parts[groups == group])) == 1 for group in range(60))
        shares = np.array([np.bincount(labels[parts == part], minlength=5) for part in range(3)]) / np.bincount(labels)
        assert np.abs(shares - np.array([[0.7], [0.15], [0.15]])).max() < 0.06


def test_few_groups_still_fill_every_part() -> None:
    for count in (3, 4, 5):
        groups = np.repeat(np.arange(count), 20)
        assert set(make_split(np.arange(20 * count) % 2, groups=groups).tolist()) == {0, 1, 2}
    with pytest.raises(DataError, match="at least 3 groups, but there are 2"):
        make_split(np.arange(40) % 2, groups=np.repeat([0, 1], 20))


def test_too_few_images() -> None:
    with pytest.raises(DataError, match="at least 3 images"):
        make_split(np.array([0, 1]))


def test_a_missing_validation_part_is_a_sixth_of_the_training_part() -> None:
    labels = np.arange(720) % 6
    official = np.repeat(np.array([0, 2], np.uint8), [600, 120])
    parts, movable, how = complete_split(labels, official, None, seed=0)
    assert np.bincount(parts).tolist() == [500, 100, 120]
    assert (parts[official == 2] == 2).all()
    assert movable.tolist() == (official == 0).tolist()
    assert how.startswith("test as given; validation made here")


def test_a_missing_test_part_leaves_validation_alone() -> None:
    official = np.repeat(np.array([0, 1], np.uint8), [600, 120])
    parts, _, how = complete_split(np.arange(720) % 6, official, None, seed=0)
    assert np.bincount(parts).tolist() == [500, 120, 100]
    assert (parts[official == 1] == 1).all()
    assert "test made here" in how


def test_complete_and_absent_splits() -> None:
    labels = np.arange(90) % 3
    official = (np.arange(90) % 3).astype(np.uint8)
    parts, movable, how = complete_split(labels, official, None, seed=0)
    assert (parts == official).all() and not movable.any() and how == "as given"
    parts, movable, how = complete_split(labels, np.full(90, UNASSIGNED, np.uint8), None, seed=0)
    assert set(parts.tolist()) == {0, 1, 2} and movable.all() and "seed 0" in how
    with pytest.raises(DataError, match="must be a train part"):
        complete_split(labels, np.full(90, 2, np.uint8), None, seed=0)


def test_copies_stay_together_in_proportion() -> None:
    """Two classes of 100 pictures, each there twice."""
    labels = np.tile(np.arange(200) % 2, 2)
    digests = {index: bytes([index % 200]) for index in range(400)}
    for seed in range(10):
        parts = keep_copies_together(make_split(labels, seed=seed), labels, np.ones(400, bool), digests)
        assert (parts[:200] == parts[200:]).all()
        assert np.abs(np.bincount(parts[labels == 0]) - [140, 30, 30]).max() <= 4


def test_a_picture_there_many_times_trains() -> None:
    """A class of twenty equal pictures beside eighty that differ."""
    labels = np.repeat([0, 1], [80, 20])
    digests = {index: bytes([min(index, 80)]) for index in range(100)}
    for seed in range(30):
        parts = keep_copies_together(make_split(labels, seed=seed), labels, np.ones(100, bool), digests)
        assert (parts[80:] == 0).all()
        assert set(parts[:80].tolist()) == {0, 1, 2}


@pytest.mark.parametrize("classes", [2, 5])
def test_few_pictures_there_many_times_still_fill_every_part(classes: int) -> None:
    labels = np.arange(600) % classes
    digests = {index: bytes([index % 10]) for index in range(600)}
    for seed in range(10):
        parts = keep_copies_together(make_split(labels, seed=seed), labels, np.ones(600, bool), digests)
        assert set(parts.tolist()) == {0, 1, 2}
        assert set(labels[parts == 0]) == set(range(classes))
        assert all(len(set(parts[index::10])) == 1 for index in range(10))


def test_parts_that_were_given_keep_their_images() -> None:
    labels = np.arange(90) % 3
    official = np.repeat(np.array([0, 2], np.uint8), [60, 30])
    parts, movable, _ = complete_split(labels, official, None, seed=0)
    moved = keep_copies_together(parts, labels, movable, {index: bytes([index % 30]) for index in range(90)})
    assert (moved[official == 2] == 2).all()
    assert set(moved[official == 0].tolist()) == {0, 1}


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(text, "utf-8")
    return path


KEYS = ["a/1.png", "a/2.png", "é/3.png"]


def test_files_of_splits_and_groups(tmp_path: Path) -> None:
    text = "\ufefffile,note,split\n./a/1.png,x,Train\na\\2.png,,val\ne\u0301/3.png,,test\n\n"
    assert read_split(table(tmp_path, text), KEYS).tolist() == [0, 1, 2]
    text = 'file,group\na/2.png,"b, c"\na/1.png,z\né/3.png,z\n'
    assert read_groups(table(tmp_path, text), KEYS).tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,group\na/1.png,x\n", "2 images are not in it: a/2.png, é/3.png"),
        ("file,group\na/1.png,x\na/2.png,x\né/3.png,x\na/9.png,x\n", "not in the data: a/9.png"),
        ("file,group\na/1.png,x\na/1.png,y\na/2.png,x\né/3.png,x\n", "in two groups"),
        ("file,group\na/1.png,x\na/2.png,\né/3.png,x\n", "a/2.png has none"),
        ("name,group\na/1.png,x\n", "columns file and group"),
        ("", "begins with nothing"),
    ],
)
def test_faulty_files_of_groups_name_the_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_groups(table(tmp_path, text), KEYS)


def test_files_in_another_encoding_are_errors_that_can_be_printed(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    for text in ("file,group\na/ü.png,x\n", "file,split\na/1.png,ü\na/2.png,ü\né/3.png,ü\n"):
        for encoding in ("utf-16", "latin-1"):
            path.write_bytes(text.encode(encoding))
            with pytest.raises(DataError) as caught:
                (read_groups if "group" in text else read_split)(path, KEYS)
            str(caught.value).encode()


def test_unknown_parts_and_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="train, validation or test, but got holdout"):
        read_split(table(tmp_path, "file,split\na/1.png,train\na/2.png,holdout\né/3.png,test\n"), KEYS)
    with pytest.raises(DataError, match=r"absent\.csv cannot be read"):
        read_split(tmp_path / "absent.csv", KEYS)
