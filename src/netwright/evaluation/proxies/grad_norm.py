"""Gradient norm: the sum over layers of the norm of the loss's gradient. Abdelfattah et al., ICLR 2021."""

from __future__ import annotations

from netwright.evaluation.proxies.common import Batch, copied, gradients, loss, normalized, weighted
from netwright.networks.build import Network


def grad_norm(network: Network, batch: Batch) -> float:
    """The sum over layers l of ‖dL/dtheta_l‖_2: a sum of norms, not the norm of all weights together."""
    copy = copied(network)
    weights = [layer.weight for layer in weighted(copy)]
    found = gradients(loss(copy, normalized(network, batch), batch), weights)
    return sum(float(gradient.double().norm()) for gradient in found)
