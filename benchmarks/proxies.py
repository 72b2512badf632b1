"""Zero-cost scores beside the accuracies of NAS-Bench-201: rank correlations, and what a score takes.

    python benchmarks/proxies.py
    python benchmarks/proxies.py --images noise --scores synflow parameters

Cells are drawn at random from the 15,284 that have a path from input to output (netwright refuses the others); the
accuracy is that of the table for CIFAR-10 (see tabular/README.md). CIFAR-10 itself is not at hand: the images are noise,
Fashion-MNIST in 32 x 32 with three equal channels, or pieces of the two photographs that scikit-learn carries. Networks
are built for ten classes of 32 x 32 colour images; a network's weights, and the images, are drawn from the seed.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import Results, arguments, print_table
from numpy.typing import NDArray
from scipy.stats import rankdata
from tabular.nasbench201 import load

from netwright.core.errors import CandidateError
from netwright.core.plan import Plan
from netwright.core.seeding import derive, stream
from netwright.core.task import TaskSpec
from netwright.data.catalog import open_data
from netwright.evaluation.proxies import SCORES, Batch, score
from netwright.networks.build import Network, build
from netwright.spaces.catalog.nasbench201 import codes, decisions_of, nasbench201
from netwright.spaces.shapes import plan

PUBLISHED = {
    "synflow": 0.74,
    "jacov": 0.73,
    "grad_norm": 0.58,
    "snip": 0.58,
    "grasp": 0.48,
    "fisher": 0.36,
}
"""Abdelfattah, Mehrotra, Dudziak, Lane 2021, table for NAS-Bench-201, CIFAR-10."""
WITHOUT_DATA = ("synflow", "zen", "parameters", "macs")
BATCH = 64
PIECE = 20
"""So many cells are kept at a time."""
RESAMPLES = 2_000

TASK = TaskSpec((3, 32, 32), tuple("0123456789"), (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
"""Like CIFAR-10, mean and deviation of its pixels included."""


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", nargs="+", choices=IMAGES, default=list(IMAGES))
    parser.add_argument("--scores", nargs="+", choices=SCORES, default=list(SCORES))
    given = parser.parse_args()
    torch.set_num_threads(1)
    cells = sample(6 if given.quick else given.cells, given.seed)
    results = Results("proxies", given)
    found: dict[str, dict[str, list[float]]] = {}
    seconds: dict[str, list[float]] = {}
    for name in given.images:
        found[name] = {}
        for chosen in given.scores:
            if chosen in WITHOUT_DATA and name != given.images[0]:
                continue
            for first in range(0, len(cells), PIECE):
                part = cells[first : first + PIECE]
                looked_at = "-" if chosen in WITHOUT_DATA else name
                key = f"{chosen} {looked_at} seed {given.seed} cells {first}-{first + len(part) - 1}"
                record = results.once(key, partial(measure, chosen, name, part, given.seed))
                found[name].setdefault(chosen, []).extend(record["scores"])
                seconds.setdefault(chosen, []).extend(record["cpu_seconds"])
    show(cells, found, seconds)


def sample(count: int, seed: int) -> list[str]:
    """Cells that netwright builds, drawn without repetition."""
    shuffled = codes()
    stream(seed, "proxies").shuffle(shuffled)
    cells: list[str] = []
    for code in shuffled:
        try:
            plan_of(code)
        except CandidateError:
            continue
        cells.append(code)
        if len(cells) == count:
            break
    return cells


def measure(name: str, images: str, cells: Sequence[str], seed: int) -> dict[str, Any]:
    """The score of each cell, and the CPU seconds it took (building the network not counted)."""
    batch = IMAGES[images](seed)
    scores, seconds = [], []
    for code in cells:
        network = built(code, seed)
        began = time.process_time()
        scores.append(score(name, network, batch))
        seconds.append(round(time.process_time() - began, 4))
    return {"cells": list(cells), "scores": [max(value, -1e300) for value in scores], "cpu_seconds": seconds}


def built(code: str, seed: int) -> Network:
    return build(plan_of(code), TASK, seed=derive(seed, code))


def plan_of(code: str) -> Plan:
    architecture = nasbench201(TASK).replay(decisions_of(code)).architecture
    assert architecture is not None
    return plan(architecture, TASK)


# -- images ------------------------------------------------------------------------------------------------------------


@cache
def noise(seed: int) -> Batch:
    """Every value from 0 to 255 as likely; labels at random."""
    rng = np.random.default_rng(derive(seed, "noise"))
    return batch_of(rng.integers(0, 256, (BATCH, 32, 32, 3)), rng.integers(0, 10, BATCH), seed)


@cache
def fashion(seed: int) -> Batch:
    """Training images of Fashion-MNIST with their labels: 28 x 28 in a black frame of 2, three equal channels."""
    with tempfile.TemporaryDirectory() as folder:
        data = open_data("fashion-mnist", Path(folder))
        chosen = np.random.default_rng(derive(seed, "fashion")).choice(data.indices("train"), BATCH, replace=False)
        framed = np.pad(data.images[chosen], ((0, 0), (2, 2), (2, 2), (0, 0)))
        return batch_of(np.repeat(framed, 3, axis=3), data.labels[chosen], seed)


@cache
def photos(seed: int) -> Batch:
    """Squares of 64 x 64 from two photographs, halved; labels at random, for there are no classes."""
    from sklearn.datasets import load_sample_images

    rng = np.random.default_rng(derive(seed, "photos"))
    pieces = []
    for number in range(BATCH):
        photo = load_sample_images().images[number % 2].astype(np.float64)
        top, left = rng.integers(photo.shape[0] - 63), rng.integers(photo.shape[1] - 63)
        pieces.append(photo[top : top + 64, left : left + 64].reshape(32, 2, 32, 2, 3).mean((1, 3)).round())
    return batch_of(np.stack(pieces), rng.integers(0, 10, BATCH), seed)


def batch_of(images: NDArray[Any], labels: NDArray[Any], seed: int) -> Batch:
    """From (batch, height, width, channels)."""
    return Batch(
        torch.from_numpy(images.astype(np.uint8)).permute(0, 3, 1, 2).contiguous(),
        torch.from_numpy(np.asarray(labels, np.int64)),
        seed,
    )


IMAGES = {"noise": noise, "fashion-mnist": fashion, "photos": photos}


# -- the table ---------------------------------------------------------------------------------------------------------


def show(cells: Sequence[str], found: dict[str, dict[str, list[float]]], seconds: dict[str, list[float]]) -> None:
    """Rank correlation with accuracy, 90 % intervals by a bootstrap over cells, paired with that of parameters."""
    accuracy = np.array([load("cifar10").accuracy[code] for code in cells])
    draws = np.random.default_rng(0).integers(0, len(cells), (RESAMPLES, len(cells)))
    size = next((np.array(scores["parameters"]) for scores in found.values() if "parameters" in scores), None)
    rows = []
    for images, scores in found.items():
        for name, listed in scores.items():
            values = np.array(listed)
            resampled = correlations(values[draws], accuracy[draws])
            row = [name, "-" if name in WITHOUT_DATA else images]
            row += [
                f"{correlations(values[None], accuracy[None])[0]:.2f}",
                "{:.2f} to {:.2f}".format(*interval(resampled)),
            ]
            row.append(f"{PUBLISHED[name]:.2f}" if name in PUBLISHED else "")
            if size is not None and name != "parameters":
                against = resampled - correlations(size[draws], accuracy[draws])
                row.append("{:+.2f} to {:+.2f}".format(*interval(against)))
            else:
                row.append("")
            rows.append([*row, f"{np.mean(seconds[name]):.3f}"])
    print_table(
        ("score", "images", "Spearman", "90 % interval", "published", "minus that of parameters", "CPU s a network"),
        rows,
    )


def correlations(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spearman's correlation of each row of one with that of the other."""
    a, b = (rankdata(table, axis=1) for table in (first, second))
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    found: NDArray[np.float64] = (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))
    return found


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(values, (0.05, 0.95))
    return float(low), float(high)


if __name__ == "__main__":
    main()
