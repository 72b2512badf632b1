"""A training that starts from the weights of its parent: read them, carry them over, say what was carried over.

Inputs of such a job: `parent`, the weights that the parent was scored with, and `parent_layers`, its plan. Where they
are gone or cannot be read the trial starts fresh, and says so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from netwright.core.errors import NetwrightError
from netwright.core.job import Job
from netwright.core.plan import Plan
from netwright.core.task import TaskSpec
from netwright.core.trial import Inherit
from netwright.data.dataset import Dataset
from netwright.networks.build import Network
from netwright.networks.check import check_plan
from netwright.networks.inherit import Inherited, inherit
from netwright.networks.values import NORM_EPSILON
from netwright.networks.weights import check_weights
from netwright.training.checkpoint import epochs_of_weights, load_weights
from netwright.training.predict import gather

NOISE = 0.01
"""Of copies and of silent branches, as a share of a weight's deviation."""
IMAGES = 256
"""So many training images say what a new normalisation is given."""


def take_over(network: Network, start: Inherit, job: Job, data: Dataset, device: str) -> dict[str, Any]:
    """Give `network` what it inherits; returns the trial's notes.

    `inherited`: the parent's `trial`, how many tensors are of each kind (`networks.inherit`), and whether the function
    is `preserved`; None where there was nothing to inherit. `ancestor_epochs`: how long the weights were trained before.
    """
    try:
        parent, weights, epochs = _read(job, data.task)
    except (NetwrightError, OSError, KeyError, TypeError, ValueError):
        return {"inherited": None, "ancestor_epochs": 0}
    found = inherit(parent, weights, network.plan, start.edit, seed=job.seed, noise=NOISE)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in found.weights.items()})
    match_norms(network, found.norms, data, device)
    return {"inherited": _told(start, found), "ancestor_epochs": epochs}


def _read(job: Job, task: TaskSpec) -> tuple[Plan, dict[str, Any], int]:
    """The parent's plan, held to the task, its weights, and their epochs."""
    parent = Plan.from_json(json.loads(job.inputs["parent_layers"].read_text(encoding="utf-8")))
    check_plan(parent, task)
    path: Path = job.inputs["parent"]
    return parent, check_weights(parent, load_weights(path)), epochs_of_weights(path)


def _told(start: Inherit, found: Inherited) -> dict[str, Any]:
    return {"trial": start.trial, **found.counts(), "preserved": found.preserved}


def match_norms(network: nn.Module, names: Sequence[str], data: Dataset, device: str) -> None:
    """Set normalisations that are an identity to what they are given: statistics, and a scale and shift that undo them.

    In evaluation nothing changes; in training, where a batch has statistics of its own, they are now nearly an identity,
    too.
    """
    if not names:
        return
    shown = data.indices("train")
    chosen = shown[np.linspace(0, len(shown) - 1, min(IMAGES, len(shown))).astype(np.int64)]
    given: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def look(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        axes = [axis for axis in range(inputs[0].ndim) if axis != 1]
        given[norm] = torch.var_mean(inputs[0], axes, correction=0)

    norms = [network.get_submodule(name) for name in names]
    hooks = [norm.register_forward_pre_hook(look) for norm in norms]
    training = network.training
    with torch.no_grad():
        network.to(device).eval()(gather(data.images, chosen, torch.device(device)))
        for norm, (variance, mean) in given.items():
            state = norm.state_dict()
            for part, value in (
                ("running_mean", mean),
                ("running_var", variance),
                ("weight", (variance + NORM_EPSILON).sqrt()),
                ("bias", mean),
            ):
                state[part].copy_(value)
    for hook in hooks:
        hook.remove()
    network.train(training)
