"""Order of results of one rung: constraint domination, then non-dominated rank, then crowding."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import groupby

from netwright.core.pareto import Costs, crowding
from netwright.strategies.shared.population import Result


def best_first(results: Sequence[Result]) -> Iterator[int]:
    """Indices of `results`, the best first; ties by index. Worked out front by front, as far as they are taken.

    Feasible results come by (rank, larger crowding), the others after them by violation. With one objective the
    order is by value.
    """
    feasible = [i for i, result in enumerate(results) if result.violation == 0]
    costs = [results[i].costs for i in feasible]
    if costs and len(costs[0]) == 1:
        yield from sorted(feasible, key=lambda i: results[i].costs)
    else:
        for front in _fronts(costs):
            members = [feasible[position] for position in front]
            distances = crowding([results[i].spread for i in members])
            yield from (i for _, i in sorted(zip([-distance for distance in distances], members, strict=True)))
    violated = [i for i, result in enumerate(results) if result.violation > 0]
    yield from sorted(violated, key=lambda i: results[i].violation)


def _fronts(costs: Sequence[Costs]) -> list[list[int]]:
    """Fronts by efficient non-dominated sorting: in lexicographic order nothing is dominated by what comes later.

    Zhang, Tian, Cheng, Jin, "An Efficient Approach to Nondominated Sorting", IEEE TEC 19(2), 2015 (ENS-BS).
    """
    order = sorted(range(len(costs)), key=costs.__getitem__)
    if costs and len(costs[0]) == 2:
        return _fronts_of_two(costs, order)
    fronts: list[list[int]] = []
    members_of: list[list[Costs]] = []
    for cost, equal in groupby(order, key=lambda i: costs[i]):
        low, high = 0, len(fronts)
        while low < high:
            middle = (low + high) // 2
            if _dominated(cost, members_of[middle]):
                low = middle + 1
            else:
                high = middle
        if low == len(fronts):
            fronts.append([])
            members_of.append([])
        fronts[low].extend(equal)
        members_of[low].append(cost)
    return fronts


def _fronts_of_two(costs: Sequence[Costs], order: Sequence[int]) -> list[list[int]]:
    """The same for two costs in O(n log n): the latest of a front has its smallest second cost, and these smallest
    ones rise from front to front, so that one search finds the front of the next."""
    fronts: list[list[int]] = []
    smallest: list[float] = []
    before: Costs = ()
    place = 0
    for i in order:
        if costs[i] != before:
            before = costs[i]
            place = bisect_right(smallest, before[1])
            if place == len(fronts):
                fronts.append([])
                smallest.append(before[1])
            smallest[place] = before[1]
        fronts[place].append(i)
    return fronts


def _dominated(cost: Costs, front: Sequence[Costs]) -> bool:
    """Whether a member of `front` (all different from `cost` and before it in order) dominates it."""
    return any(all(x <= y for x, y in zip(rival, cost, strict=True)) for rival in reversed(front))
