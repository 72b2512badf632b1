"""`--stop`: which trainings of a search end early, and what of a training and of a goal that rule looks at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netwright.core.metrics import METRICS
from netwright.core.objective import Goal
from netwright.core.trial import Proposal
from netwright.experiment.desk import Desk
from netwright.stoppers import Costs, Stopping, make_stopper

SEARCHES = ("search", "rival")
"""Sources whose trainings may end early: baselines and finalists are trained to the end."""


def make_stopping(name: str, goal: Goal, desk: Desk) -> Stopping | None:
    """The rule of that name on the curves of a search; None for `none`.

    The curve is that of validation: the loss where that is the goal's measure of quality, else the accuracy.
    """
    if name == "none":
        return None
    metric, sign = ("loss", -1.0) if goal.quality.metric == "loss" else ("accuracy", 1.0)
    computed = [objective for objective in goal.objectives if METRICS[objective.metric].needs == "arithmetic"]

    def read(record: Mapping[str, Any]) -> float | None:
        value = record.get("validation", {}).get(metric)
        return None if value is None else sign * value

    def costs(proposal: Proposal) -> Costs:
        architecture = proposal.candidate.architecture
        if architecture is None or not computed:
            return ()
        drawn = desk.plan(architecture)
        signs = {objective.metric: -1.0 if objective.direction == "max" else 1.0 for objective in computed}
        return tuple(signs[name] * getattr(drawn, name) for name in signs)

    return Stopping(make_stopper(name, ceiling=1.0 if metric == "accuracy" else 0.0), SEARCHES, read, costs)
