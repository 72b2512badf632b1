"""A search space: a network and a recipe in which values may be choices."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cached_property
from typing import Any

from netwright.core.candidate import Architecture, Candidate, Value, digest
from netwright.core.errors import CandidateError, SpaceError
from netwright.spaces import counting
from netwright.spaces.choices import Choice, Choose, Shared, Subset
from netwright.spaces.encoding import FromSlots, slots_of
from netwright.spaces.keys import key
from netwright.spaces.layers import DEEPEST_NESTING, LAYERS, Layer
from netwright.spaces.recipe import Recipe
from netwright.spaces.walk import Decider, Record, Replay, Resolved, Sample, enumerate_walks, walk

LARGEST_COUNT = 20_000
"""Spaces of more candidates than this are not enumerated to count the different ones."""


class Space:
    """What may be built and how it may be trained.

    `network` is a layer, a list (or a dict of named parts) of layers and choices, nested to any depth. The stem and
    everything up to the last features is described; the classifier head is added for the task. `reference` is a
    (network, recipe) without choices: the hand-made network of the same family that a search is compared with.
    `starts` are candidates known to be good, each as the values of its slots (`spaces.encoding`): a search begins
    there. `sampler(rng)` gives the decider that draws a candidate, without it every decision falls evenly over its
    values. `strata` are beginnings of addresses: a mutation picks one of them evenly (the other decisions are one more),
    then a decision there; without any it picks evenly among all decisions. Raises SpaceError naming the address of a
    part that cannot be read.
    """

    def __init__(
        self,
        network: Any,
        recipe: Recipe | Choose | None = None,
        *,
        name: str = "custom",
        reference: tuple[Any, Recipe] | None = None,
        starts: Sequence[Mapping[str, Value]] = (),
        sampler: Callable[[random.Random], Decider] = Sample,
        strata: Sequence[str] = (),
    ) -> None:
        self.network = network
        self.recipe = Recipe() if recipe is None else recipe
        self.name = name
        self.strata = tuple(strata)
        self._sampler = sampler
        shared: dict[str, Any] = {}
        _check_part(network, "network", 0, shared)
        _check_recipe_spec(self.recipe, shared)
        self.reference = None if reference is None else _reference(reference)
        try:
            self.starts = tuple(self.walk(FromSlots(values)) for values in starts)
        except CandidateError as error:
            raise SpaceError(f"each start must be a candidate of the space, but: {error}") from error

    def sample(self, rng: random.Random) -> Candidate:
        """A candidate drawn at random: by the space's sampler, or every decision evenly over its values."""
        return self.walk(self._sampler(rng))

    def replay(self, decisions: Mapping[str, Value]) -> Candidate:
        """The candidate with these decisions; others than those met are left aside.

        Raises CandidateError naming the address of a decision that is missing or not legal.
        """
        return self.walk(Replay(decisions))

    def walk(self, decider: Decider) -> Candidate:
        """The candidate that `decider` chooses."""
        return _candidate(walk(self.network, self.recipe, decider))

    def choices(self, decisions: Mapping[str, Value]) -> dict[str, Choice]:
        """The choice that each of these decisions answers, by address; raises CandidateError as `replay` does."""
        met: dict[str, Choice] = {}
        walk(self.network, self.recipe, Record(Replay(decisions), met))
        return met

    def validate(self, candidate: Candidate) -> None:
        """Raise CandidateError unless the candidate is exactly what its decisions give in this space."""
        if candidate.architecture is None:
            raise CandidateError(f"a {candidate.kind} is no network of this space")
        again = self.replay(candidate.decisions)
        pairs = {
            "decisions": (dict(again.decisions), dict(candidate.decisions)),
            "recipe": (again.recipe, dict(candidate.recipe)),
            "key": (again.key, candidate.key),
            "layers": (digest(list(again.architecture.layers)), digest(list(candidate.architecture.layers))),  # type: ignore[union-attr]
        }
        for part, (ours, theirs) in pairs.items():
            if ours != theirs:
                raise CandidateError(f"its {part} are not those that its decisions give in the space {self.name!r}")

    def size(self) -> int | None:
        """How many candidates there are (by decisions); None when a choice is continuous."""
        return counting.size(self.network, self.recipe)

    def enumerate(self) -> Iterator[Candidate]:
        """Every candidate of a finite space, in a fixed order. Raises SpaceError when a choice is continuous."""
        return map(_candidate, enumerate_walks(self.network, self.recipe))

    def distinct(self) -> int | None:
        """How many different networks (by key) a finite space of up to 20,000 candidates holds, else None."""
        size = self.size()
        if size is None or size > LARGEST_COUNT:
            return None
        return len({candidate.key for candidate in self.enumerate()})

    @cached_property
    def conditional(self) -> bool:
        """Whether some decisions exist only where others fell a certain way."""
        return any(slot.conditional for slot in slots_of(self.network, self.recipe))

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the space's content: equal for equal spaces in every process."""
        return digest([_content(self.network), _content(self.recipe)])


