"""Evolution by hypervolume (SMS-EMOA): of the last front, the member that adds least hypervolume makes room.

Beume, Naujoks, Emmerich, "SMS-EMOA: Multiobjective selection based on dominated hypervolume", European Journal of
Operational Research 181(3), 2007. A steady state (mu + 1) in which parents are drawn evenly: all selection is in who
leaves. What a member adds is the volume that it alone dominates, up to a reference point. As in the paper the ends of
a front of two objectives are always kept, so no reference point is needed there; with three it lies beyond the worst
of the front in each objective, by the whole range of the front (the paper: by 1). Limits by constraint domination.

Where this deviates: costs on a logarithmic metric are taken by their logarithm, so that a volume is one of ratios; the
child is mutated in exactly one decision, and has two parents in half of the cases; fronts of more than three
objectives are thinned by crowding distance, which a remark says; rungs as in `nsga2`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from random import Random

from netwright.core.pareto import Costs, crowding
from netwright.strategies.shared.pareto_evolution import ParetoEvolution
from netwright.strategies.shared.population import Member

MOST_OBJECTIVES = 3
"""With more objectives than this, crowding stands in for hypervolume."""


class HypervolumeEvolution(ParetoEvolution):
    """SMS-EMOA with `population` members; a child has two parents with probability `crossover`."""

    name = "hypervolume-evolution"

    def _parent(self, rng: Random) -> Member:
        """Any member: selection is in who leaves."""
        return self.members[rng.randrange(len(self.members))]

    def _worth(self, front: Sequence[int]) -> list[float]:
        """The hypervolume that each adds; 0 where limits are broken."""
        costs = self.spread(front)
        if costs is None:
            return [0.0] * len(front)
        return crowding(costs) if len(costs[0]) > MOST_OBJECTIVES else contributions(costs)

    def remarks(self) -> tuple[str, ...]:
        """Says so when there are too many objectives for hypervolume."""
        number = len(self.goal.objectives)
        if number <= MOST_OBJECTIVES:
            return super().remarks()
        return (
            *super().remarks(),
            f"{self.name} thins fronts of {number} objectives by crowding distance, as NSGA-II does",
        )


def contributions(costs: Sequence[Costs]) -> list[float]:
    """The hypervolume that each of one front alone dominates, for one to three costs, all minimised.

    With two costs the ends are worth infinitely much; with three the reference point is the range of the front beyond
    its worst. The scale of a cost changes no order. What is there before in the list adds nothing again.
    """
    match len(costs[0]):
        case 1:
            return [0.0] * len(costs)  # a front of one objective holds equals
        case 2:
            return _between_neighbours(costs)
    import moocore
    import numpy as np

    points = np.array(costs)
    low, high = points.min(axis=0), points.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    found: list[float] = moocore.hv_contributions((points - low) / span, ref=2.0).tolist()
    return found


def _between_neighbours(costs: Sequence[Costs]) -> list[float]:
    """For two costs: the rectangle between a point and its neighbours on the front."""
    order = sorted({cost: i for i, cost in reversed(list(enumerate(costs)))}.values(), key=lambda i: costs[i])
    added = [0.0] * len(costs)
    added[order[0]] = added[order[-1]] = inf
    for before, here, after in zip(order, order[1:], order[2:], strict=False):
        added[here] = (costs[after][0] - costs[here][0]) * (costs[before][1] - costs[here][1])
    return added
