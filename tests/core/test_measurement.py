"""A measurement is finite or it is none; what is written as JSON is JSON."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.core.candidate import canonical_json
from netwright.core.events import Finished, event_from_json, event_to_json
from netwright.core.measurement import Measurement

NOT_FINITE = [math.nan, math.inf, -math.inf]


@pytest.mark.fault(9)
@pytest.mark.parametrize("field", ["value", "low", "high"])
@pytest.mark.parametrize("number", NOT_FINITE)
def test_a_number_that_is_not_finite_is_no_measurement(field: str, number: float) -> None:
    with pytest.raises(ValueError, match="must be finite"):
        Measurement(**{"value": 1.0, "low": 0.5, "high": 1.5, field: number})
    with pytest.raises(ValueError, match="must be finite"):
        Measurement.from_json({"value": 1.0, "low": 0.5, "high": 1.5, field: number})


@pytest.mark.fault(9)
@pytest.mark.parametrize("number", NOT_FINITE)
def test_canonical_json_has_no_word_for_it(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"loss": [number]})


@pytest.mark.fault(9)
@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_comes_back(value: float, bound: float) -> None:
    finished = Finished(1, "completed", {"loss": Measurement(value, low=min(value, bound), high=max(value, bound))})
    kind, trial, data = event_to_json(finished)
    text = json.dumps(data, allow_nan=False)
    assert event_from_json(kind, trial, json.loads(text)) == finished
