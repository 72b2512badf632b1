"""The one walk over a space, with different deciders.

The walk goes through the spec in a fixed order, asks the decider at every choice, and writes down the answers and the
resolved layers. Sampling, replay, enumeration, mutation and crossover are deciders; nothing else reads a spec.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from netwright.core.candidate import Candidate, Scalar, Value
from netwright.core.errors import CandidateError, SpaceError
from netwright.spaces.choices import Choice, Choose, Optional, Repeat, Shared, Subset, subset
from netwright.spaces.layers import Cell, Layer, Residual
from netwright.spaces.recipe import Recipe


class Decider(Protocol):
    """Answers the questions of a walk."""

    def decide(self, address: str, choice: Choice) -> Value:
        """The value of the decision at `address`."""


class SearchSpace(Protocol):
    """What variation and strategies need of a space; `Space` has it, and so have the toys of `testing`."""

    def walk(self, decider: Decider) -> Candidate:
        """The candidate that `decider` chooses."""
        ...

    def choices(self, decisions: Mapping[str, Value]) -> dict[str, Choice]:
        """The choice that each of a candidate's decisions answers, by address, in the order of the walk.

        Raises CandidateError for decisions of another space.
        """
        ...

    def sample(self, rng: random.Random) -> Candidate:
        """One random candidate."""
        ...


@dataclass(slots=True)
class Sample:
    """Draws every decision at random."""

    rng: random.Random

    def decide(self, address: str, choice: Choice) -> Value:
        return choice.draw(address, self.rng)


@dataclass(slots=True)
class Replay:
    """Reads every decision from a stored candidate; raises CandidateError for one that is missing or not legal."""

    decisions: Mapping[str, Value]

    def decide(self, address: str, choice: Choice) -> Value:
        if address not in self.decisions:
            raise CandidateError("this decision is missing; the candidate was drawn from another space", address)
        value = self.decisions[address]
        fault = choice.fault(value)
        if fault is not None:
            raise CandidateError(f"{fault}, but got {value!r:.80}", address)
        return value


@dataclass(slots=True)
class Record:
    """Passes another decider's answers on and keeps the choices that were met, by address."""

    inner: Decider
    choices: dict[str, Choice]

    def decide(self, address: str, choice: Choice) -> Value:
        self.choices[address] = choice
        return self.inner.decide(address, choice)


@dataclass(slots=True)
class Resolved:
    """What a walk found."""

    layers: tuple[dict[str, Any], ...]
    recipe: dict[str, Scalar]
    decisions: dict[str, Value]


def walk(network: Any, recipe: Recipe | Choose, decider: Decider) -> Resolved:
    """Resolve every choice of `network` and `recipe` by asking `decider`."""
    walker = _Walker(decider)
    layers: list[dict[str, Any]] = []
    walker.part(network, "network", "network", layers)
    return Resolved(tuple(layers), walker.recipe(recipe), walker.decisions)


def enumerate_walks(network: Any, recipe: Recipe | Choose) -> Iterator[Resolved]:
    """Every resolution of a finite space, in a fixed order. Raises SpaceError where a choice is continuous."""
    script: list[tuple[Value, ...]] = []
    digits: list[int] = []
    while True:
        odometer = _Odometer(digits)
        yield walk(network, recipe, odometer)
        script, digits = odometer.options, odometer.digits
        while digits and digits[-1] == len(script[-1]) - 1:
            digits.pop()
            script.pop()
        if not digits:
            return
        digits[-1] += 1


class _Odometer:
    """Answers with the values that `digits` number, and with the first value beyond them."""

    def __init__(self, digits: list[int]) -> None:
        self.digits = list(digits)
        self.options: list[tuple[Value, ...]] = []

    def decide(self, address: str, choice: Choice) -> Value:
        position = len(self.options)
        if choice.count is None:
            raise SpaceError("has too many values to be enumerated", address)
        self.options.append(tuple(choice.values(address)))
        if position == len(self.digits):
            self.digits.append(0)
        return self.options[position][self.digits[position]]


