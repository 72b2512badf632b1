"""From an image file, or an array of images, to the pixels a network takes: `uint8`, (height, width, channels).

Needs Pillow and NumPy alone; exported folders carry a copy of this file, so that a network sees the same pixels in the
field as in training. The rule, in order:

1.  The size in the header is checked before anything is decoded; more than `PIXEL_LIMIT` pixels is an error, and so is
    a file that is cut off. Of animations and many-page files the first picture counts.
2.  JPEGs far larger than needed are decoded at 1/2, 1/4 or 1/8 scale, never below twice the size asked for.
3.  The EXIF rotation is carried out.
4.  16-bit grey values are divided by 257 (of 16-bit colours Pillow keeps the higher byte); palettes are looked up; CMYK,
    YCbCr and HSV become RGB; transparent parts are laid on white, but for 16-bit grey.
5.  One channel asked for: colour becomes grey by 0.299 R + 0.587 G + 0.114 B. Three: grey is repeated.
6.  The picture is stretched to the height and width asked for; shrinking averages over all pixels (antialiased).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

Pixels = NDArray[np.uint8]

PIXEL_LIMIT = 89_478_485
"""Pillow's own limit: a quarter of a gigabyte at three bytes a pixel."""

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
"""What is decoded (JPEG includes the MPO of telephones). Pillow knows more, some of which start other programs (EPS)."""

SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm",
})  # fmt: skip
"""Endings, in small letters, by which pictures are found in folders."""

FOREIGN = 4
"""`uint8` that goes so many times beyond all values of the training is in another unit: pixels, where it was fractions."""

RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112
_WHITE = (255, 255, 255)


class ImageError(ValueError):
    """An image that cannot be used."""


class UnreadableImage(ImageError):
    """A file that is no image of a known kind, is damaged, cut off, or may not be opened."""


class TooManyPixels(ImageError):
    """A picture whose header promises more than `PIXEL_LIMIT` pixels."""


class UnsuitableArray(ImageError):
    """An array whose shape, type or values do not fit."""


