"""A run folder as reports see it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from netwright.core.events import Asked, Cancelled, Event, Finished, Noted, Stored
from netwright.core.history import History
from netwright.core.trial import Fidelity, Proposal
from netwright.experiment.settings import Settings
from netwright.experiment.view import command, roles_of, view_of
from netwright.testing.toys import Grid, measured
from tests.experiment.commands import TINY, call, class_folders


def test_finalists_are_those_that_were_trained() -> None:
    """What the budget cut off has no network to choose, and is no finalist until the run goes on."""
    grid = Grid((5,) * 6)
    proposals = [
        Proposal(grid.sample(Random(seed)), Fidelity(4), origin="final", notes={"role": role})
        for seed, role in enumerate(("finalist", "finalist", "random"))
    ]
    events: list[Event] = [
        Noted("stage", {"number": 1, "proposals": [proposal.to_json() for proposal in proposals]}),
        *(Asked("final", ((trial, proposal),)) for trial, proposal in enumerate(proposals, start=1)),
        Finished(1, "completed", measured(accuracy=0.9)),
        Cancelled(2, "the budget of this run is used up"),
        Cancelled(3, "the budget of this run is used up"),
    ]
    roles = roles_of(History.of(Stored(position, 0.0, event) for position, event in enumerate(events, start=1)))
    assert roles.finalists == (1,)
    assert roles.best_random is None


def finals_of(*finals: tuple[str, float, str]) -> History:
    """A random candidate and a child of it, and final trainings of either with a role and an accuracy."""
    grid = Grid((5,) * 6)
    events: list[Event] = [
        Asked("search", ((number, Proposal(grid.sample(Random(number)), Fidelity(2), origin=origin)),))
        for number, origin in ((1, "random"), (2, "mutation"))
    ]
    for number, (root, accuracy, role) in enumerate(finals, start=3):
        parents = (1 if root == "random" else 2,)
        candidate = grid.sample(Random(number))
        proposal = Proposal(candidate, Fidelity(4), parents=parents, origin="final", notes={"role": role})
        events += [Asked("final", ((number, proposal),)), Finished(number, "completed", measured(accuracy=accuracy))]
    return History.of(Stored(position, 0.0, event) for position, event in enumerate(events, start=1))


def test_the_best_random_final_is_the_best_of_all_that_were_drawn_at_random() -> None:
    finals = (("mutation", 0.95, "finalist"), ("random", 0.9, "finalist"), ("random", 0.8, "random"))
    assert roles_of(finals_of(*finals)).best_random == 4
    assert roles_of(finals_of(("random", 0.8, "random"), ("random", 0.7, "random"))).best_random == 3
    assert roles_of(finals_of(("mutation", 0.8, "finalist"))).best_random is None


def test_beside_a_rival_the_best_random_final_is_the_rivals() -> None:
    """Not what the search itself drew for an earlier final stage, before there was a rival."""
    history = finals_of(("mutation", 0.9, "random"), ("random", 0.8, "random"))
    history.trials[1] = replace(history.trials[1], source="rival")
    assert roles_of(history).best_random == 4


def test_relative_paths_are_named_as_they_were_typed() -> None:
    settings = Settings("photos/", minutes=1.0, split="lists/split.csv", space="mine.py:small").complete()
    told = command(settings, Path("runs/photos"))
    assert told.startswith("netwright search photos --minutes 1 ")
    assert "--split lists/split.csv" in told
    assert "--space mine.py:small" in told
    assert told.endswith("--out runs/photos")
    assert "'photos', minutes=1.0" in command(Settings("photos", minutes=1.0, space="(python)"), Path("runs/photos"))


def test_absolute_paths_are_named_by_their_last_part() -> None:
    settings = Settings("/home/ada/photos", space="/home/ada/mine.py:small", groups="/home/ada/groups.csv").complete()
    assert "ada" not in command(settings, Path("/srv/ada/run"))
    assert command(settings, Path("/srv/ada/run")).endswith("--out run")


def test_the_command_names_what_is_no_default() -> None:
    assert "--precision" not in command(Settings("photos").complete(), Path("run"))
    assert "--executor" not in command(Settings("photos").complete(), Path("run"))
    told = command(Settings("photos", precision="fp32", executor="inline").complete(), Path("run"))
    assert "--precision fp32 --executor inline" in told


@pytest.mark.parametrize(
    ("budget", "more"), [(("--trials", "1"), "--trials 2 "), (("--cpu-seconds", "4"), "--cpu-seconds 8 ")]
)
def test_going_on_takes_twice_the_budget_whichever_was_given(
    budget: tuple[str, str], more: str, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert call("search", class_folders(tmp_path / "pictures"), *TINY, *budget, "--out", run).code == 0
    facts = view_of(run, images=False).facts
    assert f"{' '.join(budget)} " in facts["command"]
    assert more in facts["resume"]
    assert "--minutes" not in facts["resume"]
