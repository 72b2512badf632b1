"""A plan and its weights become an ONNX file, written node by node in a few milliseconds, without torch.

Batch normalisation is folded into the convolution or linear layer before it, dropout is left out, the batch dimension
is free. Input `images`: uint8, (batch, channels, height, width); output `logits`: float32, (batch, outputs). Opset 17
and IR version 8, which onnxruntime reads since 1.12. Why it is not `torch.onnx.export`: docs/adr/0002.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from netwright.core.errors import CandidateError
from netwright.core.plan import Plan, Step
from netwright.core.task import TaskSpec
from netwright.networks.weights import Array, check_weights

OPSET = 17
IR_VERSION = 8
EPSILON = 1e-5
"""Of batch normalisation, as in core.plan."""


def to_onnx(plan: Plan, task: TaskSpec, weights: Mapping[str, Any]) -> bytes:
    """The serialised ONNX model of `plan` in evaluation mode. Equal arguments give equal bytes.

    `weights` maps state-dict names to NumPy arrays or torch tensors. Raises CandidateError, with the address of the
    step, when an operation is not known or a weight is missing or has another shape.
    """
    writer = _Writer(plan, check_weights(plan, weights))
    for index in range(len(plan.steps)):
        writer.write(index)
    model = helper.make_model(
        writer.graph(task),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="netwright",
    )
    return _serialise(model)


def _serialise(model: ModelProto) -> bytes:
    content: bytes = model.SerializeToString(deterministic=True)
    return content


class _Writer:
    """The graph so far. `values[i]` is the name of the tensor that step `i` gives."""

    def __init__(self, plan: Plan, weights: Mapping[str, Array]) -> None:
        self.plan = plan
        self.weights = weights
        self.values: list[str] = []
        self.nodes: list[NodeProto] = []
        self.tensors: dict[str, TensorProto] = {}
        self.norm_after = _foldable_norms(plan)

    def write(self, index: int) -> None:
        """Appends the nodes of one step."""
        step = self.plan.steps[index]
        inputs = [self.values[source] for source in step.inputs]
        attributes = step.attributes
        value = f"{step.name}.out"
        match step.op:
            case "input":
                value = "images"
            case "normalize":
                value = self._normalize(step, inputs[0])
            case "conv":
                self._node(
                    "Conv",
                    [inputs[0], *self._weight_and_bias(index)],
                    step,
                    kernel_shape=attributes["kernel"],
                    strides=attributes["stride"],
                    pads=[*attributes["padding"], *attributes["padding"]],
                    group=attributes["groups"],
                )
            case "linear":
                self._node("Gemm", [inputs[0], *self._weight_and_bias(index)], step, transB=1)
            case "norm" if index in self.norm_after.values():
                value = inputs[0]
            case "norm":
                parts = ("weight", "bias", "running_mean", "running_var")
                names = [self._tensor(f"{step.name}.{part}", self.weights[f"{step.name}.{part}"]) for part in parts]
                self._node("BatchNormalization", [inputs[0], *names], step, epsilon=EPSILON)
            case "activation":
                self._activation(step, inputs[0])
            case "max_pool" | "avg_pool":
                self._node(
                    "MaxPool" if step.op == "max_pool" else "AveragePool",
                    inputs,
                    step,
                    kernel_shape=attributes["kernel"],
                    strides=attributes["stride"],
                    pads=[*attributes["padding"], *attributes["padding"]],
                )
            case "global_pool":
                self._node("GlobalAveragePool", inputs, step)
            case "flatten":
                self._node("Flatten", inputs, step, axis=1)
            case "dropout":
                value = inputs[0]
            case "add":
                self._add(step, inputs)
            case "mul":
                self._node("Mul", inputs, step)
            case "concat":
                self._node("Concat", inputs, step, axis=1)
            case "zero":
                self._zero(step, inputs[0])
            case _:
                raise CandidateError(
                    f"the operation must be one that core.plan lists, but got {step.op!r}", step.address
                )
        self.values.append(value)

    def graph(self, task: TaskSpec) -> GraphProto:
        """The graph, its last value renamed to `logits`."""
        last = self.values[-1]
        for node in self.nodes:
            node.input[:] = ["logits" if name == last else name for name in node.input]
            node.output[:] = ["logits" if name == last else name for name in node.output]
        return helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", *task.inputs])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", task.outputs])],
            list(self.tensors.values()),
        )

    def _node(self, op: str, inputs: list[str], step: Step, part: str = "", **attributes: Any) -> str:
        """Appends one node of a step and gives the name of its output."""
        name = f"{step.name}.{part}" if part else step.name
        self.nodes.append(helper.make_node(op, inputs, [f"{name}.out"], name=name, **attributes))
        return f"{name}.out"

    def _tensor(self, name: str, array: Array) -> str:
        self.tensors[name] = numpy_helper.from_array(array, name)
        return name

    def _constant(self, step: Step, part: str, value: Any, dtype: type[np.generic] = np.float32) -> str:
        return self._tensor(f"{step.name}.{part}", np.asarray(value, dtype))

    def _normalize(self, step: Step, images: str) -> str:
        mean = np.asarray(step.attributes["mean"], np.float64).reshape(1, -1, 1, 1)
        std = np.asarray(step.attributes["std"], np.float64).reshape(1, -1, 1, 1)
        scale, shift = self._constant(step, "scale", 1 / (255 * std)), self._constant(step, "shift", -mean / std)
        floats = self._node("Cast", [images], step, "cast", to=TensorProto.FLOAT)
        return self._node("Add", [self._node("Mul", [floats, scale], step, "mul"), shift], step)

    def _weight_and_bias(self, index: int) -> list[str]:
        """The tensors of a convolution or linear layer, with the normalisation that follows it folded in."""
        step = self.plan.steps[index]
        weight, bias = self.weights[f"{step.name}.weight"], self.weights.get(f"{step.name}.bias")
        if index in self.norm_after:
            name = self.plan.steps[self.norm_after[index]].name
            scale = self.weights[f"{name}.weight"] / np.sqrt(
                self.weights[f"{name}.running_var"].astype(np.float64) + EPSILON
            )
            shift = (0 if bias is None else bias) - self.weights[f"{name}.running_mean"]
            bias = (self.weights[f"{name}.bias"] + shift * scale).astype(np.float32)
            weight = (weight * scale.reshape(-1, *[1] * (weight.ndim - 1))).astype(np.float32)
        tensors = [self._tensor(f"{step.name}.weight", weight)]
        return tensors if bias is None else [*tensors, self._tensor(f"{step.name}.bias", bias)]

    def _activation(self, step: Step, x: str) -> None:
        match step.attributes["function"]:
            case "relu":
                self._node("Relu", [x], step)
            case "relu6":
                self._node("Clip", [x, self._constant(step, "low", 0), self._constant(step, "high", 6)], step)
            case "hswish":
                self._node("HardSwish", [x], step)
            case "silu":
                self._node("Mul", [x, self._node("Sigmoid", [x], step, "sigmoid")], step)
            case "gelu":  # x / 2 * (1 + erf(x / sqrt 2)), in the order that onnxruntime fuses
                scaled = self._node("Div", [x, self._constant(step, "root", sqrt(2))], step, "div")
                erf = self._node("Erf", [scaled], step, "erf")
                gate = self._node("Add", [erf, self._constant(step, "one", 1)], step, "add")
                product = self._node("Mul", [x, gate], step, "mul")
                self._node("Mul", [product, self._constant(step, "half", 0.5)], step)
            case "sigmoid":
                self._node("Sigmoid", [x], step)
            case "hsigmoid":
                self._node("HardSigmoid", [x], step, alpha=1 / 6, beta=0.5)
            case "tanh":
                self._node("Tanh", [x], step)
            case other:
                raise CandidateError(
                    f"the activation must be one that core.plan lists, but got {other!r}", step.address
                )

    def _add(self, step: Step, inputs: list[str]) -> None:
        """A chain of sums of two, which runtimes fuse into the convolution before them."""
        total = inputs[0]
        for position, other in enumerate(inputs[1:], start=2):
            total = self._node("Add", [total, other], step, "" if position == len(inputs) else f"sum{position}")

    def _zero(self, step: Step, x: str) -> None:
        """Zeros for as many examples as there are."""
        batch = self._node("Shape", [x], step, "batch", start=0, end=1)
        size = self._constant(step, "size", step.shape, np.int64)
        shape = self._node("Concat", [batch, size], step, "shape", axis=0)
        value = helper.make_tensor("value", TensorProto.FLOAT, [1], [0.0])
        self._node("ConstantOfShape", [shape], step, value=value)


def _foldable_norms(plan: Plan) -> dict[int, int]:
    """Index of each convolution or linear layer that only a normalisation reads, to the index of that normalisation."""
    readers = Counter(source for step in plan.steps for source in step.inputs)
    return {
        step.inputs[0]: index
        for index, step in enumerate(plan.steps)
        if step.op == "norm" and readers[step.inputs[0]] == 1 and plan.steps[step.inputs[0]].op in ("conv", "linear")
    }
