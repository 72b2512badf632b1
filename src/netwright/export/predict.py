"""Labels pictures with the network in a folder that netwright wrote. Needs numpy, Pillow and onnxruntime alone.

    python predict.py picture.jpg folder/ images.npy                 file, label, probability
    python predict.py medmnist.npz --key test_images --csv answers.csv
    python predict.py folder/ --json --top 3

Folders are searched for pictures, below too. Arrays are (N, height, width) or (N, height, width, channels). A file that
cannot be read is reported by its name and skipped, and the exit code is then 1. Nothing is ever unpickled.

From Python: `Predictor(folder).predict(paths)` and `Predictor(folder).probabilities(images)`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any, TextIO

import numpy as np
import onnxruntime
from numpy.typing import NDArray

if __package__ == "netwright.export":
    from netwright.data.decode import SUFFIXES, DecodeSettings, ImageError, Pixels, hidden, load_image, prepare_array
else:  # a copy in an exported folder; `python -I` does not search the folder of the script
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from decode import (  # type: ignore[import-not-found, no-redef]
        SUFFIXES,
        DecodeSettings,
        ImageError,
        Pixels,
        hidden,
        load_image,
        prepare_array,
    )

NEEDED = ("labels.json", "decode.json", "model.onnx")
BATCH = 64
SUSPICIOUS_BYTES = 256 * 2**20
SUSPICIOUS_RATIO = 200


class BadExport(ValueError):
    """The folder is not a whole export of netwright."""


class BadArrays(ValueError):
    """An array file that cannot be used."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one picture. `index` is its place in an array file. When `error` is set there is no answer."""

    file: str
    index: int | None
    labels: tuple[str, ...]
    probabilities: NDArray[np.float32] | None
    error: str = ""

    @property
    def label(self) -> str:
        """The likeliest class; empty when there is no answer."""
        return self.top(1)[0][0] if self.probabilities is not None else ""

    @property
    def probability(self) -> float:
        """Of the likeliest class; 0 when there is no answer."""
        return self.top(1)[0][1] if self.probabilities is not None else 0.0

    def top(self, count: int) -> list[tuple[str, float]]:
        """The `count` likeliest classes with their probabilities, best first."""
        if self.probabilities is None:
            return []
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(self.labels[i], float(self.probabilities[i])) for i in order]


class Predictor:
    """An exported network, run by onnxruntime on one thread.

    `export` is its folder, or the content of the folder's files by name. Raises `BadExport`.
    """

    def __init__(self, export: str | os.PathLike[str] | Mapping[str, bytes]) -> None:
        files = export if isinstance(export, Mapping) else _contents(Path(export))
        try:
            self.labels = tuple(str(label) for label in json.loads(files["labels.json"]))
            self.settings = DecodeSettings.from_json(json.loads(files["decode.json"]))
            network = files["model.onnx"]
        except (ValueError, KeyError, TypeError) as error:
            raise BadExport(f"labels.json and decode.json must be as netwright wrote them: {error}") from error
        self._session = _session(network)

    def predict(
        self, paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], key: str | None = None
    ) -> Iterator[Prediction]:
        """Answers in the order of the files.

        `paths` are pictures, folders, `.npy` and `.npz` files, or one of them; `key` names the array in an `.npz`.
        """
        if isinstance(paths, str | os.PathLike):
            paths = [paths]
        waiting: list[tuple[str, int | None, Pixels | str]] = []
        for example in self._examples(paths, key):
            waiting.append(example)
            if len(waiting) == BATCH:
                yield from self._answers(waiting)
                waiting = []
        yield from self._answers(waiting)

    def probabilities(self, images: Pixels) -> NDArray[np.float32]:
        """Softmax of the network's outputs, (N, classes), for `uint8` images (N, height, width, channels)."""
        if images.dtype != np.uint8 or images.shape[1:] != self.settings.shape:
            given = f"{images.dtype} {images.shape}"
            raise ValueError(f"images must be uint8 (N, {', '.join(map(str, self.settings.shape))}), but got {given}")
        answers = np.empty((len(images), len(self.labels)), np.float32)
        for first in range(0, len(images), BATCH):
            batch = np.ascontiguousarray(images[first : first + BATCH].transpose(0, 3, 1, 2))
            (logits,) = self._session.run(["logits"], {"images": batch})
            powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
            answers[first : first + BATCH] = powers / powers.sum(axis=1, keepdims=True)
        return answers

    def _answers(self, examples: Sequence[tuple[str, int | None, Pixels | str]]) -> Iterator[Prediction]:
        readable = [pixels for _, _, pixels in examples if not isinstance(pixels, str)]
        answers = iter(self.probabilities(np.stack(readable)) if readable else ())
        for file, index, pixels in examples:
            if isinstance(pixels, str):
                yield Prediction(file, index, self.labels, None, pixels)
            else:
                yield Prediction(file, index, self.labels, next(answers))

    def _examples(
        self, paths: Iterable[str | os.PathLike[str]], key: str | None
    ) -> Iterator[tuple[str, int | None, Pixels | str]]:
        """(file, index, pixels or what is wrong) of every picture, read one after another."""
        for path in find_files(paths):
            try:
                if path.is_dir():
                    raise BadArrays("no pictures in this folder")
                if path.suffix.lower() in (".npy", ".npz"):
                    array = load_array(path, key)
                    for first in range(0, len(array), BATCH):
                        pixels = prepare_array(array[first : first + BATCH], self.settings)
                        for offset, picture in enumerate(pixels):
                            yield str(path), first + offset, picture
                else:
                    yield str(path), None, load_image(path, self.settings)
            except (ImageError, BadArrays) as error:
                yield str(path), None, str(error)


