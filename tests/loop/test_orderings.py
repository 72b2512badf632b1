"""The loop against an executor that answers when and how the test says: late, twice, out of order, preempted."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from netwright.core.events import Asked, Cancelled, Clock, Event, Failed, Finished, Lost, Retried, Started
from netwright.core.job import Allowance, AttemptEvent, AttemptFailed, AttemptFinished, AttemptLost, Evaluated, Job
from netwright.core.measurement import Measurement
from netwright.core.trial import Fidelity, Proposal, TrialId
from netwright.executors.base import Executor
from netwright.ledger.base import Ledger
from netwright.ledger.memory import MemoryLedger
from netwright.ledger.sqlite import SqliteLedger, read
from netwright.loop import TWINS_IN_A_ROW, Loop
from netwright.strategies import Listed, make_strategy
from netwright.testing.driving import GOAL, SPACE, toy_loop, toy_search
from netwright.testing.toys import Grid, toy_costs

Script = Callable[[dict[TrialId, Job]], list[AttemptEvent]]


class Scripted(Executor):
    """Holds jobs until the script, given those under way by trial, answers some of them. A final word frees a slot."""

    def __init__(self, script: Script, workers: int = 1) -> None:
        self.script, self._workers = script, workers
        self.jobs: dict[TrialId, Job] = {}
        self.most = 0

    @property
    def workers(self) -> int:
        return self._workers

    def slots(self) -> int:
        return self._workers - len(self.jobs)

    def submit(self, job: Job, allowance: Allowance) -> None:
        job.folder.mkdir(parents=True)
        self.jobs[job.trial] = job
        self.most = max(self.most, len(self.jobs))

    def drain(self, timeout: float) -> list[AttemptEvent]:
        events = self.script(dict(self.jobs))
        for event in events:
            if event.trial in self.jobs and self.jobs[event.trial].attempt == event.attempt:
                del self.jobs[event.trial]
        return events

    def stop(self, trial: TrialId, grace: float | None) -> None:
        self.jobs.pop(trial, None)

    def close(self, grace: float = 0.0) -> None:
        self.jobs.clear()


class Stream(Listed):
    """Asks what it is given, duplicates too."""

    def __init__(self, proposals: list[Proposal]) -> None:
        super().__init__("list", proposals)
        self.drawn, self.told = 0, list[Event]()

    def ask(self) -> Iterator[Proposal]:
        yield from self.proposals[self.drawn :]

    def tell(self, event: Event) -> None:  # type: ignore[override]
        self.drawn += isinstance(event, Asked)
        self.told.append(event)


def point(*options: int) -> Proposal:
    return Proposal(SPACE.candidate(options), Fidelity(1))


def result(job: Job, value: float = 0.5) -> AttemptFinished:
    accuracy = Measurement(value, split="validation")
    evaluated = Evaluated({"accuracy": accuracy, "parameters": Measurement(1000)})
    return AttemptFinished(job.trial, job.attempt, evaluated, 1.0, 1.0)


def only(ledger: Ledger, kind: type[Event]) -> list[Event]:
    return [stored.event for stored in ledger.replay() if isinstance(stored.event, kind)]


def run(folder: Path, executor: Scripted, proposals: list[Proposal]) -> tuple[MemoryLedger, Stream, Loop]:
    ledger, source = MemoryLedger(), Stream(proposals)
    loop = toy_loop(folder, ledger, executor)
    loop.restore({"list": source})
    for _ in range(200):
        ended = loop.run(["list"], lambda loop: False)
        if ended.why == "done" and not loop.book.open:
            return ledger, source, loop
    raise AssertionError(f"{len(loop.book.open)} trials were never answered")


@pytest.mark.fault(13)
def test_a_hundred_copies_of_one_network_with_eight_workers_are_trained_once(tmp_path: Path) -> None:
    """Copies asked while the first is in flight wait for it; a worker is free for others meanwhile."""
    turns = [0]

    def answer(jobs: dict[TrialId, Job]) -> list[AttemptEvent]:
        turns[0] += 1
        return [result(job) for trial, job in jobs.items() if trial != 1 or turns[0] >= 5]

    copies = [point(1, 2, 3, 0, 1, 2)] * 100
    others = [point(0, 0, 0, 0, a, b) for a in range(4) for b in range(4)]
    executor = Scripted(answer, workers=8)
    ledger, source, _ = run(tmp_path, executor, copies[:50] + others + copies[50:])
    assert executor.most == 8
    assert len(only(ledger, Started)) == 1 + len(others)
    finished = {event.trial: event for event in only(ledger, Finished)}
    assert set(finished) == set(range(1, 117))
    assert sum(event.reused_from == 1 for event in finished.values()) == 99
    assert source.told.count(finished[1]) == 1


@pytest.mark.fault(20)
@pytest.mark.parametrize("lost", [0, 2])
def test_a_preempted_attempt_is_queued_again_and_does_not_count(tmp_path: Path, lost: int) -> None:
    """Ten preemptions, and as many real losses as are forgiven: the trial finishes all the same."""

    def answer(jobs: dict[TrialId, Job]) -> list[AttemptEvent]:
        (job,) = jobs.values()
        if job.attempt <= lost + 10:
            return [AttemptLost(job.trial, job.attempt, "SIGTERM", 0.1, counts=job.attempt <= lost)]
        return [result(job)]

    ledger, _, loop = run(tmp_path, Scripted(answer), [point(1, 1, 1, 1, 1, 1)])
    assert [event.cause for event in only(ledger, Retried)] == ["lost"] * lost + ["preempted"] * 10
    assert [event.status for event in only(ledger, Finished)] == ["completed"]
    assert loop.book.assigned == {"list": 1}


@pytest.mark.fault(20)
def test_what_an_attempt_keeps_is_there_for_the_next_and_gone_after_the_last(tmp_path: Path) -> None:
    found: list[str | None] = []

    def answer(jobs: dict[TrialId, Job]) -> list[AttemptEvent]:
        (job,) = jobs.values()
        assert job.keep is not None
        found.append(job.keep.read_text() if job.keep.exists() else None)
        job.keep.parent.mkdir(exist_ok=True)
        job.keep.write_text(f"attempt {job.attempt}")
        if job.attempt < 3:
            return [AttemptLost(job.trial, job.attempt, "SIGTERM", 0.1, counts=False)]
        return [result(job)]

    run(tmp_path, Scripted(answer), [point(1, 1, 1, 1, 1, 1)])
    assert found == [None, "attempt 1", "attempt 2"]
    assert list((tmp_path / "partial").iterdir()) == []


@pytest.mark.fault(4)
def test_losses_beyond_those_forgiven_close_the_trial(tmp_path: Path) -> None:
    def answer(jobs: dict[TrialId, Job]) -> list[AttemptEvent]:
        return [
            AttemptLost(job.trial, job.attempt, "SIGKILL", 0.1) if job.trial == 1 else result(job)
            for job in jobs.values()
        ]

    ledger, source, _ = run(tmp_path, Scripted(answer, workers=2), [point(1, 0, 0, 0, 0, 0), point(2, 0, 0, 0, 0, 0)])
    assert sum(event.trial == 1 for event in only(ledger, Started)) == 3
    assert [event.trial for event in only(ledger, Lost)] == [1]
    assert [event.trial for event in only(ledger, Finished)] == [2]
    assert sum(isinstance(event, Lost) for event in source.told) == 1


@pytest.mark.fault(21)
def test_a_result_that_comes_after_its_attempt_was_given_up_changes_nothing(tmp_path: Path) -> None:
    """The first attempt was lost and its answer comes later: while the second runs, with it, and after it."""
    first: list[Job] = []

    def answer(jobs: dict[TrialId, Job]) -> list[AttemptEvent]:
        late = [result(job, 0.99) for job in first]
        if 1 in jobs and jobs[1].attempt == 1:
            first.append(jobs[1])
            return [AttemptLost(1, 1, "SIGKILL", 0.1), *(result(job) for job in first)]
        if 1 in jobs:
            return [*late, result(jobs[1], 0.25), *late, AttemptFailed(1, 2, "crashed", "late", "", 1.0, 1.0)]
        return [*late, *(result(job) for job in jobs.values())]

    ledger, source, loop = run(tmp_path, Scripted(answer), [point(1, 1, 1, 1, 1, 1), point(2, 2, 2, 2, 2, 2)])
    finished = only(ledger, Finished)
    assert [(event.trial, event.measurements["accuracy"].value) for event in finished] == [(1, 0.25), (2, 0.5)]
    assert only(ledger, Failed) == []
    assert [event for event in source.told if isinstance(event, Finished)] == finished
    assert loop.book.counts == {"completed": 2}


@pytest.mark.fault(21)
def test_a_result_that_comes_after_its_trial_was_cancelled_changes_nothing(tmp_path: Path) -> None:
    """Stopped by the budget, answered afterwards, and asked again by the next driver under the same number."""
    held: list[Job] = []

    def answer(jobs: dict[TrialId, Job]) -> list[AttemptEvent]:
        if not held:
            held.extend(jobs.values())
            return []
        return [result(job, 0.99) for job in held] + [result(job) for job in jobs.values() if job not in held]

    ledger, executor = MemoryLedger(), Scripted(answer)
    loop = toy_loop(tmp_path, ledger, executor)
    loop.restore({"list": Listed("list", [point(1, 1, 1, 1, 1, 1), point(2, 2, 2, 2, 2, 2)])})
    loop.run(["list"], lambda loop: bool(held))
    loop.cancel("the budget is spent")
    loop.run(["list"], lambda loop: False)
    assert [event.trial for event in only(ledger, Cancelled)] == [1]
    values = [(event.trial, event.measurements["accuracy"].value) for event in only(ledger, Finished)]
    assert values == [(1, 0.5), (2, 0.5)]


@pytest.mark.fault(21)
def test_results_in_any_order_reach_their_own_trials(tmp_path: Path) -> None:
    """Eight workers, answers shuffled: every trial has the result of its own network, and a replay gives the same."""
    rng = random.Random(3)

    def value(job: Job) -> float:
        assert job.proposal is not None
        return sum(SPACE.point(Proposal.from_json(job.proposal).candidate)) / 18

    def answer(jobs: dict[TrialId, Job]) -> list[AttemptEvent]:
        some = rng.sample(list(jobs.values()), rng.randrange(len(jobs) + 1))
        return [result(job, value(job)) for job in some]

    ledger = MemoryLedger()
    loop = toy_loop(tmp_path, ledger, Scripted(answer, workers=8))
    source = toy_search("regularized-evolution", rungs=(1,))
    loop.restore({"search": source})
    loop.run(["search"], lambda loop: loop.spent().trials >= 120)
    loop.run(["search"], lambda loop: False, draw=False)
    proposals = {trial: proposal for asked in only(ledger, Asked) for trial, proposal in asked.trials}
    assert [event.trial for event in only(ledger, Finished)] != sorted(proposals)
    for event in only(ledger, Finished):
        assert event.measurements["accuracy"].value == sum(SPACE.point(proposals[event.trial].candidate)) / 18
    again = toy_search("regularized-evolution", rungs=(1,))
    toy_loop(tmp_path, ledger, Scripted(answer)).restore({"search": again})
    assert next(iter(again.ask())).to_json() == next(iter(source.ask())).to_json()


@pytest.mark.fault(15)
def test_a_wall_clock_that_jumps_moves_neither_the_budget_nor_the_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time of day leaps by decades, forwards and back, at every look at it."""
    jumps = random.Random(1)
    monkeypatch.setattr(time, "time", lambda: jumps.uniform(0.0, 4e9))
    path = tmp_path / "ledger.sqlite"
    with SqliteLedger(path) as ledger:
        executor = Scripted(lambda jobs: [result(job) for job in list(jobs.values())[1:]], workers=3)
        loop = toy_loop(tmp_path, ledger, executor)
        loop.restore({"search": toy_search(rungs=(1,))})
        ended = loop.run(["search"], lambda loop: loop.spent().trials >= 40)
        loop.tick(force=True)
        assert ended.why == "until"
        assert loop.began.keys() == {1}, "one is still under way"
        assert 0 < loop.spent().seconds < 60
        assert 0 < loop.spent().cpu_seconds < 60
        assert 0 < loop.book.seconds < 60
    stored = list(read(path))
    assert [entry.position for entry in stored] == list(range(1, len(stored) + 1))
    assert len({entry.at for entry in stored}) > 10, "what the clock said is kept, for show"


