"""The licence of a data set, where a file beside the images says so in words that are known."""

from __future__ import annotations

import re
from pathlib import Path

LICENCES = {
    "Apache-2.0": r"apache license,?\s+version 2\.0|apache-2\.0",
    "MIT": r"\bmit license\b|permission is hereby granted, free of charge",
    "CC0-1.0": r"cc0[- ]1\.0|cc0 1\.0 universal|creative commons zero",
    "CC-BY-NC-SA-4.0": r"cc[- ]by[- ]nc[- ]sa[- ]4\.0|attribution-noncommercial-sharealike 4\.0",
    "CC-BY-NC-ND-4.0": r"cc[- ]by[- ]nc[- ]nd[- ]4\.0|attribution-noncommercial-noderivatives 4\.0",
    "CC-BY-NC-4.0": r"cc[- ]by[- ]nc[- ]4\.0|attribution-noncommercial 4\.0",
    "CC-BY-SA-4.0": r"cc[- ]by[- ]sa[- ]4\.0|attribution-sharealike 4\.0",
    "CC-BY-ND-4.0": r"cc[- ]by[- ]nd[- ]4\.0|attribution-noderivatives 4\.0",
    "CC-BY-4.0": r"cc[- ]by[- ]4\.0|attribution 4\.0 international",
    "ODbL-1.0": r"open database license|odbl",
    "BSD-3-Clause": r"redistribution and use in source and binary forms",
    "GPL-3.0": r"gnu general public license\s+version 3",
}
FILES = ("license", "licence", "copying", "readme")
READ_BYTES = 20_000


def recognise_licence(folder: Path) -> str | None:
    """The SPDX name of a licence that a LICENSE, COPYING or README file in `folder` names; `see FILE` when a licence
    file is there whose words are not known; None without one."""
    candidates = sorted(
        (path for path in folder.iterdir() if path.is_file() and path.name.lower().startswith(FILES)),
        key=lambda path: (path.name.lower().startswith("readme"), path.name),
    )
    for path in candidates:
        try:
            with path.open("rb") as file:
                text = " ".join(file.read(READ_BYTES).decode("utf-8", "replace").lower().split())
        except OSError:
            continue
        for name, pattern in LICENCES.items():
            if re.search(pattern, text):
                return name
        if not path.name.lower().startswith("readme"):
            return f"see {path.name}"
    return None
