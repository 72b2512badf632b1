"""What the benchmarks share: results that are kept seed by seed, where they come from, tables, intervals, and the
command line of netwright."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from scipy import stats

HERE = Path(__file__).resolve().parent
PACKAGES = ("netwright", "torch", "numpy", "scikit-learn", "onnxruntime", "optuna")


def arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser with what every benchmark takes."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test: tiny sizes, nothing kept")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder of the kept results")
    parser.add_argument("--runs", type=Path, help="keep the folders of runs here (default: they are removed)")
    return parser


@contextmanager
def run_folder(given: argparse.Namespace, name: str) -> Iterator[Path]:
    """The folder of a run: `name` in that of `--runs`, where a run that was cut off goes on; else a temporary one."""
    if given.runs is None:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    else:
        folder = given.runs / name
        folder.mkdir(parents=True, exist_ok=True)
        yield folder


class Results:
    """Results of a benchmark by key (a seed and what ran), in `NAME.json`. What is there is not measured again."""

    def __init__(self, name: str, given: argparse.Namespace) -> None:
        self._path = None if given.quick else given.results / f"{name}.json"
        self.records: dict[str, dict[str, Any]] = {}
        if self._path is not None and self._path.exists():
            self.records = json.loads(self._path.read_text("utf-8"))

    def once(self, key: str, measure: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """The kept result, or that of `measure`, which is then kept with its commit, machine, date and versions."""
        if key not in self.records:
            self.records[key] = {**measure(), "provenance": provenance()}
            if self._path is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                fresh = self._path.with_suffix(".new")
                fresh.write_text(json.dumps(self.records, indent=1, sort_keys=True) + "\n", "utf-8")
                fresh.replace(self._path)
        return self.records[key]


def provenance() -> dict[str, Any]:
    """Commit (with a + where the package was changed since), machine, date and versions."""
    return {
        "commit": _git("rev-parse", "--short", "HEAD") + ("+" if _git("status", "--porcelain", "../src") else ""),
        "machine": machine(),
        "load": round(os.getloadavg()[0], 1),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name)) is not None},
    }


def _version(package: str) -> str | None:
    """None where it is not installed: a peer may need an environment of its own, with little of netwright's."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def machine() -> str:
    """Processor, cores, memory and system, in a line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}"
    )


def _git(*words: str) -> str:
    return subprocess.run(("git", *words), cwd=HERE, capture_output=True, text=True, check=True).stdout.strip()


def netwright(*words: str | Path) -> dict[str, Any]:
    """Run the command line with `--json`; its answer. Raises CalledProcessError when it fails."""
    command = [sys.executable, "-m", "netwright", *map(str, words), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table in Markdown."""
    for row in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)


def mean_interval(values: Sequence[float], level: float = 0.9) -> tuple[float, float, float]:
    """Mean and its Student-t interval; the interval of a single value is unbounded."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, -np.inf, np.inf
    half = float(stats.sem(values) * stats.t.ppf(0.5 + level / 2, len(values) - 1))
    return mean, mean - half, mean + half


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median and range, for tables."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{np.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"
