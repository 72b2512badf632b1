"""Help appears at once, because nothing heavy is imported for it."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec

import pytest

HEAVY = {
    "torch",
    "numpy",
    "sklearn",
    "scipy",
    "plotly",
    "pydantic",
    "onnx",
    "onnxruntime",
    "pandas",
    "PIL",
    "matplotlib",
}

pytestmark = pytest.mark.skipif(find_spec("netwright.cli") is None, reason="the command line is not there")


def _loaded(*arguments: str) -> set[str]:
    """Top-level packages that the interpreter imports to print a help page."""
    command = [sys.executable, "-X", "importtime", "-m", "netwright", *arguments, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Usage" in done.stdout
    return {name.partition(".")[0] for name in re.findall(r"\|\s*([\w.]+)$", done.stderr, re.MULTILINE)}


def test_help_loads_nothing_heavy() -> None:
    loaded = _loaded()
    assert {"netwright", "typer"} <= loaded
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("command", [["search"], ["fidelity"], ["data", "check"], ["status"]])
def test_help_of_a_command_loads_nothing_heavy(command: list[str]) -> None:
    """Except pydantic, which typer itself imports to read the arguments of a command."""
    assert _loaded(*command) & HEAVY <= {"pydantic"}
