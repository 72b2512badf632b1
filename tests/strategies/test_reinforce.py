from __future__ import annotations

import math
from itertools import islice
from random import Random
from statistics import mean

import numpy as np
import pytest

from netwright.core.errors import InputError
from netwright.core.events import Asked, Failed, Finished
from netwright.core.objective import Goal, parse_goal
from netwright.core.trial import Proposal
from netwright.strategies import PPO, Halving, Hyperband, RandomSearch, Reinforce, Strategy
from netwright.strategies.models.policy import entropy_gradient, score_gradient
from netwright.strategies.reinforce import Advantages
from netwright.strategies.shared.controller import Controller
from netwright.testing.simulate import Simulated, simulate
from netwright.testing.toys import T201, Grid, Nested, measured, toy_costs
from tests.strategies.controllers import BOTH, GOAL, Everything, every_draw, logits, random_rewards, scores, tell
from tests.strategies.families import FAMILIES, slow_family_is_found

GRID = Grid((5,) * 6)


def reinforce(space: object = GRID, goal: Goal = GOAL, seed: int = 0, **settings: object) -> Reinforce:
    return Reinforce(space, goal, seed=seed, costs=toy_costs, **settings)  # type: ignore[arg-type]


def points(run: Simulated) -> list[str]:
    return [proposal.candidate.key for proposal in run.proposals.values()]


# -- the step ----------------------------------------------------------------------------------------------------------


def test_the_baseline_begins_with_the_first_reward_and_is_taken_before_the_next() -> None:
    advantages = Advantages()
    rewards = [3.0, 5.0, 2.0, 2.5]
    found = [advantages.of(reward, moves=True) for reward in rewards]
    assert found[0] == 0.0 and advantages.baseline == pytest.approx(0.9 * (0.9 * (0.9 * 3 + 0.5) + 0.2) + 0.25)
    assert found[1] == pytest.approx(1.0)
    left = 2.0 - 3.2
    assert found[2] == pytest.approx(left / math.sqrt((0.95 * 0.05 * 4.0 + 0.05 * left**2) / (0.95 * 0.05 + 0.05)))


def test_failures_do_not_move_the_baseline() -> None:
    advantages = Advantages()
    for reward in (0.5, 0.7, 0.6):
        advantages.of(reward, moves=True)
    before = (advantages.baseline, advantages.square, advantages.seen)
    assert advantages.of(0.1, moves=False) < 0
    assert (advantages.baseline, advantages.square, advantages.seen) == before


def test_the_first_step_is_along_the_policy_gradient_and_the_entropy() -> None:
    strategy = reinforce(entropy=0.3)
    rng = Random(1)
    for trial, reward in enumerate((0.2, 0.6, 0.1), start=1):
        tell(strategy, trial, GRID.sample(rng), {"accuracy": reward})
    before = strategy.policy._first.copy()
    candidate = GRID.sample(rng)
    path = strategy.path(candidate)
    now = strategy.policy.log_probabilities(path)
    advantages = Advantages()
    for reward in (0.2, 0.6, 0.1):
        advantages.of(reward, moves=True)
    advantage = advantages.of(0.9, moves=True)
    expected = score_gradient(path, now, np.full(6, advantage)) + 0.3 * entropy_gradient(path, now)
    tell(strategy, 4, candidate, {"accuracy": 0.9})
    stepped = (strategy.policy._first[path.rows, :5] - 0.9 * before[path.rows, :5]) / 0.1
    assert advantage > 0 and stepped == pytest.approx(expected)


def test_a_late_answer_counts_by_how_likely_it_is_now_at_most_twice() -> None:
    """Two trials of the same policy; the second to come back is weighed, question by question."""
    for rewards, expected in (((1.0, 0.0), "less"), ((0.0, 1.0), "more")):
        strategy = reinforce(Grid((2,)), learning_rate=1.0, entropy=0.0)
        tell(strategy, 1, Grid((2,)).candidate((0,)), {"accuracy": 0.5})
        late = strategy.propose(Grid((2,)).candidate((0,)), origin="policy")
        strategy.tell(Asked(strategy.name, ((2, late),)))
        for trial, (option, reward) in enumerate(zip((0, 1) * 3, rewards * 3, strict=True), start=3):
            tell(strategy, trial, Grid((2,)).candidate((option,)), {"accuracy": reward})
        path = strategy.path(late.candidate)
        now = strategy.policy.log_probabilities(path)
        ratio = float(np.exp(path.of_taken(now))[0]) / 0.5
        assert (ratio > 1) == (expected == "less")
        before = strategy.policy._first[path.rows[0], 0]
        baseline = strategy.advantages
        left = 0.9 - baseline.baseline  # type: ignore[operator]
        rms = math.sqrt((0.95 * baseline.square + 0.05 * left**2) / (0.95 * baseline.seen + 0.05))
        strategy.tell(Finished(2, "completed", measured(accuracy=0.9)))
        gained = (strategy.policy._first[path.rows[0], 0] - 0.9 * before) / 0.1
        assert gained == pytest.approx(min(2.0, ratio) * left / rms * (1 - 0.5 * ratio))


