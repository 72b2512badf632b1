from __future__ import annotations

import math
from collections import Counter, defaultdict
from itertools import islice, product
from random import Random

import numpy as np
import pytest
from scipy.stats import chi2, chisquare

from netwright.core.candidate import Candidate
from netwright.core.events import Asked, Finished
from netwright.core.task import TaskSpec
from netwright.spaces.catalog import CATALOG, make_space
from netwright.spaces.choices import Choice, Real, choose, integer, real, repeat, subset
from netwright.spaces.encoding import slots
from netwright.spaces.layers import Conv, Identity, Pool
from netwright.spaces.space import Space
from netwright.spaces.walk import _Odometer
from netwright.strategies import Reinforce
from netwright.strategies.models.policy import (
    Floats,
    LogitsTable,
    Path,
    by_row,
    entropies,
    entropy_gradient,
    score_gradient,
    stacked,
)
from netwright.strategies.shared.controller import Controller, Drawing
from netwright.strategies.shared.questions import MOST_ANSWERS, answers, bins_of, draw
from netwright.testing.toys import Grid, Toy, measured, toy_costs
from tests.strategies.controllers import GOAL, Everything

TASK = TaskSpec((1, 28, 28), tuple("0123456789"), (0.29,), (0.35,))


def controller(space: Toy) -> Controller:
    return Reinforce(space, GOAL, seed=0, costs=toy_costs)


def candidates(space: Toy) -> list[Candidate]:
    """All of a finite toy."""
    found: list[Candidate] = []
    digits: list[int] = []
    while True:
        odometer = _Odometer(digits)
        found.append(space.walk(odometer))
        script, digits = odometer.options, odometer.digits
        while digits and digits[-1] == len(script[-1]) - 1:
            digits.pop()
            script.pop()
        if not digits:
            return found
        digits[-1] += 1


def tilted(space: Toy) -> tuple[Controller, list[Candidate], list[Path]]:
    """A controller that knows all candidates, with logits at random."""
    made = controller(space)
    known = candidates(space)
    paths = [made.path(candidate) for candidate in known]
    rng = np.random.default_rng(0)
    rows = np.arange(len(made.policy.rows))
    made.policy._logits[rows] = rng.normal(size=(len(rows), made.policy._logits.shape[1]))
    made.policy._stale.update(rows.tolist())
    return made, known, paths


def chances(policy: LogitsTable, paths: list[Path], sharpness: float = 1.0) -> Floats:
    """The probability of each candidate."""
    path = stacked(paths)
    starts = np.cumsum([0, *(len(path.rows) for path in paths[:-1])])
    logs = path.of_taken(policy.log_probabilities(path, sharpness))
    return np.exp(np.add.reduceat(logs, starts))  # type: ignore[no-any-return]


# -- probabilities -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("space", [Everything(), Grid((3, 1, 4))], ids=["everything", "grid"])
def test_probabilities_of_all_candidates_add_up_to_one(space: Toy) -> None:
    made, _, paths = tilted(space)
    assert chances(made.policy, paths).sum() == pytest.approx(1.0, abs=1e-12)


def test_candidates_are_drawn_with_their_probabilities_at_any_sharpness() -> None:
    made, known, paths = tilted(Everything())
    for sharpness in (1.0, 0.5, 0.0):
        drawn = Counter(made.space.walk(Drawing(made.policy, Random(i), sharpness)).key for i in range(4000))
        expected = 4000 * chances(made.policy, paths, sharpness)
        often = [i for i, count in enumerate(expected) if count > 8]
        rest = 4000 - sum(drawn[known[i].key] for i in often)
        observed = [*(drawn[known[i].key] for i in often), rest]
        counts = [*(expected[i] for i in often), 4000 - sum(expected[i] for i in often)]
        assert chisquare(observed, counts).pvalue > 1e-3


def test_what_was_not_asked_has_no_part_in_a_path() -> None:
    made, known, paths = tilted(Everything())
    names = {row: name for name, row in made.policy.rows.items()}
    for candidate, path in zip(known, paths, strict=True):
        asked = [names[row] for row in path.rows.tolist()]
        assert len(set(asked)) == len(asked)
        assert ("drop/body/share" in asked) == candidate.decisions["drop"]
        assert ("net/[1]" in asked) == (len(candidate.decisions["net"]) == 2)  # type: ignore[arg-type]
        assert not any(name.endswith("/only") for name in asked), "one value is no question"
        assert path.priors.sum(axis=1) == pytest.approx(1.0)
    both_early = next(i for i, candidate in enumerate(known) if candidate.decisions["inputs"] == ("a", "b"))
    asked = [names[row] for row in paths[both_early].rows.tolist() if names[row].startswith("inputs")]
    assert asked == ["inputs=a", "inputs=b"], "the others are out for sure"


