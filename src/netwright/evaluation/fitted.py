"""Fitted classic models as plain arrays in an .npz file: written, read and asked without scikit-learn or pickle.

Both kinds hold `pooling` (the factor by which pixels were averaged), `outputs` (classes of the task) and `classes`
(those seen in training). A forest adds `roots`, by node `feature`, `threshold`, `left` and `right` (-1 at leaves), and
`value` by leaf, in the order of the nodes (one for every node is understood too); a linear model adds `mean`, `scale`,
`coefficients` and `intercepts`.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from netwright.core.errors import Untrusted
from netwright.core.files import atomic_write

MOST_FEATURES = 1024
ROWS_A_TURN = 1000
DEEPEST = 10_000

Arrays = dict[str, npt.NDArray[Any]]
Floats = npt.NDArray[np.float32]


def pooling(shape: tuple[int, int, int]) -> int:
    """The smallest factor by which images (channels, height, width) must shrink to have at most 1,024 pixels."""
    channels, height, width = shape
    factor = 1
    while channels * -(-height // factor) * -(-width // factor) > MOST_FEATURES and factor < max(height, width):
        factor += 1
    return factor


def features(images: npt.NDArray[np.uint8], indices: npt.NDArray[np.integer[Any]], factor: int) -> Floats:
    """Pixels of the chosen images (images, height, width, channels), averaged over squares: (indices, features)."""
    _, height, width, channels = images.shape
    rows, columns = np.arange(0, height, factor), np.arange(0, width, factor)
    sizes = np.outer(np.diff([*rows, height]), np.diff([*columns, width]))[None, :, :, None]
    result = np.empty((len(indices), len(rows) * len(columns) * channels), np.float32)
    for first in range(0, len(indices), ROWS_A_TURN):
        part = images[indices[first : first + ROWS_A_TURN]].astype(np.float32)
        sums = np.add.reduceat(np.add.reduceat(part, rows, axis=1), columns, axis=2)
        result[first : first + len(part)] = (sums / sizes).reshape(len(part), -1)
    return result


def answers(arrays: Arrays, images: npt.NDArray[np.uint8], indices: npt.NDArray[np.integer[Any]]) -> Floats:
    """Probabilities (indices, outputs) of a fitted model; classes that training did not have get 0."""
    ask = _ask_forest if "roots" in arrays else _ask_linear
    result = np.zeros((len(indices), int(arrays["outputs"])), np.float32)
    for first in range(0, len(indices), ROWS_A_TURN):
        rows = indices[first : first + ROWS_A_TURN]
        asked = ask(arrays, features(images, rows, int(arrays["pooling"])))
        result[first : first + len(rows), arrays["classes"]] = asked
    return result


def _ask_forest(arrays: Arrays, pixels: Floats) -> Floats:
    """The mean of what the trees say; all trees go down one level at a time."""
    feature, threshold, left, right = (arrays[name] for name in ("feature", "threshold", "left", "right"))
    node = np.broadcast_to(arrays["roots"], (len(pixels), len(arrays["roots"]))).copy()  # (rows, trees)
    row = np.arange(len(pixels))[:, None]
    for _ in range(DEEPEST):
        inner = left[node] >= 0
        if not inner.any():
            break
        goes_left = pixels[row, np.where(inner, feature[node], 0)] <= threshold[node]
        node = np.where(inner, np.where(goes_left, left[node], right[node]), node)
    value, leaf = arrays["value"], np.cumsum(left < 0) - 1
    if len(value) == len(left):
        value = value[left < 0]
    total = np.zeros((len(pixels), value.shape[1]))
    for tree in range(node.shape[1]):
        shares = value[leaf[node[:, tree]]].astype(np.float64)
        total += shares / shares.sum(axis=1, keepdims=True)
    mean: Floats = (total / node.shape[1]).astype(np.float32)
    return mean


def _ask_linear(arrays: Arrays, pixels: Floats) -> Floats:
    scores = ((pixels - arrays["mean"]) / arrays["scale"]) @ arrays["coefficients"].T + arrays["intercepts"]
    powers = np.exp((scores - scores.max(axis=1, keepdims=True)).astype(np.float64))
    shares: Floats = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def save_arrays(arrays: Arrays, path: Path) -> None:
    """Write the .npz file atomically."""
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def load_arrays(path: Path) -> Arrays:
    """Read the .npz file; nothing in it is unpickled. Raises Untrusted when it is none."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise Untrusted(f"a classic model must be an .npz file of plain arrays, but {path.name} is not") from error
