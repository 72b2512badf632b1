"""The public face is small, pinned here, and quick to import."""

from __future__ import annotations

import subprocess
import sys

import pytest

import netwright
from netwright import spaces
from netwright.core.errors import NetwrightError
from netwright.spaces.choices import __name__ as choices_home
from netwright.spaces.layers import LAYERS

PUBLIC = ["NetworkClassifier", "NetwrightError", "Run", "Space", "__version__", "load_data", "open_run", "search"]
CHOICES = ["choose", "integer", "optional", "real", "repeat", "shared", "subset"]
HEAVY = ("torch", "numpy", "scipy", "sklearn", "pandas", "PIL", "plotly", "onnx", "onnxruntime", "rich", "typer")


def test_public_names() -> None:
    assert netwright.__all__ == PUBLIC
    assert all(getattr(netwright, name) is not None for name in PUBLIC)
    assert set(PUBLIC) <= set(dir(netwright))


def test_building_blocks_of_spaces() -> None:
    assert sorted(spaces.__all__) == sorted([*LAYERS, *CHOICES, "Recipe", "Space"])
    assert all(getattr(spaces, name).__module__ == choices_home for name in CHOICES)
    assert netwright.Space is spaces.Space


def test_every_error_raised_on_purpose_is_a_netwright_error() -> None:
    assert netwright.NetwrightError is NetwrightError


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'serch'"):
        _ = netwright.serch


def _modules_after(statement: str) -> set[str]:
    script = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement", ["import netwright", "import netwright as nw; nw.Space", "import netwright.spaces"]
)
def test_importing_loads_nothing_heavy(statement: str) -> None:
    loaded = _modules_after(statement)
    assert "netwright" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_reading_a_run_does_not_load_torch() -> None:
    assert "torch" not in _modules_after("import netwright as nw; nw.open_run; nw.search")
