"""What a person gives from Python."""

from __future__ import annotations

import gc
import re
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

import netwright as nw
from netwright.core.errors import DataError, InputError
from netwright.given import new_folder, texts


def test_loaded_data_live_as_long_as_the_result() -> None:
    data = nw.load_data("digits")
    assert data.images.shape == (1797, 8, 8, 1)
    assert len(data.indices("test")) == 270
    folder = data.folder
    assert folder.exists()
    del data
    gc.collect()
    assert not folder.exists()


def test_arrays_are_loaded_into_a_folder(tmp_path: Path) -> None:
    digits = load_digits()
    groups = np.arange(len(digits.target)) // 10
    data = nw.load_data(digits.images, tmp_path / "data", labels=digits.target, groups=groups, size=6)
    assert data.images.shape == (1797, 6, 6, 1)
    sides = {(group, part) for group, part in zip(groups.tolist(), data.split.tolist(), strict=True)}
    assert len(sides) == len(set(groups.tolist()))
    assert data.folder == tmp_path / "data"


def test_bad_data_leave_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(DataError, match="there is no"):
        nw.load_data("nothing-here")
    assert list(tmp_path.iterdir()) == []


def test_limits_may_come_in_any_iterable() -> None:
    wanted = ("parameters<=1k", "macs<=1M")
    assert texts(wanted) == texts(list(wanted)) == texts(np.array(wanted)) == texts(limit for limit in wanted) == wanted
    assert texts("macs<=1M") == ("macs<=1M",)
    assert texts(None) is None


def test_what_is_no_text_is_refused_by_the_name_of_its_option(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="limits must be text"):
        nw.search("digits", out=tmp_path / "run", limits=5)  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


def test_new_folders_are_named_by_date_and_data(tmp_path: Path) -> None:
    first, second = (new_folder(tmp_path, "../my photos (2).npz") for _ in range(2))
    assert first.name.endswith("-my-photos-2")
    assert second.name == f"{first.name}-2"
    assert new_folder(tmp_path, "(arrays)").name.endswith("-arrays")
    assert new_folder(tmp_path, "…").name.endswith("-run")


CORPUS = [
    "../../etc/passwd", "/etc/passwd", "..", ".", "", "C:\\con", "\\\\host\\share", "nul.", "a\0b", "x" * 255, "é" * 200,
    "-rf", "~", "\u202egnp", "a\nb", "$(reboot)", ". .", "aux.txt.", "a/../../b",
]  # fmt: skip


@pytest.mark.attack(11)
@given(st.text() | st.sampled_from(CORPUS))
def test_no_name_of_data_leads_out_of_the_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """Not here, and not where backslashes, colons and trailing dots mean something."""
    parent = tmp_path_factory.getbasetemp() / "runs"
    made = new_folder(parent, name)
    made.rmdir()
    assert made.parent == parent
    assert PureWindowsPath(made.name).parts == (made.name,)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?", made.name)
    assert len(made.name) <= 100
