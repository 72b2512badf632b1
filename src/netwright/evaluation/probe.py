"""`precision`: which number format trains this kind of network faster here, by timing a few steps of each.

Settings: data, device (default cpu), threads (default 1), batch (default: the recipe's, lowered where images are few).
Notes: `precision` (fp32 or bf16), `fp32_ms` and `bf16_ms` (milliseconds of a step, the fastest of three), `batch`.
bfloat16 must win by more than 5 %, since it costs a little accuracy of the sums.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from netwright.core.candidate import Scalar
from netwright.core.job import Evaluated, Job
from netwright.core.plan import Plan
from netwright.data.dataset import Dataset
from netwright.evaluation.reading import plan_of, read_proposal, torch_threads
from netwright.networks.build import build
from netwright.training.fit import Precision
from netwright.training.predict import gather
from netwright.training.recipe import batch_size, read_recipe
from netwright.training.step import Stepper

WARM_UP, ROUNDS = 2, 3
WIN = 1.05
TOO_LONG = 4.0
"""A format whose warm-up step takes so many times as long as the other's is not timed further."""


@dataclass(frozen=True, slots=True)
class Probed:
    """The faster format, and milliseconds of a step of `batch` images in each."""

    precision: Precision
    fp32_ms: float
    bf16_ms: float
    batch: int

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return asdict(self)


def probe(job: Job) -> Evaluated:
    """Time both formats for the job's candidate. Raises CandidateError for a network that cannot be built."""
    settings = job.settings
    proposal = read_proposal(job)
    data = Dataset.open(Path(settings["data"]))
    with torch_threads(settings.get("threads", 1)):
        probed = time_precisions(
            plan_of(proposal, data.task),
            data,
            proposal.candidate.recipe,
            seed=job.seed,
            device=settings.get("device", "cpu"),
            batch=settings.get("batch"),
        )
    return Evaluated({}, {}, probed.to_json())


def time_precisions(
    network_plan: Plan,
    data: Dataset,
    recipe: Mapping[str, Scalar],
    *,
    seed: int,
    device: str = "cpu",
    batch: int | None = None,
) -> Probed:
    """Time training steps in both formats, step by step in turn, on real images and throw-away networks."""
    read, place, train = read_recipe(recipe), torch.device(device), data.indices("train")
    batch = batch or batch_size(read.batch, len(train))
    indices = np.resize(np.random.default_rng(seed).permutation(train), batch)
    targets = torch.from_numpy(np.asarray(data.labels)[indices].astype(np.int64)).to(place)
    images = gather(data.images, indices, place)

    def timed_step(precision: Precision) -> Callable[[], float]:
        network = build(network_plan, data.task, seed=seed)
        stepper = Stepper(network, data.task, read, precision=precision, device=place)
        return lambda: _milliseconds(lambda: stepper.step(images, targets, 0.0), place)

    steps = {"fp32": timed_step("fp32"), "bf16": timed_step("bf16")}
    times = {precision: min(step() for _ in range(WARM_UP)) for precision, step in steps.items()}
    if max(times.values()) < TOO_LONG * min(times.values()):
        rounds = [{precision: step() for precision, step in steps.items()} for _ in range(ROUNDS)]
        times = {precision: min(row[precision] for row in rounds) for precision in steps}
    faster: Precision = "bf16" if times["bf16"] * WIN < times["fp32"] else "fp32"
    return Probed(faster, times["fp32"], times["bf16"], int(batch))


def _milliseconds(step: Callable[[], object], device: torch.device) -> float:
    """CPU time on the CPU, which other processes distort less; wall time elsewhere. A step ends by reading its loss."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = clock()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (clock() - began) * 1e3
