"""Jacobian covariance: whether the network answers different images with different gradients.

Mellor, Turner, Storkey, Crowley, "Neural Architecture Search without Training", first version, arXiv 2006.04647v1;
`jacob_cov` of Abdelfattah et al. Its value depends on the batch size.
"""

from __future__ import annotations

import torch

from netwright.evaluation.proxies.common import Batch, copied, gradients, normalized
from netwright.networks.build import Network

TINY = 1e-5


def jacov(network: Network, batch: Batch) -> float:
    """-sum(log(v + k) + 1 / (v + k)), v the eigenvalues of the correlation of the images' input gradients.

    Not a number where a row of the Jacobian is constant.
    """
    copy = copied(network)
    images = normalized(network, batch).requires_grad_()
    (jacobian,) = gradients(copy(images).sum(), [images])
    correlation = torch.corrcoef(jacobian.flatten(1).double())  # (batch, batch)
    if not bool(torch.isfinite(correlation).all()):
        return float("nan")
    values = torch.linalg.eigvalsh(correlation) + TINY
    return -float((values.log() + 1 / values).sum())
