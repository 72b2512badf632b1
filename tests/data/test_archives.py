"""Archives of arrays: MedMNIST's npz and IDX, whole, damaged and hostile."""

from __future__ import annotations

import gzip
import io
import struct
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from netwright.core.errors import DataError, Untrusted
from netwright.data import archives
from netwright.data.catalog import find_source, open_data

from .test_decode import png_bomb


def images(number: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (number, *shape), dtype=np.uint8)


def labels(number: int) -> np.ndarray:
    return (np.arange(number) % 3).astype(np.uint8)[:, None]


def medmnist(path: Path, **changes: np.ndarray) -> Path:
    content = {
        "train_images": images(60, 8, 9), "train_labels": labels(60),
        "val_images": images(12, 8, 9, seed=1), "val_labels": labels(12),
        "test_images": images(15, 8, 9, seed=2), "test_labels": labels(15),
    }  # fmt: skip
    np.savez_compressed(path, **{**content, **changes})  # type: ignore[arg-type]
    return path


def test_medmnist_archives(tmp_path: Path) -> None:
    dataset = open_data(medmnist(tmp_path / "set.npz"), tmp_path / "data")
    assert dataset.task.inputs == (1, 8, 9)
    assert [len(dataset.indices(part)) for part in ("train", "validation", "test")] == [60, 12, 15]
    assert (dataset.images[60:72, :, :, 0] == images(12, 8, 9, seed=1)).all()
    assert dataset.files[60] == "val_images[0]"


def test_an_empty_part_of_an_archive_is_made(tmp_path: Path) -> None:
    path = medmnist(tmp_path / "set.npz", test_images=images(0, 8, 9), test_labels=labels(0))
    dataset = open_data(path, tmp_path / "data")
    assert [len(dataset.indices(part)) for part in ("train", "validation", "test")] == [50, 12, 10]
    with pytest.raises(DataError, match="must be"):
        open_data(medmnist(tmp_path / "none.npz", train_images=images(0, 8, 9), train_labels=labels(0)), tmp_path / "b")


def test_an_archive_that_goes_away_while_it_is_read_is_no_full_disk(tmp_path: Path) -> None:
    source = find_source(medmnist(tmp_path / "set.npz"))
    (tmp_path / "set.npz").unlink()
    with pytest.raises(DataError, match="set.npz cannot be read: No such file"):
        list(source.read(source.settle(None, source.parts)))


def test_colour_and_many_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "PIECE_BYTES", 1000)
    given = images(60, 8, 9, 3)
    np.savez(tmp_path / "set.npz", images=given, labels=labels(60))
    dataset = open_data(tmp_path / "set.npz", tmp_path / "data")
    assert (dataset.images == given).all()
    assert "made here" in dataset.how_split


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train_images": images(60, 8, 8, 8, 2)}, "must be"),
        ({"val_images": images(12, 9, 9)}, "one shape"),
        ({"train_labels": labels(59)}, "59 labels"),
        ({"train_labels": np.zeros((60, 14))}, "one label an image"),
        ({"train_images": np.asfortranarray(images(60, 8, 9))}, "by columns"),
    ],
)
def test_archives_that_do_not_fit(tmp_path: Path, changes: dict[str, np.ndarray], words: str) -> None:
    with pytest.raises(DataError, match=words):
        open_data(medmnist(tmp_path / "set.npz", **changes), tmp_path / "data")


def test_other_archives_say_what_they_hold(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", x=labels(3), y=labels(3))
    with pytest.raises(DataError, match="it holds x, y"):
        open_data(tmp_path / "set.npz", tmp_path / "data")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95])
def test_cut_off_archives(tmp_path: Path, share: float) -> None:
    path = medmnist(tmp_path / "set.npz")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(DataError, match=r"set\.npz"):
        open_data(path, tmp_path / "data")


def test_damaged_archives_raise_nothing_else(tmp_path: Path) -> None:
    content = np.frombuffer(medmnist(tmp_path / "set.npz").read_bytes(), np.uint8)
    generator = np.random.default_rng(0)
    for attempt in range(60):
        damaged = content.copy()
        damaged[generator.integers(0, len(content), 8)] ^= 255
        (tmp_path / "damaged.npz").write_bytes(damaged.tobytes())
        with suppress(DataError, Untrusted):
            assert len(open_data(tmp_path / "damaged.npz", tmp_path / f"data{attempt}")) == 87


@pytest.mark.attack(1)
@pytest.mark.parametrize("name", ["train_images", "train_labels"])
def test_objects_in_an_archive_are_never_unpickled(tmp_path: Path, canary: object, name: str) -> None:
    number = 60
    objects = np.array([canary] * number, object)
    path = medmnist(tmp_path / "set.npz", **{name: objects})
    with pytest.raises(Untrusted, match="never read"):
        open_data(path, tmp_path / "data")


