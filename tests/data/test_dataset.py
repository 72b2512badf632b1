"""A stored data set opens again without decoding, and never when anything has changed."""

from __future__ import annotations

import json
import os
import resource
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from netwright.core.errors import DataError, RunChanged, StorageError
from netwright.data import archives, store
from netwright.data import images as image_files
from netwright.data.catalog import arrays_data, open_data
from netwright.data.dataset import Dataset
from netwright.data.decode import load_image

from .conftest import Pictures


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files, each time one is decoded."""
    names: list[str] = []

    def counting(path: Path, settings: object) -> object:
        names.append(Path(path).name)
        return load_image(path, settings)  # type: ignore[arg-type]

    monkeypatch.setattr(image_files, "load_image", counting)
    return names


def test_opening_again_decodes_nothing(pictures: Pictures, tmp_path: Path, decoded: list[str], settled: None) -> None:
    root = pictures("set", {"a": 40, "b": 40})
    first = open_data(root, tmp_path / "data")
    assert len(decoded) == 80
    second = open_data(root, tmp_path / "data")
    assert len(decoded) == 80
    assert (second.images == first.images).all()
    assert (second.split == first.split).all()
    assert second.task == first.task
    assert second.decode == first.decode
    assert second.findings == first.findings
    assert second.files == first.files
    assert second.fingerprint == first.fingerprint
    assert second.describe() == first.describe()


@pytest.mark.parametrize("change", [{"seed": 1}, {"size": "8"}, {"split": True}, {"groups": True}])
def test_other_wishes_are_carried_out(
    pictures: Pictures, tmp_path: Path, decoded: list[str], settled: None, change: dict[str, object]
) -> None:
    root = pictures("set", {"a": 40, "b": 40})
    first = open_data(root, tmp_path / "data")
    keys = [f"{label}/{index:03d}.png" for label in "ab" for index in range(40)]
    for column, values in (("split", ["train", "val", "test", "test"]), ("group", list("wxyz"))):
        lines = [f"{key},{values[index % 4]}\n" for index, key in enumerate(keys)]
        (tmp_path / f"{column}.csv").write_text(f"file,{column}\n" + "".join(lines))
    paths = {"split": tmp_path / "split.csv", "groups": tmp_path / "group.csv"}
    wishes = {name: paths[name] if value is True else value for name, value in change.items()}
    second = open_data(root, tmp_path / "data", **wishes)  # type: ignore[arg-type]
    assert len(decoded) == 160
    assert second.fingerprint != first.fingerprint


@pytest.mark.fault(18)
def test_an_edited_image_is_noticed_with_size_and_time_put_back(
    pictures: Pictures, tmp_path: Path, settled: None
) -> None:
    root = pictures("set", {"a": 40, "b": 40}, ending=".bmp")
    first = open_data(root, tmp_path / "data")
    path = root / "a" / "003.bmp"
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 255
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    assert path.stat().st_mtime_ns == status.st_mtime_ns
    second = open_data(root, tmp_path / "data")
    assert second.fingerprint != first.fingerprint
    assert np.flatnonzero((second.images != first.images).any((1, 2, 3))).tolist() == [3]


@pytest.mark.fault(18)
def test_files_written_a_moment_ago_are_read_again(pictures: Pictures, tmp_path: Path, decoded: list[str]) -> None:
    """A second edit could fall on the same time stamp, so young files are not trusted."""
    root = pictures("set", {"a": 40, "b": 40})
    first = open_data(root, tmp_path / "data")
    assert open_data(root, tmp_path / "data").fingerprint == first.fingerprint
    assert len(decoded) == 160


@pytest.mark.fault(18)
@pytest.mark.parametrize("change", ["added", "removed", "renamed", "moved"])
def test_other_files_are_noticed(pictures: Pictures, tmp_path: Path, settled: None, change: str) -> None:
    root = pictures("set", {"a": 40, "b": 40})
    first = open_data(root, tmp_path / "data").fingerprint
    path = root / "a" / "003.png"
    if change == "added":
        (root / "a" / "new.png").write_bytes(path.read_bytes())
    elif change == "removed":
        path.unlink()
    elif change == "renamed":
        (root / "a").rename(root / "c")
    else:
        path.rename(root / "b" / "999.png")
    assert open_data(root, tmp_path / "data").fingerprint != first


@pytest.mark.fault(18)
def test_expected_data_and_others(pictures: Pictures, tmp_path: Path, settled: None) -> None:
    """With an expected fingerprint, changed data are refused and the stored ones stay."""
    root = pictures("set", {"a": 40, "b": 40})
    first = open_data(root, tmp_path / "data")
    assert open_data(root, tmp_path / "data", expected=first.fingerprint).fingerprint == first.fingerprint
    path = root / "a" / "003.png"
    original = path.read_bytes()
    path.write_bytes((root / "a" / "004.png").read_bytes())
    with pytest.raises(RunChanged, match="not those this run began with"):
        open_data(root, tmp_path / "data", expected=first.fingerprint)
    assert Dataset.open(tmp_path / "data").verify()
    assert Dataset.open(tmp_path / "data").fingerprint == first.fingerprint
    path.write_bytes(original)
    assert open_data(root, tmp_path / "data", expected=first.fingerprint).fingerprint == first.fingerprint


def test_changed_arrays_are_decoded_again(
    pictures: Pictures, tmp_path: Path, decoded: list[str], settled: None
) -> None:
    """The fingerprint is checked, not believed."""
    root = pictures("set", {"a": 40, "b": 40})
    first = open_data(root, tmp_path / "data")
    stored = np.load(tmp_path / "data" / "images.npy", mmap_mode="r+")
    stored[0, 0, 0, 0] ^= 255
    stored.flush()
    assert not Dataset.open(tmp_path / "data").verify()
    second = open_data(root, tmp_path / "data")
    assert second.verify()
    assert second.fingerprint == first.fingerprint
    assert len(decoded) == 160


def test_images_are_mapped_and_changing_them_changes_no_file(tmp_path: Path) -> None:
    dataset = arrays_data(np.arange(900, dtype=np.uint8).reshape(90, 10), np.arange(90) % 2, tmp_path)
    assert isinstance(dataset.images, np.memmap)
    dataset.images[:] = 7
    assert Dataset.open(tmp_path).verify()


@pytest.mark.parametrize(
    "damage", ["no record", "no json", "other version", "no images", "short labels", "object labels", "wrong kind"]
)
def test_damaged_folders_are_errors_and_decoded_anew(
    pictures: Pictures, tmp_path: Path, settled: None, damage: str, canary: object
) -> None:
    root = pictures("set", {"a": 40, "b": 40})
    folder = tmp_path / "data"
    first = open_data(root, folder)
    record = folder / "dataset.json"
    if damage == "no record":
        record.unlink()
    elif damage == "no json":
        record.write_text("{")
    elif damage == "other version":
        record.write_text(json.dumps({**json.loads(record.read_text()), "format": 99}))
    elif damage == "no images":
        (folder / "images.npy").unlink()
    elif damage == "short labels":
        np.save(folder / "labels.npy", first.labels[:5])
    elif damage == "object labels":
        np.save(folder / "labels.npy", np.array([canary] * 80, object), allow_pickle=True)
    else:
        np.save(folder / "labels.npy", first.labels.astype(np.float64))
    with pytest.raises(DataError):
        Dataset.open(folder)
    assert open_data(root, folder).fingerprint == first.fingerprint


def test_a_stop_leaves_what_was_there(pictures: Pictures, tmp_path: Path, settled: None) -> None:
    root = pictures("set", {"a": 40, "b": 40})
    first = open_data(root, tmp_path / "data")
    (root / "empty").mkdir()
    for path in root.glob("a/00*.png"):
        path.write_bytes(b"")
    with pytest.raises(DataError):
        open_data(root, tmp_path / "data")
    assert Dataset.open(tmp_path / "data").fingerprint == first.fingerprint
    assert not list((tmp_path / "data").glob(".*"))


@pytest.mark.fault(11)
def test_a_full_disk_is_a_clear_error(pictures: Pictures, tmp_path: Path) -> None:
    """The system refuses files above a few kilobytes, as it does when the disk is full."""
    root = pictures("set", {"a": 40, "b": 40})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(StorageError, match="make room"):
            open_data(root, tmp_path / "data")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((tmp_path / "data").iterdir()) == []
    assert len(open_data(root, tmp_path / "data")) == 80


@pytest.mark.parametrize(("promised", "written"), [(10**9, 1), (1000, 999), (5, 5)])
def test_rows_are_written_one_by_one(tmp_path: Path, promised: int, written: int) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (written, 3, 2, 1), dtype=np.uint8)
    with store.RowWriter(tmp_path / "a.npy", promised, (3, 2, 1)) as writer:
        for row in rows:
            writer.write(row[None])
    assert (np.load(tmp_path / "a.npy", allow_pickle=False) == rows).all()


def test_memory_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive of 20 MB needs far less than that at any time."""
    monkeypatch.setattr(archives, "PIECE_BYTES", 200_000)
    monkeypatch.setattr(store, "PIECE_BYTES", 200_000)
    images = np.random.default_rng(0).integers(0, 256, (5000, 64, 64), dtype=np.uint8)
    np.savez(tmp_path / "set.npz", images=images, labels=np.arange(5000) % 3)
    del images
    tracemalloc.start()
    try:
        open_data(tmp_path / "set.npz", tmp_path / "data")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 7_000_000