def find_files(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Path]:
    """Files as they are named; the pictures in folders, sorted; a folder itself when there are none in it."""
    for given in paths:
        path = Path(given)
        if not path.is_dir():
            yield path
            continue
        found = []
        for place, folders, names in os.walk(path):
            folders[:] = [name for name in folders if not hidden(name)]
            found += [Path(place, name) for name in names if not hidden(name)]
        yield from sorted(file for file in found if file.suffix.lower() in SUFFIXES) or [path]


def load_array(path: Path, key: str | None = None) -> NDArray[Any]:
    """The array in a `.npy` file, or in a `.npz` the one named `key`, else the first `*_images`. Raises `BadArrays`."""
    try:
        if path.suffix.lower() == ".npy":
            array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        else:
            with zipfile.ZipFile(path) as archive:
                entry = _member(archive, key)
                with archive.open(entry) as file:
                    _check_promise(file, entry)
                with archive.open(entry) as file:
                    array = np.lib.format.read_array(file, allow_pickle=False)
    except OSError as error:
        raise BadArrays(f"cannot be read: {error.strerror or error}") from error
    except BadArrays:
        raise
    except (
        ValueError,
        EOFError,
        MemoryError,
        OverflowError,
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise BadArrays(f"not an array file that can be used: {error}") from error
    if array.ndim < 2 or len(array) == 0:
        raise BadArrays(f"an array must hold images, (N, height, width), but its shape is {array.shape}")
    return array


def _member(archive: zipfile.ZipFile, key: str | None) -> zipfile.ZipInfo:
    names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    usual = [name for name in names if name.endswith("_images")] or (["images"] if "images" in names else names[:1])
    chosen = key if key is not None else usual[0] if usual else ""
    if chosen not in names:
        raise BadArrays(
            f"there must be an array {chosen or '*_images'!r}, but the file holds {', '.join(names) or 'none'}"
        )
    entry = archive.getinfo(f"{chosen}.npy")
    if entry.file_size > SUSPICIOUS_BYTES and entry.file_size > SUSPICIOUS_RATIO * entry.compress_size:
        raise BadArrays(
            f"{chosen!r} would unpack to {entry.file_size:,} bytes from {entry.compress_size:,}; save it again"
        )
    return entry


def _check_promise(file: IO[bytes], entry: zipfile.ZipInfo) -> None:
    version = np.lib.format.read_magic(file)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = reader(file)
    if prod(shape) * dtype.itemsize > entry.file_size:
        raise BadArrays(f"{entry.filename!r} promises the shape {shape}, but is too short for it")


def _contents(folder: Path) -> dict[str, bytes]:
    try:
        return {name: (folder / name).read_bytes() for name in NEEDED}
    except OSError as error:
        raise BadExport(
            f"an export needs {Path(error.filename).name}, which cannot be read: {error.strerror}"
        ) from error


def _session(network: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has its own exceptions, without a common base
        raise BadExport(f"model.onnx cannot be loaded: {error}") from error


def printable(text: str) -> str:
    """`text` without control characters and terminal escapes: names come from data."""
    return "".join(mark if mark.isprintable() else "\N{REPLACEMENT CHARACTER}" for mark in text)


def cell(text: str) -> str:
    """`text` for a table: a spreadsheet must not take a name for a formula. Numbers are none."""
    formula = text[:1] in ("=", "+", "-", "@", "\t", "\r") and not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", text)
    return f"'{text}" if formula else text


def main(arguments: Sequence[str] | None = None, folder: Path = Path(__file__).parent) -> int:
    """The command line. Gives the exit code: 0, 1 when a file could not be read, 2 when nothing could be done."""
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        predictor = Predictor(folder)
        with ExitStack() as files:
            table = None
            if options.csv:
                table = files.enter_context(
                    open(options.csv, "w", newline="", encoding="utf-8", errors="backslashreplace")
                )
            top = min(options.top, len(predictor.labels))
            return write(predictor.predict(options.files, options.key), top=top, as_json=options.json, table=table)
    except (BadExport, OSError) as error:
        print(f"predict.py: {printable(str(error))}", file=sys.stderr)
        return 2


def write(predictions: Iterable[Prediction], *, top: int, as_json: bool, table: TextIO | None) -> int:
    """Prints the answers as they come, and writes them to `table` as CSV; errors go to standard error.

    Gives the exit code, 0 or 1.
    """
    rows = csv.writer(table) if table is not None else None
    if rows is not None:
        ranks = [text for rank in range(2, top + 1) for text in (f"label_{rank}", f"probability_{rank}")]
        rows.writerow(["file", "index", "label", "probability", *ranks])
    failed = False
    for answer in predictions:
        best = answer.top(top)
        if as_json:
            print(json.dumps(_record(answer, top), ensure_ascii=False))
        if answer.error:
            failed = True
            print(f"{printable(answer.file)}: {printable(answer.error)}", file=sys.stderr)
            continue
        if not as_json:
            place = "" if answer.index is None else f"[{answer.index}]"
            answers = (text for label, probability in best for text in (printable(label), f"{probability:.4f}"))
            print(printable(answer.file) + place, *answers, sep="\t")
        if rows is not None:
            numbers = (text for label, probability in best for text in (cell(label), f"{probability:.6f}"))
            rows.writerow([cell(answer.file), "" if answer.index is None else answer.index, *numbers])
    return 1 if failed else 0


def _record(answer: Prediction, top: int) -> dict[str, Any]:
    record: dict[str, Any] = {"file": answer.file}
    if answer.index is not None:
        record["index"] = answer.index
    if answer.error:
        return {**record, "error": answer.error}
    record.update(label=answer.label, probability=answer.probability)
    if top > 1:
        record["top"] = [{"label": label, "probability": probability} for label, probability in answer.top(top)]
    return record


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="predict.py",
        description="Labels pictures with the network in this folder.",
        epilog="Exit code 1: a file failed.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="pictures, folders of pictures, .npy or .npz arrays")
    parser.add_argument("--csv", metavar="FILE", help="also write the answers as a table")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument("--top", type=_positive, default=1, metavar="K", help="the K likeliest classes (default 1)")
    parser.add_argument("--key", metavar="NAME", help="which array of an .npz file (default: the first *_images)")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, but got {number}")
    return number


if __name__ == "__main__":
    sys.exit(main())
