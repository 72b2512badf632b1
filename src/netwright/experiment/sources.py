"""`netwright data check`: findings for people and programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from netwright.core.text import plain
from netwright.data.check import check_data

FILES_SHOWN = 5


def check_command(
    data: str, *, split: Path | None, groups: Path | None, size: str | None
) -> tuple[list[dict[str, Any]], list[str], bool]:
    """(JSON, lines, whether a search would refuse the data)."""
    findings = check_data(data, split=split, groups=groups, size=size)
    lines = []
    for finding in findings:
        lines.append(f"{finding.severity}: {plain(finding.message)}")
        lines += [f"    {plain(name)}" for name in finding.files[:FILES_SHOWN]]
        if len(finding.files) > FILES_SHOWN:
            lines.append(f"    and {len(finding.files) - FILES_SHOWN} more")
        lines.append(f"    what to do: {plain(finding.fix)}")
    if not findings:
        lines.append("nothing to complain of")
    return [finding.to_json() for finding in findings], lines, any(f.severity == "stop" for f in findings)
