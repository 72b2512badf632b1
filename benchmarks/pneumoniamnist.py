"""PneumoniaMNIST with its official splits: mean test AUC over seeds, and accuracy with its interval.

    python benchmarks/pneumoniamnist.py PNEUMONIAMNIST.npz [--minutes 10] [--seeds 3]

The network is chosen on validation data alone, by AUC and parameters. The table of MedMNIST v2 (Yang et al. 2023) has,
for 28 x 28 pixels, AUC 0.944 for ResNet-18, 0.947 for AutoKeras, 0.942 for auto-sklearn, 0.991 for Google AutoML Vision.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from common import Results, arguments, machine, mean_interval, netwright, print_table, run_folder
from runs import read_run

ROLES = {"winner": "netwright", "handmade": "hand-made network", "linear": "logistic regression", "forest": "forest"}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("data", type=Path, metavar="PNEUMONIAMNIST.npz")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    minutes, seeds = (0.5, 1) if given.quick else (given.minutes, given.seeds)
    results = Results("pneumoniamnist", given)
    kept = [
        results.once(f"{minutes:g} minutes, seed {seed}", lambda seed=seed: search(given, minutes, seed))
        for seed in range(seeds)
    ]
    print(f"{machine()}; {minutes:g} minutes each, seeds 0 to {seeds - 1}")
    rows = []
    for role, name in ROLES.items():
        for seed, record in enumerate(kept):
            found = record[role]
            low, high = found["test_accuracy_interval"]
            rows.append(
                [
                    *(name, seed, f"{found['test_auc']:.4f}", f"{found.get('auc', 0):.4f}"),
                    f"{found['test_accuracy']:.1%} ({low:.1%} to {high:.1%})",
                    f"{found['parameters']:,.0f}" if "parameters" in found else "",
                ]
            )
        mean, low, high = mean_interval([record[role]["test_auc"] for record in kept])
        rows.append([f"**{name}**", "mean", f"**{mean:.4f}** ({low:.4f} to {high:.4f})", "", "", ""])
    print_table(["model", "seed", "test AUC", "validation AUC", "test accuracy (90 %)", "parameters"], rows)


def search(given: argparse.Namespace, minutes: float, seed: int) -> dict[str, Any]:
    """One search."""
    with run_folder(given, f"pneumoniamnist-{seed}") as folder:
        out = folder / "run"
        netwright(
            *("search", given.data, "--out", out, "--minutes", str(minutes), "--workers", "2", "--seed", str(seed)),
            *("--objective", "auc", "--objective", "parameters"),
        )
        return read_run(out)


if __name__ == "__main__":
    main()
