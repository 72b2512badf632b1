from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from random import Random
from statistics import mean

import pytest

from netwright.core.candidate import Architecture, Candidate
from netwright.core.errors import InputError
from netwright.core.events import Asked, Failed, Finished, Lost
from netwright.core.measurement import Measurement
from netwright.core.objective import parse_goal
from netwright.core.trial import Continue, Fidelity, Proposal, TrialId
from netwright.spaces.choices import Choice, choose, integer, real
from netwright.spaces.walk import Decider
from netwright.strategies import STRATEGIES, Halving, PopulationTraining, spellings
from netwright.strategies.population_training import explore, perturbed, schedule
from netwright.testing.simulate import Simulated, simulate
from netwright.testing.toys import Grid, Toy, measured, toy_costs

GOAL = parse_goal(("accuracy",), ())


class Tuned(Toy):
    """A network of one decision, and a recipe of which two numbers may change while it trains and the batch may not."""

    def __init__(self, kinds: int = 1) -> None:
        self.fields: dict[str, Choice] = {
            "network/kind": choose(*range(kinds)),
            "recipe/lr": real(0.0, 1.0),
            "recipe/weight_decay": real(0.0, 1.0),
            "recipe/batch": choose(16, 32, 64),
        }

    def walk(self, decider: Decider) -> Candidate:
        made = {address: decider.decide(address, choice) for address, choice in self.fields.items()}
        recipe = {address[7:]: value for address, value in made.items() if address.startswith("recipe/")}
        architecture = Architecture((), f"kind={made['network/kind']}")
        return Candidate("network", architecture, recipe, made)  # type: ignore[arg-type]


def pbt(space: Toy | None = None, epochs: int = 10, seed: int = 0, **settings: object) -> PopulationTraining:
    strategy = PopulationTraining(space or Tuned(3), GOAL, seed=seed, costs=toy_costs, **settings)  # type: ignore[arg-type]
    strategy.fidelity = Fidelity(epochs)
    return strategy


class Bench:
    """Drives a strategy by hand."""

    def __init__(self, strategy: PopulationTraining) -> None:
        self.strategy = strategy
        self.proposals: dict[TrialId, Proposal] = {}

    def open(self, count: int = 1) -> list[TrialId]:
        opened = [(len(self.proposals) + 1 + i, p) for i, p in enumerate(islice(self.strategy.ask(), count))]
        self.proposals.update(opened)
        self.strategy.tell(Asked("search", tuple(opened)))
        return [trial for trial, _ in opened]

    def finish(self, trials: Sequence[TrialId], values: Sequence[float]) -> None:
        for trial, value in zip(trials, values, strict=True):
            self.strategy.tell(Finished(trial, "completed", measured(accuracy=value)))


class Opened(Tuned):
    """The rate of learning is one of two kinds, each with a number of its own."""

    def walk(self, decider: Decider) -> Candidate:
        kind = decider.decide("recipe/lr", choose("small", "large"))
        bounds = (0.0, 0.1) if kind == "small" else (0.1, 1.0)
        rate = decider.decide(f"recipe/lr/{kind}", real(*bounds))
        made = {"recipe/lr": kind, f"recipe/lr/{kind}": rate}
        return Candidate("network", Architecture((), "one"), {"lr": rate}, made)  # type: ignore[arg-type, dict-item]


def test_a_perturbed_choice_opens_decisions_of_its_own() -> None:
    space, rng = Opened(), Random(0)
    parent = space.sample(rng)
    children = [explore(space, parent, rng) for _ in range(60)]
    assert {child.decisions["recipe/lr"] for child in children} == {"small", "large"}
    assert len({child.recipe["lr"] for child in children}) > 30


