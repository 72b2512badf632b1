"""What the tests of both controllers share: toys, and controllers of which every draw counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from statistics import mean

from netwright.core.candidate import Candidate, Value
from netwright.core.events import Asked, Failed, Finished, Lost
from netwright.core.objective import parse_goal
from netwright.core.trial import Proposal
from netwright.spaces.choices import Choice, choose, integer, optional, real, repeat, subset
from netwright.spaces.walk import Decider
from netwright.strategies import PPO, Reinforce, Strategy
from netwright.strategies.shared.controller import Controller, Drawing
from netwright.testing.simulate import simulate
from netwright.testing.toys import T201, Toy, measured, toy_candidate

GOAL = parse_goal(("accuracy",), ())


class Everything(Toy):
    """Choices of each kind, some of them there in some candidates only; finite without `rate`."""

    def __init__(self, *, rate: bool = False) -> None:
        self.rate = rate

    def walk(self, decider: Decider) -> Candidate:
        decisions: dict[str, Value] = {}

        def ask(address: str, choice: Choice) -> Value:
            decisions[address] = decider.decide(address, choice)
            return decisions[address]

        for name in ask("net", repeat(None, 1, 2)):  # type: ignore[union-attr]
            if ask(f"net/{name}", choose("conv", "pool")) == "conv":
                ask(f"net/{name}/conv/width", integer(2, 6, log=True))
                ask(f"net/{name}/conv/only", choose("relu"))
        ask("inputs", subset(2, ("a", "b", "c", "d")))
        if ask("drop", optional(None)):
            ask("drop/body/share", real(0.1, 0.5) if self.rate else integer(1, 3))
        return toy_candidate(decisions)


def every_draw(kind: type[Controller]) -> type[Controller]:
    """A controller that repeats itself as its policy does, as in the papers."""

    class EveryDraw(kind):  # type: ignore[valid-type, misc]
        def ask(self) -> Iterator[Proposal]:
            for rng in self.streams():
                yield self.propose(self.space.walk(Drawing(self.policy, rng, 1.0)), origin="policy")

    return EveryDraw


def tell(strategy: Strategy, trial: int, candidate: Candidate, answer: Mapping[str, float] | str | None) -> None:
    """Open a candidate as a draw of the policy and answer it: measurements, `lost`, a kind of failure, or not at all."""
    strategy.tell(Asked(strategy.name, ((trial, strategy.propose(candidate, origin="policy")),)))
    if isinstance(answer, str):
        lost = answer == "lost"
        strategy.tell(Lost(trial, "") if lost else Failed(trial, answer, "scripted"))  # type: ignore[arg-type]
    elif answer is not None:
        strategy.tell(Finished(trial, "completed", measured(**answer)))


def logits(strategy: Strategy) -> dict[str, list[float]]:
    """The logits of each question."""
    assert isinstance(strategy, Controller)
    return {name: strategy.policy._logits[row].tolist() for name, row in strategy.policy.rows.items()}


def scores(table: T201, make: Callable[[int], Strategy], seeds: int, budgets: Sequence[int]) -> list[float]:
    """The mean true score of the best by validation after each number of trials."""
    columns: list[list[float]] = [[] for _ in budgets]
    for seed in range(seeds):
        run = simulate(make(seed), lambda p, _: measured(accuracy=table.validation(p.candidate)), trials=budgets[-1])
        values = run.values("accuracy")
        for column, budget in zip(columns, budgets, strict=True):
            best = max((trial for trial in values if trial <= budget), key=lambda trial: values[trial])
            column.append(table.score(run.proposals[best].candidate))
    return [mean(column) for column in columns]


def random_rewards(count: int, seed: int = 0) -> list[float]:
    rng = Random(seed)
    return [rng.random() for _ in range(count)]


BOTH = {"reinforce": Reinforce, "ppo": PPO}
