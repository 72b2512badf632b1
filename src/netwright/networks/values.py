"""What the steps of a plan compute, seen from outside: which give the same, what they add up, and within which bounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import inf
from typing import Any

from netwright.core.plan import Plan, Step
from netwright.networks.counterparts import WEIGHTED

NORM_EPSILON = 1e-5
"""Of every batch normalisation (`core.plan`)."""

BOUNDS = {
    "relu": (0.0, inf),
    "relu6": (0.0, 6.0),
    "sigmoid": (0.0, 1.0),
    "hsigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "hswish": (-0.375, inf),
    "silu": (-0.279, inf),
    "gelu": (-0.171, inf),
}
"""What activations give."""
SELECTS = ("max_pool", "avg_pool", "global_pool", "flatten", "dropout")
"""Operations whose output lies within the bounds of their input, and is 0 where that is."""
ZERO_AT_ZERO = ("relu", "relu6", "hswish", "silu", "gelu", "tanh")


def unchanged(function: str, low: float, high: float) -> bool:
    """Whether an activation leaves all numbers from `low` to `high` as they are."""
    return (function == "relu" and low >= 0) or (function == "relu6" and low >= 0 and high <= 6)


def vanishes(step: Step) -> bool:
    """Whether a step without weights makes 0 of 0."""
    return step.op in SELECTS or (step.op == "activation" and step.attributes["function"] in ZERO_AT_ZERO)


class Values:
    """A plan read as a table of values. Steps that give the same in evaluation go by the earliest: `same[step]`.

    `ranges[step]` are bounds on what it gives, `terms[step]` the steps whose sum it is (itself, but for a sum).
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.same: list[int] = []
        self.ranges: list[tuple[float, float]] = []
        self.terms: list[Counter[int]] = []
        self._sums: dict[frozenset[tuple[int, int]], int] = {}
        self._known: dict[tuple[Any, ...], int] = {}
        self._by_op: dict[tuple[int, str], int] = {}
        for index, step in enumerate(plan.steps):
            self._add(index, step)

    def _add(self, index: int, step: Step) -> None:
        sources = [self.same[source] for source in step.inputs]
        self.ranges.append(self._range(step, sources))
        handed_on = step.op == "dropout" or (
            step.op == "activation" and unchanged(step.attributes["function"], *self.ranges[sources[0]])
        )
        first = sources[0] if handed_on else index
        if step.op not in WEIGHTED:
            first = self._known.setdefault(_key(step, sources), first)
        self.same.append(first)
        for source in sources:
            self._by_op.setdefault((source, step.op), first)
        if step.op == "add":
            self.terms.append(sum((self.terms[source] for source in sources), Counter[int]()))
            self._sums.setdefault(frozenset(self.terms[index].items()), first)
        else:
            self.terms.append(self.terms[sources[0]] if handed_on else Counter([first]))

    def _range(self, step: Step, sources: Sequence[int]) -> tuple[float, float]:
        given = [self.ranges[source] for source in sources]
        if step.op == "activation":
            function, (low, high) = step.attributes["function"], given[0]
            if function in ("relu", "relu6"):
                most = BOUNDS[function][1]
                return min(max(low, 0.0), most), min(max(high, 0.0), most)
            return BOUNDS[function]
        if step.op in SELECTS:
            return given[0]
        if step.op == "concat":
            return min(low for low, _ in given), max(high for _, high in given)
        if step.op == "add":
            return sum(low for low, _ in given), sum(high for _, high in given)
        if step.op == "mul" and given[1] == (0.0, 1.0):
            low, high = given[0]
            return min(low, 0.0), max(high, 0.0)
        return -inf, inf

    def result(self, step: Step, sources: Sequence[int]) -> int | None:
        """The step that does to these what `step`, of another plan and without weights, does to its inputs."""
        return self._known.get(_key(step, sources))

    def alike(self, source: int, op: str) -> int | None:
        """The first step with this operation that reads `source`."""
        return self._by_op.get((source, op))

    def sum_of(self, terms: Counter[int]) -> int | None:
        """The step that gives the sum of these."""
        if terms.total() == 1:
            return next(iter(terms))
        return self._sums.get(frozenset(terms.items()))

    def sum_like(self, terms: Counter[int]) -> int | None:
        """The sum that has most terms in common with these; None where none has."""
        best = max(self._sums.items(), key=lambda item: (Counter(dict(item[0])) & terms).total(), default=None)
        if best is None or not Counter(dict(best[0])) & terms:
            return None
        return best[1]

    def concat_like(self, parts: Sequence[int], address: str) -> int | None:
        """The concatenation that has most of these parts; of equal ones that of the same address."""
        found: list[tuple[int, bool, int]] = []
        for index, step in enumerate(self.plan.steps):
            if step.op == "concat":
                own = {self.same[source] for source in step.inputs}
                found.append((len(own & set(parts)), step.address == address, -index))
        best = max(found, default=None)
        return None if best is None or best[0] == 0 else -best[2]

    def starts(self, concat: int) -> dict[int, int]:
        """Where in a concatenation the channels of each part begin."""
        begin = 0
        found: dict[int, int] = {}
        for source in self.plan.steps[concat].inputs:
            found.setdefault(self.same[source], begin)
            begin += self.plan.steps[source].shape[0]
        return found


def _key(step: Step, sources: Sequence[int]) -> tuple[Any, ...]:
    inputs = sorted(sources) if step.op == "add" else sources
    return step.op, tuple(inputs), tuple(sorted(step.attributes.items()))