# -- rewards -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(("shift", "scale"), [(90.0, 1.0), (0.0, 100.0), (-7.0, 0.01)])
def test_neither_a_constant_nor_the_unit_of_rewards_matters(kind: str, shift: float, scale: float) -> None:
    table = T201()

    def search(shift: float, scale: float) -> list[str]:
        strategy = BOTH[kind](table, GOAL, seed=3, costs=toy_costs)
        return points(
            simulate(
                strategy, lambda p, _: measured(accuracy=shift + scale * table.validation(p.candidate)), trials=500
            )
        )

    same = sum(a == b for a, b in zip(search(0.0, 1.0), search(shift, scale), strict=True))
    assert same >= 495


def test_a_baseline_that_begins_at_zero_would_not_stand_a_constant() -> None:
    table = T201()

    class FromZero(Reinforce):
        def _start_anew(self) -> None:
            super()._start_anew()
            self.advantages.baseline = 0.0

    def search(shift: float) -> list[str]:
        strategy = FromZero(table, GOAL, seed=3, costs=toy_costs)
        return points(
            simulate(strategy, lambda p, _: measured(accuracy=shift + table.validation(p.candidate)), trials=100)
        )

    assert sum(a == b for a, b in zip(search(0.0), search(90.0), strict=True)) < 50


@pytest.mark.parametrize("kind", BOTH)
def test_equal_rewards_teach_nothing(kind: str) -> None:
    strategy = BOTH[kind](GRID, GOAL, seed=0, costs=toy_costs, entropy=0.0)
    simulate(strategy, lambda p, _: measured(accuracy=0.1), trials=60)
    assert not np.abs(strategy.policy._logits).any()


@pytest.mark.parametrize("kind", BOTH)
def test_a_failure_of_its_own_is_as_bad_as_the_worst_and_the_machines_teach_nothing(kind: str) -> None:
    def after(answer: str | dict[str, float]) -> dict[str, list[float]]:
        strategy = BOTH[kind](GRID, GOAL, seed=0, costs=toy_costs)
        rng = Random(0)
        for trial, reward in enumerate((0.9, 0.8, 0.3, 0.7), start=1):
            tell(strategy, trial, GRID.sample(rng), {"accuracy": reward})
        tell(strategy, 5, GRID.candidate((0, 1, 2, 3, 4, 0)), answer)
        for trial, reward in enumerate(random_rewards(20), start=6):
            tell(strategy, trial, GRID.sample(rng), {"accuracy": reward})
        return logits(strategy)

    floor = after("diverged")
    assert after("out_of_memory") == after("invalid") == floor
    assert after("lost") == after("timeout") == after("crashed")
    assert after("lost") != floor
    if kind == "ppo":  # no baseline that a measured one would move
        assert after({"accuracy": 0.3}) == floor


def test_the_worst_of_the_latest_hundred_rewards_is_the_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = reinforce()
    rewards: list[float] = []
    monkeypatch.setattr(strategy, "_learn", lambda lesson: rewards.append(lesson.reward))
    for trial, reward in enumerate([0.1, *[0.5 + i / 1000 for i in range(100)]], start=1):
        if trial == 101:
            tell(strategy, 200, GRID.sample(Random(0)), "diverged")
        tell(strategy, trial, GRID.sample(Random(trial)), {"accuracy": reward})
    tell(strategy, 201, GRID.sample(Random(0)), "out_of_memory")
    assert (rewards[100], rewards[-1]) == (0.1, 0.5)


def test_failures_before_any_reward_teach_nothing() -> None:
    strategy = reinforce()
    for trial in range(1, 9):
        tell(strategy, trial, GRID.sample(Random(trial)), "diverged")
    assert not strategy.policy._logits.any()


LIMITED = parse_goal(("accuracy",), ("latency<=2ms",))