def test_learners_see_elements_by_position() -> None:
    """Two candidates whose elements have other ids are one to the policy."""
    made = controller(Everything())
    paths = []
    for seed in range(200):
        candidate = made.space.sample(Random(seed))
        if len(candidate.decisions["net"]) == 2:  # type: ignore[arg-type]
            paths.append(made.path(candidate))
    assert {name for name in made.policy.rows if "#" in name} == set()
    assert len(paths) > 50 and len(made.policy.rows) == 10


# -- gradients ---------------------------------------------------------------------------------------------------------


def slopes(made: Controller, value: object) -> Floats:
    """Central differences of `value()` by each logit."""
    table = made.policy._logits
    found = np.zeros_like(table)
    for place in ((row, answer) for row, own in enumerate(made.policy._odds) for answer in range(len(own))):
        kept = table[place]
        ends = []
        for step in (1e-5, -1e-5):
            table[place] = kept + step
            ends.append(value())  # type: ignore[operator]
        table[place] = kept
        found[place] = (ends[0] - ends[1]) / 2e-5
    return found


def by_logits(made: Controller, path: Path, gradient: Floats) -> Floats:
    """A gradient by tilts, summed over equal questions, as one by the logits that the tilts are made of."""
    found = np.zeros_like(made.policy._logits)
    rows, sums = by_row(path.rows, gradient)
    found[rows, : sums.shape[1]] = made.policy._smooth(rows, sums)
    return found


@pytest.mark.parametrize("space", [Grid((3, 4)), Everything()], ids=["two decisions", "everything"])
def test_the_mean_of_all_score_gradients_is_the_slope_of_the_expected_reward(space: Toy) -> None:
    made, known, paths = tilted(space)
    rng = np.random.default_rng(1)
    rewards = rng.normal(size=len(known))
    baseline = 0.7  # any constant
    weights = (rewards - baseline) * chances(made.policy, paths)
    path = stacked(paths)
    by_question = np.repeat(weights, [len(path.rows) for path in paths])
    gradient = by_logits(made, path, score_gradient(path, made.policy.log_probabilities(path), by_question))
    expected = slopes(made, lambda: rewards @ chances(made.policy, paths))
    assert np.abs(gradient - expected).max() < 1e-6


def test_the_gradient_of_entropy_is_its_slope() -> None:
    made, _, paths = tilted(Everything())
    path = stacked(paths)
    gradient = by_logits(made, path, entropy_gradient(path, made.policy.log_probabilities(path)))
    expected = slopes(made, lambda: entropies(path, made.policy.log_probabilities(path)).sum())
    assert np.abs(gradient - expected).max() < 1e-6


def test_entropy_is_zero_at_the_prior_and_that_of_shannon_but_for_a_constant() -> None:
    made, _, paths = tilted(Grid((5,)))
    p = made.policy.probabilities(paths[0])[0]
    found = entropies(paths[0], made.policy.log_probabilities(paths[0]))
    assert found[0] == pytest.approx(-(p * np.log(p)).sum() - math.log(5))
    fresh = controller(Everything())
    path = fresh.path(fresh.space.sample(Random(0)))
    assert entropies(path, fresh.policy.log_probabilities(path)) == pytest.approx(0.0, abs=1e-12)


def test_an_optimiser_steps_only_the_rows_it_is_given_and_like_adam() -> None:
    table = LogitsTable(0.1)
    rows = [table.row(name, 3, ordered=False) for name in "abc"]
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(20, 1, 3))
    first = second = logits = np.zeros(3)
    for step, gradient in enumerate(gradients, start=1):
        table.ascend(np.array(rows[:1]), gradient)
        first, second = 0.9 * first + 0.1 * gradient[0], 0.999 * second + 0.001 * gradient[0] ** 2
        logits = logits + 0.1 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        table.ascend(np.array(rows[1:2]), rng.normal(size=(1, 3)))
    assert table.tilts(np.array(rows[:1]), 3)[0] == pytest.approx(logits)
    assert not table.tilts(np.array(rows[2:]), 3).any()


