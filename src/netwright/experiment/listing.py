"""What there is to choose from: spaces and strategies, described."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netwright.core.task import TaskSpec
from netwright.reports.terminal import size_in_words
from netwright.spaces.catalog import CATALOG, counts, load_space
from netwright.strategies import STRATEGIES

EXAMPLE = TaskSpec((3, 32, 32), tuple("0123456789"), (0.5,) * 3, (0.25,) * 3)
"""Spaces scale to the images; they are described for ten classes of 32 x 32 colour images."""

COUNTABLE = 100_000
"""Up to so many candidates the distinct ones are counted by building the key of each."""

Described = tuple[Any, list[str]]


def list_spaces() -> Described:
    """Every space of the catalogue: name and first sentence."""
    found = [{"name": name, "about": _about(function)} for name, function in CATALOG.items()]
    return found, [f"{entry['name']:<14}{entry['about']}" for entry in found]


def describe_space(name: str) -> Described:
    """One space: size, distinct architectures where they can be counted, whether decisions depend on each other."""
    space = load_space(name, EXAMPLE)
    size = space.size()
    found: dict[str, Any] = {"name": space.name, "size": size, "distinct": None, "conditional": space.conditional}
    if size is not None and size <= COUNTABLE:
        found |= counts(space)
    lines = [f"{space.name}: {size_in_words(size)}"]
    if found["distinct"] is not None:
        lines.append(f"distinct networks: {found['distinct']:,}")
    if "distinct_published" in found:
        lines.append(f"distinct by the published rule: {found['distinct_published']:,}")
    lines.append(
        "some decisions exist only in some networks" if space.conditional else "every network has every decision"
    )
    lines.append("described for ten classes of 32 x 32 colour images; it scales to yours")
    return found, lines


def list_strategies() -> Described:
    """Every strategy: name, kind and capabilities."""
    found = [strategy.capabilities() for strategy in STRATEGIES.values()]
    able = [{name for name, value in entry.items() if value is True} for entry in found]
    shared = set.intersection(*able)
    lines = [
        f"{entry['name']:<24}{entry['kind']:<15}{_in_words(can - shared)}"
        for entry, can in zip(found, able, strict=True)
    ]
    lines += [
        f"All of them can: {_in_words(shared)}.",
        "Add +halving to a name for asynchronous successive halving: auto+halving is the default.",
        "Add +hyperband for several halvings that begin at different rungs; bohb comes with it.",
        "FILE.py:NAME is a strategy of your own.",
    ]
    return found, lines


def _in_words(capabilities: Iterable[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in sorted(capabilities))


def _about(function: Any) -> str:
    return str(function.__doc__ or "").strip().split("\n")[0]
