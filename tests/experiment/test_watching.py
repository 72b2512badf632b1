"""What the live view says of the trials."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from netwright.book import Book
from netwright.budget import Budget, Spent
from netwright.core.events import Asked, Event, Failed, Finished, Started
from netwright.core.objective import parse_goal
from netwright.core.trial import Fidelity, Proposal
from netwright.experiment.watching import Watch
from netwright.reports.progress import Progress
from netwright.testing.toys import Grid, measured

GRID = Grid((5,) * 6)


def asked(source: str, trial: int) -> list[Event]:
    proposal = Proposal(GRID.sample(Random(trial)), Fidelity(4), origin="random")
    return [Asked(source, ((trial, proposal),)), Started(trial, 1)]


@pytest.mark.parametrize(("budget", "done"), [(Budget(trials=6), 2), (Budget(seconds=60), 3)])
def test_of_a_budget_of_trials_those_of_the_search_are_counted(budget: Budget, done: int) -> None:
    book = Book()
    for event in (
        *asked("baseline", 1),
        *asked("search", 2),
        *asked("search", 3),
        *asked("search", 4),
        *asked("final", 5),
        Finished(1, "completed", measured(accuracy=0.9)),
        Finished(2, "completed", measured(accuracy=0.9)),
        Failed(3, "diverged", "the loss was not finite"),
        Finished(5, "completed", measured(accuracy=0.9)),
    ):
        book.take(event)
    loop: Any = SimpleNamespace(book=book, began={}, progress={}, spent=lambda: Spent(1.0, 1.0, 3))
    desk: Any = SimpleNamespace(standings={}, goal=parse_goal((), ()))
    shown: list[Progress] = []
    Watch(desk, budget, shown.append)(loop)
    assert shown[0].done == done
    assert shown[0].expected == budget.trials
