"""`precision`: which number format trains this kind of network faster here, by timing a few steps of each.

Settings: data, device (default cpu), threads (default 1), batch (default: the recipe's, lowered where images are few).
Notes: `precision` (fp32 or bf16), `fp32_ms` and `bf16_ms` (milliseconds of a step, the fastest of three), `batch`.
bfloat16 must win by more than 5 %, since it costs a little accuracy of the sums.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from netwright.core.job import Evaluated, Job
from netwright.data.dataset import Dataset
from netwright.evaluation.trained import plan_of, read_proposal, torch_threads
from netwright.networks.build import build
from netwright.training.predict import gather
from netwright.training.recipe import batch_size, read_recipe
from netwright.training.step import Stepper

WARM_UP, ROUNDS = 2, 3
WIN = 1.05
TOO_LONG = 4.0
"""A format whose warm-up step takes so many times as long as the other's is not timed further."""


def probe(job: Job) -> Evaluated:
    """Time both formats, step by step in turn. Raises CandidateError for a network that cannot be built."""
    settings = job.settings
    proposal = read_proposal(job)
    data = Dataset.open(Path(settings["data"]))
    device = torch.device(settings.get("device", "cpu"))
    recipe = read_recipe(proposal.candidate.recipe)
    train = data.indices("train")
    batch = settings.get("batch") or batch_size(recipe.batch, len(train))
    indices = np.resize(np.random.default_rng(job.seed).permutation(train), batch)
    targets = torch.from_numpy(np.asarray(data.labels)[indices].astype(np.int64)).to(device)
    images = gather(data.images, indices, device)
    network_plan = plan_of(proposal, data.task)

    def stepper(precision: str) -> Callable[[], float]:
        network = build(network_plan, data.task, seed=job.seed)
        stepper = Stepper(network, data.task, recipe, precision=precision, device=device)
        return lambda: _milliseconds(lambda: stepper.step(images, targets, 0.0), device)

    with torch_threads(settings.get("threads", 1)):
        steps = {precision: stepper(precision) for precision in ("fp32", "bf16")}
        times = {precision: min(step() for _ in range(WARM_UP)) for precision, step in steps.items()}
        if max(times.values()) < TOO_LONG * min(times.values()):
            rounds = [{precision: step() for precision, step in steps.items()} for _ in range(ROUNDS)]
            times = {precision: min(row[precision] for row in rounds) for precision in steps}
    faster = "bf16" if times["bf16"] * WIN < times["fp32"] else "fp32"
    return Evaluated(
        {}, {}, {"precision": faster, "fp32_ms": times["fp32"], "bf16_ms": times["bf16"], "batch": int(batch)}
    )


def _milliseconds(step: Callable[[], float], device: torch.device) -> float:
    """CPU time on the CPU, which other processes distort less; wall time elsewhere. A step ends by reading its loss."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = clock()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (clock() - began) * 1e3
