"""A measurement: a number with a unit, an interval and an origin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Source = Literal["measured", "predicted", "computed", "claimed"]
Split = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One finite number about one candidate.

    `low` and `high` bound a 90 % interval; both are None where the value is exact (parameters, MACs).
    `samples` counts what the value was taken over: images, or timing blocks. `split` is None where no data was used.
    Raises ValueError when a number is not finite: a failed measurement is a status, never a value.
    """

    value: float
    unit: str = ""
    low: float | None = None
    high: float | None = None
    samples: int = 1
    source: Source = "measured"
    split: Split | None = None

    def __post_init__(self) -> None:
        for name, number in (("value", self.value), ("low", self.low), ("high", self.high)):
            if number is not None and not math.isfinite(number):
                raise ValueError(f"a measurement must be finite, but {name}={number!r}")

    def to_json(self) -> dict[str, Any]:
        """A JSON object; fields at their defaults are left out."""
        record: dict[str, Any] = {"value": self.value, "unit": self.unit, "source": self.source}
        if self.low is not None and self.high is not None:
            record["low"], record["high"] = self.low, self.high
        if self.samples != 1:
            record["samples"] = self.samples
        if self.split is not None:
            record["split"] = self.split
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Measurement:
        """The inverse of `to_json`."""
        return cls(
            value=record["value"],
            unit=record.get("unit", ""),
            low=record.get("low"),
            high=record.get("high"),
            samples=record.get("samples", 1),
            source=record.get("source", "measured"),
            split=record.get("split"),
        )


Measurements = Mapping[str, Measurement]


def measurements_to_json(measurements: Measurements) -> dict[str, Any]:
    """Name to JSON object, for the ledger and for reports."""
    return {name: measurement.to_json() for name, measurement in measurements.items()}


def measurements_from_json(record: Mapping[str, Any]) -> dict[str, Measurement]:
    """The inverse of `measurements_to_json`."""
    return {name: Measurement.from_json(entry) for name, entry in record.items()}
