"""Stopping rules against training everything in full: virtual time to a good network, on recorded networks.

    python benchmarks/curves/stopping.py [--strategies NAME ...] [--rules NAME ...] [--seeds 30] [--workers 8 2]
                                         [--within 0.5]

The same record, searches, seeds and goal as those of `multi_fidelity.py`. A rule sees the curves of the full trainings
epoch by epoch, through the code that a run uses, and a training that it wants to end ends one epoch later, as it does
in a worker's process. What is counted stands in README.md beside this file.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.common import arguments, print_table
from benchmarks.curves.clock import FULL, Search, exhaustive, make, search
from benchmarks.curves.grid import RUNGS, Kept, grid, name_of
from benchmarks.curves.recorded import RECORD, Record, read
from benchmarks.curves.summary import ratio, times
from netwright.stoppers import STOPPERS, PowerLaw, Stopper, make_stopper

STRATEGIES = ("random", "local-search", "regularized-evolution", "tpe")
HEADER = [
    "strategy",
    "rule",
    "median (10 to 90 %)",
    "reached",
    "ratio to none",
    "seeds quicker",
    "trainings",
    "stopped",
    "good ones stopped",
]


class Remembered(PowerLaw):
    """Fits a curve once, however many searches come by it."""

    extrapolate = functools.cache(PowerLaw.extrapolate)  # type: ignore[assignment]


def rule_of(name: str) -> Stopper:
    """The rule as a run makes it for accuracy."""
    rule = make_stopper(name, ceiling=1.0)
    return Remembered(rule.ceiling) if isinstance(rule, PowerLaw) else rule


def main() -> None:
    given = read_arguments()
    space = Kept(grid())
    record = read(given.record, RUNGS, map(name_of, space.enumerate()))
    for workers in given.workers:
        print(
            f"\nWithin {given.within:g} points of the best, {workers} workers, {given.seeds} seeds, virtual seconds\n"
        )
        rows: list[list[object]] = []
        for strategy in given.strategies:
            without = searched(space, record, strategy, None, workers, given)
            rows.append(row(strategy, None, without, without, given.within))
            for rule in given.rules:
                stopped = searched(space, record, strategy, rule, workers, given)
                rows.append(row(strategy, rule, stopped, without, given.within))
        print_table(HEADER, rows)


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = arguments(__doc__)
    parser.add_argument("--record", type=Path, default=RECORD)
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES), metavar="NAME")
    parser.add_argument("--rules", nargs="+", choices=STOPPERS, default=list(STOPPERS), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--workers", type=int, nargs="+", default=[8, 2], help="virtual ones (default: 8 and 2)")
    parser.add_argument("--within", type=float, default=0.5, help="points of accuracy from the best (default: 0.5)")
    given = parser.parse_args()
    if given.quick:
        given.seeds, given.strategies, given.rules = 2, ["random"], ["median"]
    return given


def searched(
    space: Kept, record: Record, strategy: str, rule: str | None, workers: int, given: argparse.Namespace
) -> list[Search]:
    """A search for each seed, until it is good enough or the workers could have trained every network in full."""
    found = [
        search(
            make(strategy, FULL, space, seed, RUNGS),
            record,
            workers=workers,
            seconds=exhaustive(record, workers),
            seed=seed,
            enough=given.within,
            rule=rule_of(rule) if rule else None,
        )
        for seed in range(given.seeds)
    ]
    print(f"{workers} workers, {strategy}, {rule}: done", file=sys.stderr)
    return found


def row(
    strategy: str, rule: str | None, found: Sequence[Search], without: Sequence[Search], within: float
) -> list[object]:
    """Time to the goal, how much of it that of the same searches without a rule was, and who was stopped (means)."""
    ours = [one.time_to(within) for one in found]
    took = times(ours)
    cells = [str(took), took.reached]
    begun = f"{fmean(one.trained for one in found):.0f}"
    if rule is None:
        return [strategy, "none", *cells, "", "", begun, "", ""]
    quicker = ratio(ours, [one.time_to(within) for one in without])
    share = sum(len(one.stopped) for one in found) / sum(one.trained for one in found)
    good = fmean(sum(regret <= within for regret in one.stopped) for one in found)
    return [strategy, rule, *cells, str(quicker), quicker.quicker, begun, f"{100 * share:.0f} %", f"{good:.1f}"]


if __name__ == "__main__":
    main()
