"""Arrays in files: `.npz` archives in the MedMNIST convention, and IDX files (MNIST and its kin).

They are read in pieces, after the promised size was checked against the size of the file: a small archive cannot fill
the memory, and nothing is ever unpickled.
"""

from __future__ import annotations

import gzip
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from netwright.core.errors import DataError, Untrusted
from netwright.core.text import plain
from netwright.data.arrays import PIECE_BYTES, Block, array_source
from netwright.data.decode import hidden
from netwright.data.findings import enumerate_some
from netwright.data.licence import recognise_licence
from netwright.data.source import TEST, TRAIN, UNASSIGNED, VALIDATION, Source, files_signature

RATIO_LIMIT = 200
SMALL_ENTRY = 64 * 2**20
"""An archive's entry, or a packed file, above this size may not unpack to more than `RATIO_LIMIT` times its packed size."""
LABELS_LIMIT = 100_000_000

FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts its files."""
FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


def read_npz(path: Path) -> Source:
    """An archive with train_images, train_labels, and the same for val and test; or with images and labels.

    Raises DataError when it is not one, and Untrusted when it holds pickled objects or unpacks to far more than it is.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
            blocks, labels = [], []
            for prefix, part in _npz_parts(path, entries):
                block = _npz_block(path, archive, entries[f"{prefix}images"], part)
                if part in (VALIDATION, TEST) and block.shape[:1] == (0,):
                    continue
                blocks.append(block)
                labels.append(_npz_labels(archive, entries[f"{prefix}labels"]))
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror or error}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise DataError(f"{path.name} must be a whole .npz archive: {error}") from error
    return array_source(plain(path.stem), blocks, labels, files_signature(path.parent, [path]))


def _npz_parts(path: Path, entries: dict[str, zipfile.ZipInfo]) -> list[tuple[str, int]]:
    known = (("train_", TRAIN), ("val_", VALIDATION), ("test_", TEST))
    found = [(prefix, part) for prefix, part in known if f"{prefix}images" in entries]
    if not found and "images" in entries:
        found = [("", UNASSIGNED)]
    missing = [f"{prefix}labels" for prefix, _ in found if f"{prefix}labels" not in entries]
    if not found or missing:
        raise DataError(
            f"{path.name} must hold train_images and train_labels (and the same for val_ and test_), or images and "
            f"labels, but it holds {', '.join(sorted(plain(name) for name in entries)) or 'nothing'}"
        )
    return found


def _npz_block(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, part: int) -> Block:
    with archive.open(entry) as stream:
        shape, dtype = _npy_header(stream, entry)

    def pieces() -> Iterator[NDArray[Any]]:
        try:
            with zipfile.ZipFile(path) as again, again.open(entry.filename) as stream:
                if _npy_header(stream, entry) != (shape, dtype):
                    raise DataError(f"{path.name} was changed while it was read; try again")
                yield from _pieces(stream, shape, dtype, path.name)
        except OSError as error:
            raise DataError(f"{path.name} cannot be read: {error.strerror or error}") from error
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise DataError(f"{path.name}: {entry.filename} is damaged: {error}") from error

    return Block(entry.filename.removesuffix(".npy"), part, shape, dtype, pieces)


