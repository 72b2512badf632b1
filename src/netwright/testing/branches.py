"""Toy landscapes in which decisions open others and most are numbers, with known optima.

    python -m netwright.testing.branches [SEEDS]

prints the mean regret of strategies on as many of them, a landscape and a seed each, in about half an hour.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import mean, stdev
from typing import Any

from netwright.core.candidate import Candidate, Value
from netwright.core.objective import parse_goal
from netwright.spaces.choices import Choice, Choose, choose, real
from netwright.spaces.walk import Decider
from netwright.strategies import make_strategy
from netwright.testing.simulate import simulate
from netwright.testing.toys import Toy, measured, toy_candidate, toy_costs

STRATEGIES = ("random", "regularized-evolution", "local-search", "tpe", "forest", "gaussian-process", "auto")
BUDGETS = (25, 50, 100)


class Branches(Toy):
    """A random landscape of six branches: each opens categories and numbers of its own, some of which open another number.

    A number falls off from a best value, a category has a value for each option, and two decisions that all branches
    share are worth something else in each. The optimum is known.
    """

    def __init__(self, landscape: int, branches: int = 6) -> None:
        rng = Random(landscape * 7919 + 13)
        self._shared = {f"s{i}": choose(*range(rng.choice((2, 3, 4)))) for i in range(2)}
        self._root = choose(*range(branches))
        self._below = [_branch(branch, rng) for branch in range(branches)]
        self._heights = [rng.gauss(0, 0.5) for _ in range(branches)]
        self._worth: dict[str, Options | Slope] = {}
        parts: list[Mapping[str, Choice]] = [self._shared]
        parts += [part for own, opened in self._below for part in (own, *opened.values())]
        for choices in parts:
            for name, choice in choices.items():
                self._worth[name] = Options.draw(choice, rng) if isinstance(choice, Choose) else Slope.draw(rng)
        self._together = {
            (branch, name, value): rng.gauss(0, 0.25)
            for branch in range(branches)
            for name in self._shared
            for value in range(4)
        }
        self.best = max(map(self._most, range(branches)))

    def walk(self, decider: Decider) -> Candidate:
        decisions: dict[str, Value] = {name: decider.decide(name, choice) for name, choice in self._shared.items()}
        branch: Any = decider.decide("root", self._root)
        decisions["root"] = branch
        own, opened = self._below[branch]
        decisions.update({name: decider.decide(name, choice) for name, choice in own.items()})
        further = opened.get(decisions.get(f"{branch}/k"), {})
        decisions.update({name: decider.decide(name, choice) for name, choice in further.items()})
        return toy_candidate(decisions)

    def regret(self, candidate: Candidate) -> float:
        """How far below the optimum, 0 at best; a standard deviation among the optima of branches is 0.5."""
        return self.best - self._value(candidate.decisions)

    def accuracy(self, candidate: Candidate) -> float:
        """The same as something that looks like an accuracy."""
        return 0.5 + 0.1 * self._value(candidate.decisions)

    def _value(self, decisions: Mapping[str, Any]) -> float:
        branch = decisions["root"]
        total: float = self._heights[branch]
        for name, value in decisions.items():
            if name in self._worth:
                total += self._worth[name].at(value)
            total += self._together.get((branch, name, value), 0.0)
        return total

    def _most(self, branch: int) -> float:
        """The optimum of a branch: its own decisions add nothing at best."""
        shared = (
            max(self._worth[name].at(value) + self._together[branch, name, value] for value in choice.options)
            for name, choice in self._shared.items()
        )
        return self._heights[branch] + sum(shared)


@dataclass(frozen=True, slots=True)
class Slope:
    """What a number is worth: 0 at `best`, less beside it, the steeper the narrower."""

    best: float
    steepness: float
    slow: bool

    @classmethod
    def draw(cls, rng: Random) -> Slope:
        """Anywhere, from flat to steep."""
        return cls(rng.uniform(0, 1), math.exp(rng.uniform(math.log(0.5), math.log(20))), rng.random() < 0.5)

    def at(self, value: float) -> float:
        """Its worth at a value from 0 to 1."""
        fall = self.steepness * (value - self.best) ** 2
        return -math.log1p(fall) if self.slow else -min(fall, 2.0)


@dataclass(frozen=True, slots=True)
class Options:
    """What each option of a category is worth, 0 at best."""

    worths: Sequence[float]

    @classmethod
    def draw(cls, choice: Choose, rng: Random) -> Options:
        """A worth for each option."""
        worths = [rng.gauss(0, 0.5) for _ in choice.options]
        return cls([worth - max(worths) for worth in worths])

    def at(self, value: int) -> float:
        """The worth of an option, which are 0, 1, 2 and so on."""
        return self.worths[value]


Opened = dict[Value | None, dict[str, Choice]]


def _branch(branch: int, rng: Random) -> tuple[dict[str, Choice], Opened]:
    """Its decisions, and those that one of them, `k`, opens by its value."""
    own: dict[str, Choice] = {f"{branch}/x{i}": real(0.0, 1.0) for i in range(rng.randint(1, 4))}
    own |= {f"{branch}/c{i}": choose(*range(rng.choice((2, 3, 4)))) for i in range(rng.randint(0, 2))}
    opened: Opened = {}
    if rng.random() < 0.5:
        opened = {value: {f"{branch}/k{value}/x": real(0.0, 1.0)} for value in (1, 2) if rng.random() < 0.8}
        own[f"{branch}/k"] = choose(0, 1, 2)
    return own, opened


def regrets(strategy: str, landscape: int, budgets: Sequence[int] = BUDGETS) -> list[float]:
    """Of the best so far, after each number of trials."""
    space, goal = Branches(landscape), parse_goal(("accuracy",), ())
    source = make_strategy(strategy, space, goal, seed=landscape, costs=toy_costs, epochs=1)
    run = simulate(source, lambda p, _: measured(accuracy=space.accuracy(p.candidate)), trials=budgets[-1])
    reached = [space.regret(run.proposals[trial].candidate) for trial in sorted(run.answers)]
    return [min(reached[:budget]) for budget in budgets]


def main(seeds: int) -> None:
    """Print the table."""
    print("| | " + " | ".join(map(str, BUDGETS)) + " |\n|" + "---|" * (len(BUDGETS) + 1))
    for strategy in STRATEGIES:
        columns = zip(*(regrets(strategy, landscape) for landscape in range(seeds)), strict=True)
        cells = (f"{mean(column):.3f} ± {stdev(column) / seeds**0.5:.3f}" for column in columns)
        print(f"| {strategy} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
