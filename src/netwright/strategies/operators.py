"""How strategies vary candidates: the variation of `spaces`, or the space's own where it brings one.

A space with a `mutate` or `crossover` method (a graph genome, a toy benchmark) is varied by it; all others by
`spaces.variation`.
"""

from __future__ import annotations

from random import Random
from typing import Any

from netwright.core.candidate import Candidate
from netwright.core.errors import CandidateError
from netwright.strategies.base import SearchSpace

KINDS: dict[str, float] = {
    "any": 0.5,
    "add_layer": 0.1,
    "remove_layer": 0.1,
    "toggle_skip": 0.1,
    "alter_layer": 0.1,
    "alter_recipe": 0.1,
}
"""How often each kind of mutation is tried. A kind that the parent offers no place for falls back to `any`."""


def mutate(space: Any, parent: Candidate, rng: Random, kind: str = "any") -> Candidate:
    """A copy of `parent` with one decision changed. Raises CandidateError when there is nothing of `kind` to change."""
    if hasattr(space, "mutate"):
        child, _ = space.mutate(parent, rng, kind)
    else:
        from netwright.spaces import variation

        child, _ = variation.mutate(space, parent, rng, kind)
    return child  # type: ignore[no-any-return]


def mutate_somehow(space: SearchSpace, parent: Candidate, rng: Random) -> Candidate:
    """A mutation of a kind drawn from `KINDS`; a random candidate where the parent has nothing to change."""
    kind = rng.choices(list(KINDS), weights=list(KINDS.values()))[0]
    for attempt in (kind, "any"):
        try:
            return mutate(space, parent, rng, attempt)
        except CandidateError:
            continue
    return space.sample(rng)


def crossover(space: Any, a: Candidate, b: Candidate, rng: Random) -> Candidate:
    """At each address the answer of `a` or of `b`, where both have a legal one."""
    if hasattr(space, "crossover"):
        return space.crossover(a, b, rng)  # type: ignore[no-any-return]
    from netwright.spaces import variation

    return variation.crossover(space, a, b, rng)
