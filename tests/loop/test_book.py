"""What counts for and against a search, and what a book makes of a ledger with gaps."""

from __future__ import annotations

import pytest

from netwright.book import Book
from netwright.core.events import Asked, Clock, Event, Failed, Finished, Lost, Noted, Started
from netwright.core.trial import Fidelity, Proposal
from netwright.testing.driving import SPACE


def point(*options: int) -> Proposal:
    return Proposal(SPACE.candidate((*options, *[0] * (6 - len(options)))), Fidelity(1))


def asked(trial: int, *options: int) -> Asked:
    return Asked("search", ((trial, point(*options)),))


def book(*events: Event) -> Book:
    made = Book()
    for event in events:
        made.take(event)
    return made


CRASHED = [
    event
    for trial in range(1, 6)
    for event in (asked(trial, trial % 4, trial // 4), Started(trial, 1), Failed(trial, "crashed", "no torch"))
]


def test_only_what_a_worker_brought_ends_a_row_of_failures() -> None:
    assert book(*CRASHED).failures_in_a_row == 5
    assert book(*CRASHED, asked(6, 3, 3), Finished(6, "infeasible", {})).failures_in_a_row == 5
    assert book(*CRASHED, asked(6, 3, 3), Started(6, 1), Finished(6, "completed", {})).failures_in_a_row == 0


def test_a_copy_of_a_failure_is_none_and_a_lost_trial_is_one() -> None:
    assert book(*CRASHED, asked(6, 1), Failed(6, "crashed", "no torch")).failures_in_a_row == 5
    lost = book(*CRASHED, asked(6, 3, 3), Started(6, 1), Lost(6, "the disk is full"))
    assert lost.failures_in_a_row == 6
    assert lost.last_failure is not None
    assert lost.last_failure.reason == "the disk is full"


def test_a_lost_trial_answers_for_nobody() -> None:
    assert book(asked(1, 1), Started(1, 1), Lost(1, "the worker vanished", 3.0)).first_of(point(1)) is None
    assert book(asked(1, 1), Started(1, 1), Finished(1, "completed", {})).first_of(point(1)) == 1


def test_answers_of_arithmetic_forgive_no_death() -> None:
    made = Book()
    made.take(asked(1, 1))
    for death in range(3):
        made.take(Noted("driver", {}))
        made.take(Started(1, death + 1))
        made.take(asked(death + 2, 2, death))
        made.take(Finished(death + 2, "infeasible", {}))
    made.take(Noted("driver", {}))
    assert made.open[1].deaths == 3


def test_time_that_was_under_way_at_a_death_is_paid() -> None:
    killed = book(asked(1, 1), asked(2, 2), Started(1, 1), Started(2, 1), Clock(60.0, 110.0), Noted("driver", {}))
    assert killed.cpu_seconds == pytest.approx(110.0)
    ended = book(asked(1, 1), Started(1, 1), Clock(60.0, 50.0), Finished(1, "completed", {}, cpu_seconds=55.0))
    ended.take(Noted("driver", {}))
    assert ended.cpu_seconds == pytest.approx(55.0)


def test_a_ledger_that_lost_trials_is_gone_on_with() -> None:
    gap = book(asked(2, 2), Started(2, 1), Finished(2, "completed", {}), asked(5, 1))
    assert gap.next_id == 6
    assert gap.source_of(Started(5, 1)) == "search"
    assert list(gap.open) == [5]
