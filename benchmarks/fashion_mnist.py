"""Fashion-MNIST in 1,200 CPU seconds of workers: netwright, Optuna's NSGA-II and, if asked for, random search.

    python benchmarks/fashion_mnist.py [fashion-mnist] [--seeds 5] [--cpu-seconds 1200] [--random]

The protocol, and what is fair about it and what is not, is in README.md beside this file. Hypervolume is that of
(test error, log10 parameters) below the reference (0.12, 5.3), parameters clipped at 10,000 from below. It is that of three
networks of each search: of netwright's finalists those three that have most of it on validation images, and beside that
the three that the rule for the rival picks (the best by validation under 30k, 60k and 120k parameters).
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import moocore
import numpy as np
from common import Results, arguments, machine, mean_interval, netwright, print_table, run_folder, spread
from fashion_rival import FULL_PASSES, WORKERS, retrain, search
from runs import read_run

from netwright.data.catalog import open_data

REFERENCE = (0.12, 5.3)
SMALLEST = 10_000
BOUNDS = (30_000, 60_000, 120_000)
GOOD = 0.925
SEARCH_SHARE = 850 / 1200


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("data", nargs="?", default="fashion-mnist")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cpu-seconds", type=float, default=1200.0)
    parser.add_argument("--random", action="store_true", help="random search with the same budget, too")
    given = parser.parse_args()
    budget, seeds = (100.0, 1) if given.quick else (given.cpu_seconds, given.seeds)
    results = Results("fashion_mnist", given)
    runs = {
        "netwright": lambda seed: ours(given, budget, seed),
        "Optuna NSGA-II": lambda seed: rival(given.data, budget, seed, 1 if given.quick else FULL_PASSES),
    }
    if given.random:
        runs["random search"] = lambda seed: ours(given, budget, seed, "random")
    kept: dict[str, list[dict[str, Any]]] = {name: [] for name in runs}
    for seed in range(seeds):  # all of one seed before the next: the columns of a seed see the same machine
        for name, run in runs.items():
            key = f"{name}, {budget:g} CPU s, seed {seed}"
            kept[name].append(results.once(key, lambda run=run, seed=seed: run(seed)))
    print(f"{machine()}; {budget:g} CPU seconds, seeds 0 to {seeds - 1}")
    print_table(
        ["seed", "search", "test accuracy at parameters", "hypervolume", "finished trials", "CPU s"],
        [seed_row(seed, name, kept[name][seed]) for seed in range(seeds) for name in runs],
    )
    print()
    print_table(
        [
            *("search", "hypervolume", "ratio to Optuna's, mean (90 % interval)", "ratio, picked as the rival's are"),
            *("hypervolume of all finalists", "seeds with 92.5 %"),
        ],
        [summary(name, records, kept["Optuna NSGA-II"]) for name, records in kept.items()],
    )


def seed_row(seed: int, name: str, record: dict[str, Any]) -> list[object]:
    """One run."""
    networks = sorted(three(record), key=lambda network: network["parameters"])
    said = "; ".join(f"{n['test_accuracy']:.2%} at {n['parameters']:,.0f}" for n in networks)
    volume = hypervolume(networks)
    return [seed, name, said, f"{volume:.4f}", record["trials"], f"{record['cpu_seconds']:.0f}"]


def summary(name: str, records: Sequence[dict[str, Any]], peers: Sequence[dict[str, Any]]) -> list[object]:
    """All seeds of one search."""
    good = sum(any(is_good(network) for network in record["finalists"]) for record in records)
    return [
        name,
        spread([hypervolume(three(record)) for record in records], 4),
        ratio([three(record) for record in records], peers),
        ratio([record["retrained"] for record in records], peers),
        spread([hypervolume(record["finalists"]) for record in records], 4),
        f"{good} of {len(records)}",
    ]


def ratio(networks: Sequence[Sequence[dict[str, Any]]], peers: Sequence[dict[str, Any]]) -> str:
    """Hypervolume over the rival's, seed by seed: mean and 90 % interval."""
    pairs = zip(networks, peers, strict=True)
    mean, low, high = mean_interval([hypervolume(ours) / max(hypervolume(p["retrained"]), 1e-9) for ours, p in pairs])
    return f"{mean:.3f} ({low:.3f} to {high:.3f})"


def three(record: dict[str, Any]) -> Sequence[dict[str, Any]]:
    """Three networks of a search: of the finalists those with most hypervolume on validation images; all the rival has."""
    if not all("accuracy" in network for network in record["finalists"]):
        return list(record["retrained"])
    triples = combinations(record["finalists"], min(3, len(record["finalists"])))
    return max(triples, key=lambda networks: hypervolume(networks, "accuracy"))


def is_good(network: dict[str, Any]) -> bool:
    """At least 92.5 % of the test images with at most 120,000 parameters."""
    return network["test_accuracy"] >= GOOD and network["parameters"] <= BOUNDS[-1]


def hypervolume(networks: Sequence[dict[str, Any]], measure: str = "test_accuracy") -> float:
    """See the head of this file."""
    points = [(1 - n[measure], math.log10(max(n["parameters"], SMALLEST))) for n in networks]
    inside = [point for point in points if all(p < r for p, r in zip(point, REFERENCE, strict=True))]
    return float(moocore.hypervolume(np.array(inside), ref=REFERENCE)) if inside else 0.0


def best_under_bounds(networks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The best by validation accuracy under 30k, 60k and 120k parameters; one that is best twice counts once."""
    chosen: list[dict[str, Any]] = []
    for bound in BOUNDS:
        inside = [network for network in networks if network["parameters"] <= bound]
        best = max(inside, key=lambda network: network["accuracy"], default=None)
        if best is not None and best not in chosen:
            chosen.append(best)
    return chosen


def ours(given: argparse.Namespace, budget: float, seed: int, strategy: str | None = None) -> dict[str, Any]:
    """netwright's own command; three of its finalists by the rule that picks the rival's."""
    words = () if strategy is None else ("--strategy", strategy)
    with run_folder(given, f"fashion_mnist-{seed}-{strategy or 'default'}") as folder:
        out = folder / "run"
        netwright(
            *("search", given.data, "--out", out, "--cpu-seconds", f"{budget:g}", "--workers", str(WORKERS)),
            *("--limit", f"parameters<={BOUNDS[-1]}", "--seed", str(seed), *words),
        )
        run = read_run(out)
    return {
        "retrained": best_under_bounds(run["finalists"]),
        "finalists": run["finalists"],
        "handmade": run.get("handmade"),
        "trials": run["trials"].get("completed", 0),
        "statuses": run["trials"],
        "cpu_seconds": run["cpu_seconds"],
        "wall_seconds": run["seconds"],
    }


def rival(data: str, budget: float, seed: int, passes: int) -> dict[str, Any]:
    """Optuna: search, choose, retrain in two processes. The retraining is never cut short."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = open_data(data, Path(folder) / "data").folder
        found, used = search(dataset, Path(folder), seed, SEARCH_SHARE * budget, BOUNDS[-1])
        chosen = best_under_bounds(found)
        with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
            jobs = [pool.submit(retrain, str(dataset), n["decisions"], passes, seed) for n in chosen]
            retrained = [job.result() for job in jobs]
    return {
        "retrained": retrained,
        "finalists": retrained,
        "searched": found,
        "trials": len(found),
        "cpu_seconds": used + sum(network["cpu_seconds"] for network in retrained),
    }


if __name__ == "__main__":
    main()
