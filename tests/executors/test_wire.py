"""Records arrive as they were sent, however they are cut on the way."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.core.job import Evaluated, Job
from netwright.core.measurement import Measurement
from netwright.executors import wire
from netwright.executors.wire import (
    BadRecord,
    Lines,
    encode,
    evaluated_from_json,
    evaluated_to_json,
    finite,
    job_from_json,
    job_to_json,
)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
records = st.dictionaries(st.text(), json_values, max_size=4)


@given(st.lists(records, max_size=5), st.integers(1, 40))
def test_records_survive_any_cut(sent: list[dict[str, object]], size: int) -> None:
    stream = b"".join(map(encode, sent)) + b'{"half'
    lines = Lines()
    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert [record for chunk in chunks for record in lines.feed(chunk)] == sent


@given(st.binary(max_size=60))
def test_any_bytes_are_records_or_refused(content: bytes) -> None:
    try:
        found = Lines().feed(content + b"\n")
    except BadRecord:
        return
    assert all(isinstance(record, dict) for record in found)


def test_a_record_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LONGEST_LINE", 100)
    lines = Lines()
    lines.feed(b"x" * 99)
    with pytest.raises(BadRecord, match="100 bytes"):
        lines.feed(b"xx")


@given(records, st.none() | records, st.integers(0, 2**64 - 1), st.none() | st.just(Path("/run/partial/000001")))
def test_a_job_survives(
    settings: dict[str, object], proposal: dict[str, object] | None, seed: int, keep: Path | None
) -> None:
    inputs = {"checkpoint": Path("/run/blobs/a")}
    job = Job(1, 2, "train", settings, proposal, seed, Path("/run/jobs/000001-2"), inputs, keep)
    assert job_from_json(Lines().feed(encode(job_to_json(job)))[0]) == job


def test_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    job = job_from_json(job_to_json(Job(1, 1, "train", {}, None, 0, Path("work/1"), {"a": Path("blob")})))
    assert job.folder == tmp_path / "work" / "1" and job.inputs == {"a": tmp_path / "blob"}


def test_a_result_survives() -> None:
    measurements = {"accuracy": Measurement(0.9, "", 0.88, 0.92, 1000, "measured", "validation")}
    evaluated = Evaluated(measurements, {"curve": "curve.json"}, {"epochs": 3, "loss": [1.0, 0.5]})
    assert evaluated_from_json(Lines().feed(encode(evaluated_to_json(evaluated)))[0]) == evaluated


@pytest.mark.fault(9)
def test_numbers_that_are_not_finite_become_null() -> None:
    assert finite({"a": float("nan"), "b": (1.0, float("-inf")), "c": "nan", "d": 3}) == {
        "a": None,
        "b": [1.0, None],
        "c": "nan",
        "d": 3,
    }
    with pytest.raises(ValueError, match="JSON"):
        encode({"a": float("nan")})
