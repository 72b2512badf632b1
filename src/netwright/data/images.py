"""Folders of image files: one folder a class, or train, val and test folders with one folder a class in each."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import IMAGELENGTH, IMAGEWIDTH, TiffImageFile

from netwright.core.errors import DataError
from netwright.core.text import plain
from netwright.data.decode import (
    SUFFIXES,
    DecodeSettings,
    ImageError,
    Pixels,
    hidden,
    load_image,
    open_image,
    orientation,
)
from netwright.data.findings import Finding, count, enumerate_some, named
from netwright.data.licence import recognise_licence
from netwright.data.source import (
    TRAIN,
    UNASSIGNED,
    Source,
    class_order,
    display_names,
    files_signature,
    target_size,
)
from netwright.data.split import PART_NAMES

BESIDE = frozenset({"", ".md", ".txt", ".csv", ".json", ".rst", ".pdf", ".html", ".xml", ".db", ".ini"})
"""Endings of files that lie beside images without anybody missing them."""

HUGE_PIXELS = 25_000_000
GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N"})

ODD_MODES = {
    "16-bit": "16 bits a value; divided by 257, so pictures that use a small part of the range come out dark",
    "CMYK": "CMYK; turned into RGB without a colour profile",
    "palette": "a palette; looked up",
    "alpha": "transparent parts; laid on white",
    "huge": f"more than {HUGE_PIXELS:,} pixels; reading them takes long",
    "animation": "several pictures in one file; the first one counts",
}
ODD_FIXES = {
    "16-bit": "save them with 8 bits, stretched to the range you want, if they come out too dark",
    "CMYK": "save them as RGB if colour matters",
    "palette": "nothing to do unless classes differ in it",
    "alpha": "lay them on the ground they will be used with, if that is not white",
    "huge": "shrink them once beforehand",
    "animation": "save the picture you mean as a file of its own",
}


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image file, its class folder's name and the part its folder belongs to."""

    path: Path
    folder: str
    part: int


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of its picture before decoding: upright size, whether it is grey, and what is odd about it."""

    height: int
    width: int
    grey: bool
    oddities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything below a folder by what it is; nothing was opened."""

    files: list[ImageFile]
    empty: list[Path]
    beside: list[Path]


def read_folder(root: Path) -> Source:
    """The images below `root`; none is opened before `settle`. Raises DataError when no class folder holds an image."""
    listing = _list_folder(root)
    files = listing.files
    if not files:
        raise DataError(
            f"{plain(root.resolve().name)} must hold a folder of images for each class (or train/, val/ and test/ with "
            f"class folders), but it holds {_contents(root)}"
        )
    headers = cache(lambda: [_read_header(file.path) for file in files])
    folders = class_order(file.folder for file in files)
    number = {folder: index for index, folder in enumerate(folders)}
    return Source(
        name=plain(root.resolve().name),
        keys=[file.path.relative_to(root).as_posix() for file in files],
        labels=np.array([number[file.folder] for file in files], np.int64),
        classes=display_names(folders),
        parts=np.array([file.part for file in files], np.uint8),
        signature=files_signature(root, [file.path for file in files]),
        settle=lambda size, parts: _settle(size, headers()),
        notice=lambda: [
            *_empty_classes(root, [folder for folder in listing.empty if _composed(folder.name) not in number]),
            *_beside(root, listing.beside),
            *_odd(root, files, headers()),
        ],
        read=lambda settings: _read(files, settings),
        licence=recognise_licence(root),
    )


def _list_folder(root: Path) -> Listing:
    result = Listing([], [], [])
    layout = _part_folders(root)
    for part, folder in layout:
        for entry in _visible(folder):
            if entry.is_dir():
                _list_class(entry, part, result)
            else:
                result.beside.append(entry)
    if layout[0][1] != root:
        parts = {folder for _, folder in layout}
        result.beside.extend(entry for entry in _visible(root) if entry not in parts)
    return result


def _list_class(folder: Path, part: int, result: Listing) -> None:
    before = len(result.files)
    for path in _walk(folder):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            result.files.append(ImageFile(path, _composed(folder.name), part))
        else:
            result.beside.append(path)
    if len(result.files) == before:
        result.empty.append(folder)


def _part_folders(root: Path) -> list[tuple[int, Path]]:
    """[(part, folder)] for a layout of train/val/test, else the root alone, unassigned."""
    named_parts = [(PART_NAMES[entry.name.lower()], entry) for entry in _visible(root) if _is_part(entry)]
    parts = [part for part, _ in named_parts]
    folders = [entry for entry in _visible(root) if entry.is_dir()]
    others = [entry for entry in folders if entry.name.lower() not in PART_NAMES]
    if TRAIN not in parts and folders and not others:
        raise DataError(
            f"{plain(root.resolve().name)} must hold train/ and in it a folder of images for each class, but it holds "
            f"{enumerate_some(plain(entry.name) for entry in folders)}; where these are classes, rename one"
        )
    if TRAIN not in parts or (len(parts) == 1 and others):
        return [(UNASSIGNED, root)]
    if len(set(parts)) < len(parts):
        twice = ", ".join(entry.name for _, entry in named_parts)
        raise DataError(f"each part must have one folder, but {root.name} holds {twice}; keep one of each")
    if parts == [TRAIN]:
        return [(UNASSIGNED, named_parts[0][1])]
    return sorted(named_parts)


def _is_part(entry: Path) -> bool:
    return entry.name.lower() in PART_NAMES and entry.is_dir() and any(child.is_dir() for child in _visible(entry))


