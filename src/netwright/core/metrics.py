"""The closed list of metrics: unit, direction, scale, and what must happen before the metric is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["min", "max"]
Needs = Literal["arithmetic", "network", "score", "training"]


@dataclass(frozen=True, slots=True)
class Metric:
    """What a metric is. `log` metrics are drawn and spread on a logarithmic scale.

    `needs` says when the value is known: by `arithmetic` before anything is built, from an untrained `network`,
    or only after `training`. A `score` is taken from an untrained network, too, but only where a search is screened
    by it: it stands in for quality, and is no aim in itself.
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
        Metric("synflow", "log SynFlow", "", "max", "score"),
        Metric("naswot", "NASWOT", "", "max", "score"),
        Metric("zen", "Zen score", "", "max", "score"),
        Metric("jacov", "Jacobian covariance", "", "max", "score"),
        Metric("grad_norm", "gradient norm", "", "max", "score"),
        Metric("snip", "SNIP", "", "max", "score"),
        Metric("fisher", "Fisher score", "", "max", "score"),
        Metric("grasp", "GraSP", "", "max", "score"),
    )
}

AIMS = {name: metric for name, metric in METRICS.items() if metric.needs != "score"}
"""Metrics that an objective or a limit may be about."""
SCORES = (*(name for name, metric in METRICS.items() if metric.needs == "score"), "parameters", "macs")
"""What candidates may be screened by before training: higher is better, for the size of a network as well."""
DEFAULT_SCORE = "synflow"

SHARES = frozenset({"accuracy", "balanced_accuracy", "auc"})
"""Metrics of which 1 is perfect."""
QUALITY = SHARES | {"loss"}
"""Metrics that say how good the answers are; every other metric is a cost."""
