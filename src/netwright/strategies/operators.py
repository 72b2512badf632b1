"""How strategies vary candidates: the variation of `spaces`, or the space's own where it brings one.

A space with methods `mutate` and `crossover` (a graph genome, a toy benchmark) is varied by them; all others by
`spaces.variation`.
"""

from __future__ import annotations

from random import Random
from typing import Any

from netwright.core.candidate import Candidate
from netwright.core.errors import CandidateError
from netwright.spaces import variation
from netwright.strategies.base import SearchSpace

KINDS: dict[variation.Kind, float] = {
    "any": 0.5,
    "add_layer": 0.1,
    "remove_layer": 0.1,
    "toggle_skip": 0.1,
    "alter_layer": 0.1,
    "alter_recipe": 0.1,
}
"""How often each kind of mutation is tried. A kind that the parent offers no place for is taken as `any`."""


def mutate(space: Any, parent: Candidate, rng: Random) -> Candidate:
    """A copy of `parent` with one decision changed, by a kind of mutation drawn from `KINDS`.

    A random candidate where nothing can be changed.
    """
    kind = rng.choices(list(KINDS), weights=list(KINDS.values()))[0]
    for attempt in (kind, "any"):
        try:
            if hasattr(space, "mutate"):
                child: Candidate = space.mutate(parent, rng, attempt)[0]
            else:
                child, _ = variation.mutate(space, parent, rng, attempt)
        except CandidateError:
            continue
        return child
    return _sample(space, rng)


def crossover(space: Any, a: Candidate, b: Candidate, rng: Random) -> Candidate:
    """At each address the answer of `a` or of `b`, where both have a legal one."""
    if hasattr(space, "crossover"):
        child: Candidate = space.crossover(a, b, rng)
        return child
    return variation.crossover(space, a, b, rng)


def _sample(space: SearchSpace, rng: Random) -> Candidate:
    return space.sample(rng)
