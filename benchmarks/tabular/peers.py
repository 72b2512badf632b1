"""Peers on the same tables: six categorical decisions, defaults untouched, a known class answered without charge."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable

from netwright.spaces.catalog.nasbench201 import OPERATIONS

from .search import Peer, Queries

EDGES = tuple(f"edge{number}" for number in range(6))


def optuna_tpe(queries: Queries[str], seed: int, *, most_asks: int) -> None:
    """The tree-structured Parzen estimator of Optuna."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    while not queries.spent and queries.asks < most_asks:
        trial = study.ask()
        code = code_by(lambda edge, trial=trial: trial.suggest_categorical(edge, OPERATIONS))
        study.tell(trial, queries.ask(code))


def smac_hpo(queries: Queries[str], seed: int, *, most_asks: int) -> None:
    """The hyperparameter facade of SMAC3, told the budget: a quarter of it is its initial design."""
    from ConfigSpace import ConfigurationSpace
    from smac import HyperparameterOptimizationFacade, Scenario
    from smac.runhistory.dataclasses import TrialValue

    space = ConfigurationSpace({edge: list(OPERATIONS) for edge in EDGES}, seed=seed)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scenario = Scenario(
            space, deterministic=True, n_trials=queries.budget, seed=seed, n_workers=1, output_directory=folder
        )
        smac = HyperparameterOptimizationFacade(scenario, _never_called, logging_level=False, overwrite=True)
        while not queries.spent and queries.asks < most_asks:
            asked = smac.ask()
            accuracy = queries.ask(code_by(asked.config.__getitem__))
            smac.tell(asked, TrialValue(cost=100 - accuracy))


def code_by(operation: Callable[[str], str]) -> str:
    """The six digits of a cell, an edge at a time."""
    return "".join(str(OPERATIONS.index(operation(edge))) for edge in EDGES)


def _never_called(config: object, seed: int = 0) -> float:
    raise NotImplementedError


PEERS: dict[str, Peer[str]] = {
    "optuna-tpe": Peer(optuna_tpe, "optuna"),
    "smac-hpo": Peer(smac_hpo, "smac", most_seeds=20),  # a search takes a minute
}