@pytest.mark.parametrize("kind", BOTH)
def test_a_search_walks_into_its_limits_and_stays_there(kind: str) -> None:
    """All that is inside has a latency below that of most draws, and there the better are the slower."""
    inside = []
    for seed in range(4):
        strategy = every_draw(BOTH[kind])(GRID, LIMITED, seed=seed, costs=toy_costs, learning_rate=0.1)

        def evaluate(proposal: Proposal, _: object) -> object:
            total = sum(GRID.point(proposal.candidate))
            return measured(accuracy=0.5 + total / 50, latency=0.3 * total)

        run = simulate(strategy, evaluate, trials=400)  # type: ignore[arg-type]
        inside.append(mean(value <= 2.0 for trial, value in run.values("latency").items() if trial > 300))
        assert mean(value <= 2.0 for trial, value in run.values("latency").items() if trial <= 20) < 0.3
    assert mean(inside) > 0.8


def test_beginning_outside_all_limits_nearer_is_better_and_the_first_inside_starts_anew() -> None:
    goal = parse_goal(("accuracy",), ("latency<=2ms",))
    strategy = reinforce(goal=goal)
    for trial, latency in enumerate((9.0, 5.0, 3.0), start=1):
        tell(strategy, trial, GRID.candidate((trial,) * 6), {"accuracy": 0.9, "latency": latency})
    assert strategy.policy._logits[0, 3] > strategy.policy._logits[0, 1]
    tell(strategy, 4, GRID.candidate((4,) * 6), {"accuracy": 0.4, "latency": 1.0})
    assert strategy.advantages.baseline == 0.4


@pytest.mark.parametrize("kind", BOTH)
def test_a_copied_result_is_a_draw_like_any_other(kind: str) -> None:
    logits_after = []
    for reused in (None, 1):
        strategy = BOTH[kind](GRID, GOAL, seed=0, costs=toy_costs)
        for trial, reward in enumerate(random_rewards(12), start=1):
            candidate = GRID.candidate((trial % 2,) * 6)
            strategy.tell(Asked(strategy.name, ((trial, strategy.propose(candidate, origin="policy")),)))
            copied = reused if trial > 2 else None
            strategy.tell(Finished(trial, "completed", measured(accuracy=reward), reused_from=copied))
        logits_after.append(logits(strategy))
    assert logits_after[0] == logits_after[1] and any(any(row) for row in logits_after[0].values())


# -- costs in the reward -----------------------------------------------------------------------------------------------


def rewards(goal: Goal, *results: dict[str, float], **settings: object) -> list[float | None]:
    return [reinforce(goal=goal, **settings).scalar.of(measured(**result)) for result in results]


def test_one_objective_is_its_own_number() -> None:
    assert rewards(GOAL, {"accuracy": 0.5}) == [0.5]
    assert rewards(parse_goal(("loss",), ()), {"loss": 0.5}) == [-0.5]
    assert rewards(parse_goal(("parameters",), ()), {"parameters": 7.0}) == [-7.0]


def test_costs_among_the_objectives_are_folded_in_by_the_soft_form() -> None:
    goal = parse_goal(("parameters", "accuracy", "latency"), ())
    result = {"parameters": 1e4, "accuracy": 0.8, "latency": 3.0}
    assert rewards(goal, result)[0] == pytest.approx(0.8 * (1e4 * 3.0) ** -0.07)
    assert rewards(goal, {"parameters": 1e4, "accuracy": 0.8}) == [None]
    assert rewards(goal, {**result, "latency": 0.0}) == [None]
    loss = parse_goal(("loss", "parameters"), ())
    assert rewards(loss, {"loss": 0.2, "parameters": 10.0})[0] == pytest.approx(math.exp(-0.2) * 10**-0.07)
    only = parse_goal(("parameters", "latency"), ())
    assert rewards(only, result)[0] == pytest.approx((1e4 * 3.0) ** -0.07)
    large = parse_goal(("accuracy", "parameters:max"), ())
    less, more = rewards(large, result, {**result, "parameters": 1e5})
    assert less < more  # type: ignore[operator]


