"""Digits, decoded once for all tests of evaluations."""

from __future__ import annotations

from pathlib import Path

import pytest

from netwright.data.catalog import open_data


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "digits"
    open_data("digits", folder)
    return folder
