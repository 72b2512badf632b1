"""Peak memory of inference, read from the operating system in a fresh process: `python -m netwright.hardware.memory`.

What counts is the highest resident memory over ten calls, above what Python and a warmed-up onnxruntime hold before they
load the model: weights, activations and work space. Numbers are those of this runtime, whose arena takes about twice
the live activations.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from netwright.core.errors import InputError, NetwrightError
from netwright.core.measurement import Measurement

PROCESSES = 5
CALLS = 10
PATIENCE = 120.0


def peak_memory(model: bytes | Path, shape: tuple[int, ...], *, processes: int = PROCESSES) -> Measurement:
    """Peak memory in MB (10^6 bytes) for one `uint8` image of `shape` (channels, height, width).

    The median of several processes; `low` and `high` are their extremes, which hold the true median with more than
    90 % for five and more. Raises InputError on a system without /proc, NetwrightError when the model does not run.
    """
    if not Path("/proc/self/status").exists():
        raise InputError("memory of inference can be measured on Linux only; leave the metric `memory` out")
    from netwright.hardware.reference import reference_model  # not above: the measured process must not load onnx

    with TemporaryDirectory(prefix="netwright-") as folder:
        path = model if isinstance(model, Path) else Path(folder) / "model.onnx"
        if isinstance(model, bytes):
            path.write_bytes(model)
        other = Path(folder) / "reference.onnx"
        other.write_bytes(reference_model()[0])
        peaks = sorted(_in_a_process(path, shape, other) for _ in range(processes))
    return Measurement(peaks[len(peaks) // 2], "MB", peaks[0], peaks[-1], samples=len(peaks))


def _in_a_process(path: Path, shape: tuple[int, ...], other: Path) -> float:
    command = [sys.executable, "-m", "netwright.hardware.memory", str(other), str(path), *(str(size) for size in shape)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    answer = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, env={**os.environ, **threads}, check=False
    )
    if answer.returncode != 0:
        reason = (answer.stderr.strip().splitlines() or ["no message"])[-1]
        raise NetwrightError(f"the model must run for its memory to be measured, but: {reason}")
    return float(json.loads(answer.stdout)["MB"])


def main(arguments: list[str]) -> None:
    """Load a model, run it, print its peak as JSON. Arguments: the reference network, the model, and an image's shape.

    What the runtime sets up once for all models does not count, so the reference network runs before.
    """
    import numpy as np

    from netwright.hardware.session import caller, open_session

    reference = open_session(Path(arguments[0]))
    images = reference.get_inputs()[0]
    reference.run(None, {images.name: np.zeros((1, *images.shape[1:]), np.uint8)})
    del reference
    image = np.random.default_rng(0).integers(0, 256, (1, *(int(size) for size in arguments[2:])), dtype=np.uint8)
    _give_back()
    before = _kilobytes("VmRSS")
    call = caller(Path(arguments[1]), image)
    _forget_peak()
    for _ in range(CALLS):
        call()
    print(json.dumps({"MB": max(_kilobytes("VmHWM") - before, 0) * 1024 / 1e6}))


def _give_back() -> None:
    """Return freed memory to the system, so that the model cannot hide in it (glibc; elsewhere it may, a little)."""
    gc.collect()
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


def _kilobytes(field: str) -> int:
    """One field of /proc/self/status, which counts in units of 1,024 bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise InputError(f"/proc/self/status must have {field}, but this system's has not")


def _forget_peak() -> None:
    """Let the high-water mark begin anew, so that loading does not count (5 resets it, Linux 4.0 and later).

    Where that is not permitted the mark keeps the peak of loading, and the result is too high rather than too low.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


if __name__ == "__main__":
    main(sys.argv[1:])
