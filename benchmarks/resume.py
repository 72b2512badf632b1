"""How long it takes to take in a ledger of 100,000 trials: the book, and the strategy told by replay.

    python benchmarks/resume.py [--seeds 3] [--strategy NAME] [--trials 100000] [--folder DIR]

The ledger is made by an instant fake search of the same strategy, then taken in three times by fresh processes.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import psutil
from common import Results, arguments, machine, print_table, spread
from driver import search_until
from fakes import STRATEGIES, make_loop, make_source

from netwright.ledger.sqlite import SqliteLedger

REPEATS = 3
Taken = tuple[float, float, float]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--strategy", choices=STRATEGIES, nargs="+", default=list(STRATEGIES))
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="where the ledgers are made (default: a temporary folder)")
    given = parser.parse_args()
    trials, seeds = (500, 1) if given.quick else (given.trials, given.seeds)
    results = Results("resume", given)
    rows = []
    for name in given.strategy:
        kept = [
            results.once(
                f"{name}, {trials} trials, seed {seed}",
                lambda name=name, seed=seed: measure(name, seed, trials, given.folder),
            )
            for seed in range(seeds)
        ]
        rows.append(
            [
                name,
                f"{trials:,}",
                spread([min(k["seconds"]) for k in kept]),
                spread([min(k["cpu"]) for k in kept]),
                spread([k["file_mb"] for k in kept], 0),
                spread([k["rss_mb"] for k in kept], 0),
            ]
        )
    print(f"{machine()}; best of {REPEATS}, median (range) of the seeds 0 to {seeds - 1}")
    print_table(["strategy", "trials", "seconds", "CPU seconds", "ledger MB", "process MB"], rows)


def measure(name: str, seed: int, trials: int, parent: Path | None) -> dict[str, object]:
    """Make the ledger, then take it in."""
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        path = Path(folder)
        taken = [apart(task, name, seed, trials, path) for task in [make, *[take] * REPEATS]][1:]
        size = (path / "ledger.sqlite").stat().st_size / 1e6
    seconds, cpu, memory = zip(*taken, strict=True)
    return {"seconds": seconds, "cpu": cpu, "rss_mb": max(memory), "file_mb": size}


def apart(task: Callable[[str, int, int, Path], Taken], name: str, seed: int, trials: int, folder: Path) -> Taken:
    """Run one of the two below in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(task, name, seed, trials, folder).result()


def make(name: str, seed: int, trials: int, folder: Path) -> Taken:
    """A finished search in `folder`."""
    with SqliteLedger(folder / "ledger.sqlite") as ledger:
        loop = make_loop(folder, ledger)
        loop.restore({"search": make_source(name, seed)})
        search_until(loop, trials)
    return 0.0, 0.0, 0.0


def take(name: str, seed: int, trials: int, folder: Path) -> Taken:
    """Seconds, CPU seconds, and megabytes of the process after taking the ledger in."""
    with SqliteLedger(folder / "ledger.sqlite") as ledger:
        loop, source = make_loop(folder, ledger), make_source(name, seed)
        began, cpu = time.perf_counter(), time.process_time()
        loop.restore({"search": source})
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    if loop.book.next_id <= trials:
        raise RuntimeError(f"{trials} trials were to be taken in, but there were {loop.book.next_id - 1}")
    return seconds, cpu_seconds, psutil.Process().memory_info().rss / 1e6


if __name__ == "__main__":
    main()
