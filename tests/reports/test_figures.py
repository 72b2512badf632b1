"""Details of the pictures that no browser is needed for."""

from __future__ import annotations

import re

import pytest

from netwright.core.measurement import Measurement
from netwright.reports.comparison import Comparison
from netwright.reports.figures import plot_strips


@pytest.mark.parametrize(("low", "high"), [(-0.02, 0.05), (0.0, 0.0935), (-0.0935, 0.0)])
def test_the_labels_of_the_differences_stay_inside_the_axis(low: float, high: float) -> None:
    value = Measurement(0.9, split="test")
    gap = Measurement((low + high) / 2, low=low, high=high, split="test")
    strips, axis = plot_strips([Comparison("forest", "the random forest", 1, value, gap, "beats")], "accuracy")
    assert len(strips) == 1
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', str(axis))[1])  # type: ignore[index]
    labels = re.findall(r'<text[^>]*x="([\d.]+)"[^>]*text-anchor="(\w+)"', str(axis))
    assert len(labels) >= 2
    for at, anchor in ((float(at), anchor) for at, anchor in labels):
        left, right = {"start": (0, 24), "middle": (12, 12), "end": (24, 0)}[anchor]
        assert at - left >= 0
        assert at + right <= width