@pytest.mark.attack(1)
@pytest.mark.parametrize("ending", [".pkl", ".pickle", ".pt", ".pth", ".joblib", ".npy"])
def test_pickles_are_refused_by_name(tmp_path: Path, canary: object, ending: str) -> None:
    import pickle

    (tmp_path / f"data{ending}").write_bytes(pickle.dumps(canary))
    with pytest.raises((Untrusted, DataError), match=r"never opened|no labels"):
        open_data(tmp_path / f"data{ending}", tmp_path / "data")


def npy_header(shape: tuple[int, ...], descr: str = "|u1") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"shape": shape, "fortran_order": False, "descr": descr})
    return stream.getvalue()


@pytest.mark.attack(13)
def test_an_archive_that_unpacks_to_far_more_than_it_is(tmp_path: Path) -> None:
    size = 100 * 2**20
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("images.npy", "w") as entry:
            entry.write(npy_header((size // 64, 8, 8)))
            for _ in range(size // 2**20):
                entry.write(bytes(2**20))
        archive.writestr("labels.npy", npy_header((3,)) + bytes(3))
    assert (tmp_path / "bomb.npz").stat().st_size < size / 500
    with pytest.raises(Untrusted, match="more than 200 times"):
        open_data(tmp_path / "bomb.npz", tmp_path / "data")
    assert not (tmp_path / "data" / "images.npy").exists()


@pytest.mark.attack(13)
@pytest.mark.parametrize("shape", [(10**12, 28, 28), (10**6, 28, 28), (2**62, 2**62)])
def test_a_header_that_promises_more_than_there_is(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w") as archive:
        archive.writestr("images.npy", npy_header(shape) + bytes(1000))
        archive.writestr("labels.npy", npy_header((3,)) + bytes(3))
    with pytest.raises(DataError, match="too short"):
        open_data(tmp_path / "bomb.npz", tmp_path / "data")


@pytest.mark.attack(13)
@pytest.mark.parametrize(
    ("shape", "label"), [((4, -8, -8), "|u1"), ((4, 8, -1), "|u1"), ((-4, 8, 8), "|u1"), ((4, 8, 8), "<U0")]
)
def test_a_header_that_makes_no_sense(tmp_path: Path, shape: tuple[int, ...], label: str) -> None:
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as archive:
        archive.writestr("images.npy", npy_header(shape) + bytes(256))
        archive.writestr("labels.npy", npy_header((4,), label) + bytes(4))
    with pytest.raises(DataError, match="lengths from 0 on"):
        open_data(tmp_path / "set.npz", tmp_path / "data")


def idx(array: np.ndarray) -> bytes:
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def mnist(folder: Path, *, packed: bool) -> Path:
    folder.mkdir()
    for part, number in (("train", 60), ("t10k", 12)):
        for kind, array in (("images-idx3", images(number, 6, 5, seed=number)), ("labels-idx1", labels(number)[:, 0])):
            path = folder / f"{part}-{kind}-ubyte"
            if packed:
                path.with_name(path.name + ".gz").write_bytes(gzip.compress(idx(array)))
            else:
                path.write_bytes(idx(array))
    return folder


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files(tmp_path: Path, packed: bool) -> None:
    dataset = open_data(mnist(tmp_path / "mine", packed=packed), tmp_path / "data")
    assert dataset.name == "mine"
    assert dataset.task.inputs == (1, 6, 5)
    assert [len(dataset.indices(part)) for part in ("train", "validation", "test")] == [50, 10, 12]
    assert (dataset.images[60:, :, :, 0] == images(12, 6, 5, seed=12)).all()


@pytest.mark.parametrize("packed", [False, True])
def test_several_sets_of_idx_files_are_not_mixed(tmp_path: Path, packed: bool) -> None:
    folder = mnist(tmp_path / "emnist", packed=packed)
    for path in sorted(folder.iterdir()):
        (folder / f"emnist-letters-{path.name}").write_bytes(path.read_bytes())
        path.rename(folder / f"emnist-digits-{path.name}")
    with pytest.raises(DataError, match="one set of IDX files, but it holds emnist-digits, emnist-letters"):
        open_data(folder, tmp_path / "data")
    for path in folder.glob("emnist-letters-*"):
        path.rename(folder / path.name.replace("emnist-letters-t10k", "emnist-digits-test"))
    for path in folder.glob("emnist-letters-*"):
        path.unlink()
    with pytest.raises(DataError, match="emnist-digits-test-images-idx3-ubyte(.gz)? is a second one"):
        open_data(folder, tmp_path / "data")


def test_idx_files_packed_and_unpacked_beside_each_other(tmp_path: Path) -> None:
    folder = mnist(tmp_path / "mine", packed=False)
    for path in sorted(folder.iterdir()):
        (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        (folder / f"._{path.name}").write_bytes(b"resource fork")
    assert len(open_data(folder, tmp_path / "data")) == 72


def test_idx_files_that_are_not_whole(tmp_path: Path) -> None:
    folder = mnist(tmp_path / "mine", packed=False)
    path = folder / "train-images-idx3-ubyte"
    whole = path.read_bytes()
    for content, words in (
        (whole[:-1], "ends too early"),
        (whole + b"x", "longer than it says"),
        (whole[:6], "ends too early"),
        (b"\0\0\x0d\x03" + whole[4:], "unsigned bytes"),
        (b"\0\0\x08\x03" + struct.pack(">3I", 2**31, 2**15, 2**15), "too short"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=words):
            open_data(folder, tmp_path / "data")
    path.unlink()
    with pytest.raises(DataError, match="must hold train-images"):
        open_data(folder, tmp_path / "data")


@pytest.mark.attack(13)
def test_packed_idx_files_cannot_fill_the_memory(tmp_path: Path) -> None:
    """What lies behind the promised rows is not unpacked."""
    folder = mnist(tmp_path / "mine", packed=True)
    bomb = gzip.compress(idx(images(60, 6, 5)) + bytes(50 * 2**20))
    (folder / "train-images-idx3-ubyte.gz").write_bytes(bomb)
    with pytest.raises(DataError, match="longer than it says"):
        open_data(folder, tmp_path / "data")


def test_fashion_mnist_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "FASHION_FOLDER", tmp_path / "absent")
    with pytest.raises(DataError, match="apt-get install dataset-fashion-mnist"):
        open_data("fashion-mnist", tmp_path / "data")


LIMITED = """
import resource, sys
from pathlib import Path
from netwright.core.errors import NetwrightError
from netwright.data.catalog import open_data
from netwright.data.check import check_data

used = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize")) * 1024
resource.setrlimit(resource.RLIMIT_AS, (used + 256 * 2**20,) * 2)
source, folder = map(Path, sys.argv[1:])
stops = [finding.kind for finding in check_data(source) if finding.severity == "stop"]
try:
    open_data(source, folder / "data")
except NetwrightError as error:
    print(type(error).__name__, *stops, error)
taken = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
assert taken < 2**24, taken
"""


def nothing_packed(path: Path, size: int, start: bytes) -> None:
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(start)
        for _ in range(size // 2**22):
            stream.write(bytes(2**22))


@pytest.mark.attack(13)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no table of memory")
@pytest.mark.parametrize("kind", ["npz", "idx", "png"])
def test_bombs_are_refused_in_little_memory_and_room(tmp_path: Path, kind: str) -> None:
    """Half a gigabyte of nothing, packed small, with room for half of it: refused, and not by running out of memory."""
    size, source = 512 * 2**20, tmp_path / "source"
    if kind == "npz":
        source = tmp_path / "bomb.npz"
        with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            with archive.open("images.npy", "w") as entry:
                entry.write(npy_header((size // 64, 8, 8)))
                for _ in range(size // 2**22):
                    entry.write(bytes(2**22))
            archive.writestr("labels.npy", npy_header((3,)) + bytes(3))
    elif kind == "idx":
        source.mkdir()
        (source / "t10k-images-idx3-ubyte").write_bytes(idx(images(12, 8, 8)))
        (source / "t10k-labels-idx1-ubyte").write_bytes(idx(labels(12)[:, 0]))
        rows = struct.pack(">3I", size // 64, 8, 8)
        nothing_packed(source / "train-images-idx3-ubyte.gz", size, b"\0\0\x08\x03" + rows)
        nothing_packed(source / "train-labels-idx1-ubyte.gz", size // 64, b"\0\0\x08\x01" + rows[:4])
    else:
        for label in "ab":
            (source / label).mkdir(parents=True)
            for number in range(3):
                (source / label / f"{number}.png").write_bytes(png_bomb(20_000, 20_000))
    (tmp_path / "out").mkdir()
    command = [sys.executable, "-c", LIMITED, str(source), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    words = {"npz": "images.npy would unpack", "idx": "more than 200 times", "png": "none of the image files"}
    assert words[kind] in done.stdout
    assert done.stdout.split()[1] == "unreadable", "the check says it before the search"
