"""Stopping a training that will not be among the best, by its learning curve and those of others.

A `Stopper` is a rule; `Stopping` knows the curves of a run, and the loop asks it after every epoch. Ledger and replay
need nothing new for it: a trial that was stopped has the status `stopped`, and the curve of every trial it looks at is
in the notes of its result, so a run that goes on knows all that it knew before.

A curve is compared with those of the same source that were to be trained for the same number of epochs, and are not
dearer in any objective that is computed: that a small network is less accurate than large ones is no reason to stop it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import fmean, median
from typing import Any, ClassVar, Protocol

from netwright.core.errors import InputError
from netwright.core.events import Failed, Finished, Lost
from netwright.core.trial import Continue, Proposal, TrialId

Costs = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """Values after some epochs, rising; larger is better. `of` is how many epochs the training is to have."""

    epochs: tuple[int, ...]
    values: tuple[float, ...]
    of: int

    def best(self) -> float:
        """The best value so far."""
        return max(self.values)

    def mean(self, first: int, last: int) -> float | None:
        """The mean of the values from epoch `first` to epoch `last`; None where there are none."""
        values = [value for epoch, value in zip(self.epochs, self.values, strict=True) if first <= epoch <= last]
        return fmean(values) if values else None

    def at(self, epoch: int) -> float | None:
        """The value after this epoch; None where there is none."""
        return self.values[self.epochs.index(epoch)] if epoch in self.epochs else None


class Stopper(Protocol):
    """A rule. `others` are the curves of trials that were trained to their end.

    Where it does not ask for `whole` ones, they are also those of trials that were stopped or are under way.
    """

    whole: ClassVar[bool]

    def __call__(self, curve: Curve, others: Sequence[Curve]) -> bool:
        """Whether the training of `curve` should end here."""
        ...


@dataclass(frozen=True, slots=True)
class MedianRule:
    """Stop when the best value so far is below the median of the others' means up to now.

    Golovin, Solnik, Moitra, Kochanski, Karro, Sculley, "Google Vizier: A Service for Black-Box Optimization", KDD 2017,
    section 3.2.2. Not before `grace` of the training, from where on the means are taken, and with `fewest` others.
    """

    whole: ClassVar[bool] = True
    grace: float = 0.2
    fewest: int = 5

    def __call__(self, curve: Curve, others: Sequence[Curve]) -> bool:
        now, began = curve.epochs[-1], self.grace * curve.of
        if now < began or now >= curve.of:
            return False
        means = [mean for other in others if (mean := other.mean(ceil(began), now)) is not None]
        return len(means) >= self.fewest and curve.best() < median(means)


@dataclass(frozen=True, slots=True)
class HalvingRule:
    """Stop at a milestone when the value there is not among the best of all that came as far.

    The stopping variant of asynchronous successive halving: Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht,
    Talwalkar, "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020, as Optuna has it. Milestones are
    1 / `eta` of the training, 1 / `eta` of that, and so on. Of n trainings that came there, this one included, the best
    floor(n / `eta`) go on, one at least; and whoever comes before there are `fewest` others.
    """

    whole: ClassVar[bool] = False
    eta: int = 4
    fewest: int = 4

    def __call__(self, curve: Curve, others: Sequence[Curve]) -> bool:
        now = curve.epochs[-1]
        if now >= curve.of or now not in self.milestones(curve.of):
            return False
        there = [value for other in others if (value := other.at(now)) is not None]
        better = sum(value > curve.values[-1] for value in there)
        return len(there) >= self.fewest and better >= max((len(there) + 1) // self.eta, 1)

    def milestones(self, of: int) -> list[int]:
        """After which epochs of a training it decides, the last one first; in a short one, after the first epoch."""
        found, share = [ceil(of / self.eta)], self.eta**2
        while share <= of:
            found.append(ceil(of / share))
            share *= self.eta
        return found


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """Stop when the curve, extrapolated by c - a t^-b, will end below the best of the others.

    The family is the simplest of those in Domhan, Springenberg, Hutter, "Speeding up Automatic Hyperparameter
    Optimization of Deep Neural Networks by Extrapolation of Learning Curves", IJCAI 2015; the fit is by least squares
    with a >= 0 and c <= `ceiling`, and `bootstraps` fits to resampled residuals stand for its uncertainty. It stops when
    their 95 % bound at the last epoch is below the best end of all others by more than the noise of the curve, the
    standard deviation of its residuals. Not before `grace` of the training, with `fewest` points, and a whole other curve.
    """

    whole: ClassVar[bool] = True
    ceiling: float = 1.0
    grace: float = 0.2
    fewest: int = 5
    bootstraps: int = 30

    def __call__(self, curve: Curve, others: Sequence[Curve]) -> bool:
        now = curve.epochs[-1]
        if len(curve.epochs) < self.fewest or now < self.grace * curve.of or now >= curve.of or not others:
            return False
        incumbent = max(other.values[-1] for other in others)
        bound, noise = self.extrapolate(curve)
        return incumbent - bound > noise

    def extrapolate(self, curve: Curve) -> tuple[float, float]:
        """The 95 % bound of the value after the last epoch, and the noise of the curve (a standard deviation)."""
        import numpy as np

        epochs, values = np.array(curve.epochs, np.float64), np.array(curve.values)
        fitted, _ = _fit(epochs, values[None], self.ceiling, curve.of)
        # The fit has three parameters: as many residuals are lost.
        residuals = (values - fitted[0]) * np.sqrt(len(values) / (len(values) - 3))
        rng = np.random.default_rng(0)
        drawn = rng.choice(residuals, (self.bootstraps, len(values)))
        _, ends = _fit(epochs, fitted + drawn, self.ceiling, curve.of)
        return float(np.quantile(ends, 0.95)), float(residuals.std())


def _fit(epochs: Any, values: Any, ceiling: float, last: int) -> tuple[Any, Any]:
    """Fit c - a t^-b, a >= 0, c <= `ceiling`, to each row of `values` (curves, points) by least squares.

    Gives the fitted values (curves, points) and those after epoch `last` (curves,). For each b of a grid, a and c have a
    closed form.
    """
    import numpy as np

    best = np.full(len(values), np.inf)
    fitted, ends = np.zeros(values.shape), np.zeros(len(values))
    mean = values.mean(axis=1)
    for b in np.geomspace(0.05, 4.0, 160):
        x = epochs**-b
        spread = x - x.mean()
        a = np.maximum(-(values @ spread) / (spread @ spread), 0.0)
        c = mean + a * x.mean()
        bounded = c > ceiling
        a = np.where(bounded, np.maximum(((ceiling - values) @ x) / (x @ x), 0.0), a)
        c = np.where(bounded, ceiling, c)
        curve = c[:, None] - a[:, None] * x
        error = ((values - curve) ** 2).sum(axis=1)
        better = error < best
        best[better], fitted[better] = error[better], curve[better]
        ends[better] = (c - a * last**-b)[better]
    return fitted, ends


STOPPERS: dict[str, Callable[[float], Stopper]] = {
    "median": lambda ceiling: MedianRule(),
    "halving": lambda ceiling: HalvingRule(),
    "power-law": PowerLaw,
}
"""By name, for values that cannot be above a ceiling."""


def make_stopper(name: str, *, ceiling: float) -> Stopper:
    """The rule of that name. Raises InputError."""
    if name not in STOPPERS:
        raise InputError(f"a stopping rule must be one of {', '.join(STOPPERS)}, but got {name!r}")
    return STOPPERS[name](ceiling)


Read = Callable[[Mapping[str, Any]], float | None]
"""The value in a progress record, the larger the better; None where it has none."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The curve of a trial of a `source`, so far or to its end; `whole` if it was trained to it.

    `continued` if it goes on from the weights of another trial, so that its curve begins late, and among the better ones.
    """

    source: str
    continued: bool
    costs: Costs
    curve: Curve
    whole: bool = False

    @property
    def kind(self) -> tuple[str, int, bool]:
        """Source, length and beginning: curves of one kind are compared."""
        return self.source, self.curve.of, self.continued

    def compares_with(self, other: Heard) -> bool:
        """Whether the other is of the same kind, and not dearer."""
        return self.kind == other.kind and all(a <= b for a, b in zip(other.costs, self.costs, strict=True))


@dataclass(slots=True)
class Stopping:
    """The learning curves of a run's `sources`, and whether a training should go on.

    `read` finds the value in a progress record with `epoch` and `of`; `costs` are those of a proposal's objectives that
    are known before training. Curves of trials that ended are those in the notes of their results.
    """

    rule: Stopper
    sources: Collection[str]
    read: Read
    costs: Callable[[Proposal], Costs] = lambda proposal: ()
    _ended: dict[tuple[str, int, bool], list[Heard]] = field(default_factory=dict)
    _open: dict[TrialId, Heard] = field(default_factory=dict)
    _stopped: dict[TrialId, int] = field(default_factory=dict)

    def hear(self, source: str, trial: TrialId, proposal: Proposal, record: Mapping[str, Any]) -> bool:
        """Take in a progress record; gives whether the training should be stopped."""
        value = self.read(record) if source in self.sources else None
        if value is None:
            return False
        epoch, before = record["epoch"], self._open.get(trial)
        points = () if before is None else zip(before.curve.epochs, before.curve.values, strict=True)
        epochs, values = zip(*(point for point in points if point[0] < epoch), (epoch, value), strict=True)
        heard = self._open[trial] = self._heard(source, proposal, Curve(epochs, values, record["of"]))
        if trial in self._stopped or not self.rule(heard.curve, self._others(heard)):
            return False
        self._stopped[trial] = epoch
        return True

    def retried(self, trial: TrialId) -> None:
        """An attempt was lost, and with it what it was told; the next one reports anew what it can go on from."""
        self._open.pop(trial, None)
        self._stopped.pop(trial, None)

    def _heard(self, source: str, proposal: Proposal, curve: Curve, *, whole: bool = False) -> Heard:
        return Heard(source, isinstance(proposal.start, Continue), self.costs(proposal), curve, whole)

    def _others(self, heard: Heard) -> list[Curve]:
        """Curves of those that are not dearer, as far as the rule asks for them."""
        others = self._ended.get(heard.kind, [])
        if self.rule.whole:
            others = [other for other in others if other.whole]
        else:
            others = [*others, *(other for other in self._open.values() if other is not heard)]
        return [other.curve for other in others if heard.compares_with(other)]

    def notes(self, trial: TrialId) -> dict[str, Any]:
        """What to record with the result of a trial: its curve, and after which epoch it was asked to stop."""
        if trial not in self._open:
            return {}
        curve = self._open[trial].curve
        points = {"epochs": list(curve.epochs), "values": list(curve.values), "of": curve.of}
        return {"learning_curve": points, **({"asked_to_stop": self._stopped[trial]} if trial in self._stopped else {})}

    def take(self, source: str, proposal: Proposal, event: Finished | Failed | Lost) -> None:
        """A trial ended, now or in an earlier life of the run. What failed or was copied is nobody's measure."""
        self._open.pop(event.trial, None)
        self._stopped.pop(event.trial, None)
        if not isinstance(event, Finished) or event.status == "infeasible" or event.reused_from is not None:
            return
        points = event.notes.get("learning_curve")
        if points is not None and source in self.sources:
            curve = Curve(tuple(points["epochs"]), tuple(points["values"]), points["of"])
            heard = self._heard(source, proposal, curve, whole=event.status == "completed")
            self._ended.setdefault(heard.kind, []).append(heard)