def test_targets_are_the_bounds_of_limits_or_given() -> None:
    goal = parse_goal(("accuracy",), ("latency<=2ms", "parameters<=100k", "accuracy>=10%"))
    assert reinforce(goal=goal).scalar.targets == {}, "a limit alone is a limit, no preference"
    both = reinforce(goal=goal, reward="absolute", weight=-0.5)
    assert both.scalar.targets == {"latency": 2.0, "parameters": 1e5}
    result = measured(accuracy=0.8, latency=1.0, parameters=5e4)
    assert both.scalar.of(result) == pytest.approx(0.8 - 0.25 - 0.25)
    assert both.scalar.of(measured(accuracy=0.1, latency=0.1, parameters=5e3)) == pytest.approx(0.1 - 0.95)
    hard = reinforce(goal=GOAL, reward="hard", targets={"latency": 4.0})
    assert hard.scalar.of(measured(accuracy=0.8, latency=2.0)) == 0.8
    assert hard.scalar.of(measured(accuracy=0.8, latency=8.0)) == pytest.approx(0.4)


def test_what_cannot_be_a_reward_is_refused() -> None:
    two = parse_goal(("accuracy", "latency"), ())
    for settings, sentence in (
        ({"reward": "hard"}, "needs a target of latency"),
        ({"reward": "absolute"}, "needs a target of latency"),
        ({"reward": "linear"}, "one of soft, hard, absolute"),
        ({"weight": 0.07}, "must be below 0"),
        ({"targets": {"latency": -1.0}}, "must be positive"),
        ({"targets": {"accuracy": 0.9}}, "must be of a cost"),
        ({"targets": {"speed": 1.0}}, "must be of a cost"),
        ({"entropy": -1.0}, "entropy"),
        ({"learning_rate": 0.0}, "learning_rate"),
    ):
        with pytest.raises(InputError, match=sentence):
            reinforce(goal=two, **settings)


@pytest.mark.parametrize("kind", BOTH.values(), ids=BOTH)
def test_of_several_rungs_the_lowest_alone_teaches(kind: type[Controller]) -> None:
    """All candidates are equally good, and longer trainings better."""
    strategy = kind(GRID, GOAL, seed=0, costs=toy_costs)
    simulate(
        Hyperband(strategy, rungs=(1, 3, 9)), lambda p, _: measured(accuracy=1 - 0.5 / p.fidelity.epochs), trials=120
    )
    assert all(max(row) - min(row) < 0.05 for row in logits(strategy).values())


def test_a_person_is_told_what_is_followed() -> None:
    assert reinforce().remarks() == ()
    assert reinforce(goal=parse_goal(("accuracy", "parameters"), ())).remarks() == (
        "reinforce follows one number: the soft reward (weight -0.07) of accuracy and parameters",
    )
    three = parse_goal(("accuracy", "auc", "latency"), ("latency<=2ms",))
    assert Halving(reinforce(goal=three), rungs=(1, 2)).remarks() == (
        "reinforce follows one number: the soft reward (weight -0.07) of accuracy and latency (target 2)",
        "reinforce does not optimise auc, only records",
    )


def sized(slope: float, seed: int, trials: int = 3000, **settings: object) -> tuple[Controller, float]:
    """Twelve sizes of four; quality rises with the logarithm of their sum. The cost that the policy ends at."""
    space = Grid((4,) * 12)
    rng = Random(seed)
    sizes = [size / 12 for size in (0.5, 0.8, 1.25, 2.0)]
    extra = [[rng.gauss(0, 0.003) for _ in sizes] for _ in range(12)]
    strategy = every_draw(Reinforce)(space, GOAL, seed=seed, costs=toy_costs, **settings)  # type: ignore[arg-type]

    def evaluate(proposal: Proposal, _: object) -> object:
        point = space.point(proposal.candidate)
        cost = sum(sizes[option] for option in point)
        small = sum(own[option] for own, option in zip(extra, point, strict=True))
        return measured(accuracy=0.7 + slope * math.log(cost) + small, latency=cost)

    simulate(strategy, evaluate, trials=trials)  # type: ignore[arg-type]
    odds = [strategy.policy.odds(f"slot/{slot}") for slot in range(12)]
    return strategy, sum(sizes[max(range(4), key=lambda i: own[i])] for own in odds)  # type: ignore[index]


@pytest.mark.long
@pytest.mark.parametrize("slope", [0.03, 0.06, 0.12])
def test_the_absolute_reward_lands_on_its_target_and_the_soft_one_drifts(slope: float) -> None:
    absolute = [sized(slope, seed, reward="absolute", targets={"latency": 1.0})[1] for seed in range(20)]
    soft = [sized(slope, seed, reward="soft", targets={"latency": 1.0})[1] for seed in range(20)]
    assert sum(abs(cost - 1) <= 0.1 for cost in absolute) >= 19
    assert sum(abs(cost - 1) <= 0.1 for cost in soft) <= 10