@pytest.mark.parametrize(("epochs", "steps"), [(19, 10), (15, 10), (25, 10), (10, 10), (3, 10)])
def test_a_training_has_no_more_intervals_than_steps(epochs: int, steps: int) -> None:
    interval = pbt(epochs=epochs, steps=steps).interval
    assert interval >= 1 and -(-epochs // interval) <= steps


# -- exploit -----------------------------------------------------------------------------------------------------------


def test_the_last_fifth_takes_network_and_weights_of_the_first_and_perturbs_the_recipe() -> None:
    bench = Bench(pbt(population=10))
    first = bench.open(10)
    assert {p.fidelity for p in bench.proposals.values()} == {Fidelity(1, trunk=True)}
    bench.finish(first, [0.5, 0.1, 0.6, 0.9, 0.4, 0.3, 0.2, 0.7, 0.8, 0.55])  # worst: 2, 7; best: 4, 9
    after = [bench.proposals[trial] for trial in bench.open(10)]
    for own, proposal in zip(first, after, strict=True):
        assert isinstance(proposal.start, Continue)
        assert proposal.parents == (proposal.start.trial,)
        assert proposal.fidelity == Fidelity(2, trunk=True)
        below = bench.proposals[proposal.start.trial].candidate
        assert proposal.candidate.key == below.key
        assert proposal.candidate.recipe["batch"] == below.recipe["batch"]
        if own in (2, 7):
            assert proposal.origin == "exploit"
            assert proposal.start.trial in (4, 9)
            assert proposal.candidate.recipe != below.recipe
        else:
            assert proposal.origin == "promotion"
            assert (proposal.start.trial, proposal.candidate) == (own, below)


def test_a_member_is_compared_with_the_latest_of_others_and_nobody_waits() -> None:
    bench = Bench(pbt(population=5))
    opened = bench.open(5)
    bench.finish(opened[:4], [0.1, 0.6, 0.7, 0.8])
    (weak,) = bench.open()  # of four results a fifth is nobody: it goes on
    assert bench.proposals[weak].start == Continue(1)
    bench.finish([weak], [0.05])
    bench.finish(opened[4:], [0.5])
    again = [bench.proposals[trial] for trial in bench.open(5)]
    assert [p.origin for p in again] == ["promotion", "promotion", "promotion", "exploit", "promotion"]
    assert again[3].start == Continue(4)
    assert again[3].fidelity.epochs == 2  # from where the other is


def test_more_workers_than_members_begin_the_next_population() -> None:
    bench = Bench(pbt(population=4, quantile=0.25))
    opened = bench.open(7)
    bench.finish(opened, [0.4, 0.5, 0.6, 0.7, 0.01, 0.02, 0.03])
    origins = [bench.proposals[trial].origin for trial in bench.open(7)]
    assert origins == [
        "exploit",
        *["promotion"] * 6,
    ]  # three of the next one are too few to judge, whatever the first did


def test_who_is_through_makes_room() -> None:
    bench = Bench(pbt(population=3, epochs=2, steps=2))
    bench.finish(bench.open(3), [0.1, 0.2, 0.3])
    bench.finish(bench.open(3), [0.1, 0.2, 0.3])
    assert not bench.strategy.holds()
    assert {bench.proposals[trial].fidelity.epochs for trial in bench.open(3)} == {1}


def test_failed_lost_and_refused_members_leave() -> None:
    bench = Bench(pbt(population=4))
    one, two, three, four = bench.open(4)
    bench.strategy.tell(Failed(one, "diverged", ""))
    bench.strategy.tell(Lost(two, ""))
    bench.strategy.tell(Finished(three, "infeasible", measured(parameters=9)))
    bench.finish([four], [0.5])
    after = [bench.proposals[trial] for trial in bench.open(4)]
    assert [p.origin for p in after] == ["random"] * 3 + ["promotion"]
    bench.strategy.tell(Failed(8, "diverged", "the learning rate was too high"))
    assert bench.strategy.holds() == set()


def test_weights_of_all_members_and_of_what_trials_start_from_are_held() -> None:
    bench = Bench(pbt(population=5))
    first = bench.open(5)
    bench.finish(first, [0.1, 0.2, 0.3, 0.4, 0.5])
    assert bench.strategy.holds() == {1, 2, 3, 4, 5}
    opened = bench.open(5)
    bench.finish(opened[1:], [0.2, 0.3, 0.4, 0.5])
    assert bench.proposals[opened[0]].start == Continue(5)
    assert bench.strategy.holds() == {1, 5, 7, 8, 9, 10}  # 5 was left behind, but 6 still starts from it


def test_where_nothing_can_change_a_new_member_takes_the_place_of_the_weak() -> None:
    bench = Bench(pbt(Grid((5,) * 6), population=5))
    bench.finish(bench.open(5), [0.1, 0.2, 0.3, 0.4, 0.5])
    after = [bench.proposals[trial] for trial in bench.open(5)]
    assert [p.origin for p in after] == ["random"] + ["promotion"] * 4
    assert len(bench.strategy.members) == 5


def test_a_recipe_that_mostly_stays_as_it_is_is_perturbed_until_it_changes() -> None:
    """Whole numbers from 1 to 2 change only where they are drawn anew."""
    space = Tuned()
    for name in ("lr", "weight_decay"):
        space.fields[f"recipe/{name}"] = integer(1, 2)
    origins = []
    for seed in range(20):
        bench = Bench(pbt(space, population=5, seed=seed))
        bench.finish(bench.open(5), [0.1, 0.2, 0.3, 0.4, 0.5])
        origins.append(bench.proposals[bench.open(1)[0]].origin)
    assert origins.count("exploit") >= 18


# -- explore -----------------------------------------------------------------------------------------------------------


def test_numbers_move_by_a_fifth_within_their_range_and_options_to_a_neighbour() -> None:
    rng = Random(0)
    assert {perturbed(real(0.1, 1.0), 0.5, rng) for _ in range(20)} == {0.4, 0.6}
    assert {perturbed(real(0.1, 1.0), 0.95, rng) for _ in range(20)} == {0.76, 1.0}
    assert {perturbed(integer(1, 100), 50, rng) for _ in range(20)} == {40, 60}
    options = choose("a", "b", "c")
    assert {perturbed(options, "b", rng) for _ in range(20)} == {"a", "c"}
    assert {perturbed(options, "a", rng) for _ in range(20)} == {"b"}
    assert perturbed(choose("a"), "a", rng) == "a"


def test_a_quarter_is_drawn_anew() -> None:
    space, rng = Tuned(), Random(0)
    candidate = space.sample(rng)
    before = float(candidate.recipe["lr"])  # type: ignore[arg-type]
    moved = [float(explore(space, candidate, rng).recipe["lr"]) for _ in range(400)]  # type: ignore[arg-type]
    stepped = [lr for lr in moved if lr in (before * 0.8, min(before * 1.2, 1.0))]
    assert 0.68 < len(stepped) / 400 < 0.82


def test_it_cannot_be_halved() -> None:
    assert [name for name in spellings() if name.startswith("pbt")] == ["pbt"]
    with pytest.raises(InputError, match="pbt cannot be combined"):
        Halving(pbt(), rungs=(1, 3))
    assert not STRATEGIES["pbt"].fidelities


@pytest.mark.parametrize("wrong", [{"population": 1}, {"steps": 0}, {"quantile": 0.6}, {"quantile": 0.0}])
def test_settings_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="population must be at least 2"):
        pbt(**wrong)


