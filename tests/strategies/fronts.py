"""T201 with its cost as a second objective: searches, and what of the best possible front they cover."""

from __future__ import annotations

from statistics import mean
from types import SimpleNamespace

from netwright.core.candidate import Architecture
from netwright.core.objective import parse_goal
from netwright.strategies import Costs, Strategy
from netwright.testing.simulate import Simulated, simulate
from netwright.testing.toys import T201, measured


def search(table: T201, strategy: Strategy, trials: int = 500) -> Simulated:
    """A search for accuracy and, as `loss`, the cost."""
    return simulate(
        strategy,
        lambda proposal, rng: measured(
            accuracy=table.validation(proposal.candidate), loss=table.cost(proposal.candidate)
        ),
        trials=trials,
    )


def covered(table: T201, run: Simulated) -> float:
    """The share of the best possible hypervolume that a whole search covers."""
    return table.covered([run.proposals[trial].candidate for trial in run.answers])


def cheap(architecture: Architecture) -> Costs:
    """Parameters that grow with the sum of the options, as the toy's second objective does."""
    options = [int(part.rpartition("=")[2]) for part in architecture.key.split(";")]
    return SimpleNamespace(parameters=1000 * 10 ** (sum(options) / 12), macs=1)  # type: ignore[return-value]


def covered_with_parameters(kind: type[Strategy], seeds: int, trials: int) -> float:
    """The mean share that searches for accuracy and parameters cover, which a model knows by arithmetic."""
    table, shares = T201(), []
    for seed in range(seeds):
        run = simulate(
            kind(table, parse_goal((), ()), seed=seed, costs=cheap),
            lambda proposal, rng: measured(
                accuracy=table.validation(proposal.candidate),
                parameters=cheap(proposal.candidate.architecture).parameters,  # type: ignore[arg-type]
            ),
            trials=trials,
        )
        shares.append(covered(table, run))
    return mean(shares)
