"""Arrays of images or features, in memory or in blocks that files hold; scikit-learn's digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.core.candidate import digest
from netwright.core.errors import DataError
from netwright.data.decode import DecodeSettings, ImageError, Pixels, UnsuitableArray, prepare_array
from netwright.data.source import (
    PARTS,
    TEST,
    TRAIN,
    UNASSIGNED,
    VALIDATION,
    Parts,
    Source,
    class_order,
    content_hash,
    display_names,
    target_size,
)

IMAGE_LIMIT = 10_000_000
"""Every image has a name in memory, and an archive of few bytes may promise very many."""
CHANNEL_LIMIT = 16
PIECE_BYTES = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Block:
    """Images of one part: (N, height, width), (N, height, width, channels) or (N, features), read in pieces."""

    name: str
    part: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    pieces: Callable[[], Iterator[NDArray[Any]]]


def array_block(name: str, part: int, images: NDArray[Any]) -> Block:
    """A block of an array in memory."""
    step = max(1, PIECE_BYTES // max(1, images[:1].nbytes))
    return Block(
        name, part, images.shape, images.dtype, lambda: (images[i : i + step] for i in range(0, len(images), step))
    )


def array_source(
    name: str,
    blocks: Sequence[Block],
    labels: Sequence[NDArray[Any]],
    signature: str,
    *,
    classes: Sequence[str] | None = None,
    scale: tuple[float, float] | None = None,
    licence: str | None = None,
) -> Source:
    """A source of blocks with the labels of each.

    `classes` names the labels 0, 1, …; without it the distinct labels are the classes. `scale` is what 0 and 255 stand
    for; without it `uint8` is taken as it is and anything else scaled from the range of the training part.
    """
    _check_blocks(blocks, labels)
    numbers, names = _number_classes(np.concatenate([_flat_labels(values) for values in labels]), classes)
    return Source(
        name=name,
        keys=[f"{block.name}[{index}]" for block in blocks for index in range(block.shape[0])],
        labels=numbers,
        classes=display_names(names),
        parts=np.repeat(np.array([block.part for block in blocks], np.uint8), [block.shape[0] for block in blocks]),
        signature=signature,
        settle=lambda size, parts: _settle(blocks, size, parts, scale),
        read=lambda settings: _read(blocks, settings),
        licence=licence,
    )


def _check_blocks(blocks: Sequence[Block], labels: Sequence[NDArray[Any]]) -> None:
    shape = blocks[0].shape[1:]
    images = sum(block.shape[0] for block in blocks if block.shape)
    if images > IMAGE_LIMIT:
        raise DataError(f"a data set must have at most {IMAGE_LIMIT:,} images, but got {images:,}; take a part of them")
    for block, values in zip(blocks, labels, strict=True):
        if block.dtype.kind not in "buif":
            raise DataError(f"{block.name} must hold numbers, but it holds {block.dtype}")
        if len(block.shape) not in (2, 3, 4) or 0 in block.shape:
            raise DataError(
                f"{block.name} must be (N, height, width), (N, height, width, channels) or (N, features), "
                f"but its shape is {block.shape}"
            )
        if block.shape[1:] != shape:
            raise DataError(f"all images must have one shape, but {block.name} has {block.shape[1:]} and not {shape}")
        first = len(shape) == 3 and shape[0] in (1, 3) and shape[1] == shape[2] > 4
        if len(shape) == 3 and (shape[2] > CHANNEL_LIMIT or first):
            hint = "; move the channels last (numpy.moveaxis(images, 1, -1))" if first or shape[0] <= 4 else ""
            raise DataError(
                f"{block.name} must be (N, height, width, channels) with at most {CHANNEL_LIMIT} channels, but its "
                f"shape is {block.shape}{hint}"
            )
        if len(values) != block.shape[0]:
            raise DataError(f"{block.name} has {block.shape[0]:,} images, but there are {len(values):,} labels for it")


def _flat_labels(values: NDArray[Any]) -> NDArray[Any]:
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise DataError(
            f"there must be one label an image, but the labels have the shape {values.shape} (several labels an image "
            "are not supported)"
        )
    if values.dtype.kind == "f":
        if not np.isfinite(values).all() or (values != np.rint(values)).any():
            raise DataError("labels must be classes (whole numbers or words), but they are numbers with fractions")
        return values.astype(np.int64)
    if values.dtype.kind not in "buiUS":
        raise DataError(f"labels must be whole numbers or words, but they are {values.dtype}")
    return values


def _number_classes(
    labels: NDArray[Any], classes: Sequence[str] | None
) -> tuple[NDArray[np.int64], tuple[str, ...] | list[str]]:
    if classes is not None:
        numbers = labels.astype(np.int64)
        if numbers.size and (numbers.min() < 0 or numbers.max() >= len(classes)):
            raise DataError(
                f"labels must lie in 0 to {len(classes) - 1}, since {len(classes)} classes are named, but they go from "
                f"{numbers.min()} to {numbers.max()}"
            )
        return numbers, tuple(classes)
    distinct, numbers = np.unique(labels, return_inverse=True)
    words = [
        value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in distinct.tolist()
    ]
    order = class_order(words)
    position = {word: index for index, word in enumerate(order)}
    return np.array([position[word] for word in words], np.int64)[numbers], order


def _settle(
    blocks: Sequence[Block], size: str | None, parts: Parts, scale: tuple[float, float] | None
) -> DecodeSettings:
    shape = blocks[0].shape[1:]
    if len(shape) == 1:
        if size is not None:
            raise DataError(f"a size is for pictures, but these are {shape[0]} features; leave it out")
        height, width, channels = 1, 1, shape[0]
    else:
        height, width = target_size(size, np.array([shape[0]], np.int64), np.array([shape[1]], np.int64))
        channels = shape[2] if len(shape) == 3 else 1
    if scale is None and all(block.dtype in (np.uint8, np.bool_) for block in blocks):
        return DecodeSettings(height, width, channels)
    low, high = ((scale[0],), (scale[1],)) if scale is not None else _training_range(blocks, parts)
    return DecodeSettings(height, width, channels, low=low, high=high)


def _training_range(blocks: Sequence[Block], parts: Parts) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What 0 and 255 will stand for: of pictures the least and greatest value of the training part; of features one
    pair each, the same but no further than the width of the middle 98 % beyond it, so that one wild value does not
    press all others into a few steps."""
    start = 0
    lows: list[float] = []
    highs: list[float] = []
    features: list[NDArray[np.float64]] = []
    for block in blocks:
        for piece in block.pieces():
            training = piece[parts[start : start + len(piece)] == TRAIN]
            start += len(piece)
            if piece.dtype.kind == "f" and not np.isfinite(piece).all():
                raise DataError(f"{block.name} must hold no NaN and no infinity; fill or remove them")
            if len(training) and piece.ndim == 2:
                features.append(training.astype(np.float64))
            elif len(training):
                lows.append(float(training.min()))
                highs.append(float(training.max()))
    if features:
        values = np.concatenate(features)
        first, last = np.percentile(values, [1, 99], axis=0)
        reach = np.where(last > first, last - first, np.inf)
        low, high = np.maximum(values.min(axis=0), first - reach), np.minimum(values.max(axis=0), last + reach)
        high = np.where(high > low, high, low + np.maximum(1.0, np.abs(low)))
        return tuple(low.tolist()), tuple(high.tolist())
    least, greatest = min(lows), max(highs)
    return (least,), (greatest if greatest > least else least + max(1.0, abs(least)),)