# -- figure 2 of the paper ---------------------------------------------------------------------------------------------


class Quadratic:
    """Trains theta from (0.9, 0.9) to maximise 1.2 - theta0² - theta1², by gradients that weigh theta by (lr, weight_decay).

    A step a tenth of the gradient of 1.2 - h0 theta0² - h1 theta1², so h = (1, 0) never moves theta1.
    """

    def __init__(self) -> None:
        self.weights: dict[TrialId, tuple[float, float]] = {}

    def train(self, proposal: Proposal, rng: Random) -> Mapping[str, Measurement]:
        theta = self.weights[proposal.start.trial] if isinstance(proposal.start, Continue) else (0.9, 0.9)
        theta = self.steps(theta, proposal.candidate.recipe, STEPS)
        self.weights[len(self.weights) + 1] = theta
        return measured(accuracy=self.value(theta))

    @staticmethod
    def steps(theta: tuple[float, float], recipe: Mapping[str, object], count: int) -> tuple[float, float]:
        h0, h1 = float(recipe["lr"]), float(recipe["weight_decay"])  # type: ignore[arg-type]
        return theta[0] * (1 - 0.02 * h0) ** count, theta[1] * (1 - 0.02 * h1) ** count

    @staticmethod
    def value(theta: tuple[float, float]) -> float:
        return 1.2 - theta[0] ** 2 - theta[1] ** 2


