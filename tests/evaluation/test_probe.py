"""The precision probe and the side-by-side timing of finalists."""

from __future__ import annotations

from pathlib import Path

import pytest

from netwright.core.errors import InputError
from netwright.data.dataset import Dataset
from netwright.evaluation import probe

from .jobs import network, run


@pytest.mark.parametrize("space", ["chain", "mobile"])
def test_both_formats_are_timed_and_one_is_chosen(space: str, digits: Path, tmp_path: Path) -> None:
    evaluated = run("precision", tmp_path / "job", digits, network(Dataset.open(digits), space))
    notes = evaluated.notes
    assert notes["fp32_ms"] > 0 and notes["bf16_ms"] > 0 and notes["batch"] >= 16
    faster = notes["bf16_ms"] * probe.WIN < notes["fp32_ms"]
    assert notes["precision"] == ("bf16" if faster else "fp32")


@pytest.mark.parametrize(("fp32", "bf16", "chosen"), [(10.0, 6.0, "bf16"), (10.0, 9.7, "fp32"), (10.0, 30.0, "fp32")])
def test_bf16_must_win_by_more_than_a_twentieth(
    fp32: float, bf16: float, chosen: str, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([fp32, fp32, bf16, bf16, *[fp32, bf16] * 3])
    monkeypatch.setattr(probe, "_milliseconds", lambda step, device: next(times))
    evaluated = run("precision", tmp_path / "job", digits, network(Dataset.open(digits)))
    assert evaluated.notes["precision"] == chosen
    assert (evaluated.notes["fp32_ms"], evaluated.notes["bf16_ms"]) == (fp32, bf16)


def test_finalists_are_timed_side_by_side(digits: Path, tmp_path: Path) -> None:
    data = Dataset.open(digits)
    small = run("train", tmp_path / "a", digits, network(data, "mlp"), settings={"full": True})
    large = run("train", tmp_path / "b", digits, network(data), settings={"full": True})
    inputs = {"3": tmp_path / "a" / small.artefacts["onnx"], "8": tmp_path / "b" / large.artefacts["onnx"]}
    timed = run("latency", tmp_path / "job", digits, inputs=inputs)
    assert set(timed.measurements) == {"latency@3", "latency@8", "memory@3", "memory@8"}
    assert timed.measurements["latency@3"].value < timed.measurements["latency@8"].value
    assert timed.notes["device"]["hash"] and timed.notes["latency"]["3"]["verdict"]
    with pytest.raises(InputError, match="at least one"):
        run("latency", tmp_path / "none", digits)
