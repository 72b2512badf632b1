"""What a strategy spends on a trial, ask and tell, when it has been told 1,000, 10,000 and 100,000 trials.

    python benchmarks/ask_tell.py [--strategies NAME ...] [--spaces toy chain] [--sizes 1000 10000 100000]
                                  [--kept] [--profile NAME [--halving]]

Every registered strategy, alone and under successive halving if it can be, on a toy (twenty choices among five, one
objective) and on the space `chain` (real keys and plans; accuracy and parameters). The trials that it is told were
proposed by random search: one such history is told to all strategies, so that 100,000 trials take minutes.
At each size a strategy then asks for trials of its own, one at a time, each told before the next: after 20 that do not
count, 100 are measured, or as many as take 10 seconds. Promotions are kept apart from what the strategy itself
proposes, which is what the table shows. Trials are said to have taken ten seconds each, which decides
how often `auto` asks its model. With `--profile` it is printed where the time of one strategy goes, at the largest size.
"""

from __future__ import annotations

import cProfile
import itertools
import pstats
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Results, arguments, machine, print_table
from benchmarks.fakes import GOAL, TASK, instant_answer
from netwright.core.events import Asked, Finished
from netwright.core.job import Allowance
from netwright.core.measurement import Measurement
from netwright.core.metrics import DEFAULT_SCORE
from netwright.core.objective import Goal, parse_goal
from netwright.core.trial import Continue, Proposal
from netwright.experiment.desk import Desk
from netwright.spaces.catalog import make_space
from netwright.strategies import STRATEGIES, CostFunction, SearchSpace, Source, make_strategy
from netwright.testing.toys import Grid, toy_costs

SIZES = (1_000, 10_000, 100_000)
RUNGS = (1, 3, 9)
WARM, MEASURED = 20, 100
LONGEST, FEWEST = 10.0, 5
"""CPU seconds after which no more trials are measured, and how many are at least."""
SECONDS = 10.0
"""What every trial is said to have taken; `auto` goes by it."""
GOALS = {"model": ("median_ms", 200.0), "portfolio": ("mean_ms", 10.0 * SECONDS)}
OTHER_GOAL = ("median_ms", 2.0)
"""CPU milliseconds of a trial at every size: of strategies that fit a model, of `auto` (a hundredth of a training, on
average), and of all others."""

Told = Asked | Finished


@dataclass(frozen=True)
class Problem:
    """A space with a goal, and what training comes to, without training."""

    space: SearchSpace
    goal: Goal
    costs: CostFunction
    answer: Callable[[str, int, int], Mapping[str, Measurement]]  # from key, epochs and seed

    def source(self, name: str, rungs: Sequence[int]) -> Source:
        """A registered strategy on it."""
        return make_strategy(name, self.space, self.goal, seed=0, costs=self.costs, epochs=3, rungs=rungs)

    def trial(self, source: Source, trial: int) -> tuple[Asked, Finished]:
        """The next trial of a source, asked and told; its events."""
        proposal = next(iter(source.ask()))
        asked = Asked(source.name, ((trial, proposal),))
        source.tell(asked)
        finished = Finished(trial, "completed", self._measure(proposal, trial), seconds=SECONDS)
        source.tell(finished)
        return asked, finished

    def _measure(self, proposal: Proposal, trial: int) -> Mapping[str, Measurement]:
        """Of a training; the score of an untrained network as well, for who searches by it."""
        key = proposal.candidate.key
        score = Measurement(random.Random(key).random())
        return {**self.answer(key, max(1, proposal.fidelity.epochs), trial), DEFAULT_SCORE: score}


def toy() -> Problem:
    """Twenty choices among five; the accuracy is the share that is 0, with some noise."""

    def answer(key: str, epochs: int, seed: int) -> Mapping[str, Measurement]:
        share = key.count("=0") / 20
        return {"accuracy": Measurement(0.9 * share + random.Random(seed).uniform(0, 0.1) - 0.1 / epochs + 0.1)}

    return Problem(Grid((5,) * 20), parse_goal(["accuracy"], []), toy_costs, answer)


def chain() -> Problem:
    """The space that images of 28 x 28 pixels are searched in."""
    desk = Desk(goal=GOAL, task=TASK, data=Path(), allowance=Allowance)
    return Problem(make_space("chain", TASK), GOAL, desk.plan, instant_answer)


PROBLEMS = {"toy": toy, "chain": chain}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--strategies", choices=STRATEGIES, nargs="+", default=list(STRATEGIES), metavar="NAME")
    parser.add_argument("--spaces", choices=PROBLEMS, nargs="+", default=list(PROBLEMS))
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--kept", action="store_true", help="measure nothing: the tables of what is kept")
    parser.add_argument("--profile", choices=STRATEGIES)
    parser.add_argument("--halving", action="store_true", help="profile it under successive halving")
    given = parser.parse_args()
    sizes = (50, 100) if given.quick else tuple(sorted(given.sizes))
    if given.profile:
        profile(given.profile, given.spaces, RUNGS if given.halving else (), sizes[-1])
        return
    results = Results("ask_tell", given)
    for space in () if given.kept else given.spaces:
        for rungs in ((), RUNGS):
            names = [name for name in given.strategies if not rungs or STRATEGIES[name].fidelities]
            measure(results, space, rungs, names, sizes, 10 if given.quick else MEASURED)
    print(machine())
    for space in given.spaces:
        print_costs(results, space, given.strategies, sizes)


