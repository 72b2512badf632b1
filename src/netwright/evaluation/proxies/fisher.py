"""Fisher: how much the loss would change if single channels were taken away.

Theis, Korshunova, Tejani, Huszár, "Faster gaze prediction with dense networks and Fisher pruning", arXiv 1801.05787;
Turner et al., "BlockSwap", ICLR 2020, arXiv 1906.04113. Summed as in Abdelfattah et al.: a channel counts once for
each of its weights. All activations are held in memory.
"""

from __future__ import annotations

from torch import Tensor

from netwright.evaluation.proxies.common import Batch, copied, gradients, loss, normalized, total, weighted
from netwright.networks.build import Network


def fisher(network: Network, batch: Batch) -> float:
    """For each output channel c of a convolution or linear layer, over the images n of the batch,
    0.5 * mean_n (sum_hw a_nchw * dL/da_nchw)^2, times the number of its weights; the sum of all."""
    copy = copied(network)
    kept: list[tuple[Tensor, int]] = []
    for layer in weighted(copy):
        weights = layer.weight[0].numel()
        layer.register_forward_hook(lambda module, given, output, weights=weights: kept.append((output, weights)))
    value = loss(copy, normalized(network, batch), batch)
    found = gradients(value, [activation for activation, _ in kept])
    result = 0.0
    for (activation, weights), gradient in zip(kept, found, strict=True):
        saliency = (activation.detach() * gradient).reshape(*activation.shape[:2], -1).sum(2)  # (batch, channels)
        result += weights * total(0.5 * saliency.double().square().mean(0))
    return result
