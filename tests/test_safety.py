"""Nothing stored and nothing from outside is ever run: the source holds no call that could."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "netwright"
MODULES = sorted(SOURCE.rglob("*.py"))

FORBIDDEN_MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "shelve",
    "yaml",
    "jsonpickle",
}
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "input",
    "builtins.eval", "builtins.exec",
    "os.system", "os.popen", "torch.load", "torch.jit.load", "torch.hub.load",
    "pandas.read_pickle", "pd.read_pickle",
    "importlib.import_module", "runpy.run_path", "runpy.run_module",
    "importlib.util.spec_from_file_location",
    "tarfile.open", "shutil.unpack_archive", "ET.parse", "ElementTree.parse",
}  # fmt: skip
FORBIDDEN_ATTRIBUTES = {"extractall", "read_pickle", "load_state_dict_from_url"}

ALLOWED: dict[str, set[str]] = {
    # the file that the user names on the command line, on each call; its path is never read from stored data
    "core/own.py": {"importlib.util.spec_from_file_location"},
    # names that a live driver sends to its own worker processes over a pipe
    "executors/keeper.py": {"importlib.import_module"},
    "executors/wire.py": {"importlib.import_module"},
}


def offences(tree: ast.AST) -> Iterator[str]:
    """What a module uses of the forbidden things, by name."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                yield from (alias.name for alias in names if alias.name.partition(".")[0] in FORBIDDEN_MODULES)
            case ast.ImportFrom(module) if module and module.partition(".")[0] in FORBIDDEN_MODULES:
                yield module
            case ast.ImportFrom(module, names) if module:
                yield from (f"{module}.{alias.name}" for alias in names if f"{module}.{alias.name}" in FORBIDDEN_CALLS)
            case ast.Call(function, _, keywords):
                called = ast.unparse(function)
                if called in FORBIDDEN_CALLS:
                    yield called
                if isinstance(function, ast.Attribute) and function.attr in FORBIDDEN_ATTRIBUTES:
                    yield f".{function.attr}"
                for keyword in keywords:
                    if keyword.arg in ("shell", "allow_pickle") and ast.unparse(keyword.value) != "False":
                        yield f"{keyword.arg}={ast.unparse(keyword.value)}"
                    if keyword.arg == "weights_only" and ast.unparse(keyword.value) != "True":
                        yield f"weights_only={ast.unparse(keyword.value)}"
                if called in ("np.load", "numpy.load") and "allow_pickle" not in {key.arg for key in keywords}:
                    yield f"{called} without allow_pickle=False"


@pytest.mark.attack(1)
@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_nothing_is_unpickled_or_run(path: Path) -> None:
    allowed = ALLOWED.get(path.relative_to(SOURCE).as_posix(), set())
    found = set(offences(ast.parse(path.read_text(encoding="utf-8"))))
    assert found - allowed == set()


@pytest.mark.attack(1)
def test_what_is_allowed_is_still_used() -> None:
    """An exception whose reason is gone goes too."""
    for name, allowed in ALLOWED.items():
        assert allowed <= set(offences(ast.parse((SOURCE / name).read_text(encoding="utf-8"))))


@pytest.mark.attack(1)
@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib",
        "torch.load(path, weights_only=True)",
        "from torch import load\nload(path)",
        "eval(text)",
        "exec(text)",
        "yaml.load(text)\nimport yaml",
        "subprocess.run(command, shell=True)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "archive.extractall(folder)",
        "importlib.import_module(name)",
    ],
)
def test_the_lint_sees(source: str) -> None:
    assert list(offences(ast.parse(source)))


@pytest.mark.attack(1)
def test_the_lint_lets_safe_code_pass() -> None:
    safe = "import json, safetensors\nnp.load(path, mmap_mode='r', allow_pickle=False)\nmodel.eval()\nre.compile(text)"
    assert list(offences(ast.parse(safe))) == []