def measure(
    results: Results, space: str, rungs: Sequence[int], names: Sequence[str], sizes: Sequence[int], count: int
) -> None:
    """Measure what is missing, all strategies beside each other on one history."""
    missing = [name for name in names if any(key_of(space, name, rungs, size) not in results.records for size in sizes)]
    if not missing:
        return
    problem = PROBLEMS[space]()
    sources = {name: problem.source(name, rungs) for name in missing}
    for size in reach(sizes, history(problem, rungs), sources.values()):
        for name, source in sources.items():
            results.once(
                key_of(space, name, rungs, size), lambda source=source, size=size: timed(problem, source, size, count)
            )


def history(problem: Problem, rungs: Sequence[int]) -> Iterator[tuple[Asked, Finished]]:
    """The trials of random search, one after another."""
    source = problem.source("random", rungs)
    trial = 0
    while True:
        trial += 1
        yield problem.trial(source, trial)


def reach(sizes: Iterable[int], trials: Iterator[tuple[Asked, Finished]], sources: Iterable[Source]) -> Iterator[int]:
    """Tell all sources the trials; stops at each of the sizes."""
    told = 0
    for size in sizes:
        while told < size:
            events = next(trials)
            for source in sources:
                for event in events:
                    source.tell(event)
            told += 1
        yield size


def timed(problem: Problem, source: Source, told: int, count: int = MEASURED) -> dict[str, Any]:
    """CPU milliseconds of the next trials of a source that was told so many."""
    own: list[float] = []
    promotions: list[float] = []
    total = 0.0
    first = 1_000_000_000 + 10 * told  # numbers that the history does not use, rising with it
    for number in itertools.count(first):
        began = time.process_time()
        asked, _ = problem.trial(source, number)
        spent = (time.process_time() - began) * 1e3
        total += spent
        promoted = isinstance(asked.trials[0][1].start, Continue)
        (promotions if promoted else own).append(spent)
        if len(own) >= WARM + count or (total > LONGEST * 1e3 and len(own) > FEWEST):
            break
    own = own[min(WARM, len(own) - FEWEST) :]
    return {
        "trials": len(own),
        "median_ms": float(np.median(own)),
        "p90_ms": float(np.quantile(own, 0.9)),
        "mean_ms": float(np.mean(own)),
        "promotion_ms": float(np.median(promotions)) if promotions else None,
    }


def key_of(space: str, name: str, rungs: Sequence[int], size: int) -> str:
    """What a measurement is kept under."""
    return f"{space}, {name}{'+halving' if rungs else ''}, {size} trials"


def print_costs(results: Results, space: str, names: Sequence[str], sizes: Sequence[int]) -> None:
    """Median (of `auto` the mean) and 90th percentile at each size, and whether the goal is reached at all of them."""
    print(f"\n## {space}: CPU ms of an ask with its tell, median (of auto the mean), and 90th percentile\n")
    rows: list[list[object]] = []
    promotions: list[float] = []
    for name in names:
        judged, goal = GOALS.get(STRATEGIES[name].kind, OTHER_GOAL)
        for rungs in ((), RUNGS):
            kept = {size: results.records.get(key_of(space, name, rungs, size)) for size in sizes}
            if not any(kept.values()):
                continue
            missed = [f"{size:,}" for size, one in kept.items() if one is not None and one[judged] > goal]
            promotions += [one["promotion_ms"] for one in kept.values() if one is not None and one["promotion_ms"]]
            rows.append(
                [name + ("+halving" if rungs else "")]
                + [f"{one[judged]:.2f} ({one['p90_ms']:.2f})" if one else "" for one in kept.values()]
                + [f"{goal:g}", f"missed at {', '.join(missed)}" if missed else "reached"]
            )
    print_table(["strategy", *(f"{size:,}" for size in sizes), "goal", ""], rows)
    if promotions:
        print(f"\nA promotion, median: {min(promotions):.2f} to {max(promotions):.2f} ms")


def profile(name: str, spaces: Sequence[str], rungs: Sequence[int], size: int) -> None:
    """Print where the time of the measured trials goes."""
    for space in spaces:
        problem = PROBLEMS[space]()
        source = problem.source(name, rungs)
        for reached in reach([size], history(problem, rungs), [source]):
            profiler = cProfile.Profile()
            cost = profiler.runcall(timed, problem, source, reached)
            print(f"{space}, {name}: {cost['trials']} trials after {reached:,}")
            pstats.Stats(profiler).sort_stats("tottime").print_stats(12)


if __name__ == "__main__":
    main()
