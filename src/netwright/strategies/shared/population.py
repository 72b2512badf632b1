"""Members of a population: candidates with their results, compared on the highest rung that both have reached."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log

from netwright.core.candidate import Candidate
from netwright.core.events import Failed, Finished, Lost
from netwright.core.metrics import METRICS
from netwright.core.objective import Goal
from netwright.core.pareto import Costs, dominates
from netwright.core.trial import TrialId


@dataclass(frozen=True, slots=True)
class Result:
    """What a trial came to. `costs` (minimised) may be empty where `violation` is above 0 (refused before training).

    `spread` are the costs as distances are measured in.
    """

    costs: Costs
    violation: float
    spread: Costs = ()


FAILED = Result((), inf)
"""A network that could not be trained so far: loses to every other result."""


def result_of(goal: Goal, event: Finished) -> Result | None:
    """The result under the goal's limits; None when an objective is missing although every limit is kept."""
    violation = goal.violation(event.measurements)
    costs = goal.costs(event.measurements)
    if costs is None and violation == 0:
        return None
    return Result(costs or (), violation, spread_scale(goal, costs or ()))


@dataclass(slots=True)
class Member:
    """A candidate in a population, with a result for each number of epochs it was trained to.

    `trained` says whether its trial has weights: one that was refused before training has none.
    """

    trial: TrialId
    candidate: Candidate
    results: dict[int, Result]
    trained: bool = True

    def learn(self, goal: Goal, epochs: int, event: Finished | Failed | Lost) -> None:
        """Take in what came of training on. A lost trial says nothing about the candidate."""
        result = (
            result_of(goal, event) if isinstance(event, Finished) else FAILED if isinstance(event, Failed) else None
        )
        if result is not None:
            self.results[epochs] = result


def common_epochs(first: Member, *others: Member) -> int:
    """The highest number of epochs that all of them were trained to; 0 when there is none."""
    highest = 0
    for epochs in first.results:
        if epochs > highest and all(epochs in other.results for other in others):
            highest = epochs
    return highest


def beats(a: Member, b: Member) -> bool:
    """Constraint domination on the highest rung both have reached."""
    epochs = common_epochs(a, b)
    return bool(epochs) and better(a.results[epochs], b.results[epochs])


def better(a: Result, b: Result) -> bool:
    """Constraint domination of two results of one rung."""
    if a.violation != b.violation or a.violation > 0:
        return a.violation < b.violation
    return dominates(a.costs, b.costs)


def spread_scale(goal: Goal, costs: Costs) -> Costs:
    """Costs with logarithms in place of the metrics that are drawn on a logarithmic scale."""
    scaled = []
    for objective, cost in zip(goal.objectives, costs, strict=False):
        if METRICS[objective.metric].log:
            magnitude = log(max(abs(cost), 1e-12))
            cost = -magnitude if objective.direction == "max" else magnitude
        scaled.append(cost)
    return tuple(scaled)
