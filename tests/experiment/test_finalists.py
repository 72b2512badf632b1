"""Who is trained to the end, in which way."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from netwright.core.candidate import Candidate
from netwright.core.events import Finished
from netwright.core.measurement import Measurement
from netwright.core.objective import parse_goal
from netwright.core.task import TaskSpec
from netwright.core.trial import Fidelity, Proposal
from netwright.experiment.choice import Entry, Standings, entry_of
from netwright.experiment.finalists import MOST_FINALISTS, lineup
from netwright.experiment.run import _SearchRun
from netwright.experiment.settings import Settings
from netwright.spaces.catalog import make_space

GOAL = parse_goal((), ())
SPACE = make_space("chain", TaskSpec((1, 28, 28), ("a", "b"), (0.5,), (0.5,)))
STARTS = SPACE.starts


def entry(trial: int, candidate: Candidate, *, overfits: bool = False, origin: str = "start") -> Entry:
    """Of several starts the larger is the better one."""
    measurements = {
        "accuracy": Measurement(0.9 + 0.01 * trial, split="validation"),
        "parameters": Measurement(1_000.0 * 3**trial, source="computed"),
        "loss": Measurement(0.3 if overfits else 0.1, "nats", split="validation"),
    }
    found = entry_of(
        GOAL,
        Proposal(candidate, Fidelity(1), origin=origin),
        Finished(trial, "completed", measurements, notes={"train_loss": 0.1}),
    )
    assert found is not None
    return found


def line(*entries: Entry, random: Entry | None = None, augment: str = "shift") -> list[tuple[int, str]]:
    """Trial and augmentation of each finalist."""
    standings = Standings(GOAL)
    for one in entries:
        standings.add(one)
    assert SPACE.reference is not None
    reference = replace(SPACE.reference, recipe={**SPACE.reference.recipe, "augment": augment})
    found = lineup(standings, random, None, space=SPACE, reference=reference)
    for one in found:
        SPACE.validate(one.proposal.candidate)
    return [(one.trial, str(one.proposal.candidate.recipe["augment"])) for one in found]


def test_what_overfits_is_trained_with_augmentation_the_first_in_both_ways() -> None:
    entries = [entry(trial, STARTS[trial], overfits=trial != 1) for trial in range(4)]
    found = line(*entries)
    assert (found[0], found[2]) == ((3, "none"), (3, "shift"))
    assert set(found) == {(3, "none"), (3, "shift"), (2, "shift"), (1, "none"), (0, "shift")}


@pytest.mark.parametrize("augment", ["none", "rotate"])
def test_augmentation_that_there_is_not_or_the_space_does_not_know_changes_nothing(augment: str) -> None:
    entries = [entry(trial, STARTS[trial], overfits=True) for trial in range(4)]
    assert {way for _, way in line(*entries, augment=augment)} == {"none"}


def test_the_best_random_one_comes_second_and_once() -> None:
    entries = [entry(trial, STARTS[trial]) for trial in range(4)]
    drawn = entry(9, STARTS[2], origin="random")
    assert [trial for trial, _ in line(*entries, random=drawn)][:2] == [3, 9]
    assert 2 not in {trial for trial, _ in line(*entries, random=drawn)}, "it is the same candidate"
    assert [trial for trial, _ in line(random=drawn)] == [9], "where the search itself found nothing"
    assert line() == []


def test_there_are_no_more_finalists_than_that() -> None:
    candidates = [
        SPACE.replay({**STARTS[0].decisions, "recipe/adamw/lr": 0.003 + 0.001 * number}) for number in range(12)
    ]
    entries = [entry(number, candidate, overfits=True) for number, candidate in enumerate(candidates)]
    assert len(line(*entries)) == MOST_FINALISTS


@pytest.mark.parametrize(
    ("more", "used", "left"),
    [({}, 0.9, False), ({}, 1.0, False), ({"minutes": 20.0}, 0.5, True), ({"limits": ("parameters<=10k",)}, 0.9, True)],
)
def test_a_run_that_ended_goes_on_only_for_more_budget_or_other_wishes(
    more: dict[str, Any], used: float, left: bool
) -> None:
    def driver(settings: Settings, facts: dict[str, Any]) -> Any:
        budget = SimpleNamespace(used=lambda spent: used)
        fake: Any = object.__new__(_SearchRun)
        fake.loop = SimpleNamespace(spent=lambda: None)
        opened_settings = SimpleNamespace(budget=budget, to_json=settings.to_json)
        fake.opened = SimpleNamespace(settings=opened_settings, fact=facts.get)
        return fake

    ended = Settings(data="digits", minutes=10.0)
    outcome = {"stage": 1, "asked": driver(ended, {})._asked()}
    again = driver(replace(ended, **more), {"outcome": outcome, "stage": {"number": 1}})
    assert again._nothing_left() == (not left)
