"""A run folder as reports see it."""

from __future__ import annotations

from random import Random

from netwright.core.events import Asked, Cancelled, Event, Finished, Noted, Stored
from netwright.core.history import History
from netwright.core.trial import Fidelity, Proposal
from netwright.experiment.view import roles_of
from netwright.testing.toys import Grid, measured


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
