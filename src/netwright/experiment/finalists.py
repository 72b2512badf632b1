"""Who is trained to the end: the most promising of the search, and the best random candidate. By validation alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from netwright.core.candidate import Candidate
from netwright.core.errors import CandidateError
from netwright.core.metrics import QUALITY, SHARES
from netwright.core.objective import Goal
from netwright.core.pareto import Costs
from netwright.core.trial import TrialId
from netwright.experiment.choice import Entry, Standings, lead, undominated
from netwright.spaces.space import Space
from netwright.strategies.shared.population import spread_scale

MOST_FINALISTS = 8
MOST_ERRORS = 3
"""A network that errs so many times as often as the best one is not what anybody would choose for its size."""


def lineup(
    search: Standings, random: Entry | None, floor: float | None, *, space: Space, reference: Candidate
) -> list[Entry]:
    """Candidates worth a full training, the most promising first, the best `random` one right behind.

    Augmentation pays in long trainings only, so a short search turns away from it. Whoever has none and overfits is
    trained with that of the hand-made `reference`; the first in both ways.
    """
    chosen = finalists(search, MOST_FINALISTS, floor)
    if random is not None:
        chosen.insert(1, random)
    line = [*chosen[:1], *(_augmented(entry, space, reference) or entry for entry in chosen[1:])]
    twin = _augmented(chosen[0], space, reference) if chosen else None
    if twin is not None:
        line.insert(2, twin)
    distinct: dict[tuple[object, ...], Entry] = {}
    for entry in line:
        distinct.setdefault(entry.candidate, entry)
    return list(distinct.values())[:MOST_FINALISTS]


def _augmented(entry: Entry, space: Space, reference: Candidate) -> Entry | None:
    """The same candidate with the augmentation of `reference`; None where it needs none, has its own, or cannot."""
    wanted, candidate = reference.recipe.get("augment", "none"), entry.proposal.candidate
    if not entry.overfits or candidate.recipe.get("augment") != "none" or wanted == "none":
        return None
    decisions = {
        address: wanted if address.startswith("recipe/") and address.endswith("/augment") else value
        for address, value in candidate.decisions.items()
    }
    try:
        augmented = space.replay(decisions)
    except CandidateError:
        return None
    if augmented.recipe == candidate.recipe:
        return None
    return replace(entry, proposal=replace(entry.proposal, candidate=augmented))


def finalists(standings: Standings, count: int, floor: float | None) -> list[Entry]:
    """At most `count` trials that are worth a full training, the most promising first.

    The best by quality comes first; each further one adds most hypervolume to those chosen of its front. When nothing on
    the front adds any, the next front is taken: short trainings order candidates only roughly. The reference point is the
    worst of all in every other cost, and in quality `floor` (the cost of a classic model) when any reaches better than
    that: networks that a linear model beats are no finalists, nor are those with `MOST_ERRORS` times the errors of the
    best.
    """
    everyone = standings.longest()
    left = [entry for entry in everyone if entry.violation == 0] or everyone[:1]
    if not left:
        return []
    bounds = [bound for bound in (floor, _far_from_best(standings.goal, left)) if bound is not None]
    points = _scaled(standings.goal, left, min(bounds, default=None))
    volumes = dict(zip([entry.trial for entry in left], points, strict=True))
    chosen: list[Entry] = []
    while left and len(chosen) < count:
        layer = undominated(left)
        chosen += _most_volume(layer, volumes, count - len(chosen), first=not chosen)
        left = [entry for entry in left if entry not in layer]
    return chosen


def _far_from_best(goal: Goal, entries: Sequence[Entry]) -> float | None:
    """The cost of so many times the errors of the best; None where quality is no objective, or no share of answers."""
    metric = goal.objectives[lead(goal)].metric
    if metric not in SHARES:
        return None
    best = entries[0].measurements[metric]
    return MOST_ERRORS * (1 - (best.value if best.low is None else best.low)) - 1


def _most_volume(layer: Sequence[Entry], points: Mapping[TrialId, Costs], count: int, *, first: bool) -> list[Entry]:
    """At most `count` of one front, greedily by hypervolume; `first` lets its best begin, whatever it adds."""
    chosen: list[Entry] = []
    left, volume = list(layer), 0.0
    while left and len(chosen) < count:
        volumes = [_hypervolume([points[entry.trial] for entry in [*chosen, one]]) for one in left]
        best = 0 if first and not chosen else max(range(len(left)), key=lambda i: volumes[i])
        if volumes[best] <= volume + 1e-9 and not (first and not chosen):
            break
        volume = volumes[best]
        chosen.append(left.pop(best))
    return chosen


def _scaled(goal: Goal, entries: Sequence[Entry], floor: float | None) -> list[Costs]:
    """Costs on [0, 1]-like scales with the reference point at 1 in each; logarithmic where the metric is."""
    columns = []
    for index, objective in enumerate(goal.objectives):
        column = [spread_scale(goal, entry.costs)[index] for entry in entries]
        low, high, margin = min(column), max(column), 1.1
        if index == lead(goal) and objective.metric in QUALITY and floor is not None and low < floor < high:
            high, margin = floor, 1.0
        columns.append([(value - low) / (((high - low) or 1.0) * margin) for value in column])
    return list(zip(*columns, strict=True))


def _hypervolume(points: Sequence[Costs]) -> float:
    inside = [point for point in points if all(value < 1 for value in point)]
    if not inside:
        return 0.0
    if len(inside[0]) == 1:
        return 1 - min(point[0] for point in inside)
    import moocore
    import numpy

    return float(moocore.hypervolume(numpy.array(inside), ref=[1.0] * len(inside[0])))
