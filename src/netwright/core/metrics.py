"""The closed list of metrics: unit, direction, scale, and what must happen before the metric is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["min", "max"]
Needs = Literal["arithmetic", "network", "training"]


@dataclass(frozen=True, slots=True)
class Metric:
    """What a metric is. `log` metrics are drawn and spread on a logarithmic scale.

    `needs` says when the value is known: by `arithmetic` before anything is built, from an untrained `network`,
    or only after `training`.
    """

    name: str
    title: str
    unit: str
    direction: Direction
    needs: Needs
    log: bool = False


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy", "", "max", "training"),
        Metric("balanced_accuracy", "balanced accuracy", "", "max", "training"),
        Metric("auc", "area under the ROC curve", "", "max", "training"),
        Metric("loss", "cross-entropy", "nats", "min", "training"),
        Metric("parameters", "parameters", "", "min", "arithmetic", log=True),
        Metric("macs", "multiply-accumulates", "MAC", "min", "arithmetic", log=True),
        Metric("training_seconds", "training time", "s", "min", "training", log=True),
        Metric("latency", "latency", "ms", "min", "network", log=True),
        Metric("memory", "peak inference memory", "MB", "min", "network", log=True),
    )
}

SHARES = frozenset({"accuracy", "balanced_accuracy", "auc"})
"""Metrics of which 1 is perfect."""
QUALITY = SHARES | {"loss"}
"""Metrics that say how good the answers are; every other metric is a cost."""