def _read(blocks: Sequence[Block], settings: DecodeSettings) -> Iterator[Pixels | ImageError]:
    for block in blocks:
        for piece in block.pieces():
            try:
                yield from prepare_array(piece, settings)
            except UnsuitableArray as error:
                raise DataError(f"{block.name}: {error}") from error


def read_digits() -> Source:
    """scikit-learn's 1,797 handwritten digits of 8 x 8 pixels, whose values 0 to 16 become 0 to 255."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images, labels = bunch.images, bunch.target
    return array_source(
        "digits",
        [array_block("digits", UNASSIGNED, images)],
        [labels],
        content_hash(images, labels),
        scale=(0.0, 16.0),
        licence="CC-BY-4.0",
    )


def read_arrays(
    name: str, images: NDArray[Any], labels: NDArray[Any], parts: Parts | None, classes: Sequence[str] | None
) -> Source:
    """Arrays in memory. `parts` holds 0, 1 or 2 an image; without it the split is made."""
    if images.ndim == 0 or not len(images) or labels.ndim == 0:
        raise DataError("there must be at least one image and a label for it, but the array is empty")
    block = array_block(name, UNASSIGNED, images)
    _check_blocks([block], [labels])
    source = array_source(
        name,
        [block],
        [labels],
        digest([content_hash(images, labels), None if classes is None else list(classes)]),
        classes=classes,
    )
    if parts is None:
        return source
    if parts.shape != source.labels.shape or not np.isin(parts, (TRAIN, VALIDATION, TEST)).all():
        raise DataError(
            f"split must hold 0 ({PARTS[0]}), 1 ({PARTS[1]}) or 2 ({PARTS[2]}) for each of the {len(images):,} images"
        )
    return Source(
        source.name,
        source.keys,
        source.labels,
        source.classes,
        parts.astype(np.uint8),
        source.signature + content_hash(parts),
        source.settle,
        source.read,
    )
