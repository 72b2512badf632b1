"""The figures on the pages of the algorithms: strategies on toys with known optima, several seeds each.

    python -m netwright.testing.toy_figures [SEEDS]

prints its tables within minutes: one objective on T201, two objectives on T201, and successive halving on learning
curves whose budget is training time.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from random import Random
from statistics import mean, stdev

from netwright.core.candidate import Architecture
from netwright.core.measurement import Measurement
from netwright.core.objective import parse_goal
from netwright.core.pareto import front
from netwright.core.trial import Continue, Fidelity, Proposal
from netwright.strategies import (
    NSGA2,
    PPO,
    TPE,
    Auto,
    GaussianProcessSearch,
    GridSearch,
    Halving,
    HypervolumeEvolution,
    LocalSearch,
    RandomSearch,
    RegularizedEvolution,
    Reinforce,
    Source,
    SteepestLocalSearch,
    Strategy,
    TournamentEvolution,
)
from netwright.testing.simulate import Simulated, simulate
from netwright.testing.toys import T201, Grid, ToyCosts, hypervolume, measured, power_curve, toy_costs

BUDGETS = (50, 100, 200, 500)
ONE = parse_goal(("accuracy",), ())
TWO = parse_goal(("accuracy", "loss"), ())
SIZES = parse_goal(("accuracy", "parameters"), ())

Row = tuple[str, list[list[float]]]


def one_objective(table: T201, seeds: int) -> list[Row]:
    """The true score of the best by noisy validation, after each number of trials."""

    def scores(make: Callable[[int], Source]) -> list[list[float]]:
        columns: list[list[float]] = [[] for _ in BUDGETS]
        for seed in range(seeds):
            run = simulate(
                make(seed), lambda p, _: measured(accuracy=table.validation(p.candidate)), trials=BUDGETS[-1]
            )
            values = run.values("accuracy")
            for column, budget in zip(columns, BUDGETS, strict=True):
                best = max((trial for trial in values if trial <= budget), key=lambda trial: values[trial])
                column.append(table.score(run.proposals[best].candidate))
        return columns

    def evolution(population: int, sample: int) -> Callable[[int], Source]:
        return lambda seed: RegularizedEvolution(
            table, ONE, seed=seed, costs=toy_costs, population=population, sample=sample
        )

    def tournaments(population: int) -> Callable[[int], Source]:
        return lambda seed: TournamentEvolution(table, ONE, seed=seed, costs=toy_costs, population=population)

    def climbing(kind: type[LocalSearch], starts_drawn: int) -> Callable[[int], Source]:
        return lambda seed: kind(table, ONE, seed=seed, costs=toy_costs, starts_drawn=starts_drawn)

    def controller(kind: type[Reinforce | PPO], rate: float, entropy: float) -> Callable[[int], Source]:
        return lambda seed: kind(table, ONE, seed=seed, costs=toy_costs, learning_rate=rate, entropy=entropy)

    rows = [("random", scores(lambda seed: RandomSearch(table, ONE, seed=seed, costs=toy_costs)))]
    rows.append(("grid", scores(lambda seed: GridSearch(table, ONE, seed=seed, costs=toy_costs))))
    for population, sample in ((10, 3), (10, 5), (16, 5), (20, 5), (20, 10), (50, 10)):
        rows.append((f"evolution P{population} S{sample}", scores(evolution(population, sample))))
    for population in (10, 16, 20, 50):
        rows.append((f"tournaments P{population}", scores(tournaments(population))))
    for kind in (LocalSearch, SteepestLocalSearch):
        for starts_drawn in (1, 10, 20):
            rows.append((f"{kind.name}, starts_drawn {starts_drawn}", scores(climbing(kind, starts_drawn))))
    rows.append(("tpe", scores(lambda seed: TPE(table, ONE, seed=seed, costs=toy_costs))))
    for rate in (0.03, 0.1):
        for entropy in (0.0, 0.1, 0.3):
            rows.append(
                (f"reinforce, learning_rate {rate}, entropy {entropy}", scores(controller(Reinforce, rate, entropy)))
            )
    for rate, entropy in ((0.03, 0.0), (0.1, 0.0), (0.3, 0.0), (0.1, 0.1)):
        rows.append((f"ppo, learning_rate {rate}, entropy {entropy}", scores(controller(PPO, rate, entropy))))
    return rows


def two_objectives(table: T201, seeds: int) -> list[Row]:
    """Share of the best possible hypervolume, of the front by validation, judged by the truth."""

    def covered(run: Simulated, trials: int) -> float:
        return table.covered([run.proposals[trial].candidate for trial in run.answers if trial <= trials])

    def shares(make: Callable[[int], Source]) -> list[list[float]]:
        def evaluate(proposal: Proposal, rng: Random) -> Mapping[str, Measurement]:
            return measured(accuracy=table.validation(proposal.candidate), loss=table.cost(proposal.candidate))

        runs = [simulate(make(seed), evaluate, trials=BUDGETS[-1]) for seed in range(seeds)]
        return [[covered(run, budget) for run in runs] for budget in BUDGETS]

    def evolution(
        kind: type[NSGA2 | HypervolumeEvolution], population: int, crossover: float
    ) -> Callable[[int], Source]:
        return lambda seed: kind(table, TWO, seed=seed, costs=toy_costs, population=population, crossover=crossover)

    rows = [("random", shares(lambda seed: RandomSearch(table, TWO, seed=seed, costs=toy_costs)))]
    for kind in (NSGA2, HypervolumeEvolution):
        for population in (12, 20, 40):
            for crossover in (0.9, 0.5):
                name = f"{kind.name} P{population} crossover {crossover}"
                rows.append((name, shares(evolution(kind, population, crossover))))
    rows.append(("tpe", shares(lambda seed: TPE(table, TWO, seed=seed, costs=toy_costs))))
    return rows


class Networks(Grid):
    """A size in eight steps and a T201 cell; accuracy is a learning curve with noise; the smallest size is hopeless."""

    def __init__(self, table: T201) -> None:
        super().__init__((8, *table.sizes))
        self.table = table

    def parameters(self, proposal: Proposal) -> float:
        """From 1,000 to 200,000 by size, and up to a third more by cell."""
        return self._parameters(self.point(proposal.candidate))

    def costs(self, architecture: Architecture) -> ToyCosts:
        """The same by arithmetic, for strategies that ask before they propose."""
        parameters = self._parameters([int(part.rpartition("=")[2]) for part in architecture.key.split(";")])
        return ToyCosts(round(parameters), round(10 * parameters))

    @staticmethod
    def _parameters(point: Sequence[int]) -> float:
        size, *cell = point
        return 1000 * math.pow(200, size / 7) * (1 + 0.3 * sum(cell) / 24)

    def error(self, proposal: Proposal, epochs: float = math.inf) -> float:
        """True error after some epochs."""
        size, *cell = self.point(proposal.candidate)
        if size == 0:
            return 0.8
        loss = self.table.best * (1 - self.table.score(self.table.candidate(cell)))
        final = 0.05 + 0.2 * math.exp(-4 * size / 7) + 0.035 * loss
        return min(
            1 - power_curve(1 - final, 0.15 + 0.2 * size / 7, 0.7, 10**9 if epochs == math.inf else int(epochs)), 0.9
        )

    def seconds(self, proposal: Proposal) -> float:
        """Training time: a continued network pays for the new epochs (two thirds of three times as many)."""
        share = 2 / 3 if isinstance(proposal.start, Continue) else 1.0
        return share * proposal.fidelity.epochs * (1 + 0.02 * math.sqrt(self.parameters(proposal)))


REFERENCES = (0.15, 0.3, 0.9)


def halving(table: T201, seeds: int, budget: float) -> list[Row]:
    """Hypervolume of (true final error, log10 parameters) of the front at 9 epochs, for three reference errors."""
    space = Networks(table)

    def evaluate(proposal: Proposal, rng: Random) -> Mapping[str, Measurement]:
        error = space.error(proposal, proposal.fidelity.epochs) + rng.gauss(0, 0.006)
        return measured(accuracy=1 - error, parameters=space.parameters(proposal))

    def volumes(make: Callable[[int], Source]) -> list[list[float]]:
        columns: list[list[float]] = [[] for _ in REFERENCES]
        for seed in range(seeds):
            run = simulate(
                make(seed),
                evaluate,
                trials=5000,
                workers=2,
                seed=seed,
                duration=lambda proposal, rng: space.seconds(proposal),
                stop=lambda run: sum(map(space.seconds, run.proposals.values())) > budget,
            )
            top = [trial for trial in run.answers if run.proposals[trial].fidelity.epochs == 9]
            costs = [(-run.answers[trial]["accuracy"].value, space.parameters(run.proposals[trial])) for trial in top]
            chosen = [(space.error(run.proposals[top[i]]), math.log10(costs[i][1])) for i in front(costs)]
            for column, reference in zip(columns, REFERENCES, strict=True):
                column.append(hypervolume(chosen, (reference, 5.4)))
        return columns

    def flat(kind: type[RandomSearch] | type[NSGA2]) -> Callable[[int], Source]:
        def make(seed: int) -> Source:
            strategy = kind(space, SIZES, seed=seed, costs=space.costs)
            strategy.fidelity = Fidelity(9)
            return strategy

        return make

    def halved(kind: type[Strategy], hopeless: float) -> Callable[[int], Source]:
        return lambda seed: Halving(
            kind(space, SIZES, seed=seed, costs=space.costs), rungs=(1, 3, 9), hopeless=hopeless
        )

    rows = []
    for kind in (RandomSearch, NSGA2):
        rows.append((f"{kind.name}, 9 epochs each", volumes(flat(kind))))
        for hopeless in (0.0, 0.25, 0.5):
            rows.append((f"{kind.name}, halving, hopeless {hopeless}", volumes(halved(kind, hopeless))))
    for model in (GaussianProcessSearch, Auto):
        rows.append((f"{model.name}, halving, hopeless 0.25", volumes(halved(model, 0.25))))
    return rows


def show(title: str, heads: Sequence[object], rows: Sequence[Row]) -> None:
    """Print a table of means and standard errors."""
    print(f"\n{title}\n")
    print("| | " + " | ".join(map(str, heads)) + " |\n|" + "---|" * (len(heads) + 1))
    for name, columns in rows:
        cells = (f"{mean(column):.4f} ± {stdev(column) / len(column) ** 0.5:.4f}" for column in columns)
        print(f"| {name} | " + " | ".join(cells) + " |")


def main(seeds: int) -> None:
    """Print all tables."""
    table = T201()
    show(f"One objective, T201, {seeds} seeds", BUDGETS, one_objective(table, seeds))
    show(f"Two objectives, T201, {seeds} seeds", BUDGETS, two_objectives(table, seeds))
    for budget in (500, 1500):
        title = f"Halving, learning curves, {budget} s of training, {seeds} seeds; columns are reference errors"
        show(title, REFERENCES, halving(table, seeds, budget))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
