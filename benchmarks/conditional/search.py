"""One search among the pipelines on one data set."""

from __future__ import annotations

import json

from benchmarks.tabular.search import Queries, Run, search
from netwright.core.candidate import Candidate

from .evaluation import accuracy
from .parameters import Decisions
from .peers import peers_on
from .pipelines import Pipelines

PEERS = peers_on(Pipelines())


def run(strategy: str, data: str, seed: int, queries: int) -> Run:
    """Search until so many different pipelines were trained. The regret of the run is the error in percent."""
    count: Queries[Decisions] = Queries(
        lambda decisions: accuracy(data, decisions), json.dumps, best=100, budget=queries
    )
    return search(strategy, data, seed, count, space=Pipelines(), peers=PEERS, point=decisions_of)


def decisions_of(candidate: Candidate) -> Decisions:
    """What is asked for."""
    return candidate.decisions
