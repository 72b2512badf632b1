"""Hyperband over any strategy: several successive halvings side by side, each with another lowest rung.

Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar, "Hyperband: A Novel Bandit-Based Approach to Hyperparameter
Optimization", JMLR 18, 2018, arXiv 1603.06560. Successive halving trusts that a short training orders candidates as a
long one does. Hyperband hedges: bracket s begins s rungs below the top, so the last bracket trains each of a few
candidates to the end. In one round bracket s gets ceil((s_max + 1) / (s + 1) eta^s) new candidates.

Where this deviates: asynchronous, with the promotions of `halving` in each bracket (Li et al., "A System for Massively
Parallel Hyperparameter Tuning", MLSys 2020, section 3.2) and without an end; new candidates are dealt to the brackets
in these proportions, not bracket after bracket, so a search that is cut off has had all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from netwright.core.errors import InputError
from netwright.strategies.base import Strategy
from netwright.strategies.halving import Halvings


def sizes(brackets: int, eta: int = 3) -> tuple[int, ...]:
    """New candidates a round of each bracket, the one with the lowest first rung (s = s_max) first."""
    return tuple(-(-brackets * eta**s // (s + 1)) for s in reversed(range(brackets)))


def table(longest: int, *, eta: int = 3, shortest: int = 1) -> list[list[tuple[int, int]]]:
    """The brackets of one synchronous round: (candidates, epochs) rung by rung, s = s_max first.

    The paper's algorithm 1, with a top rung of `longest` epochs and no rung below `shortest`. Raises InputError for
    numbers that make no rung.
    """
    if not 1 <= shortest <= longest or eta < 2:
        raise InputError(f"hyperband needs 1 <= shortest <= longest and eta >= 2, but got {shortest}, {longest}, {eta}")
    most = 0  # s_max, in whole numbers: the logarithm of 243 to the base 3 comes out below 5
    while shortest * eta ** (most + 1) <= longest:
        most += 1
    rows = []
    for s, count in zip(reversed(range(most + 1)), sizes(most + 1, eta), strict=True):
        rows.append([(max(1, count // eta**rung), longest // eta ** (s - rung)) for rung in range(s + 1)])
    return rows


class Hyperband(Halvings):
    """Successive halvings of the proposals of `inner` on `rungs` (epochs, rising) and on all of their upper ends.

    `eta` and `hopeless` are those of `bracket.Bracket`. The inner strategy draws one stream of candidates, whichever
    bracket each goes to, and learns from each result at the rung that it was trained to.
    """

    def __init__(self, inner: Strategy, *, rungs: Sequence[int], eta: int = 3, hopeless: float = 0.25) -> None:
        super().__init__(inner, rungs, sizes(len(rungs), eta), eta=eta, hopeless=hopeless)
