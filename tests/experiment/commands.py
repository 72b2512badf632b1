"""The command line as tests use it: in a process of its own, or in this one where only the answer matters."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from PIL import Image

from netwright.cli import main
from netwright.experiment.outcome import read_history

CANARY = "canary7f3a91"
"""Stands in names of folders, and in a variable of the environment, that no file made for others may show."""

TINY = ("--space", "mlp", "--strategy", "random", "--epochs", "1", "--executor", "inline", "--precision", "fp32")
"""Options of a search that takes about a second."""


@dataclass(frozen=True)
class Done:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> Any:
        """The object on the last line of standard output."""
        return json.loads(self.out.splitlines()[-1])


def spawn(*arguments: object, environment: Mapping[str, str] | None = None) -> Done:
    """`netwright ARGUMENTS` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "netwright", *map(str, arguments)],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def call(*arguments: object) -> Done:
    """`netwright ARGUMENTS` in this process, as if it had begun just now."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        patch.object(sys, "argv", ["netwright", *map(str, arguments)]),
        patch("netwright.experiment.run.process_age", return_value=0.0),
        patch("netwright.experiment.fidelity.process_age", return_value=0.0),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1 if ended.code else 0
    return Done(code, out.getvalue(), err.getvalue())


def class_folders(folder: Path, classes: Sequence[str] = ("dark", "light"), images: int = 30) -> Path:
    """A data set of 8 x 8 grey pictures, a folder for each class, a brightness for each class."""
    rng = np.random.default_rng(3)
    for number, name in enumerate(classes):
        place = folder / name
        place.mkdir(parents=True)
        for index in range(images):
            pixels = rng.integers(50 * number, 50 * number + 40, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(place / f"{index:03d}.png")
    return folder


def ids(folder: Path) -> list[int]:
    """The numbers of all trials of a run, in the order in which they were asked."""
    return list(read_history(folder).trials)
