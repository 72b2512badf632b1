"""How strategies vary candidates: a kind of mutation is drawn, and `spaces.variation` does it."""

from __future__ import annotations

from random import Random

from netwright.core.candidate import Candidate
from netwright.spaces import variation
from netwright.spaces.walk import SearchSpace

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

    Where nothing can be changed, `parent` itself.
    """
    kind = rng.choices(list(KINDS), weights=list(KINDS.values()))[0]
    return variation.mutate(space, parent, rng, kind)[0]
