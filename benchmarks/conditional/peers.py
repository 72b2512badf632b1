"""Peers on the same space, defaults untouched: Optuna is led through the walk, SMAC3 is told of all conditions."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any

from benchmarks.tabular.search import Peer, Queries
from netwright.core.candidate import Value
from netwright.spaces.choices import Choice, Choose, Integer, Real

from .parameters import Conditional, Decisions


class Suggest:
    """A decider that asks a trial of Optuna, which so meets the decisions in the order that they open."""

    def __init__(self, trial: Any) -> None:
        self.trial = trial

    def decide(self, address: str, choice: Choice) -> Value:
        match choice:
            case Choose():
                value = self.trial.suggest_categorical(address, choice.labels)
            case Integer():
                value = self.trial.suggest_int(address, choice.low, choice.high, log=choice.log)
            case Real():
                value = self.trial.suggest_float(address, choice.low, choice.high, log=choice.log)
            case _:
                raise NotImplementedError(f"{choice} is not part of this space")
        return value  # type: ignore[no-any-return]


def optuna_tpe(space: Conditional, queries: Queries[Decisions], seed: int, *, most_asks: int, **settings: bool) -> None:
    """The tree-structured Parzen estimator of Optuna, in its default mode or another."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampler = optuna.samplers.TPESampler(seed=seed, **settings)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        while not queries.spent and queries.asks < most_asks:
            trial = study.ask()
            study.tell(trial, queries.ask(space.walk(Suggest(trial)).decisions))


def smac_hpo(space: Conditional, queries: Queries[Decisions], seed: int, *, most_asks: int) -> None:
    """The hyperparameter facade of SMAC3 (a random forest), told the budget, a quarter of which it starts with."""
    from smac import HyperparameterOptimizationFacade, Scenario
    from smac.runhistory.dataclasses import TrialValue

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scenario = Scenario(
            configuration_space(space, seed),
            deterministic=True,
            n_trials=queries.budget,
            seed=seed,
            n_workers=1,
            output_directory=folder,
        )
        smac = HyperparameterOptimizationFacade(scenario, _never_called, logging_level=False, overwrite=True)
        while not queries.spent and queries.asks < most_asks:
            asked = smac.ask()
            smac.tell(asked, TrialValue(cost=100 - queries.ask(decisions_of(space, asked.config))))


def configuration_space(space: Conditional, seed: int) -> Any:
    """The same parameters, ranges and conditions in the words of ConfigSpace."""
    from ConfigSpace import (
        CategoricalHyperparameter,
        ConfigurationSpace,
        InCondition,
        UniformFloatHyperparameter,
        UniformIntegerHyperparameter,
    )

    told = ConfigurationSpace(seed=seed)
    for parameter in space.parameters:
        match parameter.choice:
            case Choose(labels=labels):
                there = CategoricalHyperparameter(parameter.name, list(labels))
            case Integer(low, high, log):
                there = UniformIntegerHyperparameter(parameter.name, low, high, log=log)
            case Real(low, high, log):
                there = UniformFloatHyperparameter(parameter.name, low, high, log=log)
        told.add(there)
        if parameter.of is not None:
            told.add(InCondition(there, told[parameter.of], list(parameter.when)))
    return told


def decisions_of(space: Conditional, config: Mapping[str, Any]) -> Decisions:
    """A configuration of ConfigSpace in Python's own numbers, in the order of the walk."""
    plain = {name: value.item() if hasattr(value, "item") else value for name, value in dict(config).items()}
    return {parameter.name: plain[parameter.name] for parameter in space.parameters if parameter.name in plain}


def _never_called(config: object, seed: int = 0) -> float:
    raise NotImplementedError


def peers_on(space: Conditional) -> dict[str, Peer[Decisions]]:
    """By name, each searching in this space."""
    return {
        "optuna-tpe": Peer(partial(optuna_tpe, space), "optuna"),
        "optuna-tpe-group": Peer(partial(optuna_tpe, space, multivariate=True, group=True), "optuna"),
        "smac-hpo": Peer(partial(smac_hpo, space), "smac"),
    }
