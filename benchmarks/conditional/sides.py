"""Every strategy on two sides of five decisions, of which the one that is worse on average has the best point.

    python benchmarks/conditional/sides.py [--data steep gentle] [--seeds 20] [--queries 150] [--strategies NAME ...]
                                           [--against NAME] [--workers 2] [--kept]

Searches are kept one by one in `results/sides.jsonl`; those that are there are not run again. What is counted stands
in README.md beside this file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.conditional.parameters import Conditional, Decisions, Parameter
from benchmarks.conditional.peers import peers_on
from benchmarks.conditional.search import decisions_of
from benchmarks.tabular.command import Benchmark, compare
from benchmarks.tabular.search import Queries, Run, search
from netwright.spaces.choices import choose
from netwright.testing.toys import GENTLE, STEEP

TOYS = {"steep": STEEP, "gentle": GENTLE}


class Sides(Conditional):
    """The decisions of both toys, as a table."""

    name = "sides"
    parameters = (
        Parameter("side", choose("a", "b")),
        *(Parameter(f"{side}/{i}", choose(*range(4)), "side", (side,)) for side in "ab" for i in range(5)),
    )


PEERS = peers_on(Sides())


def run(strategy: str, data: str, seed: int, queries: int) -> Run:
    """Search until so many different points were asked for. The regret of the run is in points below the best."""
    count: Queries[Decisions] = Queries(
        lambda decisions: 100 * TOYS[data].accuracy(decisions), json.dumps, best=100, budget=queries
    )
    return search(strategy, data, seed, count, space=Sides(), peers=PEERS, point=decisions_of)


SIDES = Benchmark(
    name="sides",
    data={"steep": "the steep side", "gentle": "the gentle side"},
    heading={"steep": "Steep: a 50 to 80, b from 10", "gentle": "Gentle: a 50 to 70, b from 30"}.__getitem__,
    figure="regret in points",
    space=Sides,
    run=run,
    peers=PEERS,
    packages=("scikit-learn",),
    checkpoints=(50, 100, 150),
    tested_at=150,
    goals=lambda data: {"to the best": 0.0},
    seeds=20,
    queries=150,
    quick="gentle",
    lowest=0.1,
)

if __name__ == "__main__":
    compare(SIDES, __doc__)
