"""Searches that were run, a line of JSON each, so that a benchmark goes on where it was and no search is paid twice.

A line is appended when its search ends; a torn last line is a search that is run again. What a session ran with
(commit, machine, versions) is a line of its own, which its runs name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netwright.core.candidate import digest

from .search import Run

Key = tuple[str, str, int, int]
"""Strategy, data set, seed and budget."""


class Kept:
    """The runs in a file, or in memory alone where `path` is None."""

    def __init__(self, path: Path | None, provenance: Mapping[str, Any]) -> None:
        self.runs: dict[Key, Run] = {}
        self.commits: dict[Key, str] = {}
        self._path = path
        self._session = digest(provenance, size=4)
        self._commit = str(provenance["commit"])
        sessions = {self._session: self._commit}
        torn = False
        if path is not None and path.exists():
            text = path.read_text("utf-8")
            torn = not text.endswith("\n") and bool(text)
            for line in text.split("\n")[:-1]:
                self._read(line, sessions)
        self._opening = ("\n" if torn else "") + _line({"session": self._session, "provenance": provenance})

    def _read(self, line: str, sessions: dict[str, str]) -> None:
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            return
        session = record.pop("session")
        if "provenance" in record:
            sessions[session] = record["provenance"]["commit"]
        else:
            self._keep(Run(**record), sessions[session])

    def add(self, run: Run) -> None:
        """Keep one more."""
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(self._opening + _line({**run.to_json(), "session": self._session}))
            self._opening = ""
        self._keep(run, self._commit)

    def _keep(self, run: Run, commit: str) -> None:
        key = (run.strategy, run.data, run.seed, run.queries)
        self.runs[key] = run
        self.commits[key] = commit


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record, separators=(",", ":")) + "\n"
