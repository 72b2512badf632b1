"""`test`: read the test split once and let several models answer it: exported networks in onnxruntime, and classic ones.

Settings: data, models ({name: `onnx` or `classic`}; names of lower-case letters, digits, `.`, `_` and `-`).
Inputs: each name to its file. Measurements: `METRIC@NAME` (accuracy, balanced_accuracy, auc, loss) on split `test`.
Artefacts: `test_NAME` (test_NAME.npy): float32 (test images, classes), probabilities.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from netwright.core.errors import DataError, InputError
from netwright.core.job import Evaluated, Job
from netwright.core.measurement import Measurement
from netwright.data.dataset import Dataset
from netwright.evaluation.fitted import answers, load_arrays
from netwright.evaluation.metrics import measure_answers
from netwright.hardware.session import open_session
from netwright.training.predict import BATCH, Floats, softmax

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
KINDS = ("onnx", "classic")


def answer_test_split(job: Job) -> Evaluated:
    """Answer the test split with every model. Raises DataError when there is none, Untrusted for a file that is no model."""
    models: dict[str, str] = job.settings["models"]
    for name, kind in models.items():
        if not NAME.fullmatch(name) or kind not in KINDS or name not in job.inputs:
            raise InputError(
                f"a model must have a plain name, a kind of {' or '.join(KINDS)} and a file, but got {name!r}: {kind!r}"
            )
    data = Dataset.open(Path(job.settings["data"]))
    indices = data.indices("test")
    if len(indices) == 0:
        raise DataError("a data set must have a test split to be tested on, but it is empty; use another split")
    labels = np.asarray(data.labels)[indices]
    measured: dict[str, Measurement] = {}
    artefacts: dict[str, str] = {}
    for name, kind in models.items():
        path = job.inputs[name]
        probabilities = (
            _network_answers(path, data, indices)
            if kind == "onnx"
            else answers(load_arrays(path), data.images, indices)
        )
        file = f"test_{name}.npy"
        np.save(job.folder / file, probabilities, allow_pickle=False)
        artefacts[f"test_{name}"] = file
        for metric, measurement in measure_answers(probabilities, labels, "test").items():
            measured[f"{metric}@{name}"] = measurement
    return Evaluated(measured, artefacts, {"images": len(indices)})


def _network_answers(path: Path, data: Dataset, indices: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
    """Probabilities of an exported network."""
    session = open_session(path)
    name = session.get_inputs()[0].name
    parts = []
    for first in range(0, len(indices), BATCH):
        images = np.ascontiguousarray(data.images[indices[first : first + BATCH]].transpose(0, 3, 1, 2))
        parts.append(session.run(None, {name: images})[0])
    return softmax(np.concatenate(parts))
