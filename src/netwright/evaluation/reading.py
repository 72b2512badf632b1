"""What evaluations read from a job: its proposal, the plan of its network and its costs, images to score on, threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch

from netwright.core.errors import DataError, InputError
from netwright.core.job import Job
from netwright.core.measurement import Measurement
from netwright.core.plan import Plan
from netwright.core.task import TaskSpec
from netwright.core.trial import Proposal
from netwright.data.dataset import Dataset
from netwright.spaces.keys import verify
from netwright.spaces.shapes import plan


def read_proposal(job: Job) -> Proposal:
    """The job's proposal. Raises InputError when it has none."""
    if job.proposal is None:
        raise InputError(f"a job of kind {job.evaluation!r} must have a proposal, but this one has none")
    return Proposal.from_json(job.proposal)


def plan_of(proposal: Proposal, task: TaskSpec) -> Plan:
    """The plan of a proposal's network, its key recomputed. Raises CandidateError when it cannot be built."""
    architecture = proposal.candidate.architecture
    if architecture is None:
        raise InputError(f"a network must have an architecture, but a {proposal.candidate.kind} has none")
    verify(proposal.candidate)
    return plan(architecture, task)


def costs_of(network_plan: Plan) -> dict[str, Measurement]:
    """Parameters and MACs, by arithmetic."""
    return {
        "parameters": Measurement(network_plan.parameters, source="computed"),
        "macs": Measurement(network_plan.macs, "MAC", source="computed"),
    }


def validation_indices(data: Dataset) -> npt.NDArray[np.int64]:
    """Images to score on. Raises DataError when there are none."""
    indices = data.indices("validation")
    if len(indices) == 0:
        raise DataError("a data set must have a validation split to score on, but it is empty; use another split")
    return indices


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads, then as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
