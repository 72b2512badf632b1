"""Strategies: what to try next, given what came of all that was tried. They see spaces and core records only."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.core.candidate import Candidate
from netwright.core.errors import InputError
from netwright.core.objective import Goal
from netwright.core.own import is_file, load
from netwright.core.trial import Fidelity
from netwright.spaces.walk import SearchSpace
from netwright.strategies.auto import Auto
from netwright.strategies.bananas import Bananas
from netwright.strategies.base import CostFunction, Costs, Drawing, Source, Strategy
from netwright.strategies.forest import ForestSearch
from netwright.strategies.gaussian_process import GaussianProcessSearch
from netwright.strategies.grid import GridSearch
from netwright.strategies.halving import Halving
from netwright.strategies.hypervolume_evolution import HypervolumeEvolution
from netwright.strategies.listed import Listed
from netwright.strategies.local_search import LocalSearch, SteepestLocalSearch
from netwright.strategies.nsga2 import NSGA2
from netwright.strategies.ppo import PPO
from netwright.strategies.random import RandomSearch
from netwright.strategies.regularized_evolution import RegularizedEvolution
from netwright.strategies.reinforce import Reinforce
from netwright.strategies.tournament_evolution import TournamentEvolution
from netwright.strategies.tpe import TPE

STRATEGIES: dict[str, type[Strategy]] = {
    "auto": Auto,
    "bananas": Bananas,
    "forest": ForestSearch,
    "gaussian-process": GaussianProcessSearch,
    "grid": GridSearch,
    "hypervolume-evolution": HypervolumeEvolution,
    "local-search": LocalSearch,
    "nsga2": NSGA2,
    "ppo": PPO,
    "random": RandomSearch,
    "regularized-evolution": RegularizedEvolution,
    "reinforce": Reinforce,
    "steepest-local-search": SteepestLocalSearch,
    "tournament-evolution": TournamentEvolution,
    "tpe": TPE,
}

__all__ = [
    "NSGA2",
    "PPO",
    "STRATEGIES",
    "TPE",
    "Auto",
    "Bananas",
    "CostFunction",
    "Costs",
    "Drawing",
    "ForestSearch",
    "GaussianProcessSearch",
    "GridSearch",
    "Halving",
    "HypervolumeEvolution",
    "Listed",
    "LocalSearch",
    "RandomSearch",
    "RegularizedEvolution",
    "Reinforce",
    "SearchSpace",
    "Source",
    "SteepestLocalSearch",
    "Strategy",
    "TournamentEvolution",
    "find_strategy",
    "make_strategy",
]


def find_strategy(reference: str) -> type[Strategy]:
    """The class that `reference` names: a registered strategy, or `FILE.py:NAME`, one of the user's own.

    The file is run, so it must be the user's own. Raises InputError that says what is missing.
    """
    if not is_file(reference):
        if reference not in STRATEGIES:
            raise InputError(
                f"a strategy must be one of {', '.join(STRATEGIES)}, or FILE.py:NAME for one of your own, "
                f"but got {reference!r}"
            )
        return STRATEGIES[reference]
    found = load(reference, "strategy", Strategy, InputError)
    if not isinstance(found, type) or not issubclass(found, Strategy):
        file, _, name = reference.rpartition(":")
        raise InputError(f"{name} in {file} must be a class derived from Strategy, but it is {type(found).__name__}")
    return found


def make_strategy(
    kind: str | type[Strategy],
    space: SearchSpace,
    goal: Goal,
    *,
    seed: int,
    costs: CostFunction,
    epochs: int,
    rungs: Sequence[int] = (),
    starts: Sequence[Candidate] = (),
) -> Source:
    """The strategy `kind`, by name (see `find_strategy`) or class, under successive halving when there are two `rungs` or more.

    Without rungs every candidate is trained for `epochs` with its own schedule. All but random search begin with those
    of the `starts` that are inside the limits. Raises InputError for an unknown name, or rungs that do not rise.
    """
    strategy = (find_strategy(kind) if isinstance(kind, str) else kind)(space, goal, seed=seed, costs=costs)
    if strategy.kind != "random":
        strategy.starts = [candidate for candidate in starts if strategy.excess(candidate) == 0]
    if len(rungs) > 1:
        return Halving(strategy, rungs=rungs)
    strategy.fidelity = Fidelity(epochs)
    return strategy
