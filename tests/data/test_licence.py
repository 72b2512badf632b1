"""The licence of data is stated where their files say it beyond doubt, and else the file is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from netwright.data.licence import recognise_licence

MIT = "MIT License Copyright (c) X Permission is hereby granted, free of charge, to any person obtaining a copy of this software"
BSD_2 = "Copyright X. Redistribution and use in source and binary forms, with or without modification, are permitted."
BSD_3 = f"{BSD_2} Neither the name of the copyright holder nor the names of its contributors may be used to endorse"


@pytest.mark.parametrize(
    ("files", "licence"),
    [
        ({"LICENSE": MIT}, "MIT"),
        ({"LICENSE": BSD_3}, "BSD-3-Clause"),
        ({"LICENSE": BSD_2}, "see LICENSE"),
        ({"LICENSE": "my own words"}, "see LICENSE"),
        ({"README.md": "The pictures are licensed CC BY-NC-SA 4.0."}, "CC-BY-NC-SA-4.0"),
        ({"README": "Open Database License (ODbL) 1.0"}, "ODbL-1.0"),
        ({"LICENSE": MIT, "README": "Flowers, photographed in May."}, "MIT"),
        ({"README": "Flowers, photographed in May."}, None),
        ({"README": "Cite: Goodbl et al."}, None),
        ({"README": "The code is under the MIT License."}, "see README"),
        ({"README": "MIT License for the code. The images are CC BY-NC-SA 4.0."}, "see README"),
        ({"README": "The images are CC BY-NC 4.0. Their metadata are CC0 1.0."}, "see README"),
        ({"README": "This data set is not under the MIT license; all rights reserved."}, "see README"),
        ({"LICENSE": MIT, "README.md": "The images are CC BY-NC 4.0."}, "see LICENSE and README.md"),
        ({"readme_to_licence.py": MIT}, None),
    ],
)
def test_the_licence_of_a_folder(tmp_path: Path, files: dict[str, str], licence: str | None) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert recognise_licence(tmp_path) == licence
