"""Peak memory in fresh processes: it follows the activations, and a model that cannot run says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from netwright.core.errors import NetwrightError
from netwright.hardware.memory import peak_memory

from .models import convolutions

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc (Linux)")


def test_memory_follows_the_live_activations() -> None:
    small = peak_memory(convolutions(16, 3, 64), (3, 64, 64), processes=1)  # an activation is 0.26 MB
    large = peak_memory(convolutions(16, 3, 256), (3, 256, 256), processes=1)  # 4.2 MB
    assert small.unit == large.unit == "MB"
    assert 0.5 < small.value < 4
    assert 8 < large.value < 40


def test_the_interval_is_that_of_several_processes(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(convolutions(8, 2, 64))
    measurement = peak_memory(path, (3, 64, 64), processes=3)
    assert measurement.samples == 3
    assert measurement.low is not None and measurement.high is not None
    assert measurement.low <= measurement.value <= measurement.high


def test_a_model_for_other_images_is_an_error_that_says_so() -> None:
    with pytest.raises(NetwrightError, match="must run"):
        peak_memory(convolutions(8, 2, 16), (3, 20, 20), processes=1)
