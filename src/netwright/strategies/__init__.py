"""Strategies: what to try next, given what came of all that was tried. They see spaces and core records only."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.core.candidate import Candidate
from netwright.core.errors import InputError
from netwright.core.objective import Goal
from netwright.core.trial import Fidelity
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction, Costs, Source, Strategy
from netwright.strategies.gaussian_process import GaussianProcessSearch
from netwright.strategies.halving import Halving
from netwright.strategies.listed import Listed
from netwright.strategies.local_search import LocalSearch, SteepestLocalSearch
from netwright.strategies.nsga2 import NSGA2
from netwright.strategies.random import RandomSearch
from netwright.strategies.regularized_evolution import RegularizedEvolution
from netwright.strategies.tournament_evolution import TournamentEvolution
from netwright.strategies.tpe import TPE

STRATEGIES: dict[str, type[Strategy]] = {
    "gaussian-process": GaussianProcessSearch,
    "local-search": LocalSearch,
    "nsga2": NSGA2,
    "random": RandomSearch,
    "regularized-evolution": RegularizedEvolution,
    "steepest-local-search": SteepestLocalSearch,
    "tournament-evolution": TournamentEvolution,
    "tpe": TPE,
}

__all__ = [
    "NSGA2",
    "STRATEGIES",
    "TPE",
    "CostFunction",
    "Costs",
    "GaussianProcessSearch",
    "Halving",
    "Listed",
    "LocalSearch",
    "RandomSearch",
    "RegularizedEvolution",
    "SearchSpace",
    "Source",
    "SteepestLocalSearch",
    "Strategy",
    "TournamentEvolution",
    "make_strategy",
]


def make_strategy(
    name: str,
    space: SearchSpace,
    goal: Goal,
    *,
    seed: int,
    costs: CostFunction,
    epochs: int,
    rungs: Sequence[int] = (),
    starts: Sequence[Candidate] = (),
) -> Source:
    """The registered strategy `name`, under successive halving when there are two `rungs` or more.

    Without rungs every candidate is trained for `epochs` with its own schedule. All but random search begin with those
    of the `starts` that are inside the limits. Raises InputError for an unknown name, or rungs that do not rise.
    """
    if name not in STRATEGIES:
        raise InputError(f"a strategy must be one of {', '.join(STRATEGIES)}, but got {name!r}")
    strategy = STRATEGIES[name](space, goal, seed=seed, costs=costs)
    if strategy.kind != "random":
        strategy.starts = [candidate for candidate in starts if strategy.excess(candidate) == 0]
    if len(rungs) > 1:
        return Halving(strategy, rungs=rungs)
    strategy.fidelity = Fidelity(epochs)
    return strategy
