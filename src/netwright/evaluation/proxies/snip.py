"""SNIP: how much the loss would change if single weights were taken away.

Lee, Ajanthan, Torr, "SNIP: Single-shot Network Pruning based on Connection Sensitivity", ICLR 2019, arXiv 1810.02340,
summed over the network as in Abdelfattah et al. The gradient with respect to a mask of ones is theta * dL/dtheta.
"""

from __future__ import annotations

from netwright.evaluation.proxies.common import Batch, copied, gradients, loss, normalized, total, weighted
from netwright.networks.build import Network


def snip(network: Network, batch: Batch) -> float:
    """The sum of |theta * dL/dtheta|."""
    copy = copied(network)
    weights = [layer.weight for layer in weighted(copy)]
    found = gradients(loss(copy, normalized(network, batch), batch), weights)
    return sum(total((weight.detach() * gradient).abs()) for weight, gradient in zip(weights, found, strict=True))
