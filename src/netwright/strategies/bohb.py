"""BOHB: Hyperband whose candidates come from a density of the good and one of the others.

Falkner, Klein, Hutter, "BOHB: Robust and Efficient Hyperparameter Optimization at Scale", ICML 2018, arXiv 1807.01774;
constants as in the authors' HpBandSter. The model is TPE's (`tpe`) with BOHB's settings, fitted to the highest rung with
enough points; brackets are those of `hyperband`, which is put around it unless told otherwise.

Where this deviates: everything that `tpe` says of itself holds here, too. Its densities keep a prior and let old bad
trials fade; categories have its kernels, and the decisions of a conditional space its groups, where BOHB imputes what is
missing. Trials under way count as bad. Brackets are asynchronous, by Hyperband's own formula (HpBandSter floors it).
"""

from __future__ import annotations

from netwright.core.objective import Goal
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction
from netwright.strategies.tpe import TPE

GOOD_SHARE = 0.15
CANDIDATES = 64
WIDER = 3.0
"""Candidates are drawn from kernels so many times as wide as those that judge them."""
RANDOM_SHARE = 1 / 3


class BOHB(TPE):
    """The model of BOHB: a third of the proposals is random, the others are the best of 64 draws."""

    name = "bohb"
    wrapper = "hyperband"

    def __init__(self, space: SearchSpace, goal: Goal, *, seed: int, costs: CostFunction) -> None:
        super().__init__(
            space,
            goal,
            seed=seed,
            costs=costs,
            candidates=CANDIDATES,
            good_share=GOOD_SHARE,
            most_good=None,
            by_decisions=True,
            random_share=RANDOM_SHARE,
            bandwidth="normal",
            wider=WIDER,
        )
