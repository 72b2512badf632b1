"""The grammar of limits: what is read, and where an error points."""

from __future__ import annotations

import pytest

from netwright.core.errors import LimitError
from netwright.core.objective import parse_goal, parse_limit, parse_objective


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("parameters<=100k", 100_000),
        ("parameters <= 100 k", 100_000),
        ("macs<1.5M", 1_500_000),
        ("latency<=2ms", 2),
        ("latency<=200 us", 0.2),
        ("memory<=2 MB", 2),
        ("memory<=500kB", 0.5),
        ("training_seconds<=2min", 120),
        ("accuracy>=92.5%", 0.925),
        ("auc >= .97", 0.97),
    ],
)
def test_what_is_read(text: str, bound: float) -> None:
    limit = parse_limit(text)
    assert limit.bound == pytest.approx(bound)
    assert str(limit) == text


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("size<=3", 0, "must begin with a metric"),
        ("parameters=3", 10, "must come <=, >=, < or >"),
        ("parameters<=many", 12, "must come a number"),
        ("parameters<=50%", 14, "the unit of parameters must be none"),
        ("latency<=2 MB", 11, "the unit of latency must be one of us, ms, s"),
        ("accuracy>=90 ms", 13, "the unit of accuracy must be one of %"),
        ("accuracy>=1e999", 10, "must be a finite number"),
        ("parameters<=1e308G", 12, "must be a finite number"),
    ],
)
def test_an_error_points_at_the_character_at_fault(text: str, position: int, said: str) -> None:
    with pytest.raises(LimitError, match=said) as found:
        parse_limit(text)
    assert found.value.position == position


def test_a_score_is_no_aim() -> None:
    with pytest.raises(LimitError, match="must name a metric"):
        parse_objective("synflow")
    with pytest.raises(LimitError, match="must begin with a metric"):
        parse_limit("synflow>=10")


def test_before_training_a_score_stands_in_for_quality() -> None:
    goal = parse_goal(("loss", "accuracy", "latency", "macs"), ("parameters<=10k", "accuracy>=90%", "latency<=2ms"))
    untrained = goal.untrained("naswot")
    assert [str(objective) for objective in untrained.objectives] == ["naswot:max", "macs:min"]
    assert [str(limit) for limit in untrained.limits] == ["parameters<=10k"]
    by_size = goal.untrained("macs")
    assert [str(objective) for objective in by_size.objectives] == ["macs:max"], "the larger the better, as a score"
