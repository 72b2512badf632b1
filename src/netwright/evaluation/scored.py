"""`score`: build a candidate, and say how good it looks without training it.

Settings
    data          folder that `Dataset.open` takes
    scores        list of names of `proxies.SCORES`
    seed          of the minibatch, which is the same for every candidate of a run (default: the job's own seed, which
                  the weights are drawn from in any case)
    device        cpu, cuda or mps (default cpu)
    threads       of torch (default 1)

Measurements: parameters, MACs, and each score that is a finite number. Notes: `batch`, and under `unscored` the names of
the others, of which nothing good can be told.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch

from netwright.core.job import Evaluated, Job
from netwright.core.measurement import Measurement
from netwright.core.seeding import derive
from netwright.data.dataset import Dataset
from netwright.evaluation.proxies import Batch, score
from netwright.evaluation.reading import costs_of, plan_of, read_proposal, torch_threads
from netwright.networks.build import build
from netwright.training.predict import gather

BATCH = 64
"""Images that a score looks at. Scores compare on one batch size alone."""


def score_untrained(job: Job) -> Evaluated:
    """Score the job's candidate. Raises CandidateError for a network that cannot be built."""
    settings = job.settings
    proposal = read_proposal(job)
    data = Dataset.open(Path(settings["data"]))
    network_plan = plan_of(proposal, data.task)
    device = torch.device(settings.get("device", "cpu"))
    measured, unscored = costs_of(network_plan), []
    with torch_threads(settings.get("threads", 1)):
        network = build(network_plan, data.task, seed=job.seed).to(device)
        batch = minibatch(data, settings.get("seed", job.seed), device)
        for name in settings["scores"]:
            value = score(name, network, batch)
            if math.isinf(value):
                unscored.append(name)
            elif name not in measured:
                measured[name] = Measurement(value, samples=len(batch.labels), split="train")
    notes = {"batch": len(batch.labels)}
    return Evaluated(measured, {}, {**notes, "unscored": unscored} if unscored else notes)


def minibatch(data: Dataset, seed: int, device: torch.device) -> Batch:
    """`BATCH` training images, or all where there are fewer, drawn without repetition."""
    train = data.indices("train")
    indices = np.random.default_rng(derive(seed, "minibatch")).choice(train, min(BATCH, len(train)), replace=False)
    labels = torch.from_numpy(np.asarray(data.labels)[indices].astype(np.int64)).to(device)
    return Batch(gather(data.images, indices, device), labels, derive(seed, "score") % 2**63)
