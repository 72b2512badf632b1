"""How far a short training tells of a long one, in words: the table, and what follows for a search with halving."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.core.text import plain
from netwright.reports import words
from netwright.reports.fidelity import FEWEST, LEAST, FidelityReport, RungRow, Unfinished


def fidelity_lines(found: FidelityReport) -> list[str]:
    """The table and what follows from it, for a terminal."""
    lines = []
    if found.rungs:
        head = f"{found.complete} random networks, trained on every rung and in full."
        lines += [
            f"{head} Rank correlation (Spearman's) with the full training, 90 % interval:",
            "",
            f"{'epochs':>8}{'of the cost':>14}   {'rank correlation':<24}best third kept",
            *(_row(row) for row in found.rungs),
            f"{found.epochs:>8}{'100 %':>14}   {_reached(found)}",
            "",
        ]
    return [*lines, *_said(found), *_failures(found.failed)]


def _row(row: RungRow) -> str:
    said = "none: all end equal" if row.correlation is None else f"{row.correlation:.2f}"
    if row.low is not None and row.high is not None:
        said += f" ({row.low:.2f} to {row.high:.2f})"
    return f"{row.epochs:>8}{f'{100 * row.share:.0f} %':>14}   {said:<24}{row.kept} of {row.third}"


def _reached(found: FidelityReport) -> str:
    low, high = (words.valued(found.metric, value) for value in (min(found.values), max(found.values)))
    error = words.valued(found.metric, found.error)
    return f"full trainings: {words.title(found.metric)} {low} to {high}, each ± {error}"


def _failures(failed: Sequence[Unfinished]) -> list[str]:
    if not failed:
        return []
    head = f"{words.plural(len(failed), 'network')} failed and {'is' if len(failed) == 1 else 'are'} left out:"
    named = [
        f"    trial {one.trial}, {one.status.replace('_', ' ')} at {words.plural(one.epochs, 'epoch')}: {plain(one.reason)}"
        for one in failed
    ]
    return [head, *named]


def fidelity_verdict(found: FidelityReport) -> str:
    """What follows for a search with successive halving, and how sure it is."""
    return " ".join(_said(found))


def _said(found: FidelityReport) -> list[str]:
    if not found.rungs:
        were = f"{found.complete} of {found.asked} {'was' if found.complete == 1 else 'were'}"
        told = "to say how far a short training tells of a long one"
        return [f"At least {FEWEST} networks must be trained to the end {told}, but {were}."]
    if not found.varies:
        return ["Nothing can be said: the full trainings all end equal, so there is no order to keep."]
    said = [_judged(found), *_doubts(found)]
    if len(found.rungs) == 1:
        said.append("There is one rung, so halving would drop nobody; a full training of four epochs or more has two.")
    return said


def _judged(found: FidelityReport) -> str:
    if found.trusted == 0:
        first = found.rungs[0]
        order = "seem to order" if any(row.open for row in found.rungs) else "order"
        return (
            f"Rungs from {words.plural(first.epochs, 'epoch')} on ({100 * first.share:.0f} % of the cost of a full training) "
            f"{order} networks well enough for successive halving."
        )
    if found.trusted is None:
        last = found.rungs[-1]
        return (
            f"Below {LEAST} even at {words.plural(last.epochs, 'epoch')}: early stopping {_will(last)} mis-rank. "
            f"{_instead(found, found.epochs)}"
        )
    below, good = found.rungs[found.trusted - 1], found.rungs[found.trusted]
    order = "seem to order" if any(row.open for row in found.rungs[found.trusted :]) else "order"
    return (
        f"Below {LEAST} at {words.plural(below.epochs, 'epoch')}: early stopping {_will(below)} mis-rank there; rungs from "
        f"{words.plural(good.epochs, 'epoch')} on {order} networks well enough. {_instead(found, good.epochs)} "
        "NAME+hyperband begins at the higher rungs too."
    )


def _will(row: RungRow) -> str:
    return "may" if row.open else "will"


def _instead(found: FidelityReport, needed: int) -> str:
    """A strategy without halving trains each candidate a third of a full training: how to make that `needed` epochs."""
    passes = -(-3 * needed // found.pass_epochs)
    longer = f" --epochs {passes}" if found.epochs // 3 < needed else ""
    each = passes * found.pass_epochs // 3 if longer else found.epochs // 3
    return (
        f"Use a strategy without halving (--strategy nsga2{longer}), which trains each candidate "
        f"{words.plural(each, 'epoch')}."
    )


def _doubts(found: FidelityReport) -> list[str]:
    """What leaves the judgement open: few networks, whose interval is wide, and full trainings that end alike."""
    doubts = []
    undecided = [str(row.epochs) for row in found.rungs if row.open]
    if undecided:
        doubts.append(
            f"{found.complete} networks leave that open for {words.listed(undecided)} epochs, where the interval reaches "
            f"across {LEAST}; more --networks narrow it."
        )
    if found.alike:
        doubts.append(
            "Half of the spread of the full trainings, or more, is what chance gives on these validation images, so their "
            "own order is uncertain."
        )
    return doubts
