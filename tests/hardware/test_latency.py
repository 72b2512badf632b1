"""Latency: interleaving, what is not counted, the reference network, and the core that is given back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from netwright.core.errors import Untrusted
from netwright.hardware.latency import REFERENCE, measure, one_core, time_calls

from .models import convolutions


class Machine:
    """A clock and calls that move it: time is what the test says it is."""

    def __init__(self) -> None:
        self.now = 0.0
        self.order: list[str] = []

    def clock(self) -> float:
        return self.now

    def call(self, name: str, seconds: float, first: float = 0.0) -> object:
        counted = [0]

        def run() -> None:
            counted[0] += 1
            self.order.append(name)
            self.now += seconds + (first if counted[0] == 1 else 0.0)

        return run


def test_the_value_is_the_time_of_a_call_and_the_first_one_does_not_count() -> None:
    machine = Machine()
    calls = {"a": machine.call("a", 0.001, first=0.05), "b": machine.call("b", 0.002)}
    timings = time_calls(calls, rounds=10, seed=0, clock=machine.clock)  # type: ignore[arg-type]
    assert timings["a"].measurement.value == pytest.approx(1.0, rel=1e-6)
    assert timings["b"].measurement.value == pytest.approx(2.0, rel=1e-6)
    assert timings["a"].verdict == "steady"


def test_every_round_gives_each_model_one_block_in_an_order_of_its_own() -> None:
    machine = Machine()
    names = "abcd"
    calls = {name: machine.call(name, 0.001) for name in names}
    time_calls(calls, rounds=12, seed=0, clock=machine.clock)  # type: ignore[arg-type]
    warm_up, block = 8, 5  # four calls and four more to choose the block; one uncounted and four counted
    timed = machine.order[len(names) * warm_up :]
    blocks = [timed[first] for first in range(0, len(timed), block)]
    assert all(set(timed[first : first + block]) == {timed[first]} for first in range(0, len(timed), block))
    rounds = ["".join(blocks[first : first + 4]) for first in range(0, len(blocks), 4)]
    assert len(rounds) == 12 and all(sorted(order) == list(names) for order in rounds)
    assert len(set(rounds)) > 4


@pytest.mark.parametrize(("seconds", "calls"), [(0.02, 4), (0.001, 4), (0.0001, 40), (0.000001, 50)])
def test_blocks_are_short(seconds: float, calls: int) -> None:
    machine = Machine()
    time_calls({"a": machine.call("a", seconds)}, rounds=3, seed=0, clock=machine.clock)  # type: ignore[dict-item]
    assert len(machine.order) == 8 + 3 * (calls + 1)


def test_a_larger_network_is_slower_and_a_twin_is_not() -> None:
    small, large = convolutions(16, 2, 24), convolutions(16, 4, 24)
    timings = measure({"small": small, "large": large, "twin": small}, (3, 24, 24))
    value = {name: timing.measurement.value for name, timing in timings.items()}
    assert value["small"] < value["large"] * 0.8
    assert value["twin"] == pytest.approx(value["small"], rel=0.3)
    assert REFERENCE not in timings


def test_a_network_alone_runs_beside_the_reference(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(convolutions(8, 2, 16))
    timings = measure({"network": tmp_path / "model.onnx"}, (3, 16, 16), rounds=5)
    assert set(timings) == {"network", REFERENCE}
    low, high = timings["network"].measurement.low, timings["network"].measurement.high
    assert low is not None and high is not None and 0 < low <= timings["network"].measurement.value <= high


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no affinity")
def test_the_cores_are_given_back_also_after_an_error() -> None:
    before = os.sched_getaffinity(0)
    with pytest.raises(ZeroDivisionError), one_core():
        assert len(os.sched_getaffinity(0)) == 1
        raise ZeroDivisionError
    assert os.sched_getaffinity(0) == before


@pytest.mark.attack(15)
def test_a_file_that_is_no_model_is_a_clean_error(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(convolutions(8, 2, 16)[:200])
    for model in (b"not a model", tmp_path / "bad.onnx"):
        with pytest.raises(Untrusted, match="ONNX"):
            measure({"bad": model}, (3, 16, 16))
