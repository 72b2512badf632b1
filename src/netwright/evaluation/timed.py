"""`latency`: several exported networks timed side by side, and the peak memory of each: for finalists.

Settings: data (for the shape of an image), memory (whether to measure it too, default yes).
Inputs: name to ONNX file. Measurements: `latency@NAME` and `memory@NAME`. Notes: `device` (the card), and under
`latency` for each name its verdict, median and minimum.
"""

from __future__ import annotations

from pathlib import Path

from netwright.core.errors import InputError
from netwright.core.job import Evaluated, Job
from netwright.core.measurement import Measurement
from netwright.data.dataset import Dataset
from netwright.hardware.device import device_card
from netwright.hardware.latency import measure
from netwright.hardware.memory import peak_memory


def time_models(job: Job) -> Evaluated:
    """Measure all inputs. Raises Untrusted for a file that onnxruntime refuses."""
    if not job.inputs:
        raise InputError("a latency job must have at least one ONNX file among its inputs, but it has none")
    shape = Dataset.open(Path(job.settings["data"])).task.inputs
    timings = measure(job.inputs, shape, seed=job.seed)
    measured: dict[str, Measurement] = {}
    for name, path in job.inputs.items():
        measured[f"latency@{name}"] = timings[name].measurement
        if job.settings.get("memory", True):
            measured[f"memory@{name}"] = peak_memory(path, shape)
    diagnosis = {name: timing.to_json() for name, timing in timings.items()}
    return Evaluated(measured, {}, {"device": device_card(), "latency": diagnosis})
