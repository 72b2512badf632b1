"""Results as the numbers that a model is fitted to, larger is better.

Values, not ranks: where a search has settled, results differ by next to nothing, and their ranks would promise as much
for the next step as for the first. Their unit is what random candidates spread above their median, which does not shrink
while a search closes in. Below `FLOOR` units under that median all are alike, so that networks which learned nothing do
not set the scale; outside a limit candidates lie below the floor, the farther the lower, and failures last.

What was trained further stands above what was not: the worst on a rung where the best of the rung below does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, sqrt
from statistics import fmean, median, pstdev

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


def targets(readings: Sequence[Reading]) -> list[float]:
    """A number for each, of mean 0 and variance 1 over all; equal results have equal ones."""
    found = [0.0] * len(readings)
    inside = [i for i, reading in enumerate(readings) if reading.violation == 0]
    foot = 0.0
    if inside:
        drawn = [readings[i].first for i in inside if readings[i].random]
        usual = drawn if len(drawn) >= FEWEST else [readings[i].first for i in inside]
        center, unit = median(usual), _spread(usual)
        rungs = sorted({readings[i].epochs for i in inside})
        for epochs in rungs:
            rung = [i for i in inside if readings[i].epochs == epochs]
            if epochs != rungs[0]:
                values = [readings[i].value for i in rung]
                center, unit = min(values), _spread(values) or unit
            for i in rung:
                height = (readings[i].value - center) / (unit or 1.0)
                found[i] = max(height, -FLOOR) if epochs == rungs[0] else foot + height
            foot = max(found[i] for i in rung)
    _place_outside(readings, found)
    return _standardised(found)


def _place_outside(readings: Sequence[Reading], found: list[float]) -> None:
    """Those outside a limit within one unit below the floor, evenly by their order."""
    violations = sorted({reading.violation for reading in readings if reading.violation > 0})
    places = {violation: (place + 1) / len(violations) for place, violation in enumerate(violations)}
    for i, reading in enumerate(readings):
        if reading.violation > 0:
            found[i] = -FLOOR - places[reading.violation]


def _spread(values: Sequence[float]) -> float:
    """Root of the mean square above the median; where nothing lies above it, the standard deviation."""
    middle = median(values)
    above = [(value - middle) ** 2 for value in values if value > middle]
    return sqrt(fsum(above) / len(above)) if above else pstdev(values)


def _standardised(values: Sequence[float]) -> list[float]:
    center, scale = fmean(values), pstdev(values)
    return [(value - center) / scale if scale > 0 else 0.0 for value in values]