@dataclass(frozen=True)
class DecodeSettings:
    """How pictures and arrays become `uint8` (height, width, channels).

    `low` and `high` (one number, or one a channel) are given when the network was trained on arrays other than
    `uint8`: arrays are then read in those units, `low` becoming 0 and `high` 255, and values beyond are clipped.
    Flat features are pictures of 1 x 1 with a channel a feature.
    """

    height: int
    width: int
    channels: int
    resample: str = "bilinear"
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a size below 1, an unknown resampling, or ranges that do not fit the channels."""
        if min(self.height, self.width, self.channels) < 1:
            raise ValueError(f"height, width and channels must be at least 1, but got {self.shape}")
        if self.resample not in RESAMPLING:
            raise ValueError(f"resample must be one of {', '.join(RESAMPLING)}, but got {self.resample!r}")
        if (self.low is None) != (self.high is None):
            raise ValueError("low and high must be given together")
        if self.low is not None and self.high is not None:
            if len(self.low) != len(self.high) or len(self.low) not in (1, self.channels):
                raise ValueError(f"low and high must have 1 or {self.channels} numbers each")
            if not all(low < high for low, high in zip(self.low, self.high, strict=True)):
                raise ValueError("every low must be below its high")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self.height, self.width, self.channels

    @property
    def flat(self) -> bool:
        """Whether an example is a list of features and no picture."""
        return self.height == 1 and self.width == 1

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        record: dict[str, Any] = {
            "height": self.height,
            "width": self.width,
            "channels": self.channels,
            "resample": self.resample,
        }
        if self.low is not None and self.high is not None:
            record["low"], record["high"] = list(self.low), list(self.high)
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> DecodeSettings:
        """The inverse of `to_json`."""
        low, high = record.get("low"), record.get("high")
        return cls(
            height=int(record["height"]),
            width=int(record["width"]),
            channels=int(record["channels"]),
            resample=str(record["resample"]),
            low=None if low is None else tuple(float(value) for value in low),
            high=None if high is None else tuple(float(value) for value in high),
        )


def load_image(path: str | PathLike[str], settings: DecodeSettings) -> Pixels:
    """The picture in a file, `uint8` of shape (height, width, channels). Raises `ImageError`."""
    if settings.channels not in (1, 3):
        raise UnsuitableArray(f"files have 1 or 3 channels, but this network takes arrays with {settings.channels}")
    with open_image(path) as image:
        lying = orientation(image) >= 5
        width, height = settings.width, settings.height
        image.draft(None, (2 * height, 2 * width) if lying else (2 * width, 2 * height))
        image.load()
        turn = _TURNS.get(orientation(image))  # asked for again: Pillow turns a TIFF itself while it loads it
        upright = image if turn is None else image.transpose(turn)
        return _resized(_eight_bit(upright, settings.channels), settings)


def hidden(name: str) -> bool:
    """Whether a file or folder of this name is passed over where pictures are looked for."""
    return name.startswith(".") or name in ("__MACOSX", "Thumbs.db", "desktop.ini")


@contextmanager
def open_image(path: str | PathLike[str]) -> Iterator[Image.Image]:
    """A picture whose header was read and found within the limit; whatever goes wrong inside is an `ImageError`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > PIXEL_LIMIT:
                    raise TooManyPixels(_too_many(f"{image.width} x {image.height}"))
                yield image
        except ImageError:
            raise
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise TooManyPixels(_too_many("too many")) from error
        except UnidentifiedImageError as error:
            raise UnreadableImage(f"not an image of a known kind ({', '.join(FORMATS)})") from error
        except OSError as error:
            raise UnreadableImage(f"cannot be read: {error.strerror or error}") from error
        except Exception as error:  # damaged files make the decoders raise almost anything
            raise UnreadableImage(f"damaged: {type(error).__name__}: {error}") from error


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none or it cannot be read. Reads no more than the header."""
    if image.format not in ("JPEG", "MPO", "TIFF", "WEBP") and "exif" not in image.info:
        return 1
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001  a damaged EXIF block does not make the picture unreadable
        return 1
    return value if isinstance(value, int) and value in _TURNS else 1


def prepare_array(array: NDArray[Any], settings: DecodeSettings) -> Pixels:
    """Images given as an array, (N, height, width) or (N, height, width, channels), any size; flat features (N, F).

    Gives `uint8` (N, *settings.shape). Without `low` and `high` in the settings, `uint8` is taken as it is, bool times
    255, `uint16` divided by 257, and other integers must lie in 0 to 255; floats are refused, since their unit is
    not known. Raises `UnsuitableArray`.
    """
    shaped = _with_channels(array, settings)
    if settings.low is not None and len(settings.low) not in (1, shaped.shape[-1]):
        raise UnsuitableArray(f"arrays must have {settings.channels} channels, but got {shaped.shape[-1]}")
    pixels = _scaled(shaped, settings)
    if pixels.shape[-1] != settings.channels:
        pixels = _with_channel_count(pixels, settings.channels)
    if pixels.shape[1:] == settings.shape:
        return np.ascontiguousarray(pixels)
    result = np.empty((len(pixels), *settings.shape), np.uint8)
    for index, picture in enumerate(pixels):
        result[index] = _resized_array(picture, settings)
    return result


def _too_many(size: str) -> str:
    return f"a picture may have at most {PIXEL_LIMIT:,} pixels, but the header says {size}; make it smaller"


def _eight_bit(image: Image.Image, channels: int) -> Image.Image:
    if image.mode == "I" or image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.int64)
        if values.size and (values.min() < 0 or values.max() > 65535):
            raise UnreadableImage("32-bit values outside 0 to 65535; save it with 8 or 16 bits")
        image = Image.fromarray(np.rint(values / 257).astype(np.uint8))
    elif image.mode == "F":
        raise UnreadableImage("floating-point values, whose range is not known; save it with 8 or 16 bits")
    elif image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGB", image.size, _WHITE)
        image.paste(layer, mask=layer.getchannel("A"))
    return image.convert("L" if channels == 1 else "RGB")


def _resized(image: Image.Image, settings: DecodeSettings) -> Pixels:
    size = (settings.width, settings.height)
    if image.size != size:
        image = image.resize(size, RESAMPLING[settings.resample])
    return np.asarray(image, np.uint8).reshape(settings.shape)


def _resized_array(picture: Pixels, settings: DecodeSettings) -> Pixels:
    size = (settings.width, settings.height)
    filtering = RESAMPLING[settings.resample]
    planes = [Image.fromarray(np.ascontiguousarray(picture[:, :, c])) for c in range(picture.shape[2])]
    return np.stack([np.asarray(plane.resize(size, filtering)) for plane in planes], axis=-1)


def _with_channels(array: NDArray[Any], settings: DecodeSettings) -> NDArray[Any]:
    if array.dtype.kind not in "buif":
        raise UnsuitableArray(f"arrays must hold numbers, but got {array.dtype}")
    if settings.flat and array.ndim == 2:
        array = array[:, None, None, :]
    elif not settings.flat and array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or 0 in array.shape[1:]:
        form = "(N, features)" if settings.flat else "(N, height, width) or (N, height, width, channels)"
        raise UnsuitableArray(f"an array must be {form}, but got the shape {array.shape}")
    if settings.flat and array.shape[1:] != settings.shape:
        raise UnsuitableArray(f"there must be {settings.channels} features, but got the shape {array.shape}")
    return array


def _scaled(array: NDArray[Any], settings: DecodeSettings) -> Pixels:
    if settings.low is not None and settings.high is not None:
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise UnsuitableArray("an array must hold no NaN and no infinity")
        low, high = np.asarray(settings.low), np.asarray(settings.high)
        if array.dtype == np.uint8 and array.size and array.max() > FOREIGN * np.abs(high).max():
            raise UnsuitableArray(
                f"this network was trained on values from {low.min():g} to {high.max():g}, but got uint8 up to "
                f"{array.max()}; give values in the unit of the training"
            )
        levels: NDArray[np.float64] = np.rint(np.clip((array - low) / (high - low), 0.0, 1.0) * 255.0)
        return levels.astype(np.uint8)
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.uint16:
        return np.rint(array / 257).astype(np.uint8)
    if array.dtype.kind == "f":
        raise UnsuitableArray("this network was trained on uint8 pixels; give uint8 from 0 to 255, not floats")
    if array.size and (array.min() < 0 or array.max() > 255):
        raise UnsuitableArray(f"pixels must lie in 0 to 255, but got {array.min()} to {array.max()}")
    return array.astype(np.uint8)


def _with_channel_count(pixels: Pixels, channels: int) -> Pixels:
    given = pixels.shape[-1]
    if given == 1 and channels == 3:
        return np.repeat(pixels, 3, axis=-1)
    if given == 3 and channels == 1:
        weighted = pixels.astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32)  # as Pillow does it
        return ((weighted + 0x8000) >> 16).astype(np.uint8)[..., None]
    raise UnsuitableArray(f"pictures must have {channels} channels, but got {given}")