class _Walker:
    """The recursion. `scope` is the address of decisions; `place` that of layers, which differs inside shared parts."""

    __slots__ = ("decider", "decisions")

    def __init__(self, decider: Decider) -> None:
        self.decider = decider
        self.decisions: dict[str, Value] = {}

    def decide(self, address: str, choice: Choice) -> Value:
        """One answer an address: what is shared is asked once."""
        known = self.decisions
        if address not in known:
            known[address] = self.decider.decide(address, choice)
        return known[address]

    def part(self, spec: Any, scope: str, place: str, out: list[dict[str, Any]]) -> None:
        """Append the resolved layers of a part of the network to `out`."""
        if isinstance(spec, Layer):
            out.append(self.layer(spec, scope, place))
        elif isinstance(spec, list | tuple):
            for index, item in enumerate(spec):
                self.below(item, str(index), scope, place, out)
        elif isinstance(spec, dict):
            for name, item in spec.items():
                self.below(item, name, scope, place, out)
        elif isinstance(spec, Choose):
            label = self.decide(scope, spec)
            self.below(spec.option(label), str(label), scope, place, out)
        elif isinstance(spec, Repeat):
            for name in self.decide(scope, spec):  # type: ignore[union-attr]
                self.below(spec.body, name, scope, place, out)
        elif isinstance(spec, Optional):
            if self.decide(scope, spec):
                self.below(spec.body, "body", scope, place, out)
        elif isinstance(spec, Subset) and spec.parts:
            for name in self.decide(scope, spec):  # type: ignore[union-attr]
                self.below(spec.part(name), name, scope, place, out)
        elif isinstance(spec, Shared):
            self.part(spec.spec, f"shared/{spec.name}", place, out)
        else:
            raise SpaceError(f"a part of a network must be a layer, a list or a choice, but got {spec!r:.80}", scope)

    def below(self, spec: Any, name: str, scope: str, place: str, out: list[dict[str, Any]]) -> None:
        """A part one address further down."""
        inner = f"{scope}/{name}"
        self.part(spec, inner, inner if place == scope else f"{place}/{name}", out)

    def layer(self, spec: Layer, scope: str, place: str) -> dict[str, Any]:
        """One resolved layer."""
        record: dict[str, Any] = {"layer": type(spec).__name__, "address": place, **spec.plain}
        for name, choice in spec.chosen:
            record[name] = self.value(choice, f"{scope}/{name}")
        if isinstance(spec, Residual):
            for part in spec.parts:
                body: list[dict[str, Any]] = []
                self.below(getattr(spec, part), part, scope, place, body)
                record[part] = body
        elif isinstance(spec, Cell):
            record["edges"] = [
                self.edge(spec, source, target, scope, place)
                for target in range(1, record["nodes"])
                for source in self.sources(spec, target, scope)
            ]
        return record

    def sources(self, spec: Cell, target: int, scope: str) -> list[int]:
        """The earlier nodes that a node of a cell takes."""
        if isinstance(spec.inputs, str) or spec.inputs >= target:
            return list(range(target))
        chosen = self.decide(f"{scope}/inputs/{target}", subset(spec.inputs, target))
        return [int(name) for name in chosen]  # type: ignore[union-attr]

    def edge(self, spec: Cell, source: int, target: int, scope: str, place: str) -> dict[str, Any]:
        """One resolved edge of a cell."""
        body: list[dict[str, Any]] = []
        self.below(spec.edge, f"edge/{source}-{target}", scope, place, body)
        return {"from": source, "to": target, "body": body}

    def value(self, choice: Any, address: str) -> Any:
        """One field: a choice inside a choice is asked at the address of its label."""
        if isinstance(choice, Choose):
            label = self.decide(address, choice)
            option = choice.option(label)
            return self.value(option, f"{address}/{label}") if isinstance(option, Choice | Shared) else option
        if isinstance(choice, Shared):
            return self.value(choice.spec, f"shared/{choice.name}")
        return self.decide(address, choice) if isinstance(choice, Choice) else choice

    def recipe(self, spec: Recipe | Choose) -> dict[str, Scalar]:
        """The resolved recipe."""
        address = "recipe"
        while isinstance(spec, Choose):
            label = self.decide(address, spec)
            spec, address = spec.option(label), f"{address}/{label}"
        record: dict[str, Scalar] = dict(spec.plain)
        for name, choice in spec.chosen:
            record[name] = self.value(choice, f"{address}/{name}")
        return record
