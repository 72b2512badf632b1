from __future__ import annotations

from itertools import islice

from netwright.core.events import Asked, Failed, Lost
from netwright.core.trial import Fidelity, Proposal
from netwright.strategies import Listed
from netwright.testing.toys import Grid

GRID = Grid((5, 5))
PROPOSALS = tuple(Proposal(GRID.candidate((0, option)), Fidelity(3), origin="final", repeat=1) for option in range(4))


def test_each_is_asked_once_in_order() -> None:
    finalists = Listed("finalists", PROPOSALS)
    assert tuple(finalists.ask()) == PROPOSALS
    finalists.tell(Asked("finalists", tuple(enumerate(islice(finalists.ask(), 2), start=10))))
    assert tuple(finalists.ask()) == PROPOSALS[2:]
    finalists.tell(Failed(10, "crashed", "scripted"))
    assert tuple(finalists.ask()) == PROPOSALS[2:]
    finalists.tell(Asked("finalists", tuple(enumerate(PROPOSALS[2:], start=12))))
    assert tuple(finalists.ask()) == ()


def test_what_was_lost_is_asked_once_more() -> None:
    finalists = Listed("finalists", PROPOSALS[:2])
    for trial in (10, 20):
        finalists.tell(Asked("finalists", tuple(enumerate(finalists.ask(), start=trial))))
        finalists.tell(Lost(trial, "the disk was full"))
        assert tuple(finalists.ask()) == (PROPOSALS[:1] if trial == 10 else ())


def test_a_list_that_grew_goes_on_after_a_replay() -> None:
    again = Listed("finalists", PROPOSALS)
    again.tell(Asked("finalists", ((1, PROPOSALS[2]),)))
    assert tuple(again.ask()) == (*PROPOSALS[:2], PROPOSALS[3])


def test_the_same_proposal_twice_is_asked_once() -> None:
    assert tuple(Listed("baselines", PROPOSALS[:1] * 3).ask()) == PROPOSALS[:1]
