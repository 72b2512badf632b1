"""A training that is cut off goes on in the next attempt, to the same result."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from netwright.core.candidate import Candidate
from netwright.core.job import Evaluated
from netwright.data.dataset import Dataset
from netwright.evaluation.probe import Probed
from netwright.training.fit import Precision

from .jobs import network, run


class CutOff(Exception):
    """What ends an attempt from outside."""


def cut_off_after(epoch: int, *, warned: bool) -> Any:
    """A report that ends the attempt at an epoch: `warned` lets the training end in order, as SIGTERM does."""

    def report(record: Mapping[str, Any]) -> str:
        if record["epoch"] < epoch:
            return "go"
        if warned:
            return "stop"
        raise CutOff

    return report


@pytest.fixture
def candidate(digits: Path) -> Candidate:
    return network(Dataset.open(digits), augment="shift", ema=0.9)


@pytest.fixture(autouse=True)
def kept_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netwright.evaluation.underway.SECONDS", 0.0)


def same_result(one: Evaluated, other: Evaluated, *folders: Path) -> None:
    for metric in ("accuracy", "auc", "loss"):
        assert one.measurements[metric] == other.measurements[metric]
    first, second = ((folder / "weights.safetensors").read_bytes() for folder in folders)
    assert first == second


@pytest.mark.fault(20)
@pytest.mark.parametrize("warned", [True, False], ids=["SIGTERM", "SIGKILL"])
def test_a_training_that_was_cut_off_comes_to_the_same_result(
    digits: Path, tmp_path: Path, candidate: Candidate, warned: bool
) -> None:
    keep, told, trained = tmp_path / "partial" / "000001", [], []
    ending = cut_off_after(3, warned=warned)
    with suppress(CutOff):
        run("train", tmp_path / "first", digits, candidate, epochs=5, report=ending, keep=keep)

    def heard(record: Mapping[str, Any]) -> str:
        (told if record.get("again") else trained).append(record["epoch"])
        return "go"

    second = run("train", tmp_path / "second", digits, candidate, epochs=5, report=heard, keep=keep)
    whole = run("train", tmp_path / "whole", digits, candidate, epochs=5)
    assert (told, trained) == (([1, 2, 3], [4, 5]) if warned else ([1, 2], [3, 4, 5]))
    same_result(second, whole, tmp_path / "second", tmp_path / "whole")
    half = whole.measurements["training_seconds"].value / 2
    assert second.measurements["training_seconds"].value > half, "the seconds of both attempts count"


def test_a_promotion_that_was_cut_off_goes_on_from_where_it_was(
    digits: Path, tmp_path: Path, candidate: Candidate
) -> None:
    run("train", tmp_path / "rung", digits, candidate, epochs=1, trunk=True)
    promote: dict[str, Any] = {
        "epochs": 4,
        "trunk": True,
        "inputs": {"checkpoint": tmp_path / "rung" / "checkpoint.safetensors"},
        "seed": 2,
    }
    whole = run("train", tmp_path / "whole", digits, candidate, **promote)
    keep, ending = tmp_path / "kept", cut_off_after(3, warned=True)
    run("train", tmp_path / "first", digits, candidate, **promote, keep=keep, report=ending)
    second = run("train", tmp_path / "second", digits, candidate, **promote, keep=keep)
    same_result(second, whole, tmp_path / "second", tmp_path / "whole")


def test_a_stop_that_is_asked_for_by_what_was_trained_before_ends_the_training_soon(
    digits: Path, tmp_path: Path, candidate: Candidate
) -> None:
    keep = tmp_path / "kept"
    run("train", tmp_path / "first", digits, candidate, epochs=5, report=cut_off_after(2, warned=True), keep=keep)

    def stops_at_two(record: Mapping[str, Any]) -> str:
        return "stop" if record["epoch"] == 2 else "go"

    second = run("train", tmp_path / "second", digits, candidate, epochs=5, report=stops_at_two, keep=keep)
    assert second.notes["epochs"] == 3


@pytest.mark.parametrize("first", ["fp32", "bf16"])
def test_a_training_goes_on_in_the_arithmetic_it_began_with(
    digits: Path, tmp_path: Path, candidate: Candidate, monkeypatch: pytest.MonkeyPatch, first: Precision
) -> None:
    """Timed again, the other one might seem faster: in a second attempt, and in a promotion."""

    def seems_faster(precision: Precision) -> None:
        probed = Probed(precision, 1.0, 1.0, 64)
        monkeypatch.setattr("netwright.evaluation.trained.time_precisions", lambda *_, **__: probed)

    keep = tmp_path / "kept"
    auto: dict[str, Any] = {"settings": {"precision": "auto"}}
    seems_faster(first)
    whole = run("train", tmp_path / "whole", digits, candidate, epochs=3, **auto)
    run("train", tmp_path / "cut", digits, candidate, epochs=3, **auto, keep=keep, report=cut_off_after(1, warned=True))
    run("train", tmp_path / "rung", digits, candidate, epochs=1, trunk=True, **auto)
    other: Precision = "bf16" if first == "fp32" else "fp32"
    seems_faster(other)
    decided: dict[str, Any] = {"settings": {"precision": other, "forced": False}}  # by another trial, in between
    second = run("train", tmp_path / "second", digits, candidate, epochs=3, **auto, keep=keep)
    inputs = {"checkpoint": tmp_path / "rung" / "checkpoint.safetensors"}
    promoted = run("train", tmp_path / "up", digits, candidate, epochs=2, trunk=True, **decided, inputs=inputs)
    assert second.notes["precision"] == promoted.notes["precision"] == whole.notes["precision"] == first
    same_result(second, whole, tmp_path / "second", tmp_path / "whole")
    forced = run("train", tmp_path / "forced", digits, candidate, epochs=3, settings={"precision": "fp32"}, keep=keep)
    assert forced.notes["precision"] == "fp32", "a person's word counts for more"


@pytest.mark.parametrize("what", ["garbage", "another seed", "further than asked"])
def test_a_file_that_is_not_this_training_counts_for_nothing(
    digits: Path, tmp_path: Path, candidate: Candidate, what: str
) -> None:
    keep = tmp_path / "kept"
    if what == "garbage":
        keep.write_bytes(b"no checkpoint at all")
    else:
        seed, epochs = (2, 2) if what == "another seed" else (1, 4)
        run("train", tmp_path / "other", digits, candidate, epochs=epochs, seed=seed, keep=keep)
    fresh = run("train", tmp_path / "fresh", digits, candidate, epochs=2)
    found = run("train", tmp_path / "found", digits, candidate, epochs=2, keep=keep)
    same_result(found, fresh, tmp_path / "found", tmp_path / "fresh")
