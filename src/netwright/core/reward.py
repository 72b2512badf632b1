"""Rewards: quality and a cost made one number, for a learner that can follow one number only.

Soft and hard: Tan, Chen, Pang, Vasudevan, Sandler, Howard, Le, "MnasNet: Platform-Aware Neural Architecture Search for
Mobile", CVPR 2019, arXiv 1807.11626. Absolute: Bender, Liu, Chen, Chu, Cheng, Kindermans, Le, "Can Weight Sharing
Outperform Random Architecture Search? An Investigation With TuNAS", CVPR 2020, arXiv 2008.06120.

Q is a share from 0 to 1, never in per cent; the cost T and its target T0 are positive and in one unit. Where either is
not so there is no reward (None), which is not a reward of 0. The ledger keeps Q and T: a run can be scored anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from netwright.core.errors import InputError

SOFT, HARD, ABSOLUTE = -0.07, -1.0, -0.3
"""Weights by default: MnasNet's two exponents, and a slope that holds the target where TuNAS's own, -0.1, may lose it."""
STEEPER = 1.2
"""The absolute reward holds a target if its weight is this many times as steep as quality is in the logarithm of cost."""

Reward = Callable[[float, float, float, float], float | None]
"""Of a quality, a cost, the target of that cost, and a weight."""


def soft(quality: float, cost: float, target: float, weight: float = SOFT) -> float | None:
    """Q (T / T0) ** w on both sides of the target, which only scales it: at -0.07 twice the cost is worth 5 % of Q."""
    _check(target, weight)
    return quality * (cost / target) ** weight if _usable(quality, cost) else None


def hard(quality: float, cost: float, target: float, weight: float = HARD) -> float | None:
    """Q min((T / T0) ** w, 1): the quality alone as long as the cost is below the target."""
    _check(target, weight)
    return quality * min((cost / target) ** weight, 1.0) if _usable(quality, cost) else None


def absolute(quality: float, cost: float, target: float, weight: float = ABSOLUTE) -> float | None:
    """Q + w |T / T0 - 1|: best at the target itself. It punishes what is cheaper, too."""
    _check(target, weight)
    return quality + weight * abs(cost / target - 1.0) if _usable(quality, cost) else None


FORMS: dict[str, tuple[Reward, float]] = {
    "soft": (soft, SOFT),
    "hard": (hard, HARD),
    "absolute": (absolute, ABSOLUTE),
}
"""Each form by name, with its weight by default."""


def slope(qualities: Sequence[float], costs: Sequence[float]) -> float:
    """By how much quality rises with the natural logarithm of cost, by least squares; 0 where costs do not differ."""
    logs = [math.log(cost) for cost in costs]
    middle = math.fsum(logs) / len(logs)
    level = math.fsum(qualities) / len(qualities)
    spread = math.fsum((x - middle) ** 2 for x in logs)
    together = math.fsum((x - middle) * (y - level) for x, y in zip(logs, qualities, strict=True))
    return together / spread if spread > 1e-12 else 0.0


def _usable(quality: float, cost: float) -> bool:
    return 0.0 <= quality <= 1.0 and 0.0 < cost < math.inf


def _check(target: float, weight: float) -> None:
    if not 0.0 < target < math.inf:
        raise InputError(f"the target of a cost must be positive and finite, but got {target!r}")
    if not -math.inf < weight < 0.0:
        raise InputError(f"the weight of a cost in a reward must be below 0, or costs are sought, but got {weight!r}")
