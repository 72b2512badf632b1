"""What the driver spends on a trial: ask, record, tell, at ledgers of 1,000, 10,000 and 100,000 trials.

    python benchmarks/driver.py [--seeds 3] [--strategy NAME] [--folder DIR] [--profile NAME]

Real chain space, strategies, loop and SQLite ledger (each event is on the disk before the search goes on); training
is an instant fake. Milliseconds are wall time a trial over the last tenth before each size; memory is what the
process grew by since the first 1,000 trials, a trial. With `--profile` the top costs of 3,000 trials are printed.
"""

from __future__ import annotations

import cProfile
import pstats
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
from common import Results, arguments, machine, print_table, spread
from fakes import STRATEGIES, make_loop, make_source

from netwright.ledger.sqlite import SqliteLedger

SIZES = (1_000, 10_000, 100_000)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--strategy", choices=STRATEGIES, nargs="+", default=list(STRATEGIES))
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--folder", type=Path, help="where the ledgers are made (default: a temporary folder)")
    parser.add_argument("--profile", choices=STRATEGIES)
    given = parser.parse_args()
    if given.profile:
        profile(given.profile, given.folder)
        return
    sizes = (200, 1_000) if given.quick else tuple(given.sizes)
    seeds = range(1 if given.quick else given.seeds)
    results = Results("driver", given)
    for seed in seeds:
        for name in given.strategy:
            for size in sizes:
                key = f"{name}, {size} trials, seed {seed}"
                if key not in results.records:
                    measured = apart(name, seed, [s for s in sizes if s <= max(sizes)], given.folder)
                    for reached, record in measured.items():
                        results.once(f"{name}, {reached} trials, seed {seed}", lambda record=record: record)
    print(f"{machine()}; median (range) of the seeds 0 to {len(seeds) - 1}")
    rows = []
    for name in given.strategy:
        for size in sizes:
            kept = [results.records[f"{name}, {size} trials, seed {seed}"] for seed in seeds]
            rows.append(
                [name, f"{size:,}"]
                + [spread([r[k] for r in kept], d) for k, d in (("ms", 2), ("cpu_ms", 2), ("bytes", 0))]
            )
    print_table(["strategy", "trials", "ms a trial", "of it CPU ms", "bytes a trial"], rows)


def apart(name: str, seed: int, sizes: Sequence[int], folder: Path | None) -> dict[int, dict[str, Any]]:
    """`grow` in a process of its own, so that memory is that of this search alone."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(grow, name, seed, sizes, folder).result()


def grow(name: str, seed: int, sizes: Sequence[int], parent: Path | None) -> dict[int, dict[str, Any]]:
    """Search until the largest size is reached; what was measured at each."""
    measured: dict[int, dict[str, Any]] = {}
    first = 0
    with tempfile.TemporaryDirectory(dir=parent) as folder, SqliteLedger(Path(folder) / "ledger.sqlite") as ledger:
        loop = make_loop(Path(folder), ledger)
        loop.restore({"search": make_source(name, seed)})
        for size in sizes:
            search_until(loop, size - size // 10)
            began, cpu, trials = time.perf_counter(), time.process_time(), loop.book.next_id
            search_until(loop, size)
            count = loop.book.next_id - trials
            memory = psutil.Process().memory_info().rss
            first = first or memory
            measured[size] = {
                "ms": (time.perf_counter() - began) / count * 1e3,
                "cpu_ms": (time.process_time() - cpu) / count * 1e3,
                "bytes": (memory - first) / (size - sizes[0]) if size > sizes[0] else 0.0,
            }
    return measured


def search_until(loop: Any, trials: int) -> None:
    """Go on until the ledger has so many trials."""
    loop.run(["search"], lambda loop: loop.book.next_id > trials)


def profile(name: str, folder: Path | None) -> None:
    """Print where the time of 3,000 trials goes."""
    profiler = cProfile.Profile()
    profiler.runcall(grow, name, 0, (3_000,), folder)
    pstats.Stats(profiler).sort_stats("cumulative").print_stats(45)


if __name__ == "__main__":
    main()
