"""Five searches on Sign Language Digits, each with other students as the test: pooled accuracy, size and latency.

    python benchmarks/sign_digits.py SIGN_DIGITS GROUPS.csv [--minutes 10] [--seeds 1]

SIGN_DIGITS is the folder of class folders, GROUPS.csv has `file,group` (the student). The students are shuffled with
the seed and cut into five; each fifth is the test of one search, and of the other students 15 % are its validation.
So every image is tested exactly once, by a network that saw no image of its student.
"""

from __future__ import annotations

import argparse
import csv
import random
from pathlib import Path
from typing import Any

import numpy as np
from common import Results, arguments, machine, netwright, print_table, run_folder
from runs import read_run

from netwright.evaluation.metrics import wilson

FOLDS = 5
VALIDATION = 0.15
ROLES = {"winner": "netwright", "handmade": "hand-made network", "linear": "logistic regression", "forest": "forest"}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("data", type=Path, metavar="SIGN_DIGITS")
    parser.add_argument("groups", type=Path, metavar="GROUPS.csv")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seeds", type=int, default=1, help="how often the students are shuffled")
    given = parser.parse_args()
    minutes, folds = (0.75, 1) if given.quick else (given.minutes, FOLDS)
    results = Results("sign_digits", given)
    kept = [
        results.once(
            f"{minutes:g} minutes, seed {seed}, fold {fold}",
            lambda seed=seed, fold=fold: search(given, minutes, seed, fold),
        )
        for seed in range(given.seeds)
        for fold in range(folds)
    ]
    print(f"{machine()}; {minutes:g} minutes each, {len(kept)} splits by student")
    print_table(
        ["model", "pooled test accuracy (90 % interval)", "images", "parameters", "latency, ms"],
        [row(name, [record[role] for record in kept if role in record], kept) for role, name in ROLES.items()],
    )


def row(name: str, found: list[dict[str, Any]], kept: list[dict[str, Any]]) -> list[str]:
    """One line: accuracy over all folds, median (range) of the rest."""
    images = sum(record["images"] for record in kept)
    hits = sum(round(f["test_accuracy"] * r["images"]) for f, r in zip(found, kept, strict=True))
    low, high = wilson(hits, images)

    def over(metric: str, form: str) -> str:
        values = [f[metric] for f in found if metric in f]
        if not values:
            return ""
        return f"{np.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"

    accuracy = f"{hits / images:.2%} ({low:.2%} to {high:.2%})"
    return [name, accuracy, f"{images:,}", over("parameters", ",.0f"), over("latency", ".3f")]


def search(given: argparse.Namespace, minutes: float, seed: int, fold: int) -> dict[str, Any]:
    """One search on one split."""
    with run_folder(given, f"sign_digits-{seed}-{fold}") as folder:
        split, out = folder / "split.csv", folder / "run"
        images = write_split(given.groups, split, seed, fold)
        netwright(
            *("search", given.data, "--split", split, "--out", out, "--minutes", str(minutes), "--workers", "2"),
            *("--seed", str(seed * FOLDS + fold)),
        )
        return {**read_run(out), "images": images}


def write_split(groups: Path, target: Path, seed: int, fold: int) -> int:
    """Write `file,split`; gives the number of test images."""
    with groups.open(newline="", encoding="utf-8") as file:
        student = {row["file"]: row["group"] for row in csv.DictReader(file)}
    students = sorted(set(student.values()))
    random.Random(seed).shuffle(students)
    test = set(students[fold::FOLDS])
    rest = [name for name in students if name not in test]
    validation = set(rest[: round(VALIDATION * len(students))])
    parts = {n: "test" if n in test else "validation" if n in validation else "train" for n in students}
    with target.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file", "split"), *((name, parts[group]) for name, group in student.items())])
    return sum(group in test for group in student.values())


if __name__ == "__main__":
    main()
