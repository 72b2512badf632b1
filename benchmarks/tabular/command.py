"""A comparison of strategies on the data sets of a benchmark: its command line, its runs and its tables."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import arguments, machine, print_table, provenance
from netwright.core.errors import InputError
from netwright.strategies import STRATEGIES, SearchSpace

from .curves import plot_regret
from .kept import Kept, Key
from .pages import write_pages
from .search import Peer, Run, make
from .summary import BySeed, by_strategy, common_seeds, mean_ranks, paired, reached, regret_at


@dataclass(frozen=True)
class Benchmark:
    """What is searched, and how its tables look.

    `data` are the data sets: name, and what it is called. `heading(data)` stands over the tables of one. `figure` is
    what the curves show, in points. `goals(data)` are figures whose first query is looked for, by the name of their
    column. `variants` run beside the defaults; `quick` is the data set of a smoke test. `reference(data)` are rows that
    were measured elsewhere, with a column for each checkpoint. `on_pages` are the data sets that the strategies' pages
    show, where they show this benchmark, and `not_told_apart` the strategies about which it says nothing there.
    """

    name: str
    data: Mapping[str, str]
    heading: Callable[[str], str]
    figure: str
    space: Callable[[], SearchSpace]
    run: Callable[[str, str, int, int], Run]
    peers: Mapping[str, Peer[Any]]
    packages: Sequence[str]
    checkpoints: Sequence[int]
    tested_at: int
    goals: Callable[[str], Mapping[str, float]]
    seeds: int
    queries: int
    quick: str
    lowest: float
    variants: Sequence[str] = ()
    reference: Callable[[str], Sequence[Sequence[object]]] = field(default=lambda data: ())
    on_pages: Sequence[str] = ()
    not_told_apart: Sequence[str] = ()


def compare(benchmark: Benchmark, description: str | None) -> None:
    """The command: run what is missing, print all tables."""
    parser = parser_of(benchmark, description)
    given = parser.parse_args()
    if given.quick:
        given.seeds, given.queries, given.data = 2, 10, [benchmark.quick]
    names, remarks = chosen(parser, benchmark, given.strategies, given.kept)
    against = given.against or ("auto" if "auto" in names else None)
    if against is not None and against not in names:
        parser.error(f"--against must be one of {', '.join(names)}, but got {against}")

    kept = Kept(
        None if given.quick else given.results / f"{benchmark.name}.jsonl",
        {**provenance(), "peers": versions(benchmark, names)},
    )
    wanted = wanted_of(benchmark, names, given)
    if given.kept:
        wanted = [key for key in wanted if key in kept.runs]
    measure(benchmark.run, [key for key in wanted if key not in kept.runs], kept, given.workers)

    print(machine())
    for remark in remarks:
        print(remark)
    for data in given.data:
        curves = by_strategy(kept.runs[key] for key in wanted if key[1] == data)
        if curves:
            print_data(benchmark, data, curves, given.queries, against)
        if curves and given.plot:
            draw_curves(benchmark, given.plot, data, curves, given.seeds)
    if benchmark.on_pages and given.pages:
        runs = [run for run in kept.runs.values() if run.queries == given.queries and run.seed < given.seeds]
        draw_pages(benchmark, given.pages, names, runs)
    print_time(kept, wanted)


def parser_of(benchmark: Benchmark, description: str | None) -> argparse.ArgumentParser:
    """The command line."""
    parser = arguments(description)
    parser.add_argument("--data", choices=benchmark.data, nargs="+", default=list(benchmark.data))
    parser.add_argument("--seeds", type=int, default=benchmark.seeds)
    parser.add_argument("--queries", type=int, default=benchmark.queries)
    parser.add_argument("--strategies", nargs="+", metavar="NAME", help="default: all of netwright and all peers")
    parser.add_argument("--against", metavar="NAME", help="compare this one with each other (default: auto)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--plot", type=Path, metavar="FOLDER", help="write the mean curves, one SVG a data set")
    if benchmark.on_pages:
        parser.add_argument("--pages", type=Path, metavar="FOLDER", help="write the curves of the strategies' pages")
    parser.add_argument("--kept", action="store_true", help="run nothing: the tables of the searches that are kept")
    return parser


def wanted_of(benchmark: Benchmark, names: Sequence[str], given: argparse.Namespace) -> list[Key]:
    """The searches that the tables need, all of a seed before the next."""
    return [
        (name, data, seed, given.queries)
        for seed in range(given.seeds)
        for data in given.data
        for name in names
        if name not in benchmark.peers or seed < benchmark.peers[name].most_seeds
    ]


def draw_curves(benchmark: Benchmark, folder: Path, data: str, curves: Mapping[str, BySeed], seeds: int) -> None:
    """The mean curves of one data set."""
    folder.mkdir(parents=True, exist_ok=True)
    title = f"{benchmark.data[data]}: mean {benchmark.figure}, {seeds} seeds"
    picture = plot_regret(title, curves, benchmark.lowest)
    (folder / f"{benchmark.name}_{data}.svg").write_text(picture + "\n", "utf-8")


def draw_pages(benchmark: Benchmark, folder: Path, names: Sequence[str], runs: Sequence[Run]) -> None:
    """The curves of those strategies that have a page; where one has no run its picture says so."""
    curves = {data: by_strategy(run for run in runs if run.data == data) for data in benchmark.on_pages}
    curves = {data: found for data, found in curves.items() if found}
    paged = [name for name in names if name in STRATEGIES and name not in benchmark.not_told_apart]
    write_pages(folder, paged, curves, benchmark.data, benchmark.lowest)


def chosen(
    parser: argparse.ArgumentParser, benchmark: Benchmark, names: Sequence[str] | None, kept: bool = False
) -> tuple[list[str], list[str]]:
    """The strategies to run, and a sentence about each that is left out. A name that is given must be right.

    Where only what is `kept` is shown, a peer need not be installed.
    """
    remarks: list[str] = []
    found: list[str] = []
    for name in names or (*STRATEGIES, *benchmark.variants, *benchmark.peers):
        refusal = None if kept and name in benchmark.peers else reason_against(name, benchmark)
        if refusal is None:
            found.append(name)
        elif names:
            parser.error(refusal)
        else:
            remarks.append(f"Left out: {refusal}.")
    return found, remarks


def reason_against(name: str, benchmark: Benchmark) -> str | None:
    """Why this strategy cannot run here; None where it can."""
    peers = benchmark.peers
    if name in peers:
        return None if peers[name].installed else f"{name} needs {peers[name].package}, which is not installed"
    if name.partition(":")[0] not in STRATEGIES:
        return f"a strategy must be one of {', '.join((*STRATEGIES, *peers))}, but got {name}"
    try:
        make(name, benchmark.space(), seed=0)
    except (InputError, TypeError, ValueError) as error:
        return f"{name}: {error}"
    return None


def versions(benchmark: Benchmark, names: Iterable[str]) -> dict[str, str]:
    """Versions of the packages of the benchmark, and of the peers among these strategies that are installed."""
    peers = (benchmark.peers[name] for name in names if name in benchmark.peers)
    packages = (*benchmark.packages, *(peer.package for peer in peers if peer.installed))
    return {package: metadata.version(package) for package in packages}


def measure(run: Callable[[str, str, int, int], Run], missing: Sequence[Key], kept: Kept, workers: int) -> None:
    """Run the searches that are missing, each in one thread, and keep each as it ends."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        underway = {pool.submit(run, *key): key for key in missing}
        said = time.monotonic()
        for number, future in enumerate(as_completed(underway), start=1):
            if future.exception() is not None:
                raise RuntimeError(f"the search {underway[future]} failed") from future.exception()
            kept.add(future.result())
            if time.monotonic() > said + 30 or number == len(missing):
                said = time.monotonic()
                print(f"{number} of {len(missing)} searches", file=sys.stderr)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


