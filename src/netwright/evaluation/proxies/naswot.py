"""NASWOT: whether the rectifiers of the network tell different images apart.

Mellor, Turner, Storkey, Crowley, "Neural Architecture Search without Training", ICML 2021, arXiv 2006.04647. A unit's
code is the sign of what goes into its activation: that of a ReLU's output, and it has a meaning for SiLU and GELU, too.
Activations that are gates (of squeeze and excitation) are not counted.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from netwright.evaluation.proxies.common import Batch, copied, normalized
from netwright.networks.build import Network


@torch.no_grad()
def naswot(network: Network, batch: Batch) -> float:
    """The logarithm of |det K|, K_nm the number of units that images n and m both turn on, or both off.

    Minus infinity where two images turn on the same units.
    """
    copy = copied(network)
    size = len(batch.images)
    agreement = torch.zeros(size, size, dtype=torch.float64)

    def count(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        on = (given[0].flatten(1) > 0).float()  # (batch, units); counts below 2^24 are exact in float32
        off = 1 - on
        agreement.add_((on @ on.T + off @ off.T).double().cpu())

    steps = copy.plan.steps
    gates = {step.inputs[1] for step in steps if step.op == "mul"}
    for index, step in enumerate(steps):
        if step.op == "activation" and index not in gates:
            copy.get_submodule(step.name).register_forward_pre_hook(count)
    copy(normalized(network, batch))
    return float(torch.linalg.slogdet(agreement).logabsdet)
