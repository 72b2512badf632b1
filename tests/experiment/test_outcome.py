"""Where a run stands, also when its ledger has lost trials."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from random import Random

from netwright.core.events import Asked, Event, Finished, Noted, Stored
from netwright.core.history import History
from netwright.core.trial import Fidelity, Proposal
from netwright.experiment.outcome import Standing, measured_side_by_side
from netwright.experiment.view import roles_of
from netwright.ledger.sqlite import read
from netwright.testing.toys import Grid, measured
from tests.experiment.commands import call
from tests.experiment.conftest import FinishedRun

GRID = Grid((5,) * 6)


def history_of(*events: Event) -> History:
    return History.of(Stored(position, 0.0, event) for position, event in enumerate(events, start=1))


def lose(path: Path, trial: int) -> None:
    """Damage the event that asked for a trial, so that mending the ledger leaves the trial out."""
    position = next(
        stored.position
        for stored in read(path)
        if isinstance(stored.event, Asked) and trial in dict(stored.event.trials)
    )
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("DROP TRIGGER events_are_not_changed")
    connection.execute("UPDATE events SET checksum = checksum + 1 WHERE position = ?", (position,))
    connection.close()


def test_a_trial_that_a_mended_ledger_lost_is_left_out(small: FinishedRun, tmp_path: Path) -> None:
    run = small.copy(tmp_path)
    lost = small.ended.answer["best"]["trial"]
    lose(run / "ledger.sqlite", lost)
    assert call("doctor", run).code == 4
    assert call("doctor", run).code == 0, "mended"
    status = call("status", run, "--json")
    assert status.code == 0, status.err
    assert status.answer["best"] is None
    assert lost not in [network["trial"] for network in status.answer["front"]]
    for command in ("status", "report", "clean"):
        done = call(command, run)
        assert done.code == 0, done.err


def test_a_winner_that_was_lost_is_none() -> None:
    history = history_of(
        Asked("final", ((2, Proposal(GRID.sample(Random(0)), Fidelity(4), origin="final")),)),
        Finished(2, "completed", measured(accuracy=0.9)),
        Noted("measured", {"winner": 1, "measurements": {"1": {}, "2": {"latency": {"value": 2.0, "unit": "ms"}}}}),
        Noted("outcome", {"winner": 1, "front": [1, 2], "verdict": "It is good."}),
    )
    measured_side_by_side(history)
    standing = Standing.of(history)
    assert (standing.winner, standing.front) == (None, [2])
    assert history.trials[2].measurements["latency"].value == 2.0
    assert roles_of(history).winner is None


def test_a_final_stage_under_way_is_said() -> None:
    assert Standing.of(history_of()).verdict == "The search has not reached its final stage yet."
    assert "has begun" in Standing.of(history_of(Noted("stage", {"number": 1}))).verdict
