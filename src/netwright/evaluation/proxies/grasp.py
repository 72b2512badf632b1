"""GraSP: how much the gradient's flow would change if single weights were taken away.

Wang, Zhang, Grosse, "Picking Winning Tickets Before Training by Preserving Gradient Flow", ICLR 2020,
arXiv 2002.07376, summed over the network as in Abdelfattah et al. It takes a gradient of a gradient, some eight
forward passes in all.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from netwright.evaluation.proxies.common import Batch, copied, gradients, loss, normalized, total, weighted
from netwright.networks.build import Network


class HardSigmoid(nn.Module):
    """The same as torch's, of whose gradient torch knows no gradient."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu6(x + 3) / 6


def grasp(network: Network, batch: Batch) -> float:
    """The sum of -(theta * Hg) with g = dL/dtheta and Hg = d(g_const . g)/dtheta."""
    copy = copied(network)
    for name, module in list(copy.named_children()):
        if isinstance(module, nn.Hardsigmoid):
            setattr(copy, name, HardSigmoid())
    weights = [layer.weight for layer in weighted(copy)]
    first = gradients(loss(copy, normalized(network, batch), batch), weights, graph=True)
    product = torch.stack([(gradient.detach() * gradient).sum() for gradient in first]).sum()
    second = gradients(product, weights)
    return sum(total(-weight.detach() * change) for weight, change in zip(weights, second, strict=True))
