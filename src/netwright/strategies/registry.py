"""Strategies by name: `NAME`, `NAME+WRAPPER`, or `FILE.py:NAME` for one of the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netwright.core.candidate import Candidate
from netwright.core.errors import InputError
from netwright.core.metrics import DEFAULT_SCORE
from netwright.core.objective import Goal
from netwright.core.own import is_file, load
from netwright.core.trial import Fidelity
from netwright.spaces.walk import SearchSpace
from netwright.strategies.auto import Auto
from netwright.strategies.bananas import Bananas
from netwright.strategies.base import CostFunction, Source, Strategy
from netwright.strategies.bohb import BOHB
from netwright.strategies.forest import ForestSearch
from netwright.strategies.gaussian_process import GaussianProcessSearch
from netwright.strategies.grid import GridSearch
from netwright.strategies.halving import Halving
from netwright.strategies.hyperband import Hyperband
from netwright.strategies.hypervolume_evolution import HypervolumeEvolution
from netwright.strategies.local_search import LocalSearch, SteepestLocalSearch
from netwright.strategies.nsga2 import NSGA2
from netwright.strategies.population_training import PopulationTraining
from netwright.strategies.ppo import PPO
from netwright.strategies.random import RandomSearch
from netwright.strategies.regularized_evolution import RegularizedEvolution
from netwright.strategies.reinforce import Reinforce
from netwright.strategies.screening import Screening
from netwright.strategies.tournament_evolution import TournamentEvolution
from netwright.strategies.tpe import TPE
from netwright.strategies.training_free import TrainingFree

STRATEGIES: dict[str, type[Strategy]] = {
    "auto": Auto,
    "bananas": Bananas,
    "bohb": BOHB,
    "forest": ForestSearch,
    "gaussian-process": GaussianProcessSearch,
    "grid": GridSearch,
    "hypervolume-evolution": HypervolumeEvolution,
    "local-search": LocalSearch,
    "nsga2": NSGA2,
    "pbt": PopulationTraining,
    "ppo": PPO,
    "random": RandomSearch,
    "regularized-evolution": RegularizedEvolution,
    "reinforce": Reinforce,
    "steepest-local-search": SteepestLocalSearch,
    "tournament-evolution": TournamentEvolution,
    "tpe": TPE,
    "training-free": TrainingFree,
}
WRAPPERS: dict[str, type[Halving] | type[Hyperband]] = {"halving": Halving, "hyperband": Hyperband}


def parts_of(name: str) -> tuple[str, str]:
    """What `NAME` or `NAME+WRAPPER` stands for: the strategy, and the wrapper that is said or that it comes with."""
    strategy, _, wrapper = name.rpartition("+")
    if wrapper in WRAPPERS and strategy:
        return strategy, wrapper
    return name, STRATEGIES[name].wrapper if name in STRATEGIES else ""


def spellings() -> tuple[str, ...]:
    """Every name that stands for a registered strategy: alone, and with each wrapper that it can have."""
    return tuple(
        name + more
        for name, strategy in STRATEGIES.items()
        for more in ("", *(f"+{wrapper}" for wrapper in WRAPPERS if strategy.fidelities))
    )


def check_name(name: str) -> None:
    """Raises InputError, which lists what there is, unless `name` is one of `spellings` or names a file (not run yet)."""
    strategy, _ = parts_of(name)
    if name not in spellings() and not is_file(strategy):
        raise InputError(
            f"a strategy must be one of {', '.join(STRATEGIES)}, or FILE.py:NAME for one of your own, most of them with "
            f"+{' or +'.join(WRAPPERS)} behind it if you like, but got {name!r}"
        )


def find_strategy(name: str) -> type[Strategy]:
    """The class that a name without wrapper stands for. A file is run, so it must be the user's own.

    Raises InputError that says what is missing.
    """
    check_name(name)
    if name in STRATEGIES:
        return STRATEGIES[name]
    found = load(name, "strategy", Strategy, InputError)
    if not isinstance(found, type) or not issubclass(found, Strategy):
        file, _, own = name.rpartition(":")
        raise InputError(f"{own} in {file} must be a class derived from Strategy, but it is {type(found).__name__}")
    return found


def cannot_inherit(name: str) -> str:
    """The sentence about a strategy that has no children, and which have."""
    able = ", ".join(other for other, strategy in STRATEGIES.items() if strategy.inherits)
    return f"weights can be inherited by the children of {able}, but {name} has none"


NO_SCORE_OF_HEIRS = (
    "a score is one of untrained weights, so screen and inherit cannot be combined; leave one of them out"
)


def make_strategy(
    kind: str | type[Strategy],
    space: SearchSpace,
    goal: Goal,
    *,
    seed: int,
    costs: CostFunction,
    epochs: int,
    rungs: Sequence[int] = (),
    wrapper: str = "halving",
    starts: Sequence[Candidate] = (),
    inherit: bool = False,
    screen: str | None = None,
) -> Source:
    """The strategy `kind`, by name or class, under its `wrapper` (one of `WRAPPERS`) when there are two `rungs` or more.

    Without rungs every candidate is trained for `epochs` with its own schedule. All but random search begin with those
    of the `starts` that are inside the limits. With `inherit`, children start from their parents' weights. What is
    proposed is screened by the score `screen`, where one is named; a strategy that trains nothing searches by that score.
    Raises InputError for an unknown name, rungs that do not rise, or a strategy that cannot do what is asked of it.
    """
    if wrapper not in WRAPPERS:
        raise InputError(f"a wrapper must be one of {', '.join(WRAPPERS)}, but got {wrapper!r}")
    cls = find_strategy(kind) if isinstance(kind, str) else kind
    if inherit and not cls.inherits:
        raise InputError(cannot_inherit(cls.name))
    if inherit and screen:
        raise InputError(NO_SCORE_OF_HEIRS)
    more: dict[str, Any] = {"inherit": True} if inherit else {}
    if not cls.trains:
        more["score"], screen = screen or DEFAULT_SCORE, None
    strategy = cls(space, goal, seed=seed, costs=costs, **more)
    if cls.trains:
        strategy.fidelity = Fidelity(epochs)
    if strategy.kind != "random":
        strategy.starts = [candidate for candidate in starts if strategy.excess(candidate) == 0]
    source = WRAPPERS[wrapper](strategy, rungs=rungs) if len(rungs) > 1 else strategy
    return source if screen is None else Screening(source, strategy, score=screen)
