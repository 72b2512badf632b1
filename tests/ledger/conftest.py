"""A folder outside of pytest's own, which an unprivileged user may enter."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder that everybody may enter; afterwards the test is root again, where it was."""
    if not hasattr(os, "seteuid"):
        pytest.skip("this platform has no effective users")
    user = os.geteuid()
    folder = Path(tempfile.mkdtemp(prefix="netwright-"))
    folder.chmod(0o755)
    yield folder
    os.seteuid(user)
    folder.chmod(0o755)
    shutil.rmtree(folder)