# -- questions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "choice",
    [
        integer(1, 5),
        integer(1, 7, log=True),
        integer(-3, 200),
        integer(1, 1000, log=True),
        integer(8, 10**9, log=True),
        real(-1.0, 2.0),
        real(1e-5, 1e-1, log=True),
        repeat(None, 0, 40),
    ],
    ids=str,
)
def test_bins_hold_every_number_once_and_as_likely_as_the_space_draws_it(choice: Choice) -> None:
    bins = bins_of(choice)
    rng = Random(0)
    assert 2 <= len(bins.prior) <= MOST_ANSWERS and min(bins.prior) > 0
    for index in range(len(bins.prior)):
        assert {bins.index(bins.draw(index, rng)) for _ in range(50)} == {index}
    drawn = [choice.draw("a", rng) for _ in range(4000)]
    numbers = [len(value) if isinstance(value, tuple) else value for value in drawn]
    counts = Counter(bins.index(number) for number in numbers)  # type: ignore[arg-type]
    observed = [counts[index] for index in range(len(bins.prior))]
    assert chisquare(observed, [4000 * share for share in bins.prior]).pvalue > 1e-3


def test_narrow_ranges_have_a_bin_for_each_whole_number() -> None:
    assert [bins_of(integer(3, 9)).index(number) for number in range(3, 10)] == list(range(7))
    assert len(bins_of(real(2.0, 2.0)).prior) == 1


@pytest.mark.parametrize("name", CATALOG)
def test_a_fresh_policy_draws_every_slot_of_registered_spaces_as_the_space_does(name: str) -> None:
    """For choices, evenly."""
    rng = Random(1)
    distinct = {repr(slot.choice): slot.choice for slot in slots(make_space(name, TASK))}
    for choice in distinct.values():
        count = choice.count
        if count is None or not 1 < count <= 200 or isinstance(choice, Real):
            continue
        policy = LogitsTable(0.1)
        drawing = Drawing(policy, rng, 1.0)
        drawn = Counter(str(draw("slot", choice, "slot", drawing._pick, rng)) for _ in range(1000))
        values = [str(value) for value in choice.values("slot")]
        if getattr(choice, "log", False):
            assert set(drawn) <= set(values)
            continue
        assert chisquare([drawn[value] for value in values]).pvalue > 1e-4, choice


@pytest.mark.parametrize(
    ("name", "asks"),
    [(name, 300) for name in CATALOG] + [pytest.param(name, 5000, marks=pytest.mark.long) for name in CATALOG],
)
def test_the_first_asks_are_even_over_all_that_is_legal(name: str, asks: int) -> None:
    """One chi-square over all questions that the candidates were asked, by the shares that the space gives the answers."""
    space = make_space(name, TASK)
    made = Reinforce(space, GOAL, seed=0, costs=toy_costs)
    observed: defaultdict[int, Floats] = defaultdict(lambda: np.zeros(MOST_ANSWERS))
    expected: defaultdict[int, Floats] = defaultdict(lambda: np.zeros(MOST_ANSWERS))
    for seed in range(asks):
        path = made.path(space.walk(Drawing(made.policy, Random(seed), 1.0)))
        for row, taken, prior in zip(path.rows.tolist(), path.taken, path.priors, strict=True):
            observed[row][taken] += 1
            expected[row][: len(prior)] += prior
    often = [row for row, counts in expected.items() if counts[counts > 0].min() > 5]
    places = [(row, answer) for row in often for answer in np.flatnonzero(expected[row])]
    statistic = sum((observed[row][i] - expected[row][i]) ** 2 / expected[row][i] for row, i in places)
    assert often and chi2.sf(statistic, len(places) - len(often)) > 1e-3


def test_what_was_drawn_is_what_is_read() -> None:
    """Reading the questions of a drawn value gives the answers it was made of."""
    for choice, seed in product(
        (subset(3, 7), choose("x", None, True, 1), repeat(None, 1, 30), real(0.0, 1.0)), range(9)
    ):
        rng = Random(seed)
        given: list[tuple[str, int]] = []

        def pick(name: str, prior: tuple[float, ...], rng: Random = rng, given: list[tuple[str, int]] = given) -> int:
            given.append((name, rng.randrange(len(prior))))
            return given[-1][1]

        value = draw("s", choice, "s", pick, rng)
        assert choice.fault(value) is None
        assert [(question.name, question.taken) for question in answers("s", choice, value)] == given


def test_a_part_of_a_subset_that_is_a_choice_itself_has_a_question_of_its_own() -> None:
    space = Space([Conv(8), subset(1, [choose(Conv(16), Pool(), Identity()), Conv(24)])])
    made = Reinforce(space, GOAL, seed=0, costs=toy_costs)
    for trial, proposal in enumerate(islice(made.ask(), 12), start=1):
        made.tell(Asked(made.name, ((trial, proposal),)))
        made.tell(Finished(trial, "completed", measured(accuracy=0.1 * trial)))
        path = made.path(proposal.candidate)
        assert len(set(path.rows.tolist())) == len(path.rows)