# -- tables ------------------------------------------------------------------------------------------------------------


def print_data(
    benchmark: Benchmark, data: str, curves: Mapping[str, BySeed], queries: int, against: str | None
) -> None:
    """The tables of one data set."""
    checkpoints = [count for count in benchmark.checkpoints if count <= queries] or [queries]
    print(f"\n## {benchmark.heading(data)}\n")
    order = sorted(curves, key=lambda name: [regret_at(curves[name], count)[0] for count in reversed(checkpoints)])
    ordered = {name: curves[name] for name in order}
    goals = benchmark.goals(data)
    header = ["strategy", "seeds", *map(str, checkpoints), *goals]
    print_figures(ordered, checkpoints, header, list(goals.values()))
    if tuple(checkpoints) == tuple(benchmark.checkpoints) and (reference := benchmark.reference(data)):
        print("\nReference, measured once by separate programs (`reference.py` says how)\n")
        print_table(header, reference)
    print_ranks(ordered, checkpoints)
    if against in curves:
        print_tests(curves, against, [name for name in order if name != against], min(benchmark.tested_at, queries))


def print_figures(
    curves: Mapping[str, BySeed], checkpoints: Sequence[int], header: Sequence[str], goals: Sequence[float]
) -> None:
    """The figure (mean ± standard error), and medians of queries to the goals with the number of runs that got there."""
    rows: list[list[object]] = []
    for name, seeds in curves.items():
        values = list(seeds.values())
        at = [regret_at(seeds, count) for count in checkpoints]
        medians = [reached(values, goal) for goal in goals]
        rows.append(
            [name, len(values)]
            + [f"{mean:.3f} ± {error:.3f}" for mean, error in at]
            + [f"{goal.median:g} ({goal.runs})".replace("inf", f">{len(values[0])}") for goal in medians]
        )
    print_table(header, rows)


