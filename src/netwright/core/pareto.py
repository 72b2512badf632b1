"""Pareto order in plain Python: domination with limits, fronts, crowding. All costs are minimised.

Deb, Pratap, Agarwal, Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", 2002.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

Costs = tuple[float, ...]


def dominates(a: Costs, b: Costs, violation_a: float = 0.0, violation_b: float = 0.0) -> bool:
    """Constraint domination: less violation wins; both feasible, no cost is worse and one is better."""
    if violation_a != violation_b and (violation_a > 0 or violation_b > 0):
        return violation_a < violation_b
    if violation_a > 0:
        return False
    for x, y in zip(a, b, strict=True):
        if x > y:
            return False
    return a != b


def fronts(count: int, dominates: Callable[[int, int], bool]) -> list[list[int]]:
    """Indices 0 … count-1 sorted into fronts, best first.

    `dominates` may be any relation: where a cycle leaves nobody undominated, the least dominated form the front.
    """
    dominators = [0] * count
    dominated: list[list[int]] = [[] for _ in range(count)]
    for i in range(count):
        for j in range(count):
            if i != j and dominates(i, j):
                dominated[i].append(j)
                dominators[j] += 1
    left = set(range(count))
    result = []
    while left:
        fewest = min(dominators[i] for i in left)
        front = sorted(i for i in left if dominators[i] == fewest)
        result.append(front)
        left.difference_update(front)
        for i in front:
            for j in dominated[i]:
                dominators[j] -= 1
    return result


def crowding(costs: Sequence[Costs]) -> list[float]:
    """Crowding distance of each member of one front: infinite at the ends of every objective, 0 for a zero range."""
    distance = [0.0] * len(costs)
    for objective in range(len(costs[0]) if costs else 0):
        values = [cost[objective] for cost in costs]
        order = sorted(range(len(values)), key=values.__getitem__)
        low, high = values[order[0]], values[order[-1]]
        distance[order[0]] = distance[order[-1]] = inf
        if high <= low:
            continue
        for before, here, after in zip(order, order[1:], order[2:], strict=False):
            distance[here] += (values[after] - values[before]) / (high - low)
    return distance


def front(costs: Sequence[Costs], violations: Sequence[float] | None = None) -> list[int]:
    """Indices of the non-dominated entries, in order of the first cost."""
    violated = [0.0] * len(costs) if violations is None else list(violations)
    members = [
        i
        for i in range(len(costs))
        if not any(dominates(costs[j], costs[i], violated[j], violated[i]) for j in range(len(costs)) if j != i)
    ]
    return sorted(members, key=lambda i: costs[i])
