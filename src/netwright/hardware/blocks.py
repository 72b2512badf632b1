"""From timed blocks to a latency: the 25th percentile, its interval, and a verdict on the noise. No clock in here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from netwright.core.measurement import Measurement

Verdict = Literal["steady", "noisy", "bimodal", "throttled"]
Floats = npt.NDArray[np.float64]

PERCENTILE = 25
RESAMPLES = 1000
NOISY = 1.3
GAP = 1.25
SHARE = 0.2
TREND = 0.5


@dataclass(frozen=True, slots=True)
class Timing:
    """A latency with what is needed to trust it.

    `measurement` is the 25th percentile over block means in milliseconds, with a 90 % bootstrap interval over blocks.
    `verdict` is steady, noisy (75th to 25th percentile above 1.3), bimodal (two groups more than 25 % apart) or
    throttled (slower from round to round). `median` and `minimum` are for diagnosis, in milliseconds too.
    """

    measurement: Measurement
    verdict: Verdict
    median: float
    minimum: float

    def to_json(self) -> dict[str, Any]:
        """A JSON object of the diagnosis; the measurement has its own."""
        return {"verdict": self.verdict, "median": self.median, "minimum": self.minimum}


def summarise(blocks: Sequence[float], seed: int) -> Timing:
    """The timing of block means (milliseconds a call), given in the order of their rounds."""
    values = np.asarray(blocks, np.float64)
    drawn = np.random.default_rng(seed).choice(values, (RESAMPLES, len(values)))
    low, high = np.percentile(np.percentile(drawn, PERCENTILE, axis=1), [5, 95])
    value = float(np.percentile(values, PERCENTILE))
    measurement = Measurement(value, "ms", min(float(low), value), max(float(high), value), samples=len(values))
    return Timing(measurement, judge(values), float(np.median(values)), float(values.min()))


def judge(values: Floats) -> Verdict:
    """The verdict on block means in the order of their rounds; the gravest one that applies."""
    if _trend(values) > TREND:
        return "throttled"
    ordered = np.sort(values)
    gaps = ordered[1:] / ordered[:-1]
    below = np.arange(1, len(ordered)) / len(ordered)
    if np.any((gaps > GAP) & (below >= SHARE) & (below <= 1 - SHARE)):
        return "bimodal"
    quarter, three_quarters = np.percentile(values, [25, 75])
    return "noisy" if three_quarters / quarter > NOISY else "steady"


def _trend(values: Floats) -> float:
    """Spearman's correlation of block time and round; 0 where it says nothing (few blocks, or all alike)."""
    if len(values) < 8 or np.ptp(values) == 0:
        return 0.0
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return float(np.corrcoef(ranks, np.arange(len(values)))[0, 1])
