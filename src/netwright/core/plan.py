"""A plan: a network as a list of primitive steps with every number filled in.

`spaces.shapes` makes it by arithmetic alone; `networks` turns it into a module, an ONNX file or plain source;
parameters, MACs and memory are sums over it. So all of them speak of exactly the same network.

Primitive operations, their attributes and their output shape, for one example (no batch dimension).
Shapes are (channels, height, width), or (features,) after `flatten`. `inputs` are indices of earlier steps.

    input        -                                                        uint8 image
    normalize    mean, std (tuples, per channel, on the [0, 1] scale)     (x / 255 - mean) / std
    conv         kernel (h, w), stride (h, w), padding (h, w), groups, bias
    norm         -                                                        batch normalisation, eps 1e-5, affine
    activation   function: relu | relu6 | hswish | silu | gelu | sigmoid | hsigmoid | tanh
    max_pool     kernel, stride, padding (pairs)
    avg_pool     kernel, stride, padding (pairs)                          padding is not counted in the mean
    global_pool  -                                                        mean over height and width, (channels, 1, 1)
    flatten      -                                                        (channels * height * width,)
    linear       bias
    dropout      rate                                                     identity outside training
    add          -                                                        two or more inputs of one shape
    mul          -                                                        two inputs; the second may be (channels, 1, 1)
    concat       -                                                        along channels (or features)
    zero         -                                                        zeros of the input's shape, channels and stride
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One primitive operation.

    `name` is a Python identifier, unique in the plan: the module's attribute and the prefix of its weights.
    `address` is where in the space the step comes from, `block` names the layer it is part of
    (`MBConv 24, kernel 5, expand 3`), `group` numbers that layer within the plan, so that a drawing can fold it.
    """

    name: str
    op: str
    inputs: tuple[int, ...]
    shape: Shape
    attributes: Mapping[str, Any]
    parameters: int = 0
    macs: int = 0
    address: str = ""
    block: str = ""
    group: int = 0

    @property
    def elements(self) -> int:
        """Numbers in the output, for one example."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole network. The last step is the output: logits of shape (outputs,)."""

    steps: tuple[Step, ...]

    @property
    def parameters(self) -> int:
        """Trainable numbers (batch-norm statistics are buffers and do not count)."""
        return sum(step.parameters for step in self.steps)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions and linear layers, for one example."""
        return sum(step.macs for step in self.steps)

    def to_json(self) -> list[dict[str, Any]]:
        """A JSON object a step."""
        return [{**asdict(step), "attributes": dict(step.attributes)} for step in self.steps]

    @classmethod
    def from_json(cls, record: Sequence[Mapping[str, Any]]) -> Plan:
        """The inverse of `to_json`. Raises TypeError for a record of something else."""
        return cls(tuple(Step(**{name: _as_tuples(value) for name, value in step.items()}) for step in record))

    def layer_kinds(self) -> frozenset[str]:
        """What decides which precision is fast: `conv`, `depthwise`, `grouped`, `linear`, and activations by name."""
        kinds = set()
        for step in self.steps:
            if step.op == "conv":
                groups = step.attributes["groups"]
                kinds.add("conv" if groups == 1 else "depthwise" if groups == step.shape[0] else "grouped")
            elif step.op == "activation":
                kinds.add(str(step.attributes["function"]))
            elif step.op in ("linear", "mul", "concat", "max_pool", "avg_pool"):
                kinds.add(step.op)
        return frozenset(kinds)


def _as_tuples(value: Any) -> Any:
    """What JSON made of tuples, put right."""
    if isinstance(value, Mapping):
        return {name: _as_tuples(inner) for name, inner in value.items()}
    return tuple(value) if isinstance(value, list) else value
