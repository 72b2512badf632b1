"""A goal as one number, for strategies that follow one: quality, with costs folded in by a form of `core.reward`.

One objective is its own number. Of several, the first that says how good answers are is the quality Q, a share from 0 to
1 (of cross-entropy, exp(-loss): the likelihood); without one, Q is 1. Each objective that is a cost is folded in, one
after another; so is every cost that is given a target, and for the absolute form every cost with an upper limit.
Targets that are not given are the bounds of upper limits. Where the soft form has none it takes one unit, which scales
all rewards alike and changes nothing that a learner of normalised advantages does.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp
from typing import Literal

from netwright.core.errors import InputError
from netwright.core.measurement import Measurements
from netwright.core.metrics import METRICS, QUALITY
from netwright.core.objective import Goal
from netwright.core.reward import FORMS, STEEPER, slope

Form = Literal["soft", "hard", "absolute"]
ENOUGH = 100
"""So many results tell how steep quality is."""


class Scalar:
    """The reward of measurements under a goal. `form` and `weight` are those of `core.reward`."""

    def __init__(self, goal: Goal, form: Form, weight: float | None, targets: Mapping[str, float] | None) -> None:
        if form not in FORMS:
            raise InputError(f"a reward must be one of {', '.join(FORMS)}, but got {form!r}")
        self.form = form
        self.reward, usual = FORMS[form]
        self.weight = usual if weight is None else weight
        self.objective = goal.objectives[0]
        self.quality = next((o for o in goal.objectives if o.metric in QUALITY), None)
        self.targets = self._targets(goal, dict(targets or {}))
        for target in self.targets.values():
            self.reward(1.0, 1.0, target, self.weight)  # refuses what is no target or no weight
        self._inverted = {o.metric for o in goal.objectives if o.metric in self.targets and o.direction == "max"}
        self._told: list[tuple[float, float]] = []  # of the first results: quality, cost

    def _targets(self, goal: Goal, given: dict[str, float]) -> dict[str, float]:
        """The target of each cost that is folded in, in the order of the goal."""
        unknown = [name for name in given if name not in METRICS or name in QUALITY]
        if unknown:
            costs = (name for name in METRICS if name not in QUALITY)
            raise InputError(f"a target must be of a cost ({', '.join(costs)}), but got one of {unknown[0]!r}")
        bounds = {limit.metric: limit.bound for limit in goal.limits if limit.comparison in ("<=", "<")}
        wanted = [o.metric for o in goal.objectives if o.metric not in QUALITY]
        if wanted == [goal.objectives[0].metric] and len(goal.objectives) == 1 and not given:
            wanted = []
        if self.form == "absolute":
            wanted += [name for name in bounds if name not in QUALITY]
        targets: dict[str, float] = {}
        for name in dict.fromkeys([*wanted, *given]):
            target = given.get(name, bounds.get(name, 1.0 if self.form == "soft" else None))
            if target is None:
                raise InputError(
                    f"the {self.form} reward needs a target of {name}: a limit such as {name}<=…, or targets"
                )
            targets[name] = target
        return targets

    def of(self, measurements: Measurements) -> float | None:
        """The reward, the larger the better; None where something is missing or is no share or no cost."""
        if not self.targets:
            cost = self.objective.cost(measurements)
            return None if cost is None else -cost
        value: float | None = self._quality(measurements)
        for name, target in self.targets.items():
            if value is None or name not in measurements:
                return None
            cost = measurements[name].value
            if name in self._inverted and cost > 0:
                cost = target**2 / cost
            value = self._folded(value, cost, target)
        return value

    def _folded(self, value: float, cost: float, target: float) -> float | None:
        """One more cost. An absolute penalty may have left the range of a share, which is no fault of the trial's."""
        if self.form == "absolute" and value < 0:
            above = self.reward(0.0, cost, target, self.weight)
            return None if above is None else value + above
        return self.reward(value, cost, target, self.weight)

    def _quality(self, measurements: Measurements) -> float | None:
        if self.quality is None:
            return 1.0
        if self.quality.metric not in measurements:
            return None
        value = measurements[self.quality.metric].value
        share = exp(-value) if self.quality.metric == "loss" else value
        return share if self.quality.direction == METRICS[self.quality.metric].direction else 1 - share

    # -- whether the absolute reward holds its target ------------------------------------------------------------------

    def notice(self, measurements: Measurements) -> None:
        """Take in one of the first results, for `warning`."""
        if self.form == "absolute" and self.targets and len(self._told) < ENOUGH:
            quality, cost = self._quality(measurements), measurements[next(iter(self.targets))].value
            if quality is not None and cost > 0:
                self._told.append((quality, cost))

    def warning(self) -> str | None:
        """A sentence, once enough results show that quality is too steep in the cost for the weight."""
        if len(self._told) < ENOUGH:
            return None
        rise = slope(*zip(*self._told, strict=True))
        if -self.weight >= STEEPER * rise:
            return None
        name = next(iter(self.targets))
        return (
            f"the absolute reward will overshoot the target of {name}: quality rises by {rise:.3g} with its logarithm, "
            f"and a weight of {-STEEPER * rise:.2g} or below would hold it, but it is {self.weight:g}"
        )

    def sentence(self) -> str:
        """What is followed, for a person."""
        quality = self.quality.metric if self.quality else "1"
        folded = ", ".join(
            name if self.form == "soft" and target == 1.0 else f"{name} (target {target:g})"
            for name, target in self.targets.items()
        )
        return f"the {self.form} reward (weight {self.weight:g}) of {quality} and {folded}"
