"""The stages of a run: search, final training, measuring side by side, test. Each can be cut off and gone on with.

search   baselines first, then the strategy, until the final stage's share of the budget is reached
final    the best candidates (and the best random one) from the start, with their full schedule
measure  latency and memory of all of them side by side; the winner is chosen by validation
test     the test split is read once, for the exported networks of all of them and the classic models
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netwright.core.candidate import Candidate
from netwright.core.seeding import derive
from netwright.core.trial import UNTRAINED, Fidelity, Proposal, TrialId, epochs_a_pass
from netwright.experiment.choice import Entry, Standings, candidate_key
from netwright.experiment.desk import Desk
from netwright.experiment.errand import errand
from netwright.experiment.finalists import lineup
from netwright.experiment.ladder import FINAL_SHARE, Ladder, build_ladder, makespan, share_out
from netwright.experiment.opening import Opened
from netwright.loop import Ended, Loop
from netwright.strategies import Listed, Source, Strategy, make_strategy, parts_of

CLOSING_SECONDS = 8.0
"""Kept back from a budget of time for measuring, test, export and report."""
MARGIN = 1.15
"""Trainings are expected to take so many times what their candidates' own trials say."""
LONGER = 2
"""A finalist trains at most so many times as long as a full training of this budget, where the stage's time allows it."""
LEAST_SHARE = 0.25
"""Of the time of the hand-made network: an epoch of an untrained candidate is taken to cost at least so much."""
FINAL_REPEAT = 1
GOES_ON = ("until", "exhausted", "done")
"""Ends of the search after which what is left of the budget is used."""
WAIT_SHARE = 0.05
"""Of the budget, at most: how long the final stage waits for what still runs, so that it chooses among all results."""


def baselines(reference: Candidate, ladder: Ladder) -> Listed:
    """The hand-made network with its full schedule, and the classic models on the same pixels."""
    full, whole = Fidelity(ladder.epochs), Fidelity(0)
    return Listed(
        "baseline",
        [
            Proposal(reference, full, origin="baseline", notes={"role": "handmade"}),
            Proposal(Candidate("linear", None, {}), whole, origin="baseline", notes={"role": "linear"}),
            Proposal(Candidate("forest", None, {}), whole, origin="baseline", notes={"role": "forest"}),
        ],
    )


def find_ladder(opened: Opened) -> Ladder:
    """The ladder of the run: recorded, or found by timing a few steps of the hand-made network on a worker."""
    stored = opened.fact("ladder")
    if stored is not None:
        return Ladder.from_json(stored)
    probed = errand(
        opened.executor,
        opened.folder,
        "precision",
        {"data": str(opened.data.folder), "device": "cpu", "threads": 1},
        inputs={},
        seed=derive(opened.settings.seed or 0, "probe"),
        proposal=Proposal(opened.reference, Fidelity(1), origin="probe").to_json(),
        take=lambda evaluated, folder: evaluated.notes,
    )
    forced = opened.settings.precision
    chosen = probed["precision"] if forced in (None, "auto") else forced
    images = len(opened.data.indices("train"))
    ladder = build_ladder(
        images=images,
        epoch_seconds=probed[f"{chosen}_ms"] / 1e3 * math.ceil(images / epochs_a_pass(images) / probed["batch"]),
        worker_seconds=opened.settings.budget.worker_seconds(opened.executor.workers),
        passes=opened.settings.epochs,
    )
    opened.note("ladder", ladder.to_json())
    return ladder


