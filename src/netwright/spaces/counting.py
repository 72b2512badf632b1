"""How many candidates a space holds, by arithmetic: nothing is enumerated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import comb
from typing import Any

from netwright.spaces.choices import Choice, Choose, Optional, Repeat, Shared, Subset
from netwright.spaces.layers import Cell, Layer
from netwright.spaces.recipe import Recipe

Ways = Counter[frozenset[str]]
"""How many ways there are to decide a part, for each set of shared parts that come to be used."""


def size(network: Any, recipe: Any) -> int | None:
    """The number of different sets of decisions, or None when a choice is continuous."""
    try:
        counter = _Counter()
        return counter.closed(_times(counter.part(network), counter.part(recipe)))
    except _Endless:
        return None


class _Endless(Exception):
    """A choice is continuous."""


class _Counter:
    """Ways of specs; shared parts are counted apart, once for every combination that uses them."""

    def __init__(self) -> None:
        self.shared: dict[str, Any] = {}

    def part(self, spec: Any) -> Ways:
        """Ways of a part of a network, a field, or a recipe."""
        match spec:
            case Choose():
                return _plus(self.part(option) for option in spec.options)
            case Repeat():
                return _plus(_power(self.part(spec.body), length) for length in range(spec.low, spec.high + 1))
            case Optional():
                return _plus([_one(), self.part(spec.body)])
            case Shared():
                self.shared[spec.name] = spec.spec
                return Counter({frozenset([spec.name]): 1})
            case Subset() if spec.parts:
                return self.subset(spec)
            case Choice():
                if spec.count is None:
                    raise _Endless
                return Counter({frozenset(): spec.count})
            case Cell():
                return self.cell(spec)
            case Layer() | Recipe():
                parts = [choice for _, choice in spec.chosen]
                if isinstance(spec, Layer):
                    parts += [getattr(spec, name) for name in spec.parts]
                return _product(self.part(part) for part in parts)
            case list() | tuple():
                return _product(self.part(item) for item in spec)
            case dict():
                return _product(self.part(item) for item in spec.values())
            case _:
                return _one()

    def subset(self, spec: Subset) -> Ways:
        """Ways of `k` of some parts: part after part, for each number of those chosen so far."""
        chosen = [_one(), *(Counter() for _ in range(spec.k))]
        for part in spec.parts:
            ways = self.part(part)
            for number in range(spec.k, 0, -1):
                chosen[number] = _plus([chosen[number], _times(chosen[number - 1], ways)])
        return chosen[spec.k]

    def cell(self, spec: Cell) -> Ways:
        """Ways of a cell: those of its edges, and of which inputs its nodes take."""
        fields = _product(self.part(choice) for name, choice in spec.chosen if name != "nodes")
        edge = self.part(spec.edge)
        totals = []
        for nodes in _numbers(spec.nodes):
            ways = fields
            for target in range(1, nodes):
                taken = target if isinstance(spec.inputs, str) else min(spec.inputs, target)
                ways = _times(ways, _power(edge, taken))
                ways = _times(ways, Counter({frozenset(): comb(target, taken)}))
            totals.append(ways)
        return _plus(totals)

    def closed(self, ways: Ways) -> int:
        """The sum over sets of shared parts of the ways to decide those too."""
        total = 0
        for names, count in ways.items():
            total += count * self.deciding(names, frozenset())
        return total

    def deciding(self, names: frozenset[str], done: frozenset[str]) -> int:
        """Ways to decide the shared parts `names`, and those that they use in turn, without those already decided."""
        left = names - done
        if not left:
            return 1
        name = min(left)
        inner = self.part(self.shared[name])
        return sum(count * self.deciding(left | used, done | {name}) for used, count in inner.items())


def _numbers(choice: Any) -> list[int]:
    """The values that a number, or a choice of one, may take, with repetition where options overlap."""
    if isinstance(choice, Shared):
        return _numbers(choice.spec)
    if isinstance(choice, Choose):
        return [value for option in choice.options for value in _numbers(option)]
    return list(choice.values("")) if isinstance(choice, Choice) else [choice]  # type: ignore[arg-type]


def _one() -> Ways:
    return Counter({frozenset(): 1})


def _plus(ways: Iterable[Ways]) -> Ways:
    total: Ways = Counter()
    for one in ways:
        total.update(one)
    return total


def _times(a: Ways, b: Ways) -> Ways:
    product: Ways = Counter()
    for names_a, count_a in a.items():
        for names_b, count_b in b.items():
            product[names_a | names_b] += count_a * count_b
    return product


def _product(ways: Iterable[Ways]) -> Ways:
    result = _one()
    for one in ways:
        result = _times(result, one)
    return result


def _power(ways: Ways, exponent: int) -> Ways:
    return _product(ways for _ in range(exponent))
