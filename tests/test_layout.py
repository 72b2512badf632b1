"""The house as docs/architecture.md describes it: sizes of files, what each room may import, what ships."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "netwright"
MODULES = sorted(SOURCE.rglob("*.py"))
LIGHT_ROOMS = ("core", "spaces", "strategies", "ledger")
MODELS = SOURCE / "strategies" / "models"  # arrays in, predictions out: loaded by a strategy that asks one
LIGHT_MODULES = [
    path for room in LIGHT_ROOMS for path in sorted((SOURCE / room).rglob("*.py")) if not path.is_relative_to(MODELS)
]
HEAVY = {"torch", "numpy", "sklearn", "scipy", "pandas", "plotly", "onnx", "onnxruntime", "PIL"}
LONGEST = 500


def _name(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def _runs_at_import(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a module that are executed when it is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _runs_at_import(child)


def _imported(path: Path) -> set[str]:
    """Top-level names of what a module imports when it is imported."""
    names: set[str] = set()
    for node in _runs_at_import(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_says_what_it_is_and_is_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "a module begins with one paragraph that says what it is"
    assert len(text.splitlines()) <= LONGEST, "a crowded file wants splitting"


@pytest.mark.parametrize("path", LIGHT_MODULES, ids=_name)
def test_light_rooms_import_nothing_heavy(path: Path) -> None:
    assert not _imported(path) & HEAVY


def test_light_rooms_load_nothing_heavy_indirectly() -> None:
    """The same by asking the interpreter, with every module of these rooms loaded."""
    modules = [
        "netwright." + ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        for path in LIGHT_MODULES
    ]
    script = f"import sys\nfor name in {modules!r}: __import__(name)\nprint(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_types_ship() -> None:
    assert files("netwright").joinpath("py.typed").is_file()


def test_every_room_has_its_tests() -> None:
    """Tests mirror the package."""
    rooms = {path.parent.name for path in SOURCE.glob("*/__init__.py")} - {"testing"}
    assert rooms - {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()} == set()
