"""SynFlow: how much flows from input to output along all paths, without data.

Tanaka, Kunin, Yamins, Ganguli, "Pruning neural networks without any data by iteratively conserving synaptic flow",
NeurIPS 2020, arXiv 2006.05467, summed over the network as in Abdelfattah et al. Normalisation is taken out, every
parameter replaced by its absolute value, and one image of ones sent through in float64.

Given is the natural logarithm, which orders networks in the same way: the sum itself grows by a factor with each layer.
Beyond some hundreds of layers it overflows even so.
"""

from __future__ import annotations

import math

import torch

from netwright.evaluation.proxies.common import Batch, copied, gradients, output_of, total, weighted
from netwright.networks.build import Network


def synflow(network: Network, batch: Batch) -> float:
    """The logarithm of sum |theta * dR/dtheta|, R the sum of the outputs for an image of ones.

    Of the batch only the shape counts.
    """
    copy = copied(network, batch_norm=False).double()
    with torch.no_grad():
        for parameter in copy.parameters():
            parameter.abs_()
    ones = torch.ones((1, *batch.images.shape[1:]), dtype=torch.float64, device=batch.images.device)
    flow = output_of(copy, copy.plan.steps[-1].name, ones).sum()
    weights = [layer.weight for layer in weighted(copy)]
    found = gradients(flow, weights)
    value = sum(total((weight.detach() * gradient).abs()) for weight, gradient in zip(weights, found, strict=True))
    return math.log(value) if value > 0 else -math.inf
