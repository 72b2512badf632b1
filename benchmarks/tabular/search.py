"""One search on a table: a strategy of ours or a peer, with a budget of queries that is counted alike for all.

A strategy of ours is named as on the command line of netwright, with settings of its own behind a colon where it
differs from the default: `regularized-evolution:population=30,sample=10`. It is driven by `testing.simulate` with one
worker: each answer is told before the next question.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from netwright.core.candidate import Architecture
from netwright.core.errors import CandidateError
from netwright.core.measurement import Measurement
from netwright.core.objective import parse_goal
from netwright.core.trial import Proposal
from netwright.spaces.catalog.nasbench201 import code_of
from netwright.strategies import STRATEGIES, Costs, Source, make_strategy
from netwright.testing.simulate import simulate

from .nasbench201 import Cells, Queries, load
from .peers import PEERS

MOST_ASKS = 20
"""A search that asks so many times its budget, because it keeps asking for what it knows, ends with what it has."""

GOAL = parse_goal(["accuracy"], [])


@dataclass(frozen=True)
class Run:
    """One search. `paid` is below `queries` where it ended early; `ms` is CPU time an ask, with its tell."""

    strategy: str
    data: str
    seed: int
    queries: int
    paid: int
    asks: int
    ms: float
    steps: list[tuple[int, float]]

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return asdict(self)


def run(strategy: str, data: str, seed: int, queries: int) -> Run:
    """Search the table of a data set until so many queries are paid."""
    count = Queries(load(data), queries)
    began = time.process_time()
    if strategy in PEERS:
        PEERS[strategy].search(count, seed, most_asks=MOST_ASKS * queries)
        asks = count.asks
    else:
        asks = _search(make(strategy, seed), count)
    ms = (time.process_time() - began) / max(asks, 1) * 1e3
    return Run(strategy, data, seed, queries, count.paid, asks, round(ms, 3), count.steps)


def make(strategy: str, seed: int) -> Source:
    """A strategy of ours on the cells, with the settings that its name carries. Raises InputError as ours do."""
    name, _, settings = strategy.partition(":")
    if not settings:
        return make_strategy(name, Cells(), GOAL, seed=seed, costs=no_costs, epochs=1)
    return STRATEGIES[name](Cells(), GOAL, seed=seed, costs=no_costs, **read_settings(settings))


def read_settings(text: str) -> dict[str, int | float | str]:
    """`population=30,sample=10` as a mapping; numbers are read as numbers."""
    pairs = (part.partition("=") for part in text.split(","))
    return {key: _number(value) for key, _, value in pairs}


def no_costs(architecture: Architecture) -> Costs:
    """There are no limits here, so nothing should ask."""
    raise CandidateError("costs play no part in this benchmark")


def _search(source: Source, count: Queries) -> int:
    """Drive a strategy of ours; how often it was asked."""

    def evaluate(proposal: Proposal, rng: Random) -> Mapping[str, Measurement]:
        accuracy = count.ask(code_of(proposal.candidate.decisions)) / 100
        return {"accuracy": Measurement(accuracy, split="validation")}

    done = simulate(source, evaluate, trials=MOST_ASKS * count.budget, stop=lambda so_far: count.spent)
    return len(done.proposals)


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
