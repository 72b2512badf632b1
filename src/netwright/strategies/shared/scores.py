"""What strategies that go by a score of untrained networks have in common."""

from __future__ import annotations

from netwright.core.metrics import METRICS
from netwright.core.objective import Goal


def favours_size(score: str, goal: Goal) -> tuple[str, ...]:
    """A remark where nothing in `goal`, which the untrained are compared by, holds the size of networks back."""
    if len(goal.objectives) > 1 or goal.limits:
        return ()
    large = "without a limit on parameters or MACs the largest ones are favoured"
    is_size = METRICS[score].needs == "arithmetic"
    return (large if is_size else f"{score} tends to rise with the size of a network; {large}",)
