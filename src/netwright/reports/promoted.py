"""Whether the order after a short training held after a longer one, among the networks of a search that were trained on.

It is all that successive halving, or a population in training, can say of its steps, and less than a rank correlation
over random networks (`reports.fidelity`): what did not go on is not seen again, and the better part is the hardest to
order. So pairs are counted, and no correlation is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from netwright.reports import words
from netwright.reports.view import RunView

FEWEST = 10
"""So many pairs must be there before they are counted."""


@dataclass(frozen=True, slots=True)
class PromotedRow:
    """Of `networks` trained on from `low` to `high` epochs: how many of their `pairs` kept their order by quality.

    A pair that was equal at either is none.
    """

    low: int
    high: int
    networks: int
    pairs: int
    kept: int


def compute_promoted(view: RunView) -> list[PromotedRow]:
    """A row for each two rungs that networks were promoted between, where there are enough pairs; the lowest first."""
    steps: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for trial in view.searched():
        below = view.trial(trial.proposal.parents[0]) if trial.proposal.parents else None
        if trial.proposal.origin != "promotion" or below is None:
            continue
        if trial.status != "completed" or below.status != "completed":
            continue
        low, high = view.metric.cost(below.measurements), view.metric.cost(trial.measurements)
        if low is not None and high is not None:
            rungs = below.proposal.fidelity.epochs, trial.proposal.fidelity.epochs
            steps.setdefault(rungs, []).append((low, high))
    rows = [_row(low, high, costs) for (low, high), costs in sorted(steps.items())]
    return [row for row in rows if row.pairs >= FEWEST]


def _row(low: int, high: int, costs: Sequence[tuple[float, float]]) -> PromotedRow:
    signs = [(a[0] - b[0]) * (a[1] - b[1]) for a, b in combinations(costs, 2)]
    unequal = [sign for sign in signs if sign != 0]
    return PromotedRow(low, high, len(costs), len(unequal), sum(sign > 0 for sign in unequal))


def about_promoted(rows: Sequence[PromotedRow], metric: str) -> str:
    """The counts in sentences, with what they cannot say; empty without any."""
    if not rows:
        return ""
    counts = [
        f"Of {row.networks} networks trained on from {row.low} to {row.high} epochs, {words.count(row.kept)} of "
        f"{words.count(row.pairs)} pairs kept their order by {words.title(metric)}."
        for row in rows
    ]
    return (
        f"{' '.join(counts)} What did not go on is not seen again, and what did is the better part, the hardest to order; "
        "netwright fidelity measures it over random networks."
    )
