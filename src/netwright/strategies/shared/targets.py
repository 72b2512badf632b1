"""Results as the numbers that a model is fitted to, larger is better.

Where no decision is a number, the normal scores of ranks, which no scale of an objective disturbs. Where some are, a
search can take ever smaller steps, and ranks would promise as much for the next as for the first; there it is values.
Their unit is what random candidates spread above their median, which does not shrink while a search closes in. Below
`FLOOR` units under that median all are alike, so that networks which learned nothing do not set the scale.

Outside a limit candidates lie below all inside, the farther the lower, and failures last. What was trained further
stands above what was not; of values the worst on a rung where the best of the rung below does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import fsum, sqrt
from statistics import NormalDist, fmean, median, pstdev

FLOOR = 2.0
"""Units below the median of random candidates under which all results are alike."""
FEWEST = 5
"""Random candidates from which their spread is taken; with fewer, all are asked."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One objective of a result. `violation` above 0: outside a limit, without a value; infinite: failed.

    `first` is the value after the fewest epochs that the candidate was trained to, `random` whether it was drawn so.
    """

    value: float
    first: float
    epochs: int
    violation: float
    random: bool


def ranks(readings: Sequence[Reading]) -> list[float]:
    """The normal score of each one's rank; equal results have equal ones."""
    standings = [(r.violation, -r.epochs, -r.value) if r.violation == 0 else (r.violation, 0, 0.0) for r in readings]
    found: dict[tuple[float, ...], float] = {}
    below = 0
    for standing, equal in groupby(sorted(standings)):
        count = len(list(equal))
        rank = below + (count + 1) / 2
        found[standing] = -NormalDist().inv_cdf((rank - 0.375) / (len(readings) + 0.25))
        below += count
    return [found[standing] for standing in standings]


def values(readings: Sequence[Reading]) -> list[float]:
    """The value of each in units of the random ones, shifted and scaled to mean 0 and variance 1 over all."""
    found = [0.0] * len(readings)
    inside = [i for i, reading in enumerate(readings) if reading.violation == 0]
    if inside:
        drawn = [readings[i].first for i in inside if readings[i].random]
        usual = drawn if len(drawn) >= FEWEST else [readings[i].first for i in inside]
        middle, unit = median(usual), _spread(usual) or 1.0
        lowest, *higher = (
            [i for i in inside if readings[i].epochs == epochs]
            for epochs in sorted({readings[i].epochs for i in inside})
        )
        for i in lowest:
            found[i] = max((readings[i].value - middle) / unit, -FLOOR)
        below = lowest
        for rung in higher:
            foot = max(found[i] for i in below)
            for i, height in zip(rung, _heights([readings[i].value for i in rung], unit), strict=True):
                found[i] = foot + height
            below = rung
    _place_outside(readings, found)
    return _standardised(found)


def _heights(reached: Sequence[float], unit: float) -> list[float]:
    """The results of a rung above the worst of them, in units of their own spread (or `unit`, without one)."""
    lowest, unit = min(reached), _spread(reached) or unit
    return [(value - lowest) / unit for value in reached]


def _place_outside(readings: Sequence[Reading], found: list[float]) -> None:
    """Those outside a limit within one unit below the floor, evenly by their order."""
    violations = sorted({reading.violation for reading in readings if reading.violation > 0})
    places = {violation: (place + 1) / len(violations) for place, violation in enumerate(violations)}
    for i, reading in enumerate(readings):
        if reading.violation > 0:
            found[i] = -FLOOR - places[reading.violation]


def _spread(reached: Sequence[float]) -> float:
    """Root of the mean square above the median; where nothing lies above it, the standard deviation."""
    middle = median(reached)
    above = [(value - middle) ** 2 for value in reached if value > middle]
    return sqrt(fsum(above) / len(above)) if above else pstdev(reached)


def _standardised(found: Sequence[float]) -> list[float]:
    center, scale = fmean(found), pstdev(found)
    return [(value - center) / scale if scale > 0 else 0.0 for value in found]