def print_ranks(curves: Mapping[str, BySeed], checkpoints: Sequence[int]) -> None:
    """Mean ranks of the strategies that have all seeds."""
    most = max(map(len, curves.values()))
    full = {name: seeds for name, seeds in curves.items() if len(seeds) == most}
    fewer = ", ".join(name for name in curves if name not in full)
    without = f"; with fewer, and left out: {fewer}" if fewer else ""
    print(f"\nMean rank, 1 is the best ({len(common_seeds(full))} seeds{without})\n")
    ranks = [mean_ranks(full, count) for count in checkpoints]
    print_table(
        ["strategy", *map(str, checkpoints)], [[name, *(f"{rank[name]:.2f}" for rank in ranks)] for name in full]
    )


def print_tests(curves: Mapping[str, BySeed], against: str, others: Sequence[str], queries: int) -> None:
    """One strategy against each other, seed by seed."""
    print(f"\n{against} against each other at {queries} queries, same seeds (negative: {against} is better)\n")
    rows = []
    for name in others:
        test = paired(curves[against], curves[name], queries)
        if test is not None:
            outcome = f"{test.better} / {test.equal} / {test.worse}"
            rows.append([name, test.seeds, f"{test.difference:+.3f} ± {test.error:.3f}", outcome, f"{test.p:.2g}"])
    print_table(["", "seeds", "difference", "better / equal / worse", "p (Wilcoxon)"], rows)


def print_time(kept: Kept, wanted: Sequence[Key]) -> None:
    """What an ask with its tell costs, how often a known class was asked for, and what was run."""
    print("\n## Time\n")
    rows = []
    for name in dict.fromkeys(key[0] for key in wanted):
        keys = [key for key in wanted if key[0] == name]
        runs = [kept.runs[key] for key in keys]
        asks = sum(one.asks for one in runs) / sum(one.paid for one in runs)
        ended = sum(one.paid < one.queries for one in runs)
        commits = ", ".join(sorted({kept.commits[key] for key in keys}))
        rows.append([name, f"{np.median([one.ms for one in runs]):.2f}", f"{asks:.2f}", ended, commits])
    print_table(["strategy", "CPU ms an ask and tell", "asks a query", "ended early", "commit"], rows)
