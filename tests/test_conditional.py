"""The pipelines that strategies are compared on: the space, what answers, and the peers' view of the same space."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from netwright.spaces.variation import crossover, mutate
from netwright.spaces.walk import Record, Replay

pytest.importorskip("benchmarks.conditional", reason="the benchmarks are not part of this copy")

from benchmarks.conditional.evaluation import CLASSIFIERS, accuracy, build, load
from benchmarks.conditional.parameters import Conditional
from benchmarks.conditional.peers import Suggest, configuration_space, decisions_of
from benchmarks.conditional.pipelines import PARAMETERS, Pipelines
from benchmarks.conditional.search import run
from benchmarks.conditional.sides import TOYS, Sides
from benchmarks.tabular.summary import curve

ROOT = Path(__file__).parent.parent


def test_a_decision_is_there_exactly_where_those_it_hangs_on_are() -> None:
    space, rng = Pipelines(), random.Random(0)
    met = set()
    for _ in range(500):
        decisions = space.sample(rng).decisions
        for parameter in PARAMETERS:
            opened = parameter.of is None or decisions.get(parameter.of) in parameter.when
            assert (parameter.name in decisions) == opened
        met.update(decisions)
    assert met == {parameter.name for parameter in PARAMETERS}


def test_names_are_unique_and_say_whose_they_are() -> None:
    names = [parameter.name for parameter in PARAMETERS]
    assert len(set(names)) == len(names)
    owners = {name.partition("/")[0] for name in names if "/" in name}
    assert owners == {*CLASSIFIERS, "pca", "select"}


def test_the_space_can_be_walked_and_varied() -> None:
    space, rng = Pipelines(), random.Random(1)
    parents = [space.sample(rng) for _ in range(40)]
    for first, second in pairwise(parents):
        assert space.walk(Replay(first.decisions)) == first
        for child in (mutate(space, first, rng)[0], crossover(space, first, second, rng)):
            assert space.walk(Replay(child.decisions)) == child


def test_every_sample_builds_and_an_answer_is_repeated() -> None:
    space, rng = Pipelines(), random.Random(2)
    for _ in range(300):
        build(space.sample(rng).decisions, examples=100, features=30)
    for kind in CLASSIFIERS:
        decisions = next(found for _ in range(100) if (found := space.sample(rng).decisions)["classifier"] == kind)
        assert accuracy("breast-cancer", decisions) == accuracy("breast-cancer", decisions) > 30


def test_settings_reach_the_model() -> None:
    decisions = {
        "scaling": "quantile", "reduction": "pca", "pca/share": 0.5, "pca/whiten": True,
        "classifier": "svm", "svm/kernel": "poly", "svm/c": 3.0, "svm/gamma": 0.1, "svm/coef0": 0.5, "svm/degree": 4,
    }  # fmt: skip
    model = build(decisions, examples=50, features=30)
    assert (model[0].n_quantiles, model[1].n_components, model[1].whiten) == (50, 15, True)
    assert (model[2].C, model[2].gamma, model[2].coef0, model[2].degree) == (3.0, 0.1, 0.5, 4)
    widths = {"mlp/layers": 2, "mlp/width1": 7, "mlp/width2": 9, "mlp/activation": "tanh", "mlp/rate": 0.01}
    rest = {"scaling": "none", "reduction": "none", "classifier": "mlp", "mlp/decay": 0.1, "mlp/batch": 32}
    assert build({**rest, **widths}, examples=50, features=30)[2].hidden_layer_sizes == (7, 9)


def test_preparation_is_learnt_inside_the_folds() -> None:
    """Feature selection that saw the test labels would find something in noise; this one must not."""
    noise = np.random.default_rng(0).normal(size=(60, 500))
    labels = np.arange(60) % 2
    given = replace(load("breast-cancer"), features=noise, labels=labels, repeats=20)
    decisions = {
        "scaling": "none", "reduction": "select", "select/share": 0.1,
        "classifier": "logistic", "logistic/c": 1.0, "logistic/balanced": False,
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmarks.conditional.evaluation.load", lambda name: given)
        assert accuracy("breast-cancer", decisions) == pytest.approx(50, abs=8)


def test_the_table_of_the_sides_is_the_toy() -> None:
    rng = random.Random(3)
    for toy in TOYS.values():
        samples = [toy.sample(rng) for _ in range(2000)]
        assert all(Sides().walk(Replay(sample.decisions)) == sample for sample in samples[:50])
        reached = {side: [toy.accuracy(s.decisions) for s in samples if s.decisions["side"] == side] for side in "ab"}
        assert np.mean(reached["a"]) > np.mean(reached["b"]) + 0.1
        assert toy.accuracy({"side": "a", **{f"a/{i}": 3 for i in range(5)}}) == pytest.approx(toy.usual[1])
        assert toy.accuracy({"side": "b", **{f"b/{i}": 3 for i in range(5)}}) == 1.0


def test_optuna_is_led_through_the_same_walk() -> None:
    optuna = pytest.importorskip("optuna", reason="optuna is not installed: pip install -e '.[bench]'")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(50):
        trial = study.ask()
        candidate = Pipelines().walk(Suggest(trial))
        assert candidate == Pipelines().walk(Replay(trial.params))


@pytest.mark.parametrize("space", [Pipelines(), Sides()], ids=["pipelines", "sides"])
def test_smac_knows_the_same_conditions(space: Conditional) -> None:
    pytest.importorskip("ConfigSpace", reason="SMAC3 is not installed: pip install smac")
    for config in configuration_space(space, 0).sample_configuration(50):
        decisions = decisions_of(space, config)
        met: dict[str, object] = {}
        space.walk(Record(Replay(decisions), met))  # type: ignore[arg-type]
        assert list(met) == list(decisions)


@pytest.mark.parametrize("strategy", ["random", "optuna-tpe"])
def test_a_search_pays_its_budget_and_is_repeated_by_its_seed(strategy: str) -> None:
    if strategy != "random":
        pytest.importorskip("optuna", reason="optuna is not installed: pip install -e '.[bench]'")
    first = run(strategy, "breast-cancer", 0, 4)
    assert first.paid == first.queries == 4
    assert (np.diff(curve(first)) <= 0).all()
    assert curve(first)[-1] == pytest.approx(100 - accuracy("breast-cancer", first.found), abs=5e-4)
    assert replace(run(strategy, "breast-cancer", 0, 4), ms=first.ms) == first
    assert run(strategy, "breast-cancer", 1, 4).steps != first.steps


def test_the_command_prints_its_tables() -> None:
    command = [sys.executable, ROOT / "benchmarks/conditional/strategies.py", "--quick", "--workers", "1"]
    done = subprocess.run(
        [*command, "--strategies", "random", "--against", "random"],
        capture_output=True,
        text=True,
        check=True,
    )
    for expected in ("## Breast cancer", "Mean rank, 1 is the best (2 seeds)", "| random | 2 |", "## Time"):
        assert expected in done.stdout
