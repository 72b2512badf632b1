"""How far a short training tells of a long one: random networks on every rung and in full, and how alike both order them.

A rank correlation (Spearman's) per rung, its 90 % interval by a bootstrap over networks, and how many of the best third
a rung would let through. Networks that are not trained to the end are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from netwright.core.history import History, Trial
from netwright.core.measurement import Measurement
from netwright.core.objective import Objective
from netwright.core.trial import FAILED, TrialId
from netwright.reports.quality import RESAMPLES, Floats, interval

FEWEST = 6
"""So many networks must be trained to the end before anything is said."""
LEAST = 0.5
"""A rung whose rank correlation is lower than this will mis-rank."""


@dataclass(frozen=True, slots=True)
class RungRow:
    """A rung of `epochs`: its `share` of the seconds of a full training (those below it included), the correlation of
    its order with that of the full trainings, and how many of their best `third` are `kept` in its own best third.

    `correlation` is None where either does not vary, and its interval where too few resamples do.
    """

    epochs: int
    share: float
    correlation: float | None
    low: float | None
    high: float | None
    kept: int
    third: int

    @property
    def orders(self) -> bool:
        """Whether it orders networks well enough to stop there."""
        return self.correlation is not None and self.correlation >= LEAST

    @property
    def open(self) -> bool:
        """Whether its interval leaves that open."""
        return self.low is not None and self.high is not None and self.low < LEAST <= self.high


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A network that failed at so many `epochs`."""

    trial: TrialId
    epochs: int
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class FidelityReport:
    """What was found: of `asked` networks `complete` ones count. A full training has `epochs`; `pass_epochs` make a pass.

    `values` are what the full trainings reached, in the metric's own unit, and `error` is the typical half of their 90 %
    intervals. `rungs` are empty below `FEWEST` networks.
    """

    metric: str
    asked: int
    complete: int
    failed: tuple[Unfinished, ...]
    epochs: int
    pass_epochs: int
    ladder: tuple[int, ...]
    rungs: tuple[RungRow, ...]
    values: tuple[float, ...]
    error: float

    @property
    def varies(self) -> bool:
        """Whether the full trainings differ at all."""
        return len(set(self.values)) > 1

    @property
    def alike(self) -> bool:
        """Whether half of their spread is what chance alone gives on the validation images, or more."""
        return len(self.values) > 1 and bool(np.var(self.values) <= 2 * (self.error / 1.645) ** 2)

    @property
    def trusted(self) -> int | None:
        """The lowest rung from which on all order well, by its place; None where not even the highest does."""
        bad = [place for place, row in enumerate(self.rungs) if not row.orders]
        lowest = max(bad, default=-1) + 1
        return lowest if lowest < len(self.rungs) else None

    @property
    def warns(self) -> bool:
        """Whether early stopping will mis-rank on some rung."""
        return self.varies and any(not row.orders for row in self.rungs)

    def to_json(self) -> dict[str, Any]:
        """A JSON object of all figures."""
        return {
            "metric": self.metric,
            "networks": {
                "asked": self.asked,
                "complete": self.complete,
                "failed": [asdict(one) for one in self.failed],
            },
            "epochs": self.epochs,
            "values": list(self.values),
            "error": self.error,
            "rungs": [
                {
                    "epochs": row.epochs,
                    "share": row.share,
                    "spearman": row.correlation,
                    "interval": None if row.low is None else [row.low, row.high],
                    "best_third": {"kept": row.kept, "of": row.third},
                }
                for row in self.rungs
            ],
            "warns": self.warns,
        }


def compute_fidelity(
    history: History, objective: Objective, *, rungs: Sequence[int], epochs: int, asked: int, pass_epochs: int = 1
) -> FidelityReport:
    """From the trials of a run in which each candidate was trained on all `rungs` and for `epochs`."""
    climbs = _climbs(history)
    whole = [trials for trials in climbs if len(trials) == len(rungs) + 1 and _measured(trials, objective)]
    failed = [trials[-1] for trials in climbs if trials[-1].status in FAILED or trials[-1].status == "lost"]
    # -cost, so that more is better whatever the metric: (networks, rungs and the full training)
    reached = np.array([[-(objective.cost(trial.measurements) or 0.0) for trial in trials] for trials in whole])
    seconds = np.array([[trial.measurements["training_seconds"].value for trial in trials] for trials in whole])
    rows = []
    if len(whole) >= FEWEST:
        shares = np.cumsum(seconds.sum(axis=0)) / max(float(seconds[:, -1].sum()), 1e-9)
        rows = [_rung(rung, shares[place], reached[:, place], reached[:, -1]) for place, rung in enumerate(rungs)]
    full = [trials[-1].measurements[objective.metric] for trials in whole]
    return FidelityReport(
        metric=objective.metric,
        asked=asked,
        complete=len(whole),
        failed=tuple(Unfinished(t.id, t.proposal.fidelity.epochs, t.status, t.reason) for t in failed),
        epochs=epochs,
        pass_epochs=pass_epochs,
        ladder=tuple(rungs),
        rungs=tuple(rows),
        values=tuple(measurement.value for measurement in full),
        error=float(np.median([_half(measurement) for measurement in full])) if full else 0.0,
    )


def _climbs(history: History) -> list[list[Trial]]:
    """The trials of each candidate, from the lowest rung up."""
    climbs: dict[TrialId, list[Trial]] = {}
    for trial in history.trials.values():
        parent = trial.proposal.parents[0] if trial.proposal.parents else None
        climb = climbs.get(parent, []) if parent is not None else []
        climb.append(trial)
        climbs[trial.id] = climb
    return [climb for number, climb in climbs.items() if climb[0].id == number]


def _measured(trials: Sequence[Trial], objective: Objective) -> bool:
    wanted = {objective.metric, "training_seconds"}
    return all(trial.status == "completed" and trial.measurements.keys() >= wanted for trial in trials)


def _half(measurement: Measurement) -> float:
    return 0.0 if measurement.low is None or measurement.high is None else (measurement.high - measurement.low) / 2


def _rung(epochs: int, share: float, short: Floats, full: Floats) -> RungRow:
    correlation, low, high = rank_correlation(short, full)
    third = len(full) // 3
    best = [set(np.argsort(-values, kind="stable")[:third].tolist()) for values in (short, full)]
    return RungRow(epochs, float(share), correlation, low, high, len(best[0] & best[1]), third)


def rank_correlation(first: Floats, second: Floats) -> tuple[float | None, float | None, float | None]:
    """Spearman's correlation, ties sharing their mean rank, and its 90 % interval: the bootstrap's percentiles.

    None where one of both does not vary; resamples in which one does not are left out.
    """
    value = float(_spearman(first[None], second[None])[0])
    if np.isnan(value):
        return None, None, None
    picks = np.random.default_rng(0).integers(len(first), size=(RESAMPLES, len(first)))
    values = _spearman(first[picks], second[picks])
    return value, *interval(values)


def _spearman(first: Floats, second: Floats) -> Floats:
    """Of each row, (resamples, networks); NaN where one of both does not vary."""
    from scipy.stats import rankdata

    ranks = [rankdata(values, axis=1) for values in (first, second)]
    a, b = (values - values.mean(axis=1, keepdims=True) for values in ranks)
    scale = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    values: Floats = np.divide((a * b).sum(axis=1), scale, out=np.full(len(a), np.nan), where=scale > 0)
    return values