def test_files_of_others_in_the_folder_stay(pictures: Pictures, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.txt").write_text("x")
    open_data(pictures("set", {"a": 40, "b": 40}), tmp_path / "data")
    assert (tmp_path / "data" / "mine.txt").read_text() == "x"


def test_the_record_tells_nothing_about_this_machine(pictures: Pictures, tmp_path: Path) -> None:
    root = pictures("set", {"a": 40, "b": 40})
    (root / "a" / "000.png").write_bytes(b"x" * 50)
    open_data(root, tmp_path / "data")
    assert str(tmp_path) not in (tmp_path / "data" / "dataset.json").read_text()


def test_progress_reaches_the_end(pictures: Pictures, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    open_data(
        pictures("set", {"a": 40, "b": 40}), tmp_path / "data", progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (80, 80)
    assert seen == sorted(seen)


def test_reading_order_and_results_do_not_depend_on_the_folder(pictures: Pictures, tmp_path: Path) -> None:
    """The same pictures elsewhere have the same fingerprint."""
    one = open_data(pictures("one", {"a": 40, "b": 40}), tmp_path / "data1")
    two = open_data(pictures("two", {"b": 40, "a": 40}), tmp_path / "data2")
    assert (one.fingerprint == two.fingerprint) == bool((one.images == two.images).all())
    again = open_data(tmp_path / "one", tmp_path / "data3")
    assert again.fingerprint == one.fingerprint