def _npz_labels(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(entry) as stream:
        shape, dtype = _npy_header(stream, entry)
        if not shape or prod(shape) > LABELS_LIMIT:
            raise DataError(f"{entry.filename} must have one label an image, but its shape is {shape}")
        return np.concatenate([np.zeros((0, *shape[1:]), dtype), *_pieces(stream, shape, dtype, entry.filename)])


def _npy_header(stream: IO[bytes], entry: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of an array in an archive, found safe to read."""
    name = plain(entry.filename)
    if entry.file_size > SMALL_ENTRY and entry.file_size > RATIO_LIMIT * max(1, entry.compress_size):
        raise Untrusted(
            f"{name} would unpack to {entry.file_size:,} bytes from {entry.compress_size:,}; more than {RATIO_LIMIT} "
            "times is not read. If the data are what you expect, save them with numpy.savez (not compressed)"
        )
    try:
        version = np.lib.format.read_magic(stream)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, by_columns, dtype = reader(stream)
    except Exception as error:  # damaged headers make NumPy's parser raise almost anything
        raise DataError(f"{name} must be a NumPy array: {error}") from error
    if dtype.hasobject:
        raise Untrusted(f"{name} holds pickled objects, which can run code and are never read; save plain numbers")
    if min(shape, default=1) < 0 or dtype.itemsize == 0:
        raise DataError(f"{name} must hold values in a shape of lengths from 0 on, but got {dtype} of {shape}")
    if by_columns and len(shape) > 1:
        raise DataError(f"{name} is stored by columns; save it with numpy.ascontiguousarray(...)")
    if prod(shape) * dtype.itemsize > entry.file_size:
        raise DataError(f"{name} promises the shape {shape}, but is too short for it")
    return shape, dtype


def _pieces(stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any], name: str) -> Iterator[NDArray[Any]]:
    row = prod(shape[1:]) * dtype.itemsize
    step = max(1, PIECE_BYTES // max(1, row))
    for start in range(0, shape[0], step):
        rows = min(step, shape[0] - start)
        content = stream.read(rows * row)
        if len(content) != rows * row:
            raise DataError(f"{name} ends too early: {start:,} of {shape[0]:,} rows are whole; fetch it again")
        yield np.frombuffer(content, dtype).reshape(rows, *shape[1:])


_IDX = re.compile(r"(?P<prefix>.*?)(?P<part>train|t10k|test)-(?P<kind>images|labels)[-.]idx\d-ubyte(\.gz)?$")


def holds_idx(folder: Path) -> bool:
    """Whether a folder holds IDX files named as MNIST names them."""
    return bool(_idx_entries(folder))


def read_idx(folder: Path, *, name: str, classes: Sequence[str] | None = None, licence: str | None = None) -> Source:
    """`train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same for `t10k` or `test`, each with or without .gz.

    Raises DataError when one is missing, damaged or of another length than it says, Untrusted for a packed one that
    would unpack to far more than it is.
    """
    found = _idx_files(folder)
    if ("train", "images") not in found:
        raise DataError(f"{folder.name} must hold train-images-idx3-ubyte (or .gz)")
    blocks, labels, files = [], [], []
    for part, number in (("train", TRAIN), ("test", TEST)):
        if (part, "images") in found:
            if (part, "labels") not in found:
                raise DataError(f"{folder.name} holds images but no labels for {part}; fetch the labels-idx1 file too")
            blocks.append(_idx_block(part, number, found[part, "images"]))
            label_shape, pieces = _idx_pieces(found[part, "labels"])
            if len(label_shape) != 1 or label_shape[0] > LABELS_LIMIT:
                raise DataError(
                    f"{found[part, 'labels'].name} must be a list of labels, but its shape is {label_shape}"
                )
            labels.append(np.concatenate([np.zeros(0, np.uint8), *pieces()]))
            files += [found[part, "images"], found[part, "labels"]]
    if len(blocks) == 1:
        blocks = [Block("train", UNASSIGNED, blocks[0].shape, blocks[0].dtype, blocks[0].pieces)]
    licence = licence or recognise_licence(folder)
    return array_source(name, blocks, labels, files_signature(folder, files), classes=classes, licence=licence)


def _idx_entries(folder: Path) -> list[tuple[Path, re.Match[str]]]:
    return [
        (entry, match)
        for entry in sorted(folder.iterdir())
        if not hidden(entry.name) and (match := _IDX.match(entry.name))
    ]


def _idx_files(folder: Path) -> dict[tuple[str, str], Path]:
    """The file of each part and kind; the unpacked one where it lies there packed too."""
    entries = _idx_entries(folder)
    prefixes = sorted({match["prefix"] for _, match in entries})
    if len(prefixes) > 1:
        names = enumerate_some(plain(prefix.rstrip("-_.")) or "one without a name" for prefix in prefixes)
        raise DataError(f"{folder.name} must hold one set of IDX files, but it holds {names}; give each its own folder")
    found: dict[tuple[str, str], Path] = {}
    for entry, match in entries:
        first = found.setdefault(("train" if match["part"] == "train" else "test", match["kind"]), entry)
        if entry.name.removesuffix(".gz") != first.name.removesuffix(".gz"):
            raise DataError(f"{folder.name} must hold one set of IDX files, but {entry.name} is a second one")
    return found


def _idx_block(name: str, part: int, path: Path) -> Block:
    shape, pieces = _idx_pieces(path)
    if len(shape) != 3:
        raise DataError(f"{path.name} must hold (N, height, width), but its shape is {shape}")
    return Block(name, part, shape, np.dtype(np.uint8), pieces)


def _idx_pieces(path: Path) -> tuple[tuple[int, ...], Callable[[], Iterator[NDArray[Any]]]]:
    """The shape an IDX file promises, and its rows in pieces. The format: two zero bytes, the type (8 for unsigned
    bytes), the number of axes, then each length as four bytes, highest first."""

    def start(stream: IO[bytes]) -> tuple[int, ...]:
        magic = stream.read(4)
        if len(magic) != 4 or magic[:3] != b"\0\0\x08" or not 1 <= magic[3] <= 4:
            raise DataError(f"{path.name} must be an IDX file of unsigned bytes, but its beginning is another")
        lengths = stream.read(4 * magic[3])
        if len(lengths) != 4 * magic[3]:
            raise DataError(f"{path.name} ends too early; fetch it again")
        return tuple(int(value) for value in np.frombuffer(lengths, ">u4"))

    def pieces() -> Iterator[NDArray[Any]]:
        try:
            with _open_maybe_gzip(path) as stream:
                yield from _pieces(stream, start(stream), np.dtype(np.uint8), path.name)
                if stream.read(1):
                    raise DataError(f"{path.name} is longer than it says; fetch it again")
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path.name} is damaged: {error}") from error

    try:
        with _open_maybe_gzip(path) as stream:
            shape = start(stream)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} cannot be read: {error}") from error
    promised, size = prod(shape), path.stat().st_size
    packed = path.suffix == ".gz"
    if promised > SMALL_ENTRY and promised > size * (1032 if packed else 1):  # 1032: what deflate packs at best
        raise DataError(f"{path.name} promises the shape {shape}, but is too short for it")
    if packed and promised > SMALL_ENTRY and promised > size * RATIO_LIMIT:
        raise Untrusted(
            f"{path.name} would unpack to {promised:,} bytes from {size:,}; more than {RATIO_LIMIT} times is not read. If "
            "the data are what you expect, unpack them with gunzip"
        )
    return shape, pieces


def _open_maybe_gzip(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def read_fashion_mnist() -> Source:
    """Fashion-MNIST where Debian puts it. Raises DataError that says how to get it."""
    if not FASHION_FOLDER.is_dir():
        raise DataError(
            "fashion-mnist is not installed; on Debian and Ubuntu: sudo apt-get install dataset-fashion-mnist. Elsewhere "
            "fetch its four .gz files (github.com/zalandoresearch/fashion-mnist) and give the folder they lie in"
        )
    return read_idx(FASHION_FOLDER, name="fashion-mnist", classes=FASHION_CLASSES, licence="MIT")
