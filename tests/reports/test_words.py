from __future__ import annotations

import pytest

from netwright.core.measurement import Measurement
from netwright.reports import words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.035, "35 ms"),
        (0.9999, "1.0 s"),
        (4.23, "4.2 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations_read_like_speech(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [
        (0.925734, 0.005, "92.6 ± 0.5 %"),
        (0.925734, 0.0014, "92.57 ± 0.14 %"),
        (0.9, 0.03, "90 ± 3 %"),
        (0.9987, 0.0002, "99.87 ± 0.02 %"),
        (0.99996, 0.005, "100.0 ± 0.5 %"),
    ],
)
def test_a_number_shows_the_digits_its_error_allows(value: float, half: float, text: str) -> None:
    assert words.measured("accuracy", Measurement(value, low=value - half, high=value + half)) == text


def test_a_lopsided_interval_is_written_with_both_ends() -> None:
    assert words.measured("accuracy", Measurement(1.0, low=0.77, high=1.0)) == "100 (77 to 100) %"
    assert words.bare("accuracy", Measurement(1.0, low=0.77, high=1.0)) == "100 %"
    assert words.measured("latency", Measurement(0.31, "ms", 0.305, 0.33)) == "0.310 (0.305 to 0.330) ms"
    assert words.measured("accuracy", Measurement(0.926, low=0.898, high=0.947)) == "93 ± 2 %", "nearly even"


def test_exact_numbers_are_written_whole_and_costs_with_units() -> None:
    assert words.measured("parameters", Measurement(38214)) == "38,214"
    assert words.measured("macs", Measurement(1_234_567)) == "1.23M MAC"
    assert words.measured("latency", Measurement(0.314, "ms", 0.304, 0.324)) == "0.314 ± 0.010 ms"
    assert words.measured("training_seconds", Measurement(200.0, "s")) == "3 min 20 s"


def test_bare_keeps_digits_and_unit_of_the_full_form() -> None:
    assert words.bare("accuracy", Measurement(0.9257, low=0.9207, high=0.9307)) == "92.6 %"
    assert words.bare("auc", Measurement(0.9703, low=0.962, high=0.978)) == "0.970"


@pytest.mark.parametrize(("value", "text"), [(950, "950"), (38_214, "38.2k"), (999_999, "1M"), (1_200_000, "1.2M")])
def test_short_numbers(value: float, text: str) -> None:
    assert words.short(value) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0.6, "0.6 times"), (2.0, "2 times"), (5.26, "5.3 times"), (20.0, "20 times"), (104.0, "100 times")],
)
def test_ratios_have_two_digits_and_no_idle_zero(ratio: float, text: str) -> None:
    assert words.times(ratio) == text


def test_differences_are_signed_with_a_true_minus() -> None:
    assert words.difference("accuracy", 0.015, 0.008, 0.022) == "+1.5 points (+0.8 to +2.2)"
    assert words.difference("accuracy", -0.003, -0.01, 0.004) == "−0.3 points (−1.0 to +0.4)"
    assert words.difference("accuracy", 0.0, 0.0, 0.0) == "0.0 points (0.0 to 0.0)"


def test_zero_is_never_negative() -> None:
    assert words.fixed(-0.0001, 2) == "0.00"


def test_a_long_name_keeps_both_ends() -> None:
    name = "a" * 40 + "middle" + "z" * 40
    short = words.clipped(name, 20)
    assert len(short) == 20
    assert short.startswith("aaa")
    assert short.endswith("zzz")
    assert words.clipped("short", 20) == "short"


def test_a_network_in_words_folds_equal_neighbours_and_shows_nested_layers() -> None:
    conv = {"layer": "Conv", "address": "a", "width": 16, "kernel": 3, "stride": 2}
    inner = {"layer": "MBConv", "address": "b", "width": 24, "kernel": 5, "expand": 3, "stride": 1}
    body = {"layer": "Residual", "address": "c", "body": [conv, inner]}
    text = words.chain_in_words([conv, inner, inner, body, {"layer": "GlobalPool", "address": "d"}])
    assert text == "Conv 16 k3 s2 → MBConv 24 k5 e3 ×2 → Residual [Conv 16 k3 s2 → MBConv 24 k5 e3] → GlobalPool"
