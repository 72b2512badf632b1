"""A trial's network as a file: the ONNX that was kept, or one written from its plan and its kept weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from netwright.core.candidate import Candidate
from netwright.core.files import storing, write_bytes
from netwright.core.task import TaskSpec
from netwright.networks.onnx import to_onnx
from netwright.spaces.shapes import plan


def onnx_file(candidate: Candidate, task: TaskSpec, artefacts: Mapping[str, Path], target: Path) -> Path | None:
    """The ONNX file of a trained network; written to `target` where none was kept. None where no weights were.

    Raises StorageError.
    """
    if "onnx" in artefacts:
        return artefacts["onnx"]
    if "weights" not in artefacts or candidate.architecture is None:
        return None
    from safetensors.numpy import load_file

    network = to_onnx(plan(candidate.architecture, task), task, load_file(artefacts["weights"]))
    with storing(f"the network {target}"):
        write_bytes(target, network)
    return target
