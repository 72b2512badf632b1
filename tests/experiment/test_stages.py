"""When the search gives way to the final stage, and what is trained there."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from netwright.book import Book
from netwright.budget import Budget, Spent
from netwright.core.candidate import Architecture, Candidate
from netwright.core.events import Finished
from netwright.core.measurement import Measurement
from netwright.core.objective import parse_goal
from netwright.core.trial import Fidelity, Proposal
from netwright.experiment.choice import Standings, entry_of
from netwright.experiment.desk import Result
from netwright.experiment.ladder import FINAL_SHARE, Ladder
from netwright.experiment.stages import MARGIN, WAIT_SHARE, Stages
from netwright.loop import Ended

GOAL = parse_goal((), ())
LADDER = Ladder(10, (1, 3), 1_000, 1.0)


def proposal(name: str, epochs: int, origin: str, **notes: Any) -> Proposal:
    candidate = Candidate("network", Architecture((), name), {"lr": 0.1})
    return Proposal(candidate, Fidelity(epochs), origin=origin, notes=notes)


def finished(trial: int, accuracy: float, parameters: float, seconds: float = 0.0) -> Finished:
    return Finished(
        trial,
        "completed",
        {
            "accuracy": Measurement(accuracy, split="validation"),
            "parameters": Measurement(parameters, source="computed"),
            "training_seconds": Measurement(seconds, "s"),
        },
    )


class Bench:
    """Stages on a loop that stands still: three candidates of 0.5 s an epoch, the smallest of them drawn at random."""

    def __init__(
        self, budget: Budget, *, rival: str | None = None, epochs: int | None = None, score: str | None = None
    ) -> None:
        self.spent = Spent()
        standings = Standings(GOAL)
        for trial, (accuracy, size, origin) in enumerate(
            [(0.95, 9_000, "mutation"), (0.94, 3_000, "mutation"), (0.93, 900, "random")], start=1
        ):
            entry = entry_of(GOAL, proposal(f"network {trial}", 1, origin), finished(trial, accuracy, size, 0.5))
            assert entry is not None
            standings.add(entry)
        self.results: dict[int, Result] = {}
        self.facts: dict[str, Any] = {}
        self.loop: Any = SimpleNamespace(
            book=Book(),
            began={},
            spent=lambda: self.spent,
            add=lambda name, source: None,
            run=self._train,
            interrupted=False,
            cancel=lambda reason: None,
        )
        settings = SimpleNamespace(budget=budget, rival=rival, epochs=epochs, score=score)
        opened: Any = SimpleNamespace(
            settings=settings,
            executor=SimpleNamespace(workers=2),
            goal=GOAL,
            reference=proposal("", 1, "").candidate,
            space=None,
            fact=self.facts.get,
            note=self.facts.__setitem__,
        )
        desk: Any = SimpleNamespace(
            standings={"search": standings, "rival": standings}, results=self.results, baseline=lambda role: None
        )
        self.stages = Stages(opened, desk, self.loop, LADDER)

    def _train(self, names: list[str], until: object) -> None:
        """Whatever the stage plans is finished at once."""
        for record in self.facts["stage"]["proposals"]:
            trial = 10 + len(self.results)
            self.results[trial] = Result("final", Proposal.from_json(record), finished(trial, 0.96, 3_000))

    def over(self, seconds: float) -> bool:
        self.spent = Spent(seconds, 2 * seconds)
        return self.stages._search_is_over(self.loop)

    def planned(self) -> dict[str, tuple[int, str]]:
        """Epochs and role by the name of the network."""
        found = self.stages._proposals(self.stages._chosen())
        return {p.candidate.key: (p.fidelity.epochs, str(p.notes["role"])) for p in found}


def test_the_search_goes_on_while_the_final_stage_needs_less_than_its_share() -> None:
    bench = Bench(Budget(seconds=600))
    needed = 2 * 0.5 * 2 * LADDER.epochs * MARGIN  # three trainings of twice ten epochs, two of them on one worker
    assert not bench.over(600 * (1 - FINAL_SHARE) + 1)
    assert not bench.over(600 - 8 - needed - 1)
    assert bench.over(600 - 8 - needed + 1)


def test_what_still_runs_is_waited_for_in_time_that_was_set_aside() -> None:
    bench = Bench(Budget(seconds=600))
    needed = 2 * 0.5 * 2 * LADDER.epochs * MARGIN
    bench.loop.book.longest["search"] = 20.0
    bench.loop.began[7] = time.monotonic() - 5
    assert bench.over(600 - 8 - needed - 14), "15 s may pass until the last one ends"
    bench.loop.book.longest["search"] = 1_000.0
    assert not bench.over(600 - 8 - needed - WAIT_SHARE * 600 - 2), "but no more than a twentieth is set aside"


def test_a_search_with_a_rival_has_half_of_what_baselines_leave() -> None:
    bench = Bench(Budget(seconds=600), rival="random")
    bench.loop.book.cpu.update(baseline=100.0, search=300.0)
    assert not bench.over(300)
    bench.loop.book.cpu["search"] = (1_200 * (1 - FINAL_SHARE) - 100) / 2
    assert bench.over(301)
    bench.loop.book.cpu["rival"] = bench.loop.book.cpu["search"] - 1
    assert not bench.stages._rival_is_over(bench.loop)
    bench.loop.book.cpu["rival"] += 1
    assert bench.stages._rival_is_over(bench.loop)


def test_a_rival_runs_also_where_the_search_came_to_an_end_of_its_own() -> None:
    bench, drawn_from = Bench(Budget(seconds=600), rival="random"), []

    def run(names: list[str], until: object, *, draw: bool = True) -> Ended:
        drawn_from.append(names)
        return Ended("done")

    bench.loop.run = run
    bench.spent = Spent(10.0, 20.0)
    bench.stages.search()
    assert ["baseline", "rival"] in drawn_from


@pytest.mark.parametrize("score", [None, "synflow"])
def test_a_rival_of_a_search_by_score_has_as_much_time_not_as_many_trials(score: str | None) -> None:
    bench = Bench(Budget(trials=30), rival="random", score=score)
    bench.loop.book.assigned.update(search=10, rival=10)
    bench.loop.book.cpu.update(search=10.0, rival=5.0)
    assert bench.stages._rival_is_over(bench.loop) == (score is None)


def test_finalists_train_as_long_as_there_is_time_and_the_random_one_is_among_them() -> None:
    longest = 2 * LADDER.epochs
    assert Bench(Budget(seconds=600)).planned() == {
        "network 1": (longest, "finalist"),
        "network 3": (longest, "random"),
        "network 2": (longest, "finalist"),
    }
    assert {epochs for epochs, _ in Bench(Budget(seconds=600), epochs=10).planned().values()} == {10}


@pytest.mark.parametrize(("before", "again"), [(20, False), (30, False), (15, True)])
def test_a_later_stage_trains_nobody_again_for_no_longer(before: int, again: bool) -> None:
    bench = Bench(Budget(seconds=600))
    earlier = proposal("network 2", before, "final")
    bench.results[9] = Result("final", earlier, finished(9, 0.96, 3_000))
    assert ("network 2" in bench.planned()) == again


def test_beyond_a_handful_a_finalist_must_leave_everyone_an_unhurried_training() -> None:
    assert len(crowded(unhurried=0).planned()) == 8
    assert len(crowded(unhurried=20).planned()) < 8


def crowded(*, unhurried: int) -> Bench:
    """Eight candidates, each with a place on the front, and time for all of them at ten epochs."""
    bench = Bench(Budget(seconds=600))
    bench.stages.ladder = replace(LADDER, unhurried=unhurried)
    for trial in range(4, 12):
        entry = entry_of(
            GOAL,
            proposal(f"network {trial}", 1, "mutation"),
            finished(trial, 0.93 - trial / 1_000, 900 - trial * 50, 0.5),
        )
        assert entry is not None
        bench.stages.desk.standings["search"].add(entry)
    bench.spent = Spent(600 - 8 - 8 / 2 * 0.5 * 10 * MARGIN * 1.2, 1_000)
    return bench


def test_in_a_short_time_the_first_and_the_random_one_are_trained_for_less() -> None:
    bench = Bench(Budget(seconds=600))
    bench.spent = Spent(600 - 8 - 3, 1_000)
    assert bench.planned() == {"network 1": (5, "finalist"), "network 3": (5, "random")}


def test_all_that_were_ever_trained_to_the_end_are_considered() -> None:
    bench = Bench(Budget(seconds=600))
    bench.results[9] = Result("final", proposal("found earlier", 20, "final"), finished(9, 0.97, 3_000))
    assert bench.stages.final() == [9, 11, 12, 13]


def test_a_stage_that_was_cut_off_is_gone_on_with_until_the_search_goes_on() -> None:
    bench = Bench(Budget(seconds=600))
    bench.loop.book.assigned["search"] = 30
    first = bench.stages._stage()
    assert first is not None
    assert bench.stages._stage() == first
    bench.loop.book.assigned["search"] = 31
    second = bench.stages._stage()
    assert second is not None
    assert (first["number"], second["number"]) == (1, 2)


def test_after_a_stage_that_was_tested_comes_another() -> None:
    bench = Bench(Budget(seconds=600))
    first = bench.stages._stage()
    assert first is not None
    bench.facts["outcome"] = {"stage": first["number"]}
    second = bench.stages._stage()
    assert second is not None
    assert second["number"] == 2
