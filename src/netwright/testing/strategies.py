"""What every strategy must stand, as checks that raise AssertionError with a sentence. Run them on your own:

    @pytest.mark.parametrize("check", CHECKS)
    def test_my_strategy(check):
        CHECKS[check](lambda space, goal, seed: Mine(space, goal, seed=seed, costs=toy_costs), Grid((5,) * 6))

Each check drives a strategy by scripted results: told in reverse, some lost, failed or never told, repeated
proposals answered by reuse, candidates outside a limit refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from netwright.core.candidate import Candidate
from netwright.core.events import Asked, Failed, Finished, Lost
from netwright.core.measurement import Measurement, Measurements
from netwright.core.metrics import METRICS
from netwright.core.objective import Goal, parse_goal
from netwright.core.seeding import stream
from netwright.core.trial import Continue, Inherit, Proposal, TrialId
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import Source, Told
from netwright.testing.simulate import simulate

Make = Callable[[SearchSpace, Goal, int], Source]
"""Builds the strategy under test from a space, a goal and a seed."""

Check = Callable[[Make, SearchSpace], None]

ROUNDS = 5
AHEAD = 10
SECONDS = 4.0
"""What a scripted training takes."""


def scripted(goal: Goal, candidate: Candidate, epochs: int = 1) -> dict[str, Measurement]:
    """A made-up but fixed measurement for each metric of the goal: a function of the candidate and the epochs.

    Without epochs, only what needs no training.
    """
    rng = stream(0, candidate.key, str(sorted(candidate.recipe.items())))
    values = {}
    metrics = {objective.metric for objective in goal.objectives} | {limit.metric for limit in goal.limits}
    for name in sorted(metrics):
        share = rng.random()
        if epochs == 0 and METRICS[name].needs == "training":
            continue
        grows = METRICS[name].direction == "max" and epochs > 0
        values[name] = 10 ** (3 + 3 * share) if METRICS[name].log else share * (1 - 0.5 / epochs) if grows else share
    return {name: Measurement(value) for name, value in values.items()}


@dataclass(slots=True)
class Driver:
    """Tells a source what came of its proposals, as untidily as allowed."""

    source: Source
    goal: Goal
    events: list[Told] = field(default_factory=list)
    proposals: dict[TrialId, Proposal] = field(default_factory=dict)
    finished: dict[TrialId, Finished] = field(default_factory=dict)
    ended_badly: list[TrialId] = field(default_factory=list)

    def tell(self, event: Told) -> None:
        """Tell and remember."""
        self.events.append(event)
        self.source.tell(event)
        if isinstance(event, Finished):
            self.finished[event.trial] = event
        elif isinstance(event, Failed | Lost):
            self.ended_badly.append(event.trial)

    def ask(self, count: int) -> list[TrialId]:
        """Open the next `count` proposals as trials."""
        held = self.source.holds()
        opened: list[tuple[TrialId, Proposal]] = []
        for proposal in islice(self.source.ask(), count):
            self._examine(proposal, held)
            opened.append((len(self.proposals) + 1, proposal))
            self.proposals[opened[-1][0]] = proposal
        self.tell(Asked(self.source.name, tuple(opened)))
        return [trial for trial, _ in opened]

    def _examine(self, proposal: Proposal, held: set[TrialId]) -> None:
        for parent in proposal.parents:
            assert parent in self.finished, f"trial {parent} has no result, but became a parent"
        if isinstance(proposal.start, Continue | Inherit):
            assert proposal.start.trial in self.finished, f"trial {proposal.start.trial} has no weights to start from"
            assert proposal.start.trial in held, f"the weights of trial {proposal.start.trial} were not held"

    def answer(self, trial: TrialId) -> None:
        """Close a trial: repeated ones by reuse, every fifth as lost, every seventh as failed, or never (eleventh)."""
        proposal = self.proposals[trial]
        identity = proposal.identity()
        for other, result in self.finished.items():
            if self.proposals[other].identity() == identity:
                self.tell(replace(result, trial=trial, reused_from=other))
                return
        measurements = scripted(self.goal, proposal.candidate, proposal.fidelity.epochs)
        known = {name: value for name, value in measurements.items() if METRICS[name].needs == "arithmetic"}
        if self.goal.violation(known) > 0:
            self.tell(Finished(trial, "infeasible", known))
        elif trial % 5 == 0:
            self.tell(Lost(trial, "the worker vanished"))
        elif trial % 7 == 0:
            self.tell(Failed(trial, "diverged", "the loss was not finite"))
        elif trial % 11 != 0:
            self.tell(Finished(trial, "completed", measurements, seconds=SECONDS))

    def rounds(self, count: int = ROUNDS) -> Driver:
        """Ask ten, answer them in reverse, and again."""
        for _ in range(count):
            for trial in reversed(self.ask(AHEAD)):
                self.answer(trial)
        return self

    def next(self, count: int = AHEAD) -> list[dict[str, object]]:
        """The next proposals as JSON, without opening them."""
        return [proposal.to_json() for proposal in islice(self.source.ask(), count)]


DEFAULT_GOAL = parse_goal((), ())
GOALS = {
    "one objective": parse_goal(("accuracy",), ()),
    "two objectives": DEFAULT_GOAL,
    "three objectives": parse_goal(("accuracy", "parameters", "latency"), ()),
    "limits": parse_goal((), ("parameters<=100k", "accuracy>=20%")),
    "nothing satisfies": parse_goal((), ("parameters<=1", "accuracy>=200%")),
    "nothing trained satisfies": parse_goal(("accuracy",), ("accuracy>=200%",)),
}


def check_asks_ahead(make: Make, space: SearchSpace) -> None:
    """Ten proposals before any result, and asking changes nothing."""
    driver = Driver(make(space, DEFAULT_GOAL, 1), DEFAULT_GOAL)
    first = driver.next()
    assert len(first) == AHEAD, f"{len(first)} proposals came before any result, not {AHEAD}"
    assert driver.next() == first, "asking again without a tell gave other proposals"
    trials = driver.ask(AHEAD // 2)
    assert driver.next(AHEAD // 2) == first[AHEAD // 2 :], "what is asked next depends on how much was drawn at once"
    for trial in trials:
        driver.answer(trial)
    later = driver.next()
    assert driver.next() == later, "asking again without a tell gave other proposals"


def check_any_order(make: Make, space: SearchSpace) -> None:
    """Results in reverse and shuffled, with lost, failed and silent ones among them: goes on, no failed one is a parent."""
    for name, goal in GOALS.items():
        driver = Driver(make(space, goal, 2), goal).rounds(4)
        assert len(driver.proposals) == 4 * AHEAD, f"{name}: the strategy stopped asking"
        assert len(driver.next()) == AHEAD, f"{name}: the strategy stopped asking"
    driver = Driver(make(space, DEFAULT_GOAL, 2), DEFAULT_GOAL)
    trials = [trial for _ in range(3) for trial in driver.ask(AHEAD)]
    stream(0, "order").shuffle(trials)
    for trial in trials:
        driver.answer(trial)
    assert len(driver.next()) == AHEAD, "the strategy stopped asking after results in a random order"


def check_nothing_ever_returns(make: Make, space: SearchSpace) -> None:
    """Not one result: goes on asking."""
    driver = Driver(make(space, DEFAULT_GOAL, 3), DEFAULT_GOAL)
    for _ in range(ROUNDS):
        driver.ask(AHEAD)
    assert len(driver.proposals) == ROUNDS * AHEAD, "the strategy stopped asking"


def check_everything_fails(make: Make, space: SearchSpace) -> None:
    """Only failures: goes on asking, and nobody becomes a parent."""
    driver = Driver(make(space, DEFAULT_GOAL, 4), DEFAULT_GOAL)
    for _ in range(ROUNDS):
        for trial in driver.ask(AHEAD):
            driver.tell(Failed(trial, "crashed", "scripted"))
    assert len(driver.next()) == AHEAD, "the strategy stopped asking"


EXTREMES = (0.0, 1e-300, 1.0, 1e100)
"""The least and the largest that a metric is ever told to be. What is not finite is no measurement, but a failure."""


def check_extreme_values(make: Make, space: SearchSpace) -> None:
    """Values at the ends of what there is, equal ones, missing ones, losses that were not finite: goes on."""
    for name in ("one objective", "three objectives", "limits"):
        goal = GOALS[name]
        driver = Driver(make(space, goal, 11), goal)
        for _ in range(ROUNDS):
            for trial in driver.ask(AHEAD):
                values = scripted(goal, driver.proposals[trial].candidate)
                told = {metric: Measurement(EXTREMES[(trial + i) % 4]) for i, metric in enumerate(values)}
                if trial % 6 == 0:
                    driver.tell(Failed(trial, "diverged", "the loss was not finite"))
                elif trial % 7 == 0:
                    driver.tell(Finished(trial, "completed", dict(list(told.items())[1:])))
                else:
                    driver.tell(Finished(trial, "completed", told))
        assert len(driver.proposals) == ROUNDS * AHEAD, f"{name}: the strategy stopped asking"
        assert len(driver.next()) == AHEAD, f"{name}: the strategy stopped asking"


def check_new_proposals(make: Make, space: SearchSpace) -> None:
    """In a space that is large enough it hardly repeats itself, with results or without."""
    rng = stream(0, "sample")
    if len({space.sample(rng).key for _ in range(60)}) < 50:
        return
    for answered in (False, True):
        driver = Driver(make(space, DEFAULT_GOAL, 5), DEFAULT_GOAL)
        for _ in range(ROUNDS):
            for trial in driver.ask(AHEAD):
                if answered:
                    driver.answer(trial)
        again = sorted(driver.ended_badly)
        repeats = _repeats([p for trial, p in driver.proposals.items() if trial not in again])
        assert repeats <= 3, f"{repeats} of {len(driver.proposals)} proposals were repeated"


def _repeats(proposals: Sequence[Proposal]) -> int:
    return len(proposals) - len({proposal.identity() for proposal in proposals})


def check_seed(make: Make, space: SearchSpace) -> None:
    """Equal seeds give equal searches; other seeds, in a space of several points, other ones."""
    runs = [Driver(make(space, DEFAULT_GOAL, seed), DEFAULT_GOAL).rounds(3) for seed in (6, 6, 7)]
    same, again, other = ([proposal.to_json() for proposal in run.proposals.values()] for run in runs)
    assert same == again, "the same seed gave another search"
    rng = stream(0, "sample")
    if len({space.sample(rng).key for _ in range(60)}) > 5:
        assert same != other, "another seed gave the same search"


def check_replay(make: Make, space: SearchSpace) -> None:
    """A strategy that is told the recorded events goes on as the one that lived through them."""
    for name in ("one objective", "limits", "nothing trained satisfies"):
        goal = GOALS[name]
        lived = Driver(make(space, goal, 8), goal).rounds(4)
        told = Driver(make(space, goal, 8), goal)
        for event in lived.events:
            told.tell(event)
        assert told.next() == lived.next(), f"{name}: after a replay the next proposals differ"
        assert told.source.holds() == lived.source.holds(), f"{name}: after a replay other weights are held"


def check_late_results(make: Make, space: SearchSpace) -> None:
    """A result that comes after its trial was given up, or a second time, changes nothing."""
    driver = Driver(make(space, DEFAULT_GOAL, 9), DEFAULT_GOAL).rounds(4)
    before = driver.next()
    for trial in [*driver.finished, *driver.ended_badly]:
        proposal = driver.proposals[trial]
        result = scripted(DEFAULT_GOAL, proposal.candidate, proposal.fidelity.epochs)
        driver.source.tell(Finished(trial, "completed", result, seconds=100 * SECONDS))
    assert driver.next() == before, "a late result changed what is asked next"


def check_simulated(make: Make, space: SearchSpace) -> None:
    """Sixteen workers with very uneven training times: every proposal is answered."""

    def evaluate(proposal: Proposal, rng: object) -> Measurements:
        return scripted(DEFAULT_GOAL, proposal.candidate, proposal.fidelity.epochs)

    run = simulate(
        make(space, DEFAULT_GOAL, 10),
        evaluate,
        trials=60,
        workers=16,
        duration=lambda proposal, rng: rng.lognormvariate(0, 1.5),
    )
    assert len(run.answers) == 60, f"only {len(run.answers)} of 60 trials were asked and answered"


CHECKS: dict[str, Check] = {
    "asks_ahead": check_asks_ahead,
    "any_order": check_any_order,
    "nothing_ever_returns": check_nothing_ever_returns,
    "everything_fails": check_everything_fails,
    "extreme_values": check_extreme_values,
    "new_proposals": check_new_proposals,
    "seed": check_seed,
    "replay": check_replay,
    "late_results": check_late_results,
    "simulated": check_simulated,
}
