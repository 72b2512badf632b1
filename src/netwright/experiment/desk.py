"""The experiment's side of the loop: what a proposal costs by arithmetic, what a worker is to do, what to keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from netwright.core.candidate import Architecture
from netwright.core.errors import CandidateError
from netwright.core.events import Failed, Finished, Noted
from netwright.core.job import Allowance
from netwright.core.measurement import Measurement
from netwright.core.metrics import METRICS
from netwright.core.objective import Goal
from netwright.core.plan import Plan
from netwright.core.task import TaskSpec
from netwright.core.trial import UNTRAINED, Continue, Inherit, Proposal, Start, TrialId
from netwright.experiment.choice import Standings, entry_of
from netwright.loop import Order
from netwright.spaces.shapes import plan

UNLIMITED = frozenset({"baseline", "final"})
"""Sources whose trials are trained to the end, whatever the limits: they are what the search is measured by."""

NETWORK_METRICS = frozenset(name for name, metric in METRICS.items() if metric.needs == "network")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a trial."""

    source: str
    proposal: Proposal
    event: Finished


@dataclass(slots=True)
class Desk:
    """Settings that every job shares, and what was learned so far.

    `precision` maps a set of layer kinds (sorted, joined by a space) to the arithmetic that is fastest for it; a set
    that is not there yet is decided by the first trial that has it, and recorded. `standings` are those of each
    search (`search`, `rival`); `results` those of all other sources, whose files stay whatever happens. `score` names
    what untrained networks are scored by, on images that `seed` draws; a search that `trains` nothing stands by it.
    """

    goal: Goal
    task: TaskSpec
    data: Path
    allowance: Callable[[], Allowance]
    forced_precision: str | None = None
    device: str = "cpu"
    score: str | None = None
    seed: int = 0
    trains: bool = True
    precision: dict[str, str] = field(default_factory=dict)
    standings: dict[str, Standings] = field(default_factory=dict)
    results: dict[TrialId, Result] = field(default_factory=dict)

    # -- before a worker is asked ----------------------------------------------------------------------------------

    def refuse(self, source: str, trial: TrialId, proposal: Proposal) -> Finished | Failed | None:
        """A candidate that cannot be built, or is outside a limit on parameters or MACs."""
        architecture = proposal.candidate.architecture
        if architecture is None:
            return None
        try:
            drawn = self.plan(architecture)
        except CandidateError as error:
            return Failed(trial, "invalid", str(error))
        computed = {
            "parameters": Measurement(drawn.parameters, METRICS["parameters"].unit, source="computed"),
            "macs": Measurement(drawn.macs, METRICS["macs"].unit, source="computed"),
        }
        if source not in UNLIMITED and self.goal.violation(computed) > 0:
            return Finished(trial, "infeasible", computed)
        return None

    def stands(self, event: Finished) -> bool:
        """Whether an earlier refusal is still outside the limits, by what was measured then."""
        return self.goal.violation(event.measurements) > 0

    def plan(self, architecture: Architecture) -> Plan:
        """The network of an architecture for this task. Raises CandidateError."""
        return _plan(_Hashed(architecture), self.task)

    # -- what a worker is to do ------------------------------------------------------------------------------------

    def order(self, source: str, proposal: Proposal, artefacts: Callable[[TrialId], Mapping[str, Path]]) -> Order:
        """The job of a proposal: a training, a score without one, or the fitting of a classic model."""
        shared: dict[str, Any] = {"data": str(self.data), "device": self.device, "threads": 1}
        architecture = proposal.candidate.architecture
        if architecture is None:
            return Order("classic", shared, self.allowance(), {})
        if proposal.fidelity == UNTRAINED:
            return Order("score", {**shared, "scores": [self.score], "seed": self.seed}, self.allowance(), {})
        full = source in UNLIMITED
        settings = {
            **shared,
            "precision": self.precision_of(architecture),
            "forced": self.forced_precision is not None,
            "full": full,
            "measure": sorted(self.goal.metrics & NETWORK_METRICS),
            "refuse_above": {} if full else self._bounds(),
        }
        return Order("train", settings, self.allowance(), _inputs(proposal.start, artefacts))

    def _bounds(self) -> dict[str, float]:
        upper = [limit for limit in self.goal.limits if limit.comparison[0] == "<"]
        return {limit.metric: limit.bound for limit in upper if limit.metric in NETWORK_METRICS}

    def precision_of(self, architecture: Architecture) -> str:
        """The arithmetic for a network, or `auto` where it is not decided yet."""
        return self.forced_precision or self.precision.get(self._kinds(architecture), "auto")

    def _kinds(self, architecture: Architecture) -> str:
        return " ".join(sorted(self.plan(architecture).layer_kinds()))

    # -- what comes back -------------------------------------------------------------------------------------------

    def facts(self, proposal: Proposal, event: Finished) -> Sequence[Noted]:
        """The precision of a set of layer kinds, when this trial decided it."""
        decided = event.notes.get("precision")
        architecture = proposal.candidate.architecture
        if architecture is None or decided is None or self.precision_of(architecture) != "auto":
            return ()
        kinds = self._kinds(architecture)
        self.precision[kinds] = decided
        return (Noted("precision", {"kinds": kinds, "precision": decided}),)

    def hear(self, source: str, proposal: Proposal, event: Finished) -> None:
        """Take a result in, live or replayed."""
        if source in UNLIMITED:
            self.results[event.trial] = Result(source, proposal, event)
            return
        goal = self.goal_of(source)
        entry = entry_of(goal, proposal, event)
        if entry is not None and (proposal.fidelity == UNTRAINED) == (goal is not self.goal):
            self.standings.setdefault(source, Standings(goal)).add(entry)

    def goal_of(self, source: str) -> Goal:
        """What the candidates of a search are compared by."""
        untrained = source == "search" and not self.trains and self.score is not None
        return self.goal.untrained(self.score or "") if untrained else self.goal

    def keep(self) -> set[TrialId]:
        """The fronts, the best random trials, baselines and finalists."""
        return set(self.results).union(*(standings.kept() for standings in self.standings.values()))

    def baseline(self, role: str) -> Result | None:
        """The result of a baseline by its role: `handmade`, `linear` or `forest`."""
        return next(
            (r for r in self.results.values() if r.source == "baseline" and r.proposal.notes.get("role") == role),
            None,
        )


def _inputs(start: Start, artefacts: Callable[[TrialId], Mapping[str, Path]]) -> dict[str, Path]:
    """The files that a training starts from; none where they are gone, and then it starts fresh."""
    match start:
        case Continue(trial):
            wanted = {"checkpoint": "checkpoint"}
        case Inherit(trial, _):
            wanted = {"parent": "weights", "parent_layers": "layers"}
        case _:
            return {}
    files = artefacts(trial)
    return {name: files[kept] for name, kept in wanted.items()} if files.keys() >= set(wanted.values()) else {}


@dataclass(frozen=True, slots=True, eq=False)
class _Hashed:
    """An architecture that is equal to another by its key, so that a plan is drawn once for each."""

    architecture: Architecture

    def __hash__(self) -> int:
        return hash(self.architecture.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashed) and other.architecture.key == self.architecture.key


@lru_cache(maxsize=256)
def _plan(hashed: _Hashed, task: TaskSpec) -> Plan:
    return plan(hashed.architecture, task)