def test_a_weight_less_steep_than_quality_is_warned_of() -> None:
    steep, cost = sized(0.12, 0, 1000, reward="absolute", targets={"latency": 1.0}, weight=-0.07)
    assert cost > 1.1 and "overshoot the target of latency" in steep.remarks()[-1]
    held, cost = sized(0.12, 0, 1000, reward="absolute", targets={"latency": 1.0})
    assert abs(cost - 1) <= 0.1 and len(held.remarks()) == 1


# -- what is live ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BOTH)
def test_questions_that_nobody_asks_stay_bitwise_as_they_are(kind: str) -> None:
    space = Nested(2)
    strategy = BOTH[kind](space, GOAL, seed=0, costs=toy_costs)
    live = [c for c in (space.sample(Random(i)) for i in range(300)) if c.decisions["q"] == 1][:50]
    dead = [c for c in (space.sample(Random(i)) for i in range(900)) if c.decisions["q"] == 0][:200]
    results = random_rewards(250)
    for trial, (candidate, reward) in enumerate(zip(live, results, strict=False), start=1):
        tell(strategy, trial, candidate, {"accuracy": reward})
    before = logits(strategy)
    for trial, (candidate, reward) in enumerate(zip(dead, results[50:], strict=True), start=51):
        tell(strategy, trial, candidate, {"accuracy": reward})
    after = logits(strategy)
    assert any(before["q/1"]) and after["q/1"] == before["q/1"]
    assert after["q"] != before["q"] and any(after["q/0"])


@pytest.mark.parametrize("kind", BOTH)
def test_it_learns_every_kind_of_choice(kind: str) -> None:
    """Late draws are nearly all right in each of them."""
    strategy = every_draw(BOTH[kind])(Everything(rate=True), GOAL, seed=1, costs=toy_costs, entropy=0.0)

    def evaluate(proposal: Proposal, _: object) -> object:
        said = proposal.candidate.decisions
        right = [
            len(said["net"]) == 2,  # type: ignore[arg-type]
            "pool" not in said.values(),
            said["inputs"] == ("b", "d"),
            said["drop"] is True,
            abs(float(said.get("drop/body/share", 0.1)) - 0.4) < 0.05,  # type: ignore[arg-type]
            all(value == 5 for address, value in said.items() if address.endswith("width")),
        ]
        return measured(accuracy=mean(right))

    run = simulate(strategy, evaluate, trials=1000)  # type: ignore[arg-type]
    values = run.values("accuracy")
    assert mean(values[trial] for trial in range(1, 21)) < 0.6
    assert mean(values[trial] for trial in range(901, 1001)) > 0.95


# -- events in any order -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BOTH)
def test_after_a_replay_the_same_is_asked(kind: str) -> None:
    """With 20 under way, losses, failures, and a batch that is not full."""

    def evaluate(proposal: Proposal, rng: Random) -> object:
        kinds = ("lost", "diverged", "silent")
        return rng.choice(kinds) if rng.random() < 0.2 else measured(accuracy=rng.random())

    def make() -> Strategy:
        return BOTH[kind](Everything(rate=True), GOAL, seed=5, costs=toy_costs)

    lived = make()
    run = simulate(
        lived,
        evaluate,  # type: ignore[arg-type]
        trials=300,
        workers=20,
        duration=lambda proposal, rng: rng.lognormvariate(0, 1.5),
    )
    told = make()
    for event in run.events:
        told.tell(event)
    assert logits(told) == logits(lived)
    following = [[proposal.to_json() for proposal in islice(strategy.ask(), 50)] for strategy in (lived, told)]
    assert following[0] == following[1]


@pytest.mark.parametrize("kind", BOTH)
def test_any_order_within_what_is_under_way_leaves_a_finite_policy(kind: str) -> None:
    strategy = BOTH[kind](GRID, GOAL, seed=0, costs=toy_costs)
    rng = Random(0)
    trial = 0
    for _ in range(20):
        opened = [(trial + i, proposal) for i, proposal in enumerate(islice(strategy.ask(), 16), start=1)]
        trial += 16
        strategy.tell(Asked(strategy.name, tuple(opened)))
        rng.shuffle(opened)
        for number, proposal in opened:
            value = 1e12 if number % 50 == 0 else sum(GRID.point(proposal.candidate)) / 24
            strategy.tell(Finished(number, "completed", measured(accuracy=value)))
    assert np.isfinite(strategy.policy._logits).all()
    assert len({proposal.candidate.key for proposal in islice(strategy.ask(), 50)}) == 50


