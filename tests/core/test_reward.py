from __future__ import annotations

import math

import pytest

from netwright.core.errors import InputError
from netwright.core.reward import FORMS, absolute, hard, slope, soft


def test_the_forms_have_the_values_of_their_papers() -> None:
    assert soft(0.75, 2.0, 1.0) == pytest.approx(0.7145, abs=5e-5)
    assert absolute(0.75, 2.0, 1.0, -0.07) == pytest.approx(0.68)
    assert absolute(0.75, 0.5, 1.0, -0.07) == pytest.approx(0.715)
    assert hard(0.75, 0.5, 1.0) == 0.75
    assert hard(0.75, 2.0, 1.0) == pytest.approx(0.375)
    assert soft(0.75, 0.5, 1.0) == pytest.approx(0.75 * 2**0.07)


@pytest.mark.parametrize("form", FORMS)
def test_on_target_quality_is_the_reward_and_units_of_cost_do_not_matter(form: str) -> None:
    reward, weight = FORMS[form]
    assert reward(0.75, 84.0, 84.0, weight) == pytest.approx(0.75)
    assert reward(0.75, 100.0, 84.0, weight) == pytest.approx(reward(0.75, 0.1, 0.084, weight))
    assert reward(0.75, 100.0, 84.0, weight) < reward(0.75, 90.0, 84.0, weight)  # type: ignore[operator]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("quality", "cost"),
    [(0.5, 0.0), (0.5, -1.0), (0.5, math.nan), (0.5, math.inf), (75.0, 1.0), (-0.1, 1.0), (math.nan, 1.0)],
)
def test_what_is_no_share_or_no_cost_has_no_reward(form: str, quality: float, cost: float) -> None:
    reward, weight = FORMS[form]
    assert reward(quality, cost, 1.0, weight) is None


@pytest.mark.parametrize("form", FORMS)
def test_a_slip_of_the_sign_or_no_target_is_refused(form: str) -> None:
    reward, weight = FORMS[form]
    with pytest.raises(InputError, match="must be below 0"):
        reward(0.5, 1.0, 1.0, -weight)
    for target in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(InputError, match="must be positive"):
            reward(0.5, 1.0, target, weight)


def test_the_slope_is_that_of_quality_in_the_logarithm_of_cost() -> None:
    costs = [0.5, 1.0, 2.0, 7.0]
    assert slope([0.7 + 0.06 * math.log(cost) for cost in costs], costs) == pytest.approx(0.06)
    assert slope([0.1, 0.9], [3.0, 3.0]) == 0.0
