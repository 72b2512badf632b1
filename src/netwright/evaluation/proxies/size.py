"""Parameters and MACs as scores: the larger, the better. What a score has to beat before it is worth its time."""

from __future__ import annotations

from netwright.evaluation.proxies.common import Batch
from netwright.networks.build import Network


def parameters(network: Network, batch: Batch) -> float:
    """How many trainable numbers the network has."""
    return float(network.plan.parameters)


def macs(network: Network, batch: Batch) -> float:
    """Multiply-accumulates for one image."""
    return float(network.plan.macs)
