"""Every strategy among pipelines of scikit-learn: error by queries, ranks and paired tests.

    python benchmarks/conditional/strategies.py [--data NAME ...] [--seeds 20] [--queries 100] [--strategies NAME ...]
                                                [--against NAME] [--workers 2] [--plot FOLDER] [--kept]

A strategy is one of netwright, with settings behind a colon (`regularized-evolution:population=30,sample=10`), or a
peer. Searches are kept one by one in `results/pipelines.jsonl`; those that are there are not run again. What is
counted, and what is fair and what is not, stands in README.md beside this file.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.conditional.evaluation import DATA
from benchmarks.conditional.pipelines import Pipelines
from benchmarks.conditional.search import PEERS, run
from benchmarks.tabular.command import Benchmark, compare

PIPELINES = Benchmark(
    name="pipelines",
    data=DATA,
    heading=DATA.__getitem__,
    figure="error of the best pipeline, percent",
    space=Pipelines,
    run=run,
    peers=PEERS,
    packages=("scikit-learn",),
    checkpoints=(25, 50, 100),
    tested_at=100,
    goals=lambda data: {},
    seeds=20,
    queries=100,
    quick="breast-cancer",
    lowest=1.0,
)

if __name__ == "__main__":
    compare(PIPELINES, __doc__)
