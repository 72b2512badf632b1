"""What a search with halving can say of its own rungs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from netwright.core.events import Asked, Event, Failed, Finished, Stored
from netwright.core.history import History
from netwright.core.objective import parse_goal
from netwright.core.task import TaskSpec
from netwright.core.trial import Continue, Fidelity, Proposal
from netwright.reports.html import write_report
from netwright.reports.promoted import PromotedRow, about_promoted, compute_promoted
from netwright.reports.story import report_json, tell
from netwright.reports.view import RunView
from netwright.testing.toys import measured, toy_candidate
from tests.reports.runs import make_run

TASK = TaskSpec((1, 8, 8), ("a", "b"), (0.5,), (0.25,))


def view(pairs: Sequence[tuple[float, float]], *, alone: int = 5, failed: int = 0) -> RunView:
    """Networks by accuracy at 3 epochs and at 9; `alone` more at 3 epochs, and `failed` ones that diverged at 9."""
    events: list[Event] = []
    for index in range(len(pairs) + alone + failed):
        candidate = toy_candidate({"x": index})
        low, high = pairs[index] if index < len(pairs) else (0.1, 0.0)
        events.append(Asked("search", ((index + 1, Proposal(candidate, Fidelity(3, True), origin="random")),)))
        events.append(Finished(index + 1, "completed", measured(accuracy=low)))
        if index >= len(pairs) + failed:
            continue
        number = 100 + index
        promotion = Proposal(
            candidate, Fidelity(9, True), Continue(index + 1), parents=(index + 1,), origin="promotion"
        )
        events.append(Asked("search", ((number, promotion),)))
        ended = Finished(number, "completed", measured(accuracy=high))
        events.append(ended if index < len(pairs) else Failed(number, "diverged", "the loss was not finite"))
    history = History.of(Stored(place, float(place), event) for place, event in enumerate(events, 1))
    return RunView(history, parse_goal((), ()), TASK)


def test_pairs_of_promoted_networks_are_counted() -> None:
    rising = [(0.5 + 0.01 * i, 0.7 + 0.01 * i) for i in range(5)]
    assert compute_promoted(view(rising)) == [PromotedRow(3, 9, 5, 10, 10)]
    swapped = [*rising[:3], (rising[3][0], rising[4][1]), (rising[4][0], rising[3][1])]
    assert compute_promoted(view(swapped, failed=2)) == [PromotedRow(3, 9, 5, 10, 9)]


def test_pairs_that_are_equal_are_none() -> None:
    rising = [(0.5 + 0.01 * i, 0.7 + 0.01 * i) for i in range(6)]
    (row,) = compute_promoted(view([*rising[:5], (rising[4][0], 0.9)]))
    assert (row.networks, row.pairs, row.kept) == (6, 14, 14)


def test_few_pairs_say_nothing() -> None:
    assert compute_promoted(view([(0.5 + 0.01 * i, 0.7 + 0.01 * i) for i in range(4)])) == []
    assert about_promoted([], "accuracy") == ""


def test_the_page_says_what_is_seen_and_what_is_not(tmp_path: Path) -> None:
    story = tell(make_run(tmp_path, trials=160))
    assert story.promoted
    row = story.promoted[0]
    page, _ = write_report(story.view, tmp_path)
    shown = page.read_text(encoding="utf-8").replace("\u00a0", " ")
    assert (
        f"Of {row.networks} networks trained on from {row.low} to {row.high} epochs, {row.kept} of {row.pairs} pairs"
        in shown
    )
    assert "What did not go on is not seen again" in shown
    assert report_json(story)["promoted"][0]["kept"] == row.kept


def test_a_run_without_promotions_leaves_it_out(tmp_path: Path) -> None:
    page, _ = write_report(make_run(tmp_path, trials=4), tmp_path)
    assert "From short to longer training" not in page.read_text(encoding="utf-8")