def asked_before_any_answer(ledger: Ledger) -> int:
    kinds = [type(stored.event) for stored in ledger.replay()]
    return kinds[: kinds.index(Finished)].count(Asked)


@pytest.mark.parametrize(("candidates", "workers"), [(1, 2), (3, 4)])
def test_fewer_candidates_than_workers_are_waited_for(tmp_path: Path, candidates: int, workers: int) -> None:
    turns = [0]

    def patient(jobs: dict[TrialId, Job]) -> list[AttemptEvent]:
        turns[0] += 1
        return [result(job) for job in jobs.values()] if turns[0] > 30 else []

    executor = Scripted(patient, workers)
    ledger = MemoryLedger()
    loop = toy_loop(tmp_path, ledger, executor)
    loop.restore({"search": make_strategy("nsga2", Grid((candidates,)), GOAL, seed=0, costs=toy_costs, epochs=1)})
    assert loop.run(["search"], lambda loop: False).why == "exhausted"
    assert len(only(ledger, Started)) == candidates
    assert asked_before_any_answer(ledger) <= candidates + TWINS_IN_A_ROW
    assert loop.book.counts["completed"] == loop.book.next_id - 1


def test_a_space_whose_last_training_takes_long_is_not_exhausted_before_it_ends(tmp_path: Path) -> None:
    """The other candidate is finished, and asked for again and again meanwhile."""
    turns = [0]

    def slow(jobs: dict[TrialId, Job]) -> list[AttemptEvent]:
        turns[0] += 1
        return [result(job) for job in jobs.values() if job.trial == 1 or turns[0] > 30]

    ledger = MemoryLedger()
    loop = toy_loop(tmp_path, ledger, Scripted(slow, workers=2))
    loop.restore({"list": Stream([point(1), point(2), *[point(1)] * 3_000])})
    assert loop.run(["list"], lambda loop: False).why == "done"
    assert loop.book.counts["completed"] == loop.book.next_id - 1
    assert len(only(ledger, Started)) == 2


