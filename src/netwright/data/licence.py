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
    "ODbL-1.0": r"open database license|\bodbl\b",
    "BSD-3-Clause": r"redistribution and use in source and binary forms.*neither the name",
    "GPL-3.0": r"gnu general public license\s+version 3",
}
DENIED = re.compile(r"\b(?:no|not|never|neither|except|unlike|without)\b[^.;]{0,40}$")
OF_CODE = re.compile(r"\b(?:code|software|scripts?|program)\b")
REACH = 60
"""A word of code so many letters before or after a licence in a README makes it doubtful what the licence is of."""

FILES = ("license", "licence", "copying", "readme")
ENDINGS = ("", ".md", ".txt", ".rst")
READ_BYTES = 20_000


def recognise_licence(folder: Path) -> str | None:
    """The SPDX name of the licence that the LICENSE, COPYING and README files in `folder` name.

    `see FILE` where they name several, deny one or speak of code, and where the words of a licence file are not known;
    None where nothing is said.
    """
    named: set[str] = set()
    places, doubt = [], False
    for path in sorted(folder.iterdir()):
        if not path.name.lower().startswith(FILES) or path.suffix.lower() not in ENDINGS or not path.is_file():
            continue
        try:
            with path.open("rb") as file:
                text = " ".join(file.read(READ_BYTES).decode("utf-8", "replace").lower().split())
        except OSError:
            continue
        readme = path.name.lower().startswith("readme")
        found = [(name, match) for name, pattern in LICENCES.items() for match in re.finditer(pattern, text)]
        named |= {name for name, _ in found}
        doubt |= any(_doubtful(text, match, readme=readme) for _, match in found) or not (found or readme)
        if found or not readme:
            places.append(path.name)
    if len(named) == 1 and not doubt:
        return named.pop()
    return f"see {' and '.join(places)}" if places else None


def _doubtful(text: str, match: re.Match[str], *, readme: bool) -> bool:
    around = text[max(0, match.start() - REACH) : match.end() + REACH]
    return bool(DENIED.search(text[: match.start()]) or (readme and OF_CODE.search(around)))