def _composed(name: str) -> str:
    """One spelling for one name, whatever the system that made the folder does with accents."""
    return unicodedata.normalize("NFC", name)


def _walk(folder: Path) -> Iterator[Path]:
    """Every visible file below, in order of names; links to folders are given, but not followed."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not hidden(name))
        yield from (Path(parent, name) for name in folders if _linked(Path(parent, name)))
        yield from (Path(parent, name) for name in sorted(names) if not hidden(name))


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not hidden(entry.name))


def _contents(root: Path) -> str:
    entries = _visible(root)
    images = sum(entry.suffix.lower() in SUFFIXES for entry in entries)
    if images:
        return f"{count(images, 'image')} that lie in no class folder"
    return enumerate_some(plain(entry.name) for entry in entries) or "nothing"


def _read_header(path: Path) -> Header | None:
    """None for a file that cannot be read; decoding will say why."""
    try:
        with open_image(path) as image:
            height, width = _upright(image)
            return Header(height, width, image.mode in GREY_MODES, tuple(_oddities(image)))
    except ImageError:
        return None


def _upright(image: Image.Image) -> tuple[int, int]:
    """(height, width) as the picture will stand; Pillow gives those of a TIFF that lies already exchanged."""
    width, height = image.size
    exchanged = isinstance(image, TiffImageFile) and image.size != (image.tag_v2[IMAGEWIDTH], image.tag_v2[IMAGELENGTH])
    return (width, height) if orientation(image) >= 5 and not exchanged else (height, width)


def _oddities(image: Image.Image) -> Iterator[str]:
    if image.mode.startswith("I"):
        yield "16-bit"
    if image.mode == "CMYK":
        yield "CMYK"
    if image.mode in ("P", "PA"):
        yield "palette"
    if image.has_transparency_data:
        yield "alpha"
    if image.width * image.height > HUGE_PIXELS:
        yield "huge"
    if image.format in ("GIF", "TIFF", "WEBP", "PNG") and getattr(image, "is_animated", False):
        yield "animation"


def _settle(size: str | None, headers: list[Header | None]) -> DecodeSettings:
    known = [header for header in headers if header is not None]
    if not known:
        raise DataError("none of the image files can be read; check that they are images (netwright data check)")
    heights = np.array([header.height for header in known], np.int64)
    widths = np.array([header.width for header in known], np.int64)
    height, width = target_size(size, heights, widths)
    return DecodeSettings(height, width, 1 if all(header.grey for header in known) else 3)


def _read(files: list[ImageFile], settings: DecodeSettings) -> Iterator[Pixels | ImageError]:
    for file in files:
        try:
            yield load_image(file.path, settings)
        except ImageError as error:
            yield error


def _show(root: Path, path: Path) -> str:
    return plain(path.relative_to(root).as_posix())


def _empty_classes(root: Path, empty: list[Path]) -> Iterator[Finding]:
    if empty:
        names = [_show(root, folder) for folder in empty]
        yield Finding(
            "stop",
            "empty class",
            f"{count(len(names), 'class folder')} without any image: {enumerate_some(names)}",
            "put images into it, or remove the folder",
            named(names),
        )


def _beside(root: Path, ignored: list[Path]) -> Iterator[Finding]:
    """Files that are no images: a word for pictures of other kinds and loose images, none for a LICENSE or README."""
    loose = [path for path in ignored if path.suffix.lower() in SUFFIXES and path.is_file()]
    others = sorted(set(ignored) - set(loose))
    if loose:
        yield Finding(
            "warn",
            "loose image",
            f"{count(len(loose), 'image')} in no class folder, left out: {enumerate_some(_show(root, p) for p in loose)}",
            "move each into the folder of its class",
            named(_show(root, path) for path in loose),
        )
    if others:
        kinds = Counter("a linked folder" if _linked(path) else path.suffix.lower() or path.name for path in others)
        listed = enumerate_some(f"{plain(kind)} ({number:,})" for kind, number in kinds.most_common())
        strange = any(path.suffix.lower() not in BESIDE or path.is_dir() for path in others)
        yield Finding(
            "warn",
            "ignored",
            f"{count(len(others), 'entry', 'entries')} left out, not of a known kind of image: {listed}",
            "save images as JPEG or PNG, and put them into folders, not links to folders"
            if strange
            else "nothing to do",
            named(_show(root, path) for path in others),
        )


def _linked(path: Path) -> bool:
    return path.is_symlink() and path.is_dir()


def _odd(root: Path, files: list[ImageFile], headers: list[Header | None]) -> Iterator[Finding]:
    for oddity, treatment in ODD_MODES.items():
        odd = [
            _show(root, file.path)
            for file, header in zip(files, headers, strict=True)
            if header is not None and oddity in header.oddities
        ]
        if odd:
            yield Finding("warn", oddity, f"{count(len(odd), 'image')} with {treatment}", ODD_FIXES[oddity], named(odd))
    sizes = Counter((header.height, header.width) for header in headers if header is not None)
    if len(sizes) > 1:
        (height, width), most = sizes.most_common(1)[0]
        others = [
            _show(root, file.path)
            for file, header in zip(files, headers, strict=True)
            if header is not None and (header.height, header.width) != (height, width)
        ]
        yield Finding(
            "warn",
            "mixed sizes",
            f"{len(sizes):,} different sizes, most often {width} x {height} pixels ({most:,} images); "
            f"{count(len(others), 'other')} are stretched to the same shape: {enumerate_some(others)}",
            "crop them alike beforehand if their proportions matter",
            named(others),
        )