def test_an_answer_and_its_copies_are_one_write(tmp_path: Path) -> None:
    class Writes(MemoryLedger):
        def append(self, events: Sequence[Event]) -> int:
            answers = [event.trial for event in events if isinstance(event, Finished)]
            if answers:
                written.append(answers)
            return super().append(events)

    written: list[list[TrialId]] = []
    turns = [0]

    def later(jobs: dict[TrialId, Job]) -> list[AttemptEvent]:
        turns[0] += 1
        return [result(job) for job in jobs.values()] if turns[0] > 5 else []

    loop = toy_loop(tmp_path, Writes(), Scripted(later, workers=2))
    loop.restore({"list": Stream([point(1)] * 3)})
    loop.run(["list"], lambda loop: False)
    assert written == [[1, 2, 3]]


def test_the_clock_counts_what_is_under_way(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    loop = toy_loop(tmp_path, ledger, Scripted(lambda jobs: []))
    loop.restore({"list": Listed("list", [point(1)])})
    loop.run(["list"], lambda loop: bool(loop.began))
    loop.began[1] -= 60
    loop.tick(force=True)
    assert [event.cpu_seconds for event in only(ledger, Clock) if isinstance(event, Clock)][-1] >= 60


def test_a_budget_of_trials_is_kept_by_any_number_of_workers(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    executor = Scripted(lambda jobs: [result(job) for job in jobs.values()], workers=8)
    loop = toy_loop(tmp_path, ledger, executor)
    loop.restore({"search": toy_search(rungs=(1,))})
    loop.run(["search"], lambda loop: loop.spent().trials >= 10)
    assert len(only(ledger, Started)) == 10


def test_a_twin_that_a_dead_driver_left_unanswered_is_answered(tmp_path: Path) -> None:
    ledger, proposal = MemoryLedger(), point(1)
    ledger.append([Asked("list", ((1, proposal), (2, proposal))), Started(1, 1), Finished(1, "completed", {})])
    loop = toy_loop(tmp_path, ledger, Scripted(lambda jobs: []))
    loop.restore({"list": Listed("list", [proposal])})
    assert loop.run(["list"], lambda loop: False).why == "done"
    assert only(ledger, Finished) == [Finished(1, "completed", {}), Finished(2, "completed", {}, reused_from=1)]
    assert not loop.book.open


def test_twins_of_what_another_source_left_open_end_the_search(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    ledger.append([Asked("other", ((1, point(1)),))])
    loop = toy_loop(tmp_path, ledger, Scripted(lambda jobs: []))
    loop.restore({"list": Stream([point(1)] * (TWINS_IN_A_ROW + 5))})
    ended = loop.run(["list"], lambda loop: len(loop.book.open) > 2 * TWINS_IN_A_ROW or loop.spent().seconds > 20)
    assert ended.why == "exhausted"


def test_what_was_lost_is_tried_again_when_it_is_asked_for_again(tmp_path: Path) -> None:
    def broken(jobs: dict[TrialId, Job]) -> list[AttemptEvent]:
        return [
            AttemptLost(job.trial, job.attempt, "SIGKILL", 7.0) if job.trial == 1 else result(job)
            for job in jobs.values()
        ]

    ledger = MemoryLedger()
    loop = toy_loop(tmp_path, ledger, Scripted(broken))
    loop.restore({"first": Stream([point(1)])})
    loop.run(["first"], lambda loop: False)
    assert only(ledger, Lost) == [Lost(1, "SIGKILL", 7.0)]
    assert loop.book.cpu_seconds == pytest.approx(21.0)
    loop.add("second", Listed("second", [point(1)]))
    loop.run(["second"], lambda loop: False)
    (done,) = only(ledger, Finished)
    assert isinstance(done, Finished)
    assert done.trial == 2
