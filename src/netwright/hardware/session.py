"""An ONNX model ready to run in onnxruntime, on one thread of the CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime

from netwright.core.errors import Untrusted

Call = Callable[[], object]


def caller(model: bytes | Path, image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Call:
    """A function that runs the model once on `image`. Raises Untrusted for a model that onnxruntime refuses."""
    session = open_session(model)
    inputs = {session.get_inputs()[0].name: image}
    return lambda: session.run(None, inputs)


def open_session(model: bytes | Path) -> onnxruntime.InferenceSession:
    """An onnxruntime session on one thread of the CPU. Raises Untrusted for a model that it refuses."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    content = model if isinstance(model, bytes) else str(model)
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common base below Exception
        raise Untrusted(f"a model must be an ONNX file that onnxruntime can load, but: {error}") from error
