"""How strategies vary candidates: the variation of `spaces`, or the space's own where it brings one.

A space with methods `mutate` and `crossover` (a graph genome, a toy benchmark) is varied by them; all others by
`spaces.variation`.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import cast

from netwright.core.candidate import Candidate
from netwright.core.errors import CandidateError
from netwright.spaces import variation
from netwright.spaces.space import Space
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


def mutate(space: SearchSpace, parent: Candidate, rng: Random) -> Candidate:
    """A copy of `parent` with one decision changed, by a kind of mutation drawn from `KINDS`.

    Where nothing can be changed, `parent` itself or a random candidate.
    """
    own: Callable[..., tuple[Candidate, object]] | None = getattr(space, "mutate", None)
    kind = rng.choices(list(KINDS), weights=list(KINDS.values()))[0]
    for attempt in (kind, "any"):
        try:
            return (
                own(parent, rng, attempt)[0] if own else variation.mutate(cast(Space, space), parent, rng, attempt)[0]
            )
        except CandidateError:
            continue
    return space.sample(rng)


def crossover(space: SearchSpace, a: Candidate, b: Candidate, rng: Random) -> Candidate:
    """At each address the answer of `a` or of `b`, where both have a legal one."""
    own: Callable[..., Candidate] | None = getattr(space, "crossover", None)
    return own(a, b, rng) if own else variation.crossover(cast(Space, space), a, b, rng)
