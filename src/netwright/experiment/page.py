"""`report.html` and `report.json` of a run folder, from what it holds now."""

from __future__ import annotations

from pathlib import Path

from netwright.experiment.view import view_of
from netwright.reports.html import write_report


def write_page(folder: Path, *, images: bool | None = None) -> tuple[Path, Path]:
    """Write both files and give their paths. `images` overrides what the run was started with.

    Raises StorageError, and RunError for a run of `netwright fidelity`: a report is about a search.
    """
    view = view_of(folder, images=images)
    return write_report(view, folder, images=view.image is not None)
