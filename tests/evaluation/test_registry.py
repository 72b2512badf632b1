"""The registry of evaluations is light: nothing heavy loads before a job runs."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "numpy", "sklearn", "onnx", "onnxruntime")


def test_the_registry_loads_no_heavy_library() -> None:
    code = f"import sys, netwright.evaluation; print([name for name in {HEAVY!r} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_the_measured_process_of_memory_loads_neither_torch_nor_onnx() -> None:
    code = (
        "import sys, netwright.hardware.memory, netwright.hardware.session;"
        "print([name for name in ('torch', 'onnx', 'sklearn') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
