"""One search on the record, on a virtual clock: asynchronous workers that take the recorded seconds.

The *incumbent* is the best answer among the trainings that went all the way (the top rung, or in full); what a search
saw of shorter ones does not count, however good. `steps` follow the regret of the incumbent as the search chose it, so
regret may rise: the answers, by which it chooses, are of one seed, the regret is of all.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from netwright.core.candidate import Architecture, Candidate
from netwright.core.errors import CandidateError
from netwright.core.events import Asked
from netwright.core.objective import parse_goal
from netwright.core.trial import Proposal, TrialId
from netwright.spaces.walk import SearchSpace
from netwright.stoppers import Stopper, Stopping
from netwright.strategies import Costs, Source, make_strategy
from netwright.strategies.base import Told
from netwright.strategies.halving import REPEATS
from netwright.testing.simulate import Simulated, simulate

from .recorded import Record

FULL = "full"
"""The search that trains every candidate in full."""
PATIENCE = 2 * REPEATS
"""After so many repeats in a row, which cost no time, a search waits for the next result: see `Patient`. Halving has
found out by then that there is nothing new."""

GOAL = parse_goal(["accuracy"], [])


def make(strategy: str, scheduler: str, space: SearchSpace, seed: int, epochs: Sequence[int]) -> Source:
    """A strategy under a scheduler (`full` for none). Raises InputError for names that are unknown."""
    rungs, wrapper = ((), "halving") if scheduler == FULL else (epochs, scheduler)
    return make_strategy(
        strategy, space, GOAL, seed=seed, costs=no_costs, epochs=epochs[-1], rungs=rungs, wrapper=wrapper
    )


def no_costs(architecture: Architecture) -> Costs:
    """There are no limits here, so nothing should ask."""
    raise CandidateError("costs play no part in this benchmark")


class Patient(Source):
    """A source that waits for a result once it only repeats itself.

    A search that has asked for the whole space can do nothing else until something may be promoted. Repeats are
    answered at once, so without this it would repeat itself for ever in the same instant.
    """

    def __init__(self, inner: Source) -> None:
        self.inner = inner
        self.name = inner.name
        self._seen: set[str] = set()
        self._repeated: set[TrialId] = set()
        self._in_a_row = 0

    def ask(self) -> Iterator[Proposal]:
        """The proposals of the inner source, none while it waits."""
        if self._in_a_row < PATIENCE:
            yield from self.inner.ask()

    def tell(self, event: Told) -> None:
        """Count repeats, and pass on what is told."""
        if isinstance(event, Asked):
            for trial, proposal in event.trials:
                self._asked(trial, proposal.identity())
        elif event.trial not in self._repeated:
            self._in_a_row = 0
        self.inner.tell(event)

    def _asked(self, trial: TrialId, identity: str) -> None:
        if identity in self._seen:
            self._repeated.add(trial)
            self._in_a_row += 1
        else:
            self._seen.add(identity)
            self._in_a_row = 0


@dataclass(frozen=True)
class Search:
    """What came of a search: (virtual seconds, regret in points, seconds of a full training) wherever the incumbent
    changed; trainings begun, epochs paid for (without decay branches), when the last training ended, and the regrets of
    the networks whose training was stopped."""

    steps: list[tuple[float, float, float]]
    trained: int
    epochs: int
    ended: float
    stopped: list[float]

    def time_to(self, regret: float, *, retrained: bool = False) -> float:
        """When the incumbent first lay within `regret`; infinite if never.

        With `retrained` a full training of that incumbent is added, on one worker, as the final stage of a run does.
        """
        for seconds, reached, training in self.steps:
            if reached <= regret:
                return seconds + (training if retrained else 0.0)
        return math.inf


@dataclass
class Watch:
    """Follows the incumbent of a search; called whenever a worker is free, it answers whether `seconds` are over, or the
    incumbent is good `enough`."""

    record: Record
    seconds: float
    enough: float = -math.inf
    steps: list[tuple[float, float, float]] = field(default_factory=list)
    _best: float = -math.inf
    _seen: int = 0

    def __call__(self, done: Simulated) -> bool:
        for trial, answer in islice(done.answers.items(), self._seen, None):
            proposal = done.proposals[trial]
            whole = proposal.fidelity.epochs == self.record.epochs[-1] and trial not in done.stopped
            if whole and answer["accuracy"].value > self._best:
                self._best = answer["accuracy"].value
                self._change(done.now, proposal.candidate)
        self._seen = len(done.answers)
        return done.now >= self.seconds or (bool(self.steps) and self.steps[-1][1] <= self.enough)

    def _change(self, now: float, candidate: Candidate) -> None:
        if now <= self.seconds:
            self.steps.append((now, self.record.regret(candidate), self.record.full_seconds(candidate)))


def search(
    source: Source,
    record: Record,
    *,
    workers: int,
    seconds: float,
    seed: int,
    enough: float = -math.inf,
    rule: Stopper | None = None,
) -> Search:
    """Let a source search the record with so many virtual workers for so many virtual seconds, or until the regret of
    the incumbent is `enough`. With a `rule`, full trainings are stopped by it."""
    watch = Watch(record, seconds, enough)
    done = simulate(
        Patient(source),
        record.answer,
        trials=sys.maxsize,
        workers=workers,
        duration=record.seconds,
        seed=seed,
        stop=watch,
        reports=record.reports if rule else lambda proposal, rng: (),
        stopping=_stopping(rule, source.name) if rule else None,
    )
    stopped = [record.regret(done.proposals[trial].candidate) for trial in sorted(done.stopped)]
    return Search(watch.steps, done.trained, done.epochs, done.now, stopped)


def _stopping(rule: Stopper, name: str) -> Stopping:
    return Stopping(rule, [name], read=lambda record: float(record["accuracy"]))


def exhaustive(record: Record, workers: int) -> float:
    """Virtual seconds in which the workers could train every network in full."""
    return sum(network.full[0].seconds for network in record.networks.values()) / workers
