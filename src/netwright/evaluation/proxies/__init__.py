"""Zero-cost scores: how good an untrained network looks, from one minibatch. Higher is better, for every one of them.

Abdelfattah, Mehrotra, Dudziak, Lane, "Zero-Cost Proxies for Lightweight NAS", ICLR 2021, arXiv 2101.08134, and the
papers that each file names. A score takes a network of `networks.build` and a `Batch`, works on a copy, and gives a
number that may not be finite; `score` is the way to ask for one. Scores compare networks on one batch size, one image
size and one number of classes alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from netwright.core.errors import InputError
from netwright.evaluation.proxies.common import Batch, connected
from netwright.evaluation.proxies.fisher import fisher
from netwright.evaluation.proxies.grad_norm import grad_norm
from netwright.evaluation.proxies.grasp import grasp
from netwright.evaluation.proxies.jacov import jacov
from netwright.evaluation.proxies.naswot import naswot
from netwright.evaluation.proxies.size import macs, parameters
from netwright.evaluation.proxies.snip import snip
from netwright.evaluation.proxies.synflow import synflow
from netwright.evaluation.proxies.zen import zen
from netwright.networks.build import Network

__all__ = ["SCORES", "Batch", "Score", "score"]

Score = Callable[[Network, Batch], float]

SCORES: dict[str, Score] = {
    "synflow": synflow,
    "naswot": naswot,
    "zen": zen,
    "jacov": jacov,
    "grad_norm": grad_norm,
    "snip": snip,
    "fisher": fisher,
    "grasp": grasp,
    "parameters": parameters,
    "macs": macs,
}
"""By name, the cheap and good ones first."""


def score(name: str, network: Network, batch: Batch) -> float:
    """The score of that name: finite, or minus infinity for a network that it cannot tell anything good of.

    That is one whose output does not depend on its input, or whose score overflows or is no number. Weights, buffers,
    mode, hooks and `requires_grad` of the network stay as they are. Raises InputError for an unknown name.
    """
    if name not in SCORES:
        raise InputError(f"a score must be one of {', '.join(SCORES)}, but got {name!r}")
    if not connected(network.plan):
        return -math.inf
    value = SCORES[name](network, batch)
    return value if math.isfinite(value) else -math.inf
