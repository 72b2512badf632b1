"""What users write themselves: named `FILE.py:NAME`, loaded by running the file."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from netwright.core.errors import InputError


def is_file(reference: str) -> bool:
    """Whether `reference` names a file of the user's rather than something that comes with netwright."""
    return ":" in reference or reference.endswith(".py")


def load(reference: str, what: str, kind: type, error: type[InputError]) -> object:
    """What `FILE.py:NAME` names: `what` says in a word what is wanted, `kind` marks what is listed when it is not there.

    The file is run, so it must be the user's own. Raises `error` that says what is missing.
    """
    file, _, name = reference.rpartition(":")
    if not file.endswith(".py") or not name:
        raise error(f"a {what} of your own is named FILE.py:NAME, but got {reference!r}")
    module = _run(Path(file), what, error)
    if not hasattr(module, name):
        there = [key for key, value in vars(module).items() if _is(value, kind) and _own(value, module)]
        raise error(f"{file} must define {name}, but it does not; there is in it: {', '.join(there) or 'none'}")
    return getattr(module, name)


def _is(value: object, kind: type) -> bool:
    return isinstance(value, kind) or (isinstance(value, type) and issubclass(value, kind))


def _own(value: object, module: ModuleType) -> bool:
    """Not merely imported: an object, or a class that the file itself defines."""
    return not isinstance(value, type) or value.__module__ == module.__name__


def _run(path: Path, what: str, error: type[InputError]) -> ModuleType:
    """The module of a file, run under a name of its own."""
    if not path.is_file():
        raise error(f"the file of a {what} must exist, but there is no {path}")
    name = f"netwright_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise error(f"{path} cannot be read as a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except InputError:
        raise
    except Exception as problem:
        raise error(f"{path} must run without errors, but it raised {type(problem).__name__}: {problem}") from problem
    return module