@pytest.mark.parametrize("kind", BOTH)
def test_a_sharp_policy_goes_on_with_new_candidates_near_it(kind: str) -> None:
    """All of them come from the policy, flatter ones where it repeats itself, and are better than random ones."""
    strategy = BOTH[kind](GRID, GOAL, seed=0, costs=toy_costs)
    run = simulate(strategy, lambda p, _: measured(accuracy=sum(GRID.point(p.candidate)) / 24), trials=600)
    late = [run.proposals[trial] for trial in range(501, 601)]
    assert len({proposal.identity() for proposal in run.proposals.values()}) == 600
    assert all(proposal.origin == "policy" for proposal in late)
    assert any(proposal.notes.get("sharpness", 1.0) < 0.5 for proposal in late)  # type: ignore[operator]
    assert mean(run.values("accuracy")[trial] for trial in range(501, 601)) > 0.6


def test_candidates_that_are_no_draw_of_the_policy_count_by_the_prior() -> None:
    strategy = reinforce(Grid((4,)), learning_rate=1.0)
    for trial in range(1, 20):
        tell(strategy, trial, Grid((4,)).candidate((trial % 4,)), {"accuracy": float(trial % 4 == 0)})
    for trial, origin in ((30, "policy"), (31, "start"), (32, "random")):
        proposal = strategy.propose(Grid((4,)).candidate((1,)), origin=origin)
        strategy.tell(Asked(strategy.name, ((trial, proposal),)))
    drawn = [strategy._open[trial].probability[0] for trial in (30, 31, 32)]
    assert drawn[0] == drawn[1] < 0.1 and drawn[2] == 0.25
    strategy.tell(Failed(32, "timeout", ""))
    assert 32 not in strategy._open


# -- figures -----------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_t201() -> None:
    """The page of the algorithm reports the defaults; these are the bounds that a right implementation keeps."""
    table = T201()

    def of(kind: type[Strategy], **settings: object) -> list[float]:
        make = lambda seed: kind(table, GOAL, seed=seed, costs=toy_costs, **settings)  # noqa: E731
        return scores(table, make, 50, (100, 200, 500))

    assert of(Reinforce, entropy=0.0)[0] >= 0.85
    _, middle, last = of(Reinforce, learning_rate=0.03, entropy=0.0)
    assert middle >= 0.9 and last >= 0.95
    assert of(Reinforce, entropy=0.3)[2] >= 0.95
    assert of(PPO)[1] >= 0.9
    assert of(RandomSearch)[1] <= 0.77


@pytest.mark.long
def test_it_finds_what_two_decisions_have_in_common() -> None:
    """Equal or not: an independent policy ends at one of the ten right pairs."""
    space = Grid((10, 10))
    for rate in (0.03, 0.1):
        for seed in range(10):
            strategy = every_draw(Reinforce)(space, GOAL, seed=seed, costs=toy_costs, learning_rate=rate, entropy=0.0)
            run = simulate(
                strategy, lambda p, _: measured(accuracy=float(len(set(space.point(p.candidate))) == 1)), trials=3000
            )
            assert mean(run.values("accuracy")[trial] for trial in range(2701, 3001)) >= 0.99


@pytest.mark.long
@pytest.mark.parametrize("kind", BOTH)
def test_a_slow_but_better_family_is_found(kind: str) -> None:
    shares = slow_family_is_found(lambda seed: BOTH[kind](FAMILIES, GOAL, seed=seed, costs=toy_costs), 20)
    print(f"{kind}: mean {mean(shares):.3f}, worst {min(shares):.2f}")
    assert mean(shares) >= 0.75


@pytest.mark.long
def test_sixty_four_under_way_with_heavy_delays() -> None:
    table = T201()
    found = []
    for seed in range(40):
        run = simulate(
            Reinforce(table, GOAL, seed=seed, costs=toy_costs),
            lambda p, _: measured(accuracy=table.validation(p.candidate)),
            trials=500,
            workers=64,
            duration=lambda proposal, rng: rng.lognormvariate(0, 1.5),
        )
        values = run.values("accuracy")
        found.append(table.score(run.proposals[max(values, key=lambda trial: values[trial])].candidate))
    assert mean(found) >= 0.91
