"""Candidates as vectors, for models that know neither categories nor what is inactive: decisions, and the built network.

A category is a yes or no for each of its values, an active number lies within 1 … 2; of what is inactive all are 0.
Beside the decisions stand, for candidates with layers, the paths of the graph (`spaces.paths`) and the logarithms of
parameters and MACs: what decisions say only together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log
from typing import TYPE_CHECKING

from netwright.core.candidate import Architecture, Candidate
from netwright.core.errors import CandidateError
from netwright.spaces.paths import paths
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction
from netwright.strategies.shared.columns import Columns

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Features = Mapping[str, float]
"""The numbers of a candidate that are not 0."""
MOST_COUNTED = 1_000
MOST_REMEMBERED = 20_000


class Vectors:
    """Describes candidates. `costs` as in `Strategy`. What is built is described once for each architecture."""

    def __init__(self, space: SearchSpace, costs: CostFunction) -> None:
        self.costs = costs
        self._columns = Columns(space)
        self._built: dict[str, Features] = {}  # by architecture key

    def features(self, candidate: Candidate) -> Features:
        """The numbers of a candidate by name. Raises CandidateError for a candidate of another space."""
        found: dict[str, float] = {}
        for name, value in self._columns.features(candidate).items():
            if isinstance(value, int):
                found[f"{name}={value}"] = 1.0
            else:
                found[name] = 1.0 + value
        if candidate.architecture is not None and candidate.architecture.layers:
            found.update(self._of(candidate.architecture))
        return found

    def _of(self, architecture: Architecture) -> Features:
        """Paths and costs of a network; without the costs where arithmetic does not tell them."""
        if architecture.key not in self._built:
            found = {name: float(min(count, MOST_COUNTED)) for name, count in paths(architecture.layers).items()}
            try:
                costs = self.costs(architecture)
                found |= {"log parameters": log(1 + costs.parameters), "log macs": log(1 + costs.macs)}
            except CandidateError:
                pass
            if len(self._built) >= MOST_REMEMBERED:
                self._built.clear()
            self._built[architecture.key] = found
        return self._built[architecture.key]


def varying(table: Sequence[Features]) -> list[str]:
    """Names of the numbers in which candidates differ, in an order that depends on the names alone."""
    names = sorted({name for features in table for name in features})
    return [name for name in names if len({features.get(name, 0.0) for features in table}) > 1]


def matrix(names: Sequence[str], table: Sequence[Features]) -> NDArray[np.float64]:
    """The numbers `names` of each candidate: (candidates, names)."""
    import numpy as np

    numbers = [[features.get(name, 0.0) for name in names] for features in table]
    return np.array(numbers, dtype=np.float64).reshape(len(table), len(names))
