"""Children: a mutation is a replay with one decision changed, a crossover a replay with two sources.

Neighbours are all the mutations of one candidate.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from netwright.core.candidate import Candidate, Value, canonical_json
from netwright.core.errors import CandidateError
from netwright.spaces.choices import Choice, Optional, Repeat
from netwright.spaces.walk import SearchSpace

Kind = Literal["any", "add_layer", "remove_layer", "alter_layer", "toggle_skip", "alter_recipe"]

MOST_REDRAWS = 20


@dataclass(frozen=True, slots=True)
class Edit:
    """What a child does not have from its parent: addresses of decisions, and of elements of repeats."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]

    def to_json(self) -> dict[str, list[str]]:
        """A JSON object."""
        return {"added": list(self.added), "removed": list(self.removed), "changed": list(self.changed)}


def mutate(space: SearchSpace, parent: Candidate, rng: random.Random, kind: Kind = "any") -> tuple[Candidate, Edit]:
    """A child with one decision changed to another legal value, and what was changed.

    The decision is drawn evenly from those that can change (of one of the space's `strata`, drawn evenly before, where
    it has any), and its value evenly from the *other* options (numbers move nearby; a repeat gets or loses an element).
    All other decisions are kept; those that come to exist are drawn.
    While the child is the same network with the same recipe (the change was on a dead edge), another change is drawn,
    up to 20 times. A `kind` that finds nothing to change is taken as "any"; where the space has one candidate only,
    the child is its parent. Raises CandidateError when the parent is from another space.
    """
    choices = space.choices(parent.decisions)
    moves = _moves(parent.decisions, choices, kind) or _moves(parent.decisions, choices, "any")
    child = parent
    for _ in range(MOST_REDRAWS if moves else 0):
        address, draw = rng.choice(_stratum(space, moves, rng))
        child = space.walk(_Changed(parent.decisions, address, draw(rng), rng))
        if child.key != parent.key or child.recipe != parent.recipe:
            break
    return child, edit(parent, child)


def neighbours(space: SearchSpace, parent: Candidate, rng: random.Random) -> Iterator[Candidate]:
    """Every candidate one decision away (`Choice.nearby`), in random order; each network with its recipe once.

    The parent is not among them, nor what is the same as it (the change was on a dead edge), nor what has no key
    (too symmetric). All other decisions are kept where they are still legal; those that come to exist are drawn, once
    a neighbour. They are worked out as they are taken: only as many as are needed are paid for. Raises CandidateError
    when the parent is from another space.
    """
    choices = space.choices(parent.decisions)
    changes = [
        (address, value)
        for address, choice in choices.items()
        for value in choice.nearby(address, parent.decisions[address], rng)
    ]
    rng.shuffle(changes)
    met = {identity(parent)}
    for address, value in changes:
        try:
            child = space.walk(_Changed(parent.decisions, address, value, rng))
        except CandidateError:
            continue
        if identity(child) not in met:
            met.add(identity(child))
            yield child


def crossover(space: SearchSpace, a: Candidate, b: Candidate, rng: random.Random) -> Candidate:
    """A child of two parents: at each address the decision of one of them, at random where both have a legal one.

    The elements of a repeat come from one parent, as a list; where only one parent has a decision it is taken from
    there, and where none has it is drawn.
    """
    return space.walk(_Crossed((a.decisions, b.decisions), rng))


def edit(parent: Candidate, child: Candidate) -> Edit:
    """The difference of two candidates of one space."""
    before, after = _places(parent.decisions), _places(child.decisions)
    return Edit(
        added=tuple(place for place in after if place not in before),
        removed=tuple(place for place in before if place not in after),
        changed=tuple(place for place in after if place in before and not _equal(before[place], after[place])),
    )


@dataclass(slots=True)
class _Changed:
    """One decision changed; the others kept where they are still legal, and drawn where they are not."""

    decisions: Mapping[str, Value]
    address: str
    value: Value
    rng: random.Random

    def decide(self, address: str, choice: Choice) -> Value:
        if address == self.address:
            return self.value
        value = self.decisions.get(address, _MISSING)
        return choice.draw(address, self.rng) if value is _MISSING or choice.fault(value) else value


@dataclass(slots=True)
class _Crossed:
    """Each decision from one of two parents."""

    parents: tuple[Mapping[str, Value], Mapping[str, Value]]
    rng: random.Random

    def decide(self, address: str, choice: Choice) -> Value:
        offers = [parent[address] for parent in self.parents if address in parent and not choice.fault(parent[address])]
        if not offers:
            return choice.draw(address, self.rng)
        return offers[0] if len(offers) == 1 else offers[self.rng.random() < 0.5]


_MISSING: Any = object()

Draw = Callable[[random.Random], Value]


def _moves(decisions: Mapping[str, Value], choices: Mapping[str, Choice], kind: Kind) -> list[tuple[str, Draw]]:
    """Every decision that a mutation of this kind can change, with how its new value is drawn."""
    moves: list[tuple[str, Draw]] = []
    for address, choice in choices.items():
        draw = _move(address, choice, decisions[address], kind)
        if draw is not None:
            moves.append((address, draw))
    return moves


def _stratum(space: SearchSpace, moves: list[tuple[str, Draw]], rng: random.Random) -> list[tuple[str, Draw]]:
    """The moves in one of the space's strata, drawn evenly from those that have any; all where it names none."""
    strata = getattr(space, "strata", ())
    if not strata:
        return moves
    found: dict[str, list[tuple[str, Draw]]] = {}
    for move in moves:
        found.setdefault(next(filter(move[0].startswith, strata), ""), []).append(move)
    return rng.choice(list(found.values()))


def _move(address: str, choice: Choice, value: Value, kind: Kind) -> Draw | None:
    """How this decision's new value is drawn, or None where it is not of the kind or has no other value."""
    if choice.count == 1:
        return None
    in_recipe = address.startswith("recipe")
    is_skip = address.endswith(("/skip", "/residual"))
    layers = isinstance(choice, Repeat | Optional)
    if isinstance(choice, Repeat) and isinstance(value, tuple):
        if kind == "add_layer":
            return (lambda rng: choice.added(address, value, rng)) if len(value) < choice.high else None
        if kind == "remove_layer":
            return (lambda rng: choice.removed(value, rng)) if len(value) > choice.low else None
    wanted = {
        "any": True,
        "add_layer": isinstance(choice, Optional) and value is False,
        "remove_layer": isinstance(choice, Optional) and value is True,
        "alter_layer": not (in_recipe or is_skip or layers),
        "toggle_skip": is_skip,
        "alter_recipe": in_recipe,
    }
    if not wanted[kind]:
        return None
    return lambda rng: choice.alternative(address, value, rng)


def _places(decisions: Mapping[str, Value]) -> dict[str, Value]:
    """Decisions, and the elements of repeats: an element that comes or goes is no change of its repeat."""
    places: dict[str, Value] = {}
    for address, value in decisions.items():
        if isinstance(value, tuple) and (not value or value[0].startswith("#")):
            places[address] = ()
            places.update({f"{address}/{name}": True for name in value if f"{address}/{name}" not in decisions})
        else:
            places[address] = value
    return places


def identity(candidate: Candidate) -> tuple[str, str]:
    """Which network, with which recipe."""
    return candidate.key, canonical_json(dict(candidate.recipe))


def _equal(a: Value, b: Value) -> bool:
    return type(a) is type(b) and a == b
