"""What every ledger must do. Subclass `LedgerSuite` in a test module, say how to open yours, and run pytest.

class TestMyLedger(LedgerSuite):
    def open(self, folder: Path) -> Ledger:
        return MyLedger(folder / "events")
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import pytest

from netwright.core.candidate import Architecture, Candidate
from netwright.core.events import (
    Asked,
    Cancelled,
    Clock,
    Event,
    Failed,
    Finished,
    Lost,
    Noted,
    Retried,
    Started,
)
from netwright.core.measurement import Measurement
from netwright.core.trial import Continue, Fidelity, Inherit, Proposal
from netwright.ledger.base import Ledger

HOSTILE = "'; DROP TABLE events; -- \" \\ \x00 \x1b[31m \ud800 <img onerror> ${x} é 網 😀"
"""Text that breaks what quotes, escapes or encodes it carelessly."""


def sample_proposal(text: str = "plain") -> Proposal:
    """A proposal that uses every kind of field, with `text` where text may come from outside."""
    layers = ({"layer": "Conv", "address": f"network/{text}", "width": 16}, {"layer": "Linear", "address": "network/1"})
    candidate = Candidate(
        kind="network",
        architecture=Architecture(layers, key=text),
        recipe={"optimizer": text, "lr": 0.1, "batch": 128, "ema": False, "warmup": None},
        decisions={f"network/{text}": text, "network/2": ("#7f3a", text)},
    )
    return Proposal(candidate, Fidelity(3, trunk=True), Continue(1), 2, (1,), text, {"rung": 1, "note": text})


def sample_events(text: str = "plain") -> list[Event]:
    """One event of each kind at least, in an order that a search could write."""
    first = Proposal(Candidate("forest", None, {"trees": 100}), Fidelity(1), origin=text)
    child = Proposal(Candidate("linear", None, {}), Fidelity(1), Inherit(1, {"added": [text]}))
    accuracy = Measurement(0.91, "", 0.9, 0.92, 1000, "measured", "validation")
    return [
        Noted(text, {"host": text, "workers": 2, "nested": {"list": [1, 2.5, None, True, text]}}),
        Asked(text, ((1, first),)),
        Asked(text, ((2, sample_proposal(text)), (3, child))),
        Started(1, 1, text),
        Finished(1, "completed", {"accuracy": accuracy}, {"checkpoint": text}, 1.5, 1.25, None, {"why": text}),
        Finished(2, "completed", {"accuracy": accuracy}, reused_from=1),
        Started(3, 1),
        Retried(3, 1, text, 0.5),
        Cancelled(3, text, 0.25),
        Failed(3, "crashed", text, text, 2.0, 1.0),
        Lost(4, text),
        Clock(12.5, 20.0),
    ]


class LedgerSuite(ABC):
    """The promises of `netwright.ledger.base.Ledger`. `persistent` says whether a ledger outlives its object."""

    persistent: ClassVar[bool] = True

    @abstractmethod
    def open(self, folder: Path) -> Ledger:
        """The ledger kept in `folder`, made if it is not there yet."""

    def test_begins_empty(self, tmp_path: Path) -> None:
        """A new ledger holds nothing, and appending nothing changes nothing."""
        with self.open(tmp_path) as ledger:
            assert ledger.append([]) == 0
            assert list(ledger.replay()) == []

    @pytest.mark.parametrize("text", ["plain", "", HOSTILE])
    def test_gives_back_what_was_appended(self, tmp_path: Path, text: str) -> None:
        """Every kind of event comes back equal, in order, with positions from 1, whatever its texts hold."""
        events = sample_events(text)
        with self.open(tmp_path) as ledger:
            assert ledger.append(events[:5]) == 5
            assert ledger.append(events[5:]) == len(events)
            stored = list(ledger.replay())
        assert [entry.event for entry in stored] == events
        assert [entry.position for entry in stored] == list(range(1, len(events) + 1))

    def test_replays_from_a_position(self, tmp_path: Path) -> None:
        """`after` leaves out what came up to that position; beyond the end there is nothing."""
        with self.open(tmp_path) as ledger:
            ledger.append([Clock(float(second), 0.0) for second in range(2500)])
            assert [entry.event for entry in ledger.replay(after=2498)] == [Clock(2498.0, 0.0), Clock(2499.0, 0.0)]
            assert list(ledger.replay(after=2500)) == []
            assert len(list(ledger.replay())) == 2500

    def test_replays_what_is_appended_meanwhile(self, tmp_path: Path) -> None:
        """An iteration that is under way goes on to events appended since."""
        with self.open(tmp_path) as ledger:
            ledger.append([Started(1, 1)])
            iteration = ledger.replay()
            assert next(iteration).event == Started(1, 1)
            ledger.append([Lost(1, "gone")])
            assert [entry.event for entry in iteration] == [Lost(1, "gone")]

    def test_finds_the_events_of_a_trial_and_the_facts_of_the_run(self, tmp_path: Path) -> None:
        """In order and with their positions; a batch that opened several trials at once belongs to none of them."""
        events = sample_events()
        with self.open(tmp_path) as ledger:
            ledger.append(events)
            ledger.append([Noted("stage", {"name": "final"})])
            stored = list(ledger.replay())
            assert [entry.event for entry in ledger.of_trial(1)] == [events[1], events[3], events[4]]
            assert [entry.event for entry in ledger.of_trial(3)] == [events[6], events[7], events[8], events[9]]
            assert ledger.of_trial(99) == []
            assert ledger.facts() == [stored[0], stored[-1]]
            ledger.append([Lost(99, "gone")])
            assert [entry.event for entry in ledger.of_trial(99)] == [Lost(99, "gone")]

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
    def test_refuses_what_is_not_json(self, tmp_path: Path, value: object) -> None:
        """A refused event takes its whole batch with it and leaves the ledger as it was."""
        with self.open(tmp_path) as ledger:
            ledger.append([Clock(1.0, 1.0)])
            with pytest.raises(ValueError, match="finite numbers"):
                ledger.append([Clock(2.0, 2.0), Noted("settings", {"value": value})])
            assert [entry.event for entry in ledger.replay()] == [Clock(1.0, 1.0)]
            assert ledger.append([Clock(3.0, 3.0)]) == 2

    def test_is_not_changed_by_its_callers(self, tmp_path: Path) -> None:
        """What was appended stays as it was, whatever becomes of the objects given and got."""
        data = {"workers": 2}
        with self.open(tmp_path) as ledger:
            ledger.append([Noted("settings", data)])
            data["workers"] = 9
            for entry in ledger.replay():
                assert isinstance(entry.event, Noted)
                entry.event.data["workers"] = 7  # type: ignore[index]
            assert [entry.event for entry in ledger.replay()] == [Noted("settings", {"workers": 2})]

    def test_outlives_its_object(self, tmp_path: Path) -> None:
        """Opened again it holds what it held, and goes on counting."""
        if not self.persistent:
            pytest.skip("this ledger is not persistent")
        events = sample_events()
        with self.open(tmp_path) as ledger:
            ledger.append(events)
            first = list(ledger.replay())
        with self.open(tmp_path) as ledger:
            assert list(ledger.replay()) == first
            assert ledger.append([Clock(9.0, 9.0)]) == len(events) + 1

    def test_may_be_closed_twice(self, tmp_path: Path) -> None:
        """Closing is for `finally` clauses: doing it again is no error."""
        ledger = self.open(tmp_path)
        ledger.close()
        ledger.close()
