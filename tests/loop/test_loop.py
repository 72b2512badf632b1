"""The contracts of the loop on a scripted trainer: duplicates, twins, retries, refusals, checkpoints, resume."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from netwright.core.events import Asked, Cancelled, Event, Failed, Finished, Lost, Noted, Retried, Started
from netwright.core.job import Allowance
from netwright.core.measurement import Measurement
from netwright.core.trial import Continue, Fidelity, Proposal
from netwright.executors import InlineExecutor, LocalExecutor
from netwright.ledger.base import Ledger
from netwright.ledger.memory import MemoryLedger
from netwright.loop import Loop
from netwright.strategies import Listed
from netwright.testing.driving import SPACE, ToyDesk, toy_loop, toy_search, train


def point(*options: int, epochs: int = 1, repeat: int = 0) -> Proposal:
    return Proposal(SPACE.candidate(options), Fidelity(epochs), repeat=repeat)


def events(ledger: Ledger) -> list[Event]:
    return [stored.event for stored in ledger.replay()]


def only(ledger: Ledger, kind: type[Event]) -> list[Event]:
    return [event for event in events(ledger) if isinstance(event, kind)]


def run_list(folder: Path, proposals: list[Proposal], desk: ToyDesk | None = None) -> tuple[Loop, MemoryLedger]:
    ledger = MemoryLedger()
    loop = toy_loop(folder, ledger, InlineExecutor(train), desk)
    loop.restore({"list": Repeating(proposals)})
    assert loop.run(["list"], lambda loop: False).why == "done"
    return loop, ledger


class Repeating(Listed):
    """Asks the same proposal as often as it is listed."""

    def __init__(self, proposals: list[Proposal]) -> None:
        super().__init__("list", proposals)
        self.drawn = 0

    def ask(self):  # type: ignore[no-untyped-def]
        yield from self.proposals[self.drawn :]

    def tell(self, event: Event) -> None:
        self.drawn += isinstance(event, Asked)


@pytest.mark.fault(13)
def test_a_duplicate_of_a_finished_trial_is_answered_without_a_job(tmp_path: Path) -> None:
    _, ledger = run_list(tmp_path, [point(1, 1, 1, 1, 1, 1)] * 100)
    assert len(only(ledger, Started)) == 1
    first, *others = only(ledger, Finished)
    assert len(others) == 99
    assert {other.reused_from for other in others} == {1}
    assert all(other.measurements == first.measurements for other in others)
    assert all(other.cpu_seconds == 0 for other in others)


def test_a_repeat_on_purpose_is_another_trial(tmp_path: Path) -> None:
    _, ledger = run_list(tmp_path, [point(1, 1, 1, 1, 1, 1), point(1, 1, 1, 1, 1, 1, repeat=1)])
    first, second = only(ledger, Finished)
    assert len(only(ledger, Started)) == 2
    assert first.measurements["accuracy"] != second.measurements["accuracy"]


def test_a_duplicate_of_a_failed_trial_fails_alike(tmp_path: Path) -> None:
    desk = ToyDesk(refused=frozenset({(0, 0, 0, 0, 0, 0)}))
    loop, ledger = run_list(tmp_path, [point(0, 0, 0, 0, 0, 0)] * 3 + [point(1, 0, 0, 0, 0, 0)], desk)
    assert [failed.status for failed in only(ledger, Failed)] == ["invalid"] * 3
    assert len(only(ledger, Started)) == 1
    assert loop.book.counts == {"invalid": 3, "completed": 1}


@pytest.mark.fault(13)
def test_twins_in_flight_get_the_answer_when_it_comes(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    with LocalExecutor(partial(train, pause=0.3), workers=3, logs_folder=tmp_path / "logs", preload=()) as executor:
        loop = toy_loop(tmp_path, ledger, executor)
        loop.restore({"list": Repeating([point(2, 2, 2, 2, 2, 2)] * 3)})
        loop.run(["list"], lambda loop: False)
        while loop.book.open:
            loop.run(["list"], lambda loop: not loop.began)
    assert len(only(ledger, Started)) == 1
    assert sorted(finished.reused_from or 0 for finished in only(ledger, Finished)) == [0, 1, 1]


def test_a_promotion_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    loop = toy_loop(tmp_path, ledger, InlineExecutor(train))
    loop.restore({"search": toy_search(rungs=(1, 3))})
    loop.run(["search"], lambda loop: loop.spent().trials >= 40)
    proposals = {trial: proposal for asked in only(ledger, Asked) for trial, proposal in asked.trials}
    promoted = [trial for trial, proposal in proposals.items() if isinstance(proposal.start, Continue)]
    answers = {finished.trial: finished for finished in only(ledger, Finished)}
    assert len(promoted) >= 5
    assert all(answers[trial].notes["from"] == 1 for trial in promoted)


def test_a_missing_checkpoint_makes_a_promotion_run_fresh(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    loop = toy_loop(tmp_path, ledger, InlineExecutor(train))
    below = point(1, 2, 1, 2, 1, 2)
    above = Proposal(below.candidate, Fidelity(3), Continue(1), parents=(1,))
    loop.restore({"list": Listed("list", [below])})
    loop.run(["list"], lambda loop: False)
    for path in list((tmp_path / "blobs").rglob("*")):
        if path.is_file():
            path.unlink()
    again = toy_loop(tmp_path, ledger, InlineExecutor(train))
    again.restore({"list": Listed("list", [below, above])})
    again.run(["list"], lambda loop: False)
    assert only(ledger, Finished)[-1].notes["from"] == 0


def test_a_checkpoint_that_vanishes_while_the_search_runs_makes_a_promotion_run_fresh(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    below = point(1, 2, 1, 2, 1, 2)
    loop = toy_loop(tmp_path, ledger, InlineExecutor(train))
    loop.restore({"list": Listed("list", [below])})
    loop.run(["list"], lambda loop: False)
    for file in (tmp_path / "blobs").iterdir():
        file.unlink()
    loop.add("next", Listed("next", [Proposal(below.candidate, Fidelity(3), Continue(1), parents=(1,))]))
    assert loop.run(["next"], lambda loop: False).why == "done"
    assert [event.notes["from"] for event in only(ledger, Finished) if isinstance(event, Finished)] == [0, 0]


def test_what_a_limit_refused_is_looked_at_anew_when_the_limit_was_loosened(tmp_path: Path) -> None:
    @dataclass
    class Limited(ToyDesk):
        bound: float = 0.0

        def refuse(self, source: str, trial: int, proposal: Proposal) -> Finished | None:
            size = {"parameters": Measurement(5.0)}
            return Finished(trial, "infeasible", size) if self.bound < 5 else None

        def stands(self, event: Finished) -> bool:
            return event.measurements["parameters"].value > self.bound

    ledger, proposal = MemoryLedger(), point(1, 2, 1, 2, 1, 2)
    for bound, names in ((0.0, ["first", "again"]), (10.0, ["later", "last"])):
        loop = toy_loop(tmp_path, ledger, InlineExecutor(train), Limited(bound=bound))
        loop.restore({name: Repeating([proposal]) for name in names})
        for name in names:
            loop.run([name], lambda loop: False)
    answers = [(event.status, event.reused_from) for event in only(ledger, Finished) if isinstance(event, Finished)]
    assert answers == [("infeasible", None), ("infeasible", 1), ("completed", None), ("completed", 3)]


@pytest.mark.fault(5)
@pytest.mark.fault(6)
@pytest.mark.fault(9)
@pytest.mark.parametrize(
    ("misbehaviour", "status", "attempts"),
    [("segmentation_fault", "crashed", 2), ("raise", "crashed", 1), ("diverge", "diverged", 1), ("hang", "timeout", 1)],
)
def test_failures_cost_one_trial(tmp_path: Path, misbehaviour: str, status: str, attempts: int) -> None:
    """A crash by signal is tried twice in all, whatever else the candidate causes once."""
    ledger = MemoryLedger()
    work = partial(train, misbehaviour=misbehaviour)
    bad, good = point(3, 3, 0, 0, 0, 0), point(0, 3, 0, 0, 0, 0)
    with LocalExecutor(work, workers=1, logs_folder=tmp_path / "logs", preload=()) as executor:
        loop = toy_loop(tmp_path, ledger, executor, ToyDesk(Allowance(seconds=1.0)))
        loop.restore({"list": Listed("list", [bad, good])})
        loop.run(["list"], lambda loop: False)
    assert [failed.status for failed in only(ledger, Failed)] == [status]
    assert sum(started.trial == 1 for started in only(ledger, Started)) == attempts
    assert [finished.trial for finished in only(ledger, Finished)] == [2]


@pytest.mark.fault(4)
def test_a_killed_worker_is_tried_three_times_in_all(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    with LocalExecutor(
        partial(train, misbehaviour="die"), workers=1, logs_folder=tmp_path / "logs", preload=()
    ) as executor:
        loop = toy_loop(tmp_path, ledger, executor)
        loop.restore({"list": Listed("list", [point(3, 3, 0, 0, 0, 0)])})
        loop.run(["list"], lambda loop: bool(only(ledger, Lost)))
    assert [retried.cause for retried in only(ledger, Retried)] == ["lost", "lost"]
    assert [lost.trial for lost in only(ledger, Lost)] == [1]


@pytest.mark.fault(10)
def test_failures_in_a_row_end_the_search(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    loop = toy_loop(tmp_path, ledger, InlineExecutor(partial(train, misbehaviour="diverge")))
    loop.restore({"list": Listed("list", [point(3, 3, i % 4, i // 4 % 4, i // 16, 0) for i in range(60)])})
    ended = loop.run(["list"], lambda loop: False)
    assert (ended.why, ended.detail) == ("failures", "the loss is not finite")
    assert len(only(ledger, Failed)) == 20


@pytest.mark.fault(10)
def test_the_next_driver_goes_on_after_failures_in_a_row(tmp_path: Path) -> None:
    """Its failures count anew: it goes on where the cause was mended, and stops again where it was not."""
    ledger, proposals = MemoryLedger(), [point(3, 3, i % 4, i // 4 % 4, i // 16, 0) for i in range(60)]
    for done, work in enumerate([partial(train, misbehaviour="diverge")] * 2 + [train]):
        loop = toy_loop(tmp_path, ledger, InlineExecutor(work))
        loop.record(Noted("driver", {}))
        loop.restore({"list": Listed("list", proposals)})
        assert loop.run(["list"], lambda loop: False).why == ("failures" if done < 2 else "done")
    assert len(only(ledger, Failed)) == 40
    assert len(only(ledger, Finished)) == 20


def test_a_space_that_is_exhausted_ends_the_search(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    loop = toy_loop(tmp_path, ledger, InlineExecutor(train))
    loop.restore({"list": Repeating([point(1, 1, 1, 1, 1, 1)] * 3000)})
    assert loop.run(["list"], lambda loop: False).why == "exhausted"


@pytest.mark.fault(24)
def test_what_is_cancelled_is_asked_again(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    proposals = [point(1, 0, 0, 0, 0, 0), point(2, 0, 0, 0, 0, 0)]
    with LocalExecutor(partial(train, pause=30.0), workers=2, logs_folder=tmp_path / "logs", preload=()) as executor:
        loop = toy_loop(tmp_path, ledger, executor)
        loop.restore({"list": Listed("list", proposals)})
        loop.run(["list"], lambda loop: len(loop.began) == 2)
        loop.cancel("enough")
    assert [cancelled.trial for cancelled in only(ledger, Cancelled)] == [1, 2]
    again = toy_loop(tmp_path, ledger, InlineExecutor(train))
    again.restore({"list": Listed("list", proposals)})
    again.run(["list"], lambda loop: False)
    assert [finished.trial for finished in only(ledger, Finished)] == [1, 2]
    assert len(only(ledger, Asked)) == 2


def test_a_shelved_trial_stays_open_and_is_given_to_nobody(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    proposals = [point(1, 0, 0, 0, 0, 0), point(2, 0, 0, 0, 0, 0)]
    ledger.append([Asked("list", ((1, proposals[0]), (2, proposals[1])))])
    loop = toy_loop(tmp_path, ledger, InlineExecutor(train))
    loop.restore({"list": Listed("list", proposals)})
    loop.shelved = {1}
    assert loop.run(["list"], lambda loop: False).why == "done"
    assert [started.trial for started in only(ledger, Started)] == [2]
    assert list(loop.book.open) == [1]


@pytest.mark.fault(1)
def test_a_trial_that_ran_at_three_deaths_of_the_driver_is_not_tried_again(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    proposal = point(1, 0, 0, 0, 0, 0)
    ledger.append([Asked("list", ((1, proposal),))])
    for attempt in (1, 2, 3):
        ledger.append([Noted("driver", {}), Started(1, attempt)])
    ledger.append([Noted("driver", {})])
    loop = toy_loop(tmp_path, ledger, InlineExecutor(train))
    loop.restore({"list": Listed("list", [proposal])})
    loop.run(["list"], lambda loop: False)
    (failed,) = only(ledger, Failed)
    assert failed.status == "crashed"
    assert "3 times in a row" in failed.reason


def test_who_waited_for_a_trial_that_is_not_tried_again_is_answered_once(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    proposal = point(1, 0, 0, 0, 0, 0)
    ledger.append([Asked("list", ((1, proposal),)), Asked("list", ((2, proposal),))])
    for attempt in (1, 2, 3):
        ledger.append([Noted("driver", {}), Started(1, attempt)])
    ledger.append([Noted("driver", {})])
    for _ in range(2):  # and again, when the run goes on
        loop = toy_loop(tmp_path, ledger, InlineExecutor(train))
        loop.restore({"list": Listed("list", [proposal])})
        loop.run(["list"], lambda loop: False)
    assert [failed.trial for failed in only(ledger, Failed)] == [1, 2]


def test_two_deaths_are_forgiven_when_something_finished_in_between(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    first, second = point(1, 0, 0, 0, 0, 0), point(2, 0, 0, 0, 0, 0)
    ledger.append([Asked("list", ((1, first),)), Asked("list", ((2, second),))])
    for attempt in (1, 2):
        ledger.append([Noted("driver", {}), Started(1, attempt)])
    ledger.append(
        [Noted("driver", {}), Started(2, 1), Finished(2, "completed", {}), Started(1, 3), Noted("driver", {})]
    )
    loop = toy_loop(tmp_path, ledger, InlineExecutor(train))
    loop.restore({"list": Listed("list", [first, second])})
    loop.run(["list"], lambda loop: False)
    assert Counter(loop.book.counts) == Counter({"completed": 2})


@pytest.mark.parametrize("spare_bytes", [0, 200])
def test_large_files_of_losers_go_above_the_budget_and_those_that_may_be_needed_stay(
    tmp_path: Path, spare_bytes: int
) -> None:
    ledger = MemoryLedger()
    loop = toy_loop(tmp_path, ledger, InlineExecutor(train), spare_bytes=spare_bytes)
    search = toy_search(rungs=(1, 3))
    loop.restore({"search": search})
    loop.run(["search"], lambda loop: loop.spent().trials >= 120)
    loop.run(["search"], lambda loop: False, draw=False)
    files = {path.name: path.stat().st_size for path in (tmp_path / "blobs").rglob("*") if path.is_file()}
    held = {loop.book.artefacts[trial]["checkpoint"] for trial in search.holds() if trial in loop.book.artefacts}
    assert held <= files.keys()
    others = sum(size for name, size in files.items() if name not in held)
    assert others <= spare_bytes + 40
    assert not list((tmp_path / "work").iterdir())
