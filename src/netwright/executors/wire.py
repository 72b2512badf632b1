"""What driver, keeper and workers say to each other: one JSON object a line, never a pickle.

A work travels as the name of a module-level function and, for a `functools.partial`, its JSON arguments.
"""

from __future__ import annotations

import functools
import importlib
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from netwright.core.errors import InputError
from netwright.core.job import Evaluated, Job, Work
from netwright.core.measurement import measurements_from_json, measurements_to_json

Record = dict[str, Any]

LONGEST_LINE = 64 * 2**20
"""Bytes of one record; a worker that sends more is broken."""


class BadRecord(ValueError):
    """A line that is too long, or not a JSON object."""


def encode(record: Mapping[str, Any]) -> bytes:
    """One line. Raises ValueError for NaN and infinity, TypeError for what JSON cannot hold."""
    return json.dumps(record, separators=(",", ":"), allow_nan=False).encode() + b"\n"


class Lines:
    """Puts records together from chunks as they arrive; an unfinished line waits for its end."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[Record]:
        """The records that `chunk` completes. Raises BadRecord."""
        self._rest += chunk
        end = self._rest.rfind(b"\n", len(self._rest) - len(chunk))
        if end < 0:
            if len(self._rest) > LONGEST_LINE:
                raise BadRecord(f"a record must have at most {LONGEST_LINE} bytes, but this one goes on")
            return []
        whole, self._rest = bytes(self._rest[:end]), self._rest[end + 1 :]
        return [_decode(line) for line in whole.split(b"\n")]


def _decode(line: bytes) -> Record:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise BadRecord(f"a record must be JSON, but got {line[:80]!r}") from error
    if not isinstance(record, dict):
        raise BadRecord(f"a record must be a JSON object, but got {line[:80]!r}")
    return record


def finite(value: Any) -> Any:
    """`value` with None for every number that is not finite: JSON has no NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    return value


def job_to_json(job: Job) -> Record:
    """A JSON object; paths become absolute, so that it means the same in another process."""
    return {
        "trial": job.trial,
        "attempt": job.attempt,
        "evaluation": job.evaluation,
        "settings": dict(job.settings),
        "proposal": None if job.proposal is None else dict(job.proposal),
        "seed": job.seed,
        "folder": str(job.folder.absolute()),
        "inputs": {name: str(path.absolute()) for name, path in job.inputs.items()},
        "keep": None if job.keep is None else str(job.keep.absolute()),
    }


def job_from_json(record: Mapping[str, Any]) -> Job:
    """The inverse of `job_to_json`."""
    return Job(
        trial=record["trial"],
        attempt=record["attempt"],
        evaluation=record["evaluation"],
        settings=record["settings"],
        proposal=record["proposal"],
        seed=record["seed"],
        folder=Path(record["folder"]),
        inputs={name: Path(path) for name, path in record["inputs"].items()},
        keep=None if record["keep"] is None else Path(record["keep"]),
    )


def evaluated_to_json(evaluated: Evaluated) -> Record:
    """A JSON object; numbers in the notes that are not finite become null."""
    return {
        "measurements": measurements_to_json(evaluated.measurements),
        "artefacts": dict(evaluated.artefacts),
        "notes": finite(evaluated.notes),
    }


def evaluated_from_json(record: Mapping[str, Any]) -> Evaluated:
    """The inverse of `evaluated_to_json`."""
    return Evaluated(measurements_from_json(record["measurements"]), record["artefacts"], record["notes"])


def work_to_json(work: Work) -> Record:
    """The name of `work` and the arguments bound to it. Raises InputError when a worker could not find it by name."""
    function, arguments, keywords = work, (), {}
    if isinstance(work, functools.partial):
        function, arguments, keywords = work.func, work.args, work.keywords
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if module is None or name is None or module == "__main__" or _find(module, name) is not function:
        raise InputError(
            "what a worker process runs must be importable by name (a function at the top level of a module), but got "
            f"{function!r}; move it, and the layers it uses, into a file of their own and import it from there, "
            "or use the inline executor"
        )
    record = {"module": module, "name": name, "arguments": list(arguments), "keywords": dict(keywords)}
    try:
        encode(record)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"arguments bound to {name} must be JSON (text, numbers, lists, objects), but: {error}"
        ) from error
    return record


def work_from_json(record: Mapping[str, Any]) -> Work:
    """Import what `work_to_json` named."""
    importlib.import_module(record["module"])
    function = _find(record["module"], record["name"])
    if not record["arguments"] and not record["keywords"]:
        return cast(Work, function)
    return cast(Work, functools.partial(function, *record["arguments"], **record["keywords"]))


def _find(module: str, name: str) -> Any:
    """The object of that qualified name in a loaded module, or None."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found
