"""Zen: how much the features change when the input does, for random weights and random images.

Lin, Wang, Sun, Chen, Sun, Qian, Li, Jin, "Zen-NAS: A Zero-Shot NAS for High-Performance Deep Image Recognition",
ICCV 2021, arXiv 2102.01063. Where this deviates: shortcuts stay (the authors take them out), and one batch is drawn
instead of 32 small ones. A network without normalisation has no second term.
"""

from __future__ import annotations

import torch
from torch import nn

from netwright.core.plan import Plan
from netwright.evaluation.proxies.common import Batch, copied, output_of, weighted
from netwright.networks.build import Network

STEP = 0.01
"""Size of the change of the input."""


@torch.no_grad()
def zen(network: Network, batch: Batch) -> float:
    """The logarithm of mean_n ‖f(x) - f(x + 0.01 z)‖_1 plus, over all
    normalisations, that of sqrt(mean running variance).

    f gives the last features before they are pooled. Weights and images are drawn from the batch's seed; of its
    images only the shape counts.
    """
    copy = copied(network)
    generator = torch.Generator().manual_seed(batch.seed)
    norms = [module for module in copy.children() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    for layer in weighted(copy):
        layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator))
        if layer.bias is not None:
            layer.bias.zero_()
    for norm in norms:
        norm.reset_parameters()
        norm.momentum = None  # the running variance is the mean of both passes, whatever it was before
    shape, like = batch.images.shape, next(copy.parameters())
    images = torch.randn(shape, generator=generator).to(like)
    moved = images + STEP * torch.randn(shape, generator=generator).to(like)
    name = last_features(copy.plan)
    change = output_of(copy, name, images) - output_of(copy, name, moved)
    scales = sum(0.5 * float(norm.running_var.double().mean().log()) for norm in norms if norm.running_var is not None)
    return float(change.double().abs().flatten(1).sum(1).mean().log()) + scales


def last_features(plan: Plan) -> str:
    """The step whose output, pooled and flattened, the last linear layer reads."""
    step = plan.steps[plan.steps[-1].inputs[0]]
    while step.op in ("dropout", "flatten", "global_pool"):
        step = plan.steps[step.inputs[0]]
    return step.name
