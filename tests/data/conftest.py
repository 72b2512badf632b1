"""Small synthetic images, and where real data lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netwright.data import source

Pictures = Callable[..., Path]


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    """Writes a folder of class folders: `pictures("name", {"cat": 5, "dog": 6}, size=(12, 10), mode="RGB")`."""

    def write(
        name: str,
        classes: dict[str, int],
        *,
        size: tuple[int, int] = (12, 10),
        mode: str = "RGB",
        seed: int = 0,
        ending: str = ".png",
    ) -> Path:
        generator = np.random.default_rng(seed)
        width, height = size
        for label, number in classes.items():
            folder = tmp_path / name / label
            folder.mkdir(parents=True)
            for index in range(number):
                shape = (height, width, 3) if mode == "RGB" else (height, width)
                pixels = generator.integers(0, 256, shape, dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{index:03d}{ending}")
        return tmp_path / name

    return write


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the time stamps of files that were written a moment ago."""
    monkeypatch.setattr(source, "SETTLED_SECONDS", 0.0)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real data, or a skip that says so."""
    folder = Path(os.environ.get("NETWRIGHT_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the folder of real data is absent; NETWRIGHT_DATA names it")
    return folder


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[object]:
    """An object whose unpickling makes a file; the test fails if that file is there afterwards."""
    mark = tmp_path / "unpickled"

    class Canary:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(mark),)

    yield Canary()
    assert not mark.exists(), "a pickle was read"
