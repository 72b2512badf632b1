"""The weights of a plan as NumPy arrays: their names and shapes, fresh ones from a seed, and a check of given ones.

Names are those of the module's state dict: `{step.name}.weight`, `.bias`, and for batch normalisation also
`.running_mean`, `.running_var`, `.num_batches_tracked`. One rule draws fresh weights for every reading of a plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from netwright.core.errors import CandidateError
from netwright.core.plan import Plan, Shape, Step
from netwright.core.seeding import derive

Array = npt.NDArray[Any]


def weight_shapes(plan: Plan) -> dict[str, Shape]:
    """Name to shape of everything in the state dict of the plan's network, in the order of the steps."""
    shapes: dict[str, Shape] = {}
    for step in plan.steps:
        for name, shape in _shapes_of(step, plan).items():
            shapes[f"{step.name}.{name}"] = shape
    return shapes


def random_weights(plan: Plan, seed: int) -> dict[str, Array]:
    """Fresh weights, a function of the plan and the seed alone (He et al. 2015, normal, by the number of inputs).

    Convolutions and linear layers are drawn with variance 2 / fan-in, the last layer with 1 / fan-in; biases are 0;
    normalisations are the identity. float32, but `num_batches_tracked`, which is int64.
    """
    generator = np.random.default_rng(derive(seed, "weights"))
    weights: dict[str, Array] = {}
    for step in plan.steps:
        gain = 1.0 if step is plan.steps[-1] else 2.0
        for name, shape in _shapes_of(step, plan).items():
            weights[f"{step.name}.{name}"] = _fresh(step.op, name, shape, gain, generator)
    return weights


def check_weights(plan: Plan, weights: Mapping[str, Any]) -> dict[str, Array]:
    """The weights as contiguous float32 arrays (counters as int64), in the order of the plan.

    Takes NumPy arrays or torch tensors. Raises CandidateError when a name is missing, unknown or of another shape, or
    when a number is not finite.
    """
    shapes = weight_shapes(plan)
    unknown = sorted(set(weights) - set(shapes))
    if unknown:
        raise CandidateError(f"weights must belong to a step of the plan, but got {unknown[0]!r}")
    addresses = {step.name: step.address for step in plan.steps}
    checked = {}
    for name, shape in shapes.items():
        address = addresses[name.rpartition(".")[0]]
        if name not in weights:
            raise CandidateError(f"a weight {name!r} of shape {shape} is needed, but there is none", address)
        array = _as_array(weights[name], np.int64 if name.endswith("num_batches_tracked") else np.float32)
        if array.shape != shape:
            raise CandidateError(f"the weight {name!r} must have shape {shape}, but has {array.shape}", address)
        if not np.isfinite(array).all():
            raise CandidateError(f"the weight {name!r} must be finite, but holds NaN or infinity", address)
        checked[name] = array
    return checked


def _shapes_of(step: Step, plan: Plan) -> dict[str, Shape]:
    if step.op not in ("conv", "linear", "norm"):
        return {}
    source = plan.steps[step.inputs[0]].shape
    outputs = step.shape[0]
    if step.op == "norm":
        vectors = ("weight", "bias", "running_mean", "running_var")
        return {**dict.fromkeys(vectors, (outputs,)), "num_batches_tracked": ()}
    weight: Shape = (outputs, source[0])
    if step.op == "conv":
        weight = (outputs, source[0] // step.attributes["groups"], *step.attributes["kernel"])
    return {"weight": weight, "bias": (outputs,)} if step.attributes["bias"] else {"weight": weight}


def _fresh(op: str, name: str, shape: Shape, gain: float, generator: np.random.Generator) -> Array:
    if name == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if name == "running_var" or (op == "norm" and name == "weight"):
        return np.ones(shape, np.float32)
    if name == "weight":
        deviation = np.float32(sqrt(gain / prod(shape[1:])))
        return generator.standard_normal(shape, np.float32) * deviation
    return np.zeros(shape, np.float32)


def _as_array(value: Any, dtype: type[np.generic]) -> Array:
    if hasattr(value, "detach"):  # a torch tensor; this module does not import torch
        value = value.detach().cpu().numpy()
    return np.require(value, dtype, "C")
