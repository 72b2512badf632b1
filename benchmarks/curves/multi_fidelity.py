"""Successive halving against training everything in full: virtual time to a good network, on recorded networks.

    python benchmarks/curves/multi_fidelity.py [--strategies NAME ...] [--schedulers NAME ...] [--seeds 30]
                                               [--workers 8 2] [--within 0.5 0.25] [--plot FOLDER] [--pages FOLDER]

Every strategy searches the same record with full trainings, under each scheduler, and under each scheduler where all
rungs order as the truth does: what the record allows at best. Workers are virtual, asynchronous, and take the recorded
seconds. What is counted stands in README.md beside this file.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.common import arguments, print_table
from benchmarks.curves import pages
from benchmarks.curves.clock import FULL, Search, exhaustive, make, search
from benchmarks.curves.grid import RUNGS, Kept, grid, name_of
from benchmarks.curves.picture import plot_curves, plot_regret
from benchmarks.curves.recorded import RECORD, Record, read
from benchmarks.curves.summary import (
    Floats,
    crossings,
    fidelity,
    places,
    ratio,
    regret_over_time,
    rung_fidelity,
    survivors,
    times,
)
from netwright.strategies import STRATEGIES, WRAPPERS

DEFAULT = ("random", "local-search", "regularized-evolution", "tpe", "bohb")
POINTS = 200
"""Points of a line in the picture."""
TRUE_ORDER = ", true order"
"""Behind the name of a scheduler: on a record whose rungs order as the truth does."""

Searches = Mapping[tuple[str, str], Sequence[Search]]
"""By strategy and scheduler, one a seed."""


def main() -> None:
    given = read_arguments()
    space = Kept(grid())
    record = read(given.record, RUNGS, map(name_of, space.enumerate()))
    print_record(record, given.within)
    print_fidelity(record)
    print_places(record, max(given.within))
    for workers in given.workers:
        enough = -math.inf if given.plot or given.pages else min(given.within)
        found = searched(space, record, given.strategies, given.schedulers, workers, given.seeds, enough)
        print(f"\nAll full trainings on {workers} workers: {exhaustive(record, workers):.1f} virtual seconds.")
        for within in given.within:
            print_times(found, within, given.seeds, workers)
        if workers == given.workers[0] and (given.plot or given.pages):
            at = np.linspace(0, exhaustive(record, workers) / 2, POINTS)
            regrets = regret_of(record, found, at)
            if given.plot:
                draw(given.plot, record, at, regrets)
            if given.pages:
                pages.write_pages(given.pages, at, regrets)


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = arguments(__doc__)
    parser.add_argument("--record", type=Path, default=RECORD)
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, metavar="NAME")
    parser.add_argument("--schedulers", nargs="+", choices=WRAPPERS, default=list(WRAPPERS), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--workers", type=int, nargs="+", default=[8, 2], help="virtual ones (default: 8 and 2)")
    parser.add_argument(
        "--within",
        type=float,
        nargs="+",
        default=[0.5, 0.25],
        help="points of accuracy from the best (default: 0.5, 0.25)",
    )
    parser.add_argument("--plot", type=Path, metavar="FOLDER", help="write the pictures here")
    parser.add_argument("--pages", type=Path, metavar="FOLDER", help="write the curves of the strategies' pages here")
    given = parser.parse_args()
    given.strategies = given.strategies or list(pages.STRATEGIES if given.pages else DEFAULT)
    if given.quick:
        given.seeds, given.strategies = 2, list(pages.STRATEGIES if given.pages else ["random"])
    missing = set(pages.STRATEGIES) - set(given.strategies) | set(WRAPPERS) - set(given.schedulers)
    if given.pages and missing:
        parser.error(f"--pages shows {', '.join(sorted(missing))}, too: leave out --strategies and --schedulers")
    return given


def searched(
    space: Kept,
    record: Record,
    strategies: Sequence[str],
    schedulers: Sequence[str],
    workers: int,
    seeds: int,
    enough: float,
) -> dict[tuple[str, str], list[Search]]:
    """Every search over all seeds, until it is good `enough` or the workers could have trained every network in full."""
    seconds = exhaustive(record, workers)
    records = {"": record, TRUE_ORDER: record.in_true_order()}
    found = {}
    for strategy in strategies:
        for scheduler, order in [(FULL, ""), *((name, order) for name in schedulers for order in records)]:
            found[strategy, scheduler + order] = [
                search(
                    make(strategy, scheduler, space, seed, RUNGS),
                    records[order],
                    workers=workers,
                    seconds=seconds,
                    seed=seed,
                    enough=enough,
                )
                for seed in range(seeds)
            ]
            print(f"{workers} workers, {strategy}, {scheduler}{order}: done", file=sys.stderr)
    return found


# -- tables ------------------------------------------------------------------------------------------------------------


def print_record(record: Record, within: Sequence[float]) -> None:
    """What is in the record, how rare the good ones are, and what one of them takes alone."""
    networks = list(record.networks.values())
    truths = 100 * np.array([network.truth for network in networks])
    seconds = [network.full[0].seconds for network in networks]
    print(
        f"{len(networks)} networks, {len(networks[0].full)} full trainings each; accuracy {truths.max():.2f} at best, "
        f"{np.median(truths):.2f} in the middle, {truths.min():.2f} at worst.\n"
        f"A full training: {np.median(seconds):.2f} CPU seconds ({min(seconds):.2f} to {max(seconds):.2f}).\n"
    )
    rows: list[list[object]] = []
    for points in within:
        good = [network for network, truth in zip(networks, truths, strict=True) if truth >= truths.max() - points]
        full = [network.full[0].seconds for network in good]
        climb = [sum(rung.seconds for rung in network.rungs) for network in good]
        rows.append([f"{points:g}", len(good), *(f"{np.median(took):.1f} ({min(took):.1f})" for took in (full, climb))])
    header = ["points from the best", "networks", "seconds in full, median (least)", "seconds up all rungs"]
    print_table(header, rows)


def print_fidelity(record: Record) -> None:
    """How well each rung ranks, with another full training beside it: chance alone lets no training rank better."""
    networks = list(record.networks.values())
    rows: list[list[object]] = []
    for level, epochs in enumerate(record.epochs):
        found = rung_fidelity(record, level)
        share = f"{100 * found.share:.0f} %"
        crossed = f"{100 * crossings(record, level):.1f} %"
        rows.append([epochs, share, f"{found.spearman:.3f}", f"{found.among_good:.3f}", found.kept, crossed])
    seeds = range(len(networks[0].full))
    if len(seeds) > 1:
        one, other = ([network.full[seed].accuracy or 0.0 for network in networks] for seed in (0, 1))
        found = fidelity(one, other, 1.0)
        cells = [f"{found.spearman:.3f}", f"{found.among_good:.3f}", found.kept, ""]
        rows.append(["full, seed 0 against seed 1", "100 %", *cells])
    print("\nRungs against the truth\n")
    header = ["epochs", "of the seconds", "Spearman", "in the best third", "of the best ten kept", "pairs crossed"]
    print_table(header, rows)


def print_places(record: Record, within: float) -> None:
    """Where each of the good networks stands at each rung, among all: whom short trainings would let go."""
    networks = list(record.networks.values())
    levels = [places(record, level) for level in range(len(record.epochs))]
    good = [i for i, network in enumerate(networks) if network.truth >= record.best - within / 100]
    rows: list[list[object]] = [
        [f"{100 * (record.best - networks[i].truth):.2f}", *(level[i] for level in levels)]
        for i in sorted(good, key=lambda i: -networks[i].truth)
    ]
    print(f"\nPlaces of the good ones after so many epochs, of {len(networks)}\n")
    print_table(["points from the best", *record.epochs], rows)
    gone = ", ".join(f"{count} ({good} good)" for count, good in survivors(record, within))
    print(f"\nOf all of them, the best third of each rung goes on: {gone}.")


def print_times(found: Searches, within: float, seeds: int, workers: int) -> None:
    """Virtual seconds to the goal, and what they are of those of the same strategy with full trainings."""
    print(f"\nVirtual seconds to within {within:g} points of the best, {workers} workers, {seeds} seeds\n")
    rows = []
    for (strategy, scheduler), searches in found.items():
        alone = [one.time_to(within) for one in searches]
        row = times(alone)
        cells = [str(row), row.reached]
        if scheduler == FULL:
            rows.append([strategy, scheduler, *cells, "", "", ""])
            continue
        full = [one.time_to(within) for one in found[strategy, FULL]]
        again = [one.time_to(within, retrained=True) for one in searches]
        quicker = ratio(alone, full)
        rows.append([strategy, scheduler, *cells, str(quicker), quicker.quicker, str(ratio(again, full))])
    header = ["strategy", "scheduler", "median (10 to 90 %)", "reached", "ratio to full", "seeds quicker", "retrained"]
    print_table(header, rows)


# -- pictures ----------------------------------------------------------------------------------------------------------


def regret_of(record: Record, found: Searches, at: Floats) -> dict[tuple[str, str], Floats]:
    """Regret of the incumbent at these times, by strategy and scheduler, true order left out: (seeds, times)."""
    worst = 100 * (record.best - min(network.truth for network in record.networks.values()))
    return {
        key: np.array([regret_over_time(one.steps, at, worst) for one in searches])
        for key, searches in found.items()
        if not key[1].endswith(TRUE_ORDER)
    }


def draw(folder: Path, record: Record, at: Floats, regrets: Mapping[tuple[str, str], Floats]) -> None:
    """Write the pictures: curves of the record, and the mean regret over virtual time."""
    folder.mkdir(parents=True, exist_ok=True)
    curves = [[value for rung in network.rungs for value in rung.curve] for network in record.networks.values()]
    whole = [curve for curve in curves if len(curve) == record.epochs[-1]]
    picture = plot_curves(f"validation accuracy on the trunk, {len(whole)} networks, in percent", record.epochs, whole)
    (folder / "curves.svg").write_text(picture + "\n", "utf-8")
    means = {key: values.mean(axis=0) for key, values in regrets.items()}
    picture = plot_regret("mean regret of the incumbent in points of accuracy", at, means)
    (folder / "multi_fidelity.svg").write_text(picture + "\n", "utf-8")


if __name__ == "__main__":
    main()
