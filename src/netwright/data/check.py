"""Look at data before a search: every finding, in one pass, without writing anything."""

from __future__ import annotations

from pathlib import Path

from netwright.core.errors import DataError, Untrusted
from netwright.core.text import plain
from netwright.data.catalog import apply_files, find_source
from netwright.data.findings import Finding
from netwright.data.split import SHARE
from netwright.data.store import Progress, survey

__all__ = ["Finding", "check_data"]


def check_data(
    source: str | Path,
    *,
    split: str | Path | None = None,
    groups: str | Path | None = None,
    size: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Finding]:
    """What `open_data` with the same arguments would find, those that stop a search first.

    Data that cannot be listed at all are one finding of kind `unreadable`.
    """
    try:
        found, numbers = apply_files(find_source(source), split, groups)
    except (DataError, Untrusted) as error:
        return [_unreadable(error)]
    try:
        findings = survey(
            found, numbers, size=size, seed=seed, shares=(SHARE, SHARE), staged=None, progress=progress
        ).findings
    except (DataError, Untrusted) as error:
        findings = (*found.notice(), _unreadable(error))
    return sorted(findings, key=lambda finding: finding.severity != "stop")


def _unreadable(error: DataError | Untrusted) -> Finding:
    return Finding("stop", "unreadable", plain(str(error)), "give other data, or the data in another form")
