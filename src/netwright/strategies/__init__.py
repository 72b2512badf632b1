"""Strategies: what to try next, given what came of all that was tried. They see spaces and core records only."""

from netwright.spaces.walk import SearchSpace
from netwright.strategies.auto import Auto
from netwright.strategies.bananas import Bananas
from netwright.strategies.base import CostFunction, Costs, Drawing, Source, Strategy
from netwright.strategies.bohb import BOHB
from netwright.strategies.forest import ForestSearch
from netwright.strategies.gaussian_process import GaussianProcessSearch
from netwright.strategies.grid import GridSearch
from netwright.strategies.halving import Halving
from netwright.strategies.hyperband import Hyperband
from netwright.strategies.hypervolume_evolution import HypervolumeEvolution
from netwright.strategies.laddered import Laddered
from netwright.strategies.listed import Listed
from netwright.strategies.local_search import LocalSearch, SteepestLocalSearch
from netwright.strategies.nsga2 import NSGA2
from netwright.strategies.population_training import PopulationTraining
from netwright.strategies.ppo import PPO
from netwright.strategies.random import RandomSearch
from netwright.strategies.registry import (
    NO_SCORE_OF_HEIRS,
    STRATEGIES,
    WRAPPERS,
    cannot_inherit,
    check_name,
    find_strategy,
    make_strategy,
    parts_of,
    spellings,
)
from netwright.strategies.regularized_evolution import RegularizedEvolution
from netwright.strategies.reinforce import Reinforce
from netwright.strategies.screening import Screening
from netwright.strategies.tournament_evolution import TournamentEvolution
from netwright.strategies.tpe import TPE
from netwright.strategies.training_free import TrainingFree

__all__ = [
    "BOHB",
    "NO_SCORE_OF_HEIRS",
    "NSGA2",
    "PPO",
    "STRATEGIES",
    "TPE",
    "WRAPPERS",
    "Auto",
    "Bananas",
    "CostFunction",
    "Costs",
    "Drawing",
    "ForestSearch",
    "GaussianProcessSearch",
    "GridSearch",
    "Halving",
    "Hyperband",
    "HypervolumeEvolution",
    "Laddered",
    "Listed",
    "LocalSearch",
    "PopulationTraining",
    "RandomSearch",
    "RegularizedEvolution",
    "Reinforce",
    "Screening",
    "SearchSpace",
    "Source",
    "SteepestLocalSearch",
    "Strategy",
    "TournamentEvolution",
    "TrainingFree",
    "cannot_inherit",
    "check_name",
    "find_strategy",
    "make_strategy",
    "parts_of",
    "spellings",
]
