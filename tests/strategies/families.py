"""A better family of candidates that takes five times as long: what comes back first is the worse one."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from statistics import mean

from netwright.core.trial import Proposal
from netwright.strategies import Strategy
from netwright.testing.simulate import Answer, simulate
from netwright.testing.toys import Grid, measured


class Families(Grid):
    """One bit of family and twenty bits; the family of 1 is better and takes five times as long."""

    def __init__(self) -> None:
        super().__init__((2,) * 21)

    def accuracy(self, proposal: Proposal, rng: Random) -> Answer:
        family, *bits = self.point(proposal.candidate)
        return measured(accuracy=sum(bits) / 20 + 0.05 * family + rng.gauss(0, 0.01))

    def duration(self, proposal: Proposal, rng: Random) -> float:
        return rng.lognormvariate(0, 0.5) * (5 if self.point(proposal.candidate)[0] else 1)


FAMILIES = Families()


def slow_family_is_found(make: Callable[[int], Strategy], seeds: int) -> list[float]:
    """The slow family's share of the last 100 of 600 results by 16 workers, checked to hold the best."""
    shares = []
    for seed in range(seeds):
        run = simulate(make(seed), FAMILIES.accuracy, trials=615, workers=16, duration=FAMILIES.duration, seed=seed)
        values = run.values("accuracy")
        best = max(values, key=lambda trial: values[trial])
        assert FAMILIES.point(run.proposals[best].candidate)[0] == 1
        last = list(values)[500:600]
        shares.append(mean(FAMILIES.point(run.proposals[trial].candidate)[0] for trial in last))
    return shares
