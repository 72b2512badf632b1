"""Pictures and arrays become pixels by the stated rule, or an error with a clear text."""

from __future__ import annotations

import ast
import struct
import sys
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netwright.data import decode
from netwright.data.decode import (
    DecodeSettings,
    ImageError,
    TooManyPixels,
    UnreadableImage,
    UnsuitableArray,
    load_image,
    prepare_array,
)
from netwright.data.images import read_folder

COLOUR = DecodeSettings(4, 6, 3)
GREY = DecodeSettings(4, 6, 1)


def gradient(height: int = 4, width: int = 6) -> np.ndarray:
    values = np.arange(height * width, dtype=np.uint8).reshape(height, width) * 10
    return np.stack([values, 255 - values, values // 2], axis=-1)


def test_the_file_needs_pillow_and_numpy_alone() -> None:
    tree = ast.parse(Path(decode.__file__).read_text())
    roots = {
        (node.module or "").split(".")[0] if isinstance(node, ast.ImportFrom) else node.names[0].name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert roots - set(sys.stdlib_module_names) - {"__future__"} == {"numpy", "PIL"}


def test_settings_survive_json() -> None:
    for settings in (COLOUR, DecodeSettings(1, 1, 2, low=(0.0, -1.5), high=(1.0, 2.0))):
        assert DecodeSettings.from_json(settings.to_json()) == settings


@pytest.mark.parametrize(
    "fields",
    [
        {"height": 0, "width": 1, "channels": 1},
        {"height": 1, "width": 1, "channels": 1, "resample": "eval"},
        {"height": 1, "width": 1, "channels": 1, "low": (0.0,)},
        {"height": 1, "width": 1, "channels": 3, "low": (0.0, 0.0), "high": (1.0, 1.0)},
        {"height": 1, "width": 1, "channels": 1, "low": (1.0,), "high": (1.0,)},
    ],
)
def test_settings_that_make_no_sense_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        DecodeSettings(**fields)  # type: ignore[arg-type]


def test_pictures_of_the_right_size_keep_every_pixel(tmp_path: Path) -> None:
    Image.fromarray(gradient()).save(tmp_path / "a.png")
    assert (load_image(tmp_path / "a.png", COLOUR) == gradient()).all()


@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif", ".webp"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_rotation_is_carried_out(tmp_path: Path, turn: int, ending: str) -> None:
    """Each of the eight orientations of one upright picture gives the upright picture, and its size."""
    upright = Image.fromarray(gradient())
    undo = {6: 8, 8: 6}.get(turn, turn)
    stored = upright if turn == 1 else upright.transpose(decode._TURNS[undo])
    exif = Image.Exif()
    exif[0x0112] = turn
    exact = {".jpg": {"quality": 100, "subsampling": 0}, ".webp": {"lossless": True}}.get(ending, {})
    (tmp_path / "cat").mkdir()
    stored.save(tmp_path / "cat" / f"a{ending}", exif=exif, **exact)
    found = load_image(tmp_path / "cat" / f"a{ending}", COLOUR)
    assert np.abs(found.astype(int) - gradient()).max() <= (2 if ending == ".jpg" else 0)
    source = read_folder(tmp_path)
    assert source.settle(None, source.parts) == COLOUR


def test_damaged_exif_does_not_lose_the_picture(tmp_path: Path) -> None:
    Image.fromarray(gradient(40, 60)).save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\xff broken")
    assert load_image(tmp_path / "a.jpg", COLOUR).shape == (4, 6, 3)


def test_16_bit_is_scaled_to_8(tmp_path: Path) -> None:
    values = np.array([[0, 257, 65535], [32896, 128, 129]], np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    Image.fromarray(values).save(tmp_path / "a.tif")
    for name in ("a.png", "a.tif"):
        pixels = load_image(tmp_path / name, DecodeSettings(2, 3, 1))
        assert pixels[:, :, 0].tolist() == [[0, 1, 255], [128, 0, 1]]


def test_transparent_parts_are_laid_on_white(tmp_path: Path) -> None:
    layer = np.zeros((1, 3, 4), np.uint8)
    layer[0, :, 3] = [0, 51, 255]
    Image.fromarray(layer).save(tmp_path / "a.png")
    assert load_image(tmp_path / "a.png", DecodeSettings(1, 3, 3))[0, :, 0].tolist() == [255, 204, 0]
    Image.fromarray(layer).convert("LA").save(tmp_path / "grey.png")
    assert load_image(tmp_path / "grey.png", DecodeSettings(1, 3, 1))[0, :, 0].tolist() == [255, 204, 0]


def test_palettes_with_a_transparent_entry(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putdata([0, 1])
    image.save(tmp_path / "a.png", transparency=1)
    assert load_image(tmp_path / "a.png", DecodeSettings(1, 2, 3)).tolist() == [[[255, 0, 0], [255, 255, 255]]]


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.tif")
    assert load_image(tmp_path / "a.tif", DecodeSettings(8, 8, 3))[0, 0].tolist() == [255, 0, 0]


def test_grey_and_colour_change_into_each_other(tmp_path: Path) -> None:
    Image.fromarray(np.array([[[200, 100, 50]]], np.uint8)).save(tmp_path / "colour.png")
    Image.fromarray(np.array([[77]], np.uint8)).save(tmp_path / "grey.png")
    assert load_image(tmp_path / "colour.png", DecodeSettings(1, 1, 1)).item() == round(0.299 * 200 + 0.587 * 100 + 5.7)
    assert load_image(tmp_path / "grey.png", DecodeSettings(1, 1, 3)).tolist() == [[[77, 77, 77]]]


def test_large_jpegs_are_read_at_reduced_scale_with_nearly_the_same_result(tmp_path: Path) -> None:
    y, x = np.mgrid[0:1200, 0:1600]
    smooth = np.stack([127 + 100 * np.sin(x / 200), 127 + 100 * np.cos(y / 150), (x + y) / 11], -1).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "a.jpg", quality=95)
    settings = DecodeSettings(48, 64, 3)
    with Image.open(tmp_path / "a.jpg") as image:
        exact = np.asarray(image.convert("RGB").resize((64, 48), Image.Resampling.BILINEAR), np.int64)
    assert np.abs(load_image(tmp_path / "a.jpg", settings) - exact).max() <= 3


def test_cut_off_files_are_errors(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    Image.fromarray(generator.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "whole.jpg")
    Image.fromarray(generator.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "whole.png")
    for whole in (tmp_path / "whole.jpg", tmp_path / "whole.png"):
        content = whole.read_bytes()
        for share in (0.02, 0.3, 0.9):
            cut = tmp_path / f"cut{whole.suffix}"
            cut.write_bytes(content[: int(len(content) * share)])
            with pytest.raises(UnreadableImage):
                load_image(cut, COLOUR)


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\0" * 64, b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_files_that_are_no_images_are_errors(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ImageError):
        load_image(tmp_path / "a.png", COLOUR)


def test_missing_files_and_folders_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match="No such file"):
        load_image(tmp_path / "absent.png", COLOUR)
    with pytest.raises(UnreadableImage):
        load_image(tmp_path, COLOUR)


def png_bomb(width: int, height: int) -> bytes:
    """A tiny PNG whose header promises width x height pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.attack(13)
@pytest.mark.parametrize("side", [9_500, 12_000, 60_000])
def test_a_picture_larger_than_the_limit_is_refused_by_its_header(tmp_path: Path, side: int) -> None:
    """The limit is an error from just above it on, where Pillow itself only warns below twice the limit."""
    (tmp_path / "bomb.png").write_bytes(png_bomb(side, side))
    with pytest.raises(TooManyPixels, match="89,478,485"):
        load_image(tmp_path / "bomb.png", COLOUR)


def test_damaged_bytes_never_raise_anything_else(tmp_path: Path) -> None:
    """Each picture format with bytes overwritten at random is read or is an ImageError."""
    generator = np.random.default_rng(1)
    for ending in (".jpg", ".png", ".gif", ".bmp", ".tif", ".webp", ".ppm"):
        Image.fromarray(gradient(24, 24)).save(tmp_path / f"whole{ending}")
        content = np.frombuffer((tmp_path / f"whole{ending}").read_bytes(), np.uint8)
        for _ in range(40):
            damaged = content.copy()
            damaged[generator.integers(0, len(content), 6)] = generator.integers(0, 256, 6)
            (tmp_path / f"damaged{ending}").write_bytes(damaged.tobytes())
            with suppress(ImageError):
                assert load_image(tmp_path / f"damaged{ending}", COLOUR).shape == (4, 6, 3)


def test_arrays_as_they_are() -> None:
    images = np.stack([gradient(), gradient()[::-1]])
    assert (prepare_array(images, COLOUR) == images).all()
    assert prepare_array(images[..., 0], GREY).shape == (2, 4, 6, 1)
    assert prepare_array(images[..., 0] > 100, GREY).max() == 255
    assert prepare_array(np.full((1, 4, 6), 65535, np.uint16), GREY).min() == 255
    assert prepare_array(np.full((1, 4, 6), 200, np.int64), GREY).max() == 200


def test_arrays_change_between_grey_and_colour_like_files(tmp_path: Path) -> None:
    Image.fromarray(gradient()).save(tmp_path / "a.png")
    assert (prepare_array(gradient()[None], GREY)[0] == load_image(tmp_path / "a.png", GREY)).all()
    assert (prepare_array(gradient()[None, ..., 0], COLOUR)[0, :, :, 2] == gradient()[..., 0]).all()


def test_arrays_are_resized_like_files(tmp_path: Path) -> None:
    large = np.random.default_rng(0).integers(0, 256, (9, 17, 3), dtype=np.uint8)
    Image.fromarray(large).save(tmp_path / "a.png")
    assert (prepare_array(large[None], COLOUR)[0] == load_image(tmp_path / "a.png", COLOUR)).all()


def test_ranges_are_applied_and_clipped() -> None:
    settings = DecodeSettings(1, 1, 2, low=(0.0, -1.0), high=(1.0, 1.0))
    assert prepare_array(np.array([[0.5, 0.0], [-3.0, 9.0]]), settings).reshape(2, 2).tolist() == [[128, 128], [0, 255]]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 4, 6), np.float32), "not floats"),
        (np.full((2, 4, 6), 300), "0 to 255"),
        (np.zeros((2, 4, 6, 4), np.uint8), "1 channels"),
        (np.zeros((4, 6), np.uint8), "shape"),
        (np.zeros((2, 4, 6), object), "numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(array: np.ndarray, words: str) -> None:
    with pytest.raises(UnsuitableArray, match=words):
        prepare_array(array, GREY)


def test_nan_and_wrong_feature_counts_are_refused() -> None:
    settings = DecodeSettings(1, 1, 2, low=(0.0,), high=(1.0,))
    with pytest.raises(UnsuitableArray, match="NaN"):
        prepare_array(np.array([[0.0, np.nan]]), settings)
    with pytest.raises(UnsuitableArray, match="2 features"):
        prepare_array(np.zeros((3, 5)), settings)


def test_pixels_for_a_network_of_fractions_are_refused() -> None:
    """They would all be clipped to the greatest value, and every answer be wrong without a word."""
    settings = DecodeSettings(4, 6, 1, low=(0.0,), high=(1.0,))
    with pytest.raises(UnsuitableArray, match="from 0 to 1, but got uint8 up to 230; give values in the unit"):
        prepare_array(gradient()[None, :, :, 0], settings)
    binary = (gradient()[None, :, :, 0] > 100).astype(np.uint8)
    np.testing.assert_array_equal(prepare_array(binary, settings)[..., 0], binary * 255)


def test_telephone_pictures_with_a_second_one_inside(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (16, 16), (200, 0, 0)), Image.new("RGB", (16, 16), (0, 0, 200))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second])
    pixels = load_image(tmp_path / "a.jpg", COLOUR)
    assert pixels[..., 0].min() > 150
    assert pixels[..., 2].max() < 60