def _candidate(resolved: Resolved) -> Candidate:
    architecture = Architecture(resolved.layers, key(resolved.layers))
    return Candidate("network", architecture, resolved.recipe, resolved.decisions)


def _reference(given: Any) -> Candidate:
    if not isinstance(given, tuple) or len(given) != 2 or not isinstance(given[1], Recipe):
        raise SpaceError(f"a reference must be a network and its Recipe, (network, recipe), but got {given!r:.80}")
    return _candidate(walk(*given, _Fixed()))


class _Fixed:
    """The decider of a reference: there is nothing to decide."""

    def decide(self, address: str, choice: Choice) -> Value:
        raise SpaceError("a reference must hold no choice", address)


def _check_part(spec: Any, address: str, depth: int, shared: dict[str, Any]) -> None:
    """Raise SpaceError for what cannot be part of a network."""
    if depth > DEEPEST_NESTING:
        raise SpaceError(f"parts may nest {DEEPEST_NESTING} deep, but this goes deeper", address)
    if isinstance(spec, Layer) and type(spec) in LAYERS.values():
        for name, choice in spec.chosen:
            _check_shared(choice, f"{address}/{name}", shared)
        for name in spec.parts:
            _check_part(getattr(spec, name), f"{address}/{name}", depth + 1, shared)
    elif isinstance(spec, list | tuple):
        for index, item in enumerate(spec):
            _check_part(item, f"{address}/{index}", depth + 1, shared)
    elif isinstance(spec, dict):
        for name, item in spec.items():
            if not isinstance(name, str) or not name.isidentifier():
                raise SpaceError(f"the name of a part must be an identifier, but got {name!r}", address)
            _check_part(item, f"{address}/{name}", depth + 1, shared)
    elif isinstance(spec, Choose):
        for label, option in zip(spec.labels, spec.options, strict=True):
            _check_part(option, f"{address}/{label}", depth + 1, shared)
    elif isinstance(spec, Subset) and spec.parts:
        for label, part in zip(spec.of, spec.parts, strict=True):
            _check_part(part, f"{address}/{label}", depth + 1, shared)
    elif isinstance(spec, Shared):
        _check_shared(spec, address, shared)
        _check_part(spec.spec, f"shared/{spec.name}", depth + 1, shared)
    elif isinstance(spec, Choice) and hasattr(spec, "body"):
        _check_part(spec.body, f"{address}/body", depth + 1, shared)
    else:
        raise SpaceError(_not_a_part(spec), address)


def _not_a_part(spec: Any) -> str:
    """Why `spec` cannot be part of a network."""
    if isinstance(spec, type) and spec in LAYERS.values():
        return f"a part of a network must be a layer, but got its class; write {spec.__name__}(…)"
    if isinstance(spec, Layer) or callable(spec):
        kind = spec if isinstance(spec, type) else type(spec)
        return (
            f"a space is composed of the layers of netwright.spaces ({', '.join(LAYERS)}), but got "
            f"{kind.__module__}.{kind.__qualname__}. Layers of your own, from torch, a script or a notebook, are not "
            "supported: candidates are stored as data, and the workers that build them never run your code. Compose "
            "what you need from the layers there are"
        )
    return f"a part of a network must be a layer, a list or a choice of them, but got {spec!r:.80}"


def _check_recipe_spec(spec: Any, shared: dict[str, Any]) -> None:
    if isinstance(spec, Choose):
        for option in spec.options:
            _check_recipe_spec(option, shared)
    elif isinstance(spec, Recipe):
        for name, choice in spec.chosen:
            _check_shared(choice, f"recipe/{name}", shared)
    else:
        raise SpaceError(f"a recipe must be Recipe(…) or choose(Recipe(…), …), but got {spec!r:.80}", "recipe")


def _check_shared(spec: Any, address: str, shared: dict[str, Any]) -> None:
    """One name must stand for one part, in choices within a choice too."""
    if isinstance(spec, Choose):
        for option in spec.options:
            _check_shared(option, address, shared)
    elif isinstance(spec, Shared):
        if shared.setdefault(spec.name, spec.spec) != spec.spec:
            raise SpaceError(f"shared({spec.name!r}, …) must stand for the same part wherever it is used", address)
        _check_shared(spec.spec, address, shared)


def _content(spec: Any) -> Any:
    """A spec as JSON."""
    if is_dataclass(spec) and not isinstance(spec, type):
        return {"type": type(spec).__name__, **{f.name: _content(getattr(spec, f.name)) for f in fields(spec)}}
    if isinstance(spec, list | tuple):
        return [_content(item) for item in spec]
    if isinstance(spec, dict):
        return {"named": [[name, _content(item)] for name, item in spec.items()]}
    return spec
