"""What the report says of scores without training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from netwright.core.events import Asked, Finished, Noted, Stored
from netwright.core.history import History
from netwright.core.measurement import Measurement
from netwright.core.objective import parse_goal
from netwright.core.task import TaskSpec
from netwright.core.trial import UNTRAINED, Fidelity, Proposal
from netwright.reports.scores import about_scores, compute_scores
from netwright.reports.view import RunView
from netwright.testing.toys import toy_candidate

TASK = TaskSpec((1, 8, 8), ("a", "b"), (0.5,), (0.25,))


def view(pairs: list[tuple[float, float]], *, final: bool = False, off: bool = False, **facts: object) -> RunView:
    """Candidates with (score, accuracy) and 2 s for a score; two more that were scored alone."""
    events: list[object] = []

    def trial(number: int, source: str, proposal: Proposal, seconds: float, **values: float) -> None:
        events.append(Asked(source, ((number, proposal),)))
        measured = {name: Measurement(value) for name, value in values.items()}
        events.append(Finished(number, "completed", measured, seconds=seconds))

    for index, (value, accuracy) in enumerate([*pairs, (0.0, 0.0), (0.0, 0.0)]):
        candidate = toy_candidate({"x": index})
        trial(
            index + 1, "search", Proposal(candidate, UNTRAINED, origin="random"), 2.0, synflow=value, parameters=index
        )
        if index < len(pairs):
            notes = {} if final else {"scored": index + 1}
            proposal = Proposal(
                candidate, Fidelity(3), parents=(index + 1,), origin="final" if final else "screened", notes=notes
            )
            trial(100 + index, "final" if final else "search", proposal, 10.0, accuracy=accuracy, parameters=index)
    if off:
        events.append(Noted("screening", {"off": True}))
    history = History.of(Stored(place, float(place), event) for place, event in enumerate(events, 1))  # type: ignore[arg-type]
    return RunView(history, parse_goal((), ()), TASK, {"score": "synflow", **facts})


PAIRS = [(1.0, 0.5), (2.0, 0.6), (3.0, 0.8), (4.0, 0.7), (5.0, 0.9)]


def test_screening_is_counted_and_held_against_results() -> None:
    found = compute_scores(view(PAIRS))
    assert found is not None
    assert (found.scored, found.trained, found.results, found.seconds) == (7, 5, 5, 14.0)
    assert found.share == pytest.approx(14 / 64)
    assert found.agreement == pytest.approx(0.9) == found.size
    said = about_scores(view(PAIRS, off=True))
    assert "7 candidates were scored by log SynFlow before training" in said and "5 of them were trained" in said
    assert "rank correlation with accuracy is 0.90" in said and "turned itself off" in said


def test_a_search_without_training_says_what_it_gave_up() -> None:
    said = about_scores(view(PAIRS, final=True, trains=False))
    assert "No candidate was trained before the final stage: 7 candidates were scored" in said
    assert "22 % of what was used" in said and "What was given up" in said and "0.90" in said


def test_few_results_say_nothing() -> None:
    assert "3 trained networks are too few" in about_scores(view(PAIRS[:3]))


def test_nothing_is_said_where_nothing_was_scored(tmp_path: Path) -> None:
    unscored = view(PAIRS)
    assert about_scores(replace(unscored, facts={})) == ""
    assert compute_scores(replace(unscored, history=History())) is None
