"""scikit-learn's own checks of an estimator, with a tiny budget."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import check_estimator

from netwright import NetworkClassifier

EXPECTED_FAILED: dict[str, str] = {}
"""Checks that do not fit, each with its reason. All fit."""


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_check_estimator() -> None:
    model = NetworkClassifier(trials=2, epochs=20, executor="inline", precision="fp32", random_state=0)
    results = check_estimator(model, expected_failed_checks=EXPECTED_FAILED)
    passed = [result["check_name"] for result in results if result["status"] == "passed"]
    skipped = {result["check_name"] for result in results if result["status"] == "skipped"}
    assert len(passed) > 40
    assert skipped <= {"check_array_api_input"}, "checked only where SCIPY_ARRAY_API is set"