STEPS, INTERVALS = 10, 25
GRID = [(i / 7, 1 - i / 7) for i in range(8)]
"""What a person would try for two weights that sum to one."""


def populated(seed: int) -> tuple[Simulated, Quadratic]:
    space, task = Tuned(), Quadratic()
    strategy = pbt(space, epochs=INTERVALS, seed=seed, population=8, steps=INTERVALS, quantile=0.25)
    start = space.sample(Random(0)).decisions
    strategy.starts = [replayed(space, {**start, "recipe/lr": a, "recipe/weight_decay": b}) for a, b in GRID]
    return simulate(strategy, task.train, trials=8 * INTERVALS, workers=4, seed=seed), task


def replayed(space: Tuned, decisions: Mapping[str, object]) -> Candidate:
    class Given:
        def decide(self, address: str, choice: Choice) -> object:
            return decisions[address]

    return space.walk(Given())  # type: ignore[arg-type]


def test_a_population_finds_a_schedule_that_no_point_of_the_grid_reaches() -> None:
    ends = [
        Quadratic.value(Quadratic.steps((0.9, 0.9), {"lr": a, "weight_decay": b}, STEPS * INTERVALS)) for a, b in GRID
    ]
    assert max(ends) < 1.19
    assert min(max(populated(seed)[0].values("accuracy").values()) for seed in range(3)) >= 1.19


@pytest.mark.long
def test_a_population_finds_a_schedule_that_no_point_of_the_grid_reaches_figures() -> None:
    assert min(max(populated(seed)[0].values("accuracy").values()) for seed in range(20)) >= 1.19


def test_the_schedule_of_the_best_trains_it_again() -> None:
    run, task = populated(0)
    best = max(run.answers, key=lambda trial: run.answers[trial]["accuracy"].value)
    found = schedule(run.proposals, best)
    assert [epochs for epochs, _ in found] == list(range(1, run.proposals[best].fidelity.epochs + 1))
    assert len({recipe["lr"] for _, recipe in found}) > 2
    theta = (0.9, 0.9)
    for _, recipe in found:
        theta = Quadratic.steps(theta, recipe, STEPS)
    assert theta == task.weights[best]


def test_weak_networks_give_way_to_strong_ones() -> None:
    """Values depend on the network alone; later members are those of the better kinds."""
    space = Tuned(6)

    def evaluate(proposal: Proposal, rng: Random) -> Mapping[str, Measurement]:
        return measured(accuracy=float(proposal.candidate.decisions["network/kind"]) + 0.1 * rng.random())  # type: ignore[arg-type]

    strategy = pbt(space, epochs=6, steps=6, population=10)
    run = simulate(strategy, evaluate, trials=60, workers=3)

    def kinds(epochs: int) -> Iterator[int]:
        for proposal in run.proposals.values():
            if proposal.fidelity.epochs == epochs:
                yield int(proposal.candidate.decisions["network/kind"])  # type: ignore[arg-type]

    assert mean(kinds(6)) > mean(kinds(1)) + 0.5
