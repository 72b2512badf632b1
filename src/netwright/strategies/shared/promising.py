"""What an acquisition function likes best, in any space: random candidates, then generations of mutations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from random import Random

from netwright.core.candidate import Candidate
from netwright.core.errors import CandidateError
from netwright.spaces.variation import identity
from netwright.spaces.walk import SearchSpace
from netwright.strategies.shared.operators import mutate

Gains = Callable[[Sequence[Candidate]], Sequence[float]]
"""How much each of some candidates promises, the more the better."""

DRAWN = 20
PARENTS, CHILDREN, GENERATIONS = 5, 5, 4


def most_promising(space: SearchSpace, gains: Gains, best: Sequence[Candidate], rng: Random) -> list[Candidate]:
    """Every candidate that was looked at, the most promising first.

    `DRAWN` are random; each of `GENERATIONS` has `CHILDREN` mutations of each of `PARENTS`: at first of the `best` known,
    then of the most promising so far.
    """
    scored: list[tuple[float, Candidate]] = []
    known: set[tuple[str, str]] = set()

    def look_at(draws: Iterable[Callable[[], Candidate]]) -> None:
        fresh = []
        for candidate in _drawn(draws):
            if identity(candidate) not in known:
                known.add(identity(candidate))
                fresh.append(candidate)
        if fresh:
            scored.extend(zip(gains(fresh), fresh, strict=True))
            scored.sort(key=lambda pair: -pair[0])

    look_at([partial(space.sample, rng)] * DRAWN)
    parents = list(best[:PARENTS])
    for _ in range(GENERATIONS):
        look_at(partial(mutate, space, parent, rng) for parent in parents for _ in range(CHILDREN))
        parents = [candidate for _, candidate in scored[:PARENTS]]
    return [candidate for _, candidate in scored]


def _drawn(draws: Iterable[Callable[[], Candidate]]) -> Iterator[Candidate]:
    """What the draws give; one that comes to no candidate is passed over."""
    for draw in draws:
        try:
            yield draw()
        except CandidateError:
            continue
