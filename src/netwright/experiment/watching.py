"""From the loop's state to what the terminal shows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from netwright.budget import Budget
from netwright.core.measurement import Measurements
from netwright.core.trial import FAILED, FINISHED, UNTRAINED, TrialId
from netwright.experiment.desk import Desk
from netwright.loop import Loop
from netwright.reports.progress import Progress, WorkerNow

DOING = {"baseline": "baseline", "search": "training", "rival": "random rival", "final": "final training"}


@dataclass(slots=True)
class Watch:
    """Makes a `Progress` of the loop whenever it changes, and hands it to `show`."""

    desk: Desk
    budget: Budget
    show: Callable[[Progress], None]
    stage: str = "search"
    bests: list[float] = field(default_factory=list)
    best_trial: TrialId | None = None

    def __call__(self, loop: Loop) -> None:
        """Show where the run stands."""
        standings = self.desk.standings.get("search")
        front = standings.front() if standings else []
        feasible = [entry for entry in front if entry.violation == 0]
        best: Measurements = feasible[0].measurements if feasible else {}
        if feasible and feasible[0].trial != self.best_trial:
            self.best_trial = feasible[0].trial
            self.bests.append(best[self.desk.goal_of("search").objectives[0].metric].value)
        spent = loop.spent()
        counts = loop.book.counts
        failure = loop.book.last_failure
        self.show(
            Progress(
                stage=self.stage,
                seconds=spent.seconds,
                seconds_left=self.budget.seconds - spent.seconds if self.budget.seconds else None,
                done=self._ended(loop) if self.budget.trials else sum(counts.get(status, 0) for status in FINISHED),
                running=len(loop.began),
                failed=sum(number for status, number in counts.items() if status in FAILED),
                expected=self.budget.trials,
                best_trial=self.best_trial,
                best=best,
                bests=tuple(self.bests),
                front=len(feasible),
                workers=tuple(self._worker(loop, trial) for trial in sorted(loop.began)),
                last_failure=failure.reason if failure else "",
            )
        )

    def _ended(self, loop: Loop) -> int:
        """Trials of the search that count for the budget, and have ended."""
        begun = sum(entry.source == "search" and entry.attempts > 0 for entry in loop.book.open.values())
        return loop.book.assigned.get("search", 0) - begun

    def _worker(self, loop: Loop, trial: TrialId) -> WorkerNow:
        record = loop.progress.get(trial, {})
        entry = loop.book.open[trial]
        return WorkerNow(
            trial,
            "scoring" if entry.proposal.fidelity == UNTRAINED else DOING.get(entry.source, entry.source),
            int(record.get("epoch", 0)),
            entry.proposal.fidelity.epochs,
            time.monotonic() - loop.began[trial],
        )