def search_source(opened: Opened, desk: Desk, ladder: Ladder, strategy: type[Strategy], purpose: str) -> Source:
    """The strategy, in the wrapper of the run if it has one. `purpose` sets its random stream apart."""
    wrapper = parts_of(opened.settings.strategy or "")[1] or opened.strategy.wrapper
    rungs = ladder.rungs if wrapper else ()
    whole = wrapper or not strategy.fidelities  # it shares out trainings by itself
    return make_strategy(
        strategy,
        opened.space,
        opened.goal,
        seed=derive(opened.settings.seed or 0, purpose),
        costs=desk.plan,
        epochs=ladder.rungs[-1] if whole else max(1, ladder.epochs // 3),
        rungs=rungs,
        wrapper=wrapper or "halving",
        starts=opened.space.starts,
        inherit=bool(opened.settings.inherit) and purpose == "search",
        screen=opened.settings.screen if purpose == "search" else None,
    )


@dataclass(slots=True)
class Stages:
    """Runs the stages on an opened run. `loop` has been restored from the ledger."""

    opened: Opened
    desk: Desk
    loop: Loop
    ladder: Ladder

    def search(self) -> Ended:
        """Baselines and the search itself, until what is left of the budget belongs to the final stage."""
        ended = self.loop.run(["baseline", "search"], self._search_is_over)
        if self.opened.settings.rival and ended.why in GOES_ON:
            ended = self.loop.run(["baseline", "rival"], self._rival_is_over)
        if ended.why in GOES_ON:
            budget = self.opened.settings.budget
            last = min(1.0, budget.used_time(self.loop.spent()) + WAIT_SHARE)
            self.loop.run(["search", "rival"], lambda loop: budget.used_time(loop.spent()) >= last, draw=False)
        return ended

    def _search_is_over(self, loop: Loop) -> bool:
        budget, book = self.opened.settings.budget, loop.book
        if budget.used(loop.spent()) >= 1 or self._time_is_over(loop):
            return True
        together = budget.worker_seconds(self.opened.executor.workers)
        if not self.opened.settings.rival or together is None:
            return False
        return book.cpu.get("search", 0.0) >= (together * (1 - FINAL_SHARE) - book.cpu.get("baseline", 0.0)) / 2

    def _rival_is_over(self, loop: Loop) -> bool:
        """Whether it has had as much as the search: as many trials where trials are the budget, else as much time.

        A score is no training, so where candidates are scored it is time, too.
        """
        budget, book = self.opened.settings.budget, loop.book
        counted = budget.trials is not None and self.opened.settings.score is None
        had = book.assigned if counted else book.cpu
        return had.get("rival", 0) >= had.get("search", 0) or self._time_is_over(loop)

    def _time_is_over(self, loop: Loop) -> bool:
        """Whether what is left belongs to the final stage: its share at most, and less where it needs less."""
        if self.opened.settings.budget.used_time(loop.spent()) < 1 - FINAL_SHARE:
            return False
        left = self._seconds_left()
        return left is not None and left <= self._seconds_needed() + self._seconds_of_stragglers(loop)

    def _seconds_of_stragglers(self, loop: Loop) -> float:
        """How long the final stage will have to wait for what runs now: none took longer than the longest so far."""
        bounds = self.opened.settings.budget.worker_seconds(self.opened.executor.workers) or 0.0
        most = WAIT_SHARE * bounds / self.opened.executor.workers
        now, longest = time.monotonic(), max(loop.book.longest.get(name, 0.0) for name in ("search", "rival"))
        return min(most, max((longest - (now - began) for began in loop.began.values()), default=0.0))

    @property
    def _longest(self) -> int:
        """How many epochs a finalist may train: no more than a person who named them said."""
        if self.opened.settings.epochs:
            return self.ladder.epochs
        return max(LONGER * self.ladder.epochs, self.ladder.unhurried)

    def _seconds_needed(self) -> float:
        """Wall seconds to train all that would be finalists now, as long as they may."""
        costs = [self._epoch_seconds(entry) * self._longest * MARGIN for entry in self._chosen()]
        return makespan(costs, self.opened.executor.workers)

    def final(self) -> list[TrialId]:
        """Train the finalists to the end, and give all that have a network, those of earlier final stages too.

        What the budget cuts off is cancelled, and asked again when the run goes on with more of it. Without any
        finished finalist the best network of the search itself stands in.
        """
        stage = self._stage()
        if stage is None:
            return []
        proposals = [Proposal.from_json(record) for record in stage["proposals"]]
        self.loop.add("final", Listed("final", proposals))
        planned = {proposal.identity() for proposal in proposals}
        self.loop.shelved = {
            trial
            for trial, entry in self.loop.book.open.items()
            if entry.source == "final" and entry.proposal.identity() not in planned
        }
        self.loop.run(["baseline", "final"], lambda loop: (left := self._seconds_left()) is not None and left <= 0)
        if self.loop.interrupted:
            return []
        self.loop.cancel("the budget of this run is used up")
        done = [trial for trial, result in self.desk.results.items() if result.source == "final"]
        return done or [entry.trial for entry in self._chosen()[:1] if entry.epochs]

    def _stage(self) -> Mapping[str, Any] | None:
        """The stage that was cut off, or a new one: which candidates are trained to the end, for how many epochs.

        A stage that was cut off is gone on with unless the search has gone on since.
        """
        stage, outcome = self.opened.fact("stage"), self.opened.fact("outcome")
        searched = sum(self.loop.book.assigned.get(name, 0) for name in ("search", "rival"))
        cut_off = stage is not None and (outcome is None or outcome["stage"] < stage["number"])
        if stage is not None and cut_off and stage.get("searched") == searched:
            return stage
        chosen = self._chosen()
        if not chosen:
            return None
        proposals = [proposal.to_json() for proposal in self._proposals(chosen)]
        number = 1 if stage is None else stage["number"] + 1
        self.opened.note("stage", {"number": number, "searched": searched, "proposals": proposals})
        return self.opened.fact("stage")

    def _proposals(self, chosen: Sequence[Entry]) -> list[Proposal]:
        """The final trainings to be done: of what fits, all that was not trained as long in an earlier stage."""
        before: dict[tuple[object, ...], int] = {}
        for result in self.desk.results.values():
            if result.source == "final":
                key = candidate_key(result.proposal.candidate)
                before[key] = max(before.get(key, 0), result.proposal.fidelity.epochs)
        best = self._best_random()
        random = best and next((e for e in chosen if e.trial == best.trial or e.candidate == best.candidate), None)
        return [
            Proposal(
                entry.proposal.candidate,
                Fidelity(epochs),
                repeat=FINAL_REPEAT,
                parents=(entry.trial,),
                origin="final",
                notes={"role": "random" if entry is random else "finalist"},
            )
            for entry, epochs in self._affordable(chosen)
            if before.get(entry.candidate, 0) < epochs
        ]

    def _chosen(self) -> list[Entry]:
        """Candidates worth a full training; networks that a linear model beats are none."""
        linear = self.desk.baseline("linear")
        floor = self.opened.goal.quality.cost(linear.event.measurements) if linear else None
        return lineup(
            self._standings("search"),
            self._best_random(),
            floor,
            space=self.opened.space,
            reference=self.opened.reference,
        )

    def _best_random(self) -> Entry | None:
        """The best random trial of the rival where there is one, else of the search."""
        return self._standings("rival" if self.opened.settings.rival else "search").random

    def _standings(self, source: str) -> Standings:
        return self.desk.standings.get(source) or Standings(self.desk.goal_of(source))

    def _affordable(self, chosen: Sequence[Entry]) -> list[tuple[Entry, int]]:
        """Which of the chosen fit into what is left, and their epochs; the costliest first."""
        left = self._seconds_left()
        if left is None:
            return [(entry, self.ladder.epochs) for entry in chosen]
        costs = [self._epoch_seconds(entry) * MARGIN for entry in chosen]
        epochs = share_out(
            costs,
            seconds=max(left, 1.0),
            workers=self.opened.executor.workers,
            full=self.ladder.epochs,
            longest=self._longest,
            sure=2,
            unhurried=self.ladder.unhurried,
        )
        return [(chosen[place], number) for place, number in epochs.items()]

    def _epoch_seconds(self, entry: Entry) -> float:
        """CPU seconds that an epoch of this candidate takes, from its own trial; from its MACs where that trained nothing."""
        if entry.proposal.fidelity == UNTRAINED:
            reference = self.opened.reference.architecture
            macs = self.desk.plan(reference).macs if reference else 0
            return self.ladder.epoch_seconds * max(entry.measurements["macs"].value / max(macs, 1), LEAST_SHARE)
        trained = self.ladder.trained(entry.proposal.fidelity, resumed=entry.resumed, began=entry.began)
        return max(entry.measurements["training_seconds"].value / trained, 1e-3)

    def _seconds_left(self) -> float | None:
        """Wall seconds until the budget is spent, less what closing takes; None without a budget of time."""
        budget, spent = self.opened.settings.budget, self.loop.spent()
        left = []
        if budget.seconds is not None:
            left.append(budget.seconds - spent.seconds - CLOSING_SECONDS)
        if budget.cpu_seconds is not None:
            left.append((budget.cpu_seconds - spent.cpu_seconds) / self.opened.executor.workers)
        return min(left) if left else None
