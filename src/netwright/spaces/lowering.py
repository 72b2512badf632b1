"""From block nodes of a graph to the primitive steps of a plan, one function a block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from netwright.core.errors import CandidateError
from netwright.core.plan import Shape, Step
from netwright.core.task import TaskSpec
from netwright.spaces.graph import Node

MOST_STEPS = 4_000
MOST_PARAMETERS = 2_000_000_000
MOST_ELEMENTS = 1_000_000_000

SHORT_NAMES = {"activation": "act", "global_pool": "pool", "max_pool": "pool", "avg_pool": "pool"}
"""How steps are named where the operation's own name is long."""


class Steps:
    """The steps so far. Every number is checked before the next step, so nothing is ever made too large."""

    def __init__(self, task: TaskSpec) -> None:
        self.task = task
        self.steps: list[Step] = []
        self.address = ""
        self.block = ""
        self.group = 0
        self.parameters = 0
        self.elements = 0
        self._names: Counter[str] = Counter()

    def begin(self, address: str, block: str) -> None:
        """The next steps belong to a new block."""
        self.address, self.block = address, block
        self.group += 1

    def shape(self, step: int) -> Shape:
        """The output shape of a step."""
        return self.steps[step].shape

    def image(self, step: int) -> tuple[int, int, int]:
        """The output shape of a step that must be an image."""
        shape = self.steps[step].shape
        if len(shape) != 3:
            raise CandidateError(f"{self.block} needs an image, but gets a vector of {shape[0]} features", self.address)
        return shape[0], shape[1], shape[2]

    def add(
        self,
        op: str,
        inputs: tuple[int, ...],
        shape: Shape,
        attributes: Mapping[str, Any] | None = None,
        parameters: int = 0,
        macs: int = 0,
    ) -> int:
        """Append a step and return its index. Raises CandidateError where the network gets too large."""
        self.parameters += parameters
        self.elements += prod(shape)
        for what, value, most in (
            ("steps", len(self.steps) + 1, MOST_STEPS),
            ("parameters", self.parameters, MOST_PARAMETERS),
            ("activations for one image", self.elements, MOST_ELEMENTS),
        ):
            if value > most:
                raise CandidateError(f"a network may have {most:,} {what}, but this one has more", self.address)
        short = SHORT_NAMES.get(op, op)
        self._names[short] += 1
        name = short if op in ("input", "normalize") else f"{short}{self._names[short]}"
        self.steps.append(
            Step(name, op, inputs, shape, attributes or {}, parameters, macs, self.address, self.block, self.group)
        )
        return len(self.steps) - 1

    # --- primitive operations --------------------------------------------------------------------------------------

    def conv(self, source: int, width: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = False) -> int:
        """Convolution with "same" padding: output of ceil(size / stride)."""
        channels, height, width_in = self.image(source)
        if kernel % 2 == 0:
            raise CandidateError(f"the kernel of a convolution must be odd, but got {kernel}", self.address)
        if channels % groups or width % groups:
            raise CandidateError(
                f"groups must divide the channels, but {groups} does not divide {channels} and {width}", self.address
            )
        padding = (kernel - 1) // 2
        shape = (width, -(-height // stride), -(-width_in // stride))
        weights = width * (channels // groups) * kernel * kernel
        attributes = {
            "kernel": (kernel, kernel),
            "stride": (stride, stride),
            "padding": (padding, padding),
            "groups": groups,
            "bias": bias,
        }
        macs = weights * shape[1] * shape[2]
        return self.add("conv", (source,), shape, attributes, weights + (width if bias else 0), macs)

    def norm(self, source: int) -> int:
        """Batch normalisation."""
        shape = self.shape(source)
        return self.add("norm", (source,), shape, parameters=2 * shape[0])

    def activation(self, source: int, function: str | None) -> int:
        """An activation, or the source itself where there is none."""
        if function is None:
            return source
        return self.add("activation", (source,), self.shape(source), {"function": function})

    def window(self, source: int, kind: str, kernel: int, stride: int) -> int:
        """Maximum or mean over a window, output of ceil(size / stride)."""
        channels, height, width = self.image(source)
        names, axes = ("kernel", "stride", "padding"), (_window(height, kernel, stride), _window(width, kernel, stride))
        attributes = dict(zip(names, zip(*axes, strict=True), strict=True))
        return self.add(f"{kind}_pool", (source,), (channels, -(-height // stride), -(-width // stride)), attributes)

    def global_pool(self, source: int) -> int:
        """Mean over height and width."""
        return self.add("global_pool", (source,), (self.image(source)[0], 1, 1))

    def flatten(self, source: int) -> int:
        """An image as a vector."""
        return self.add("flatten", (source,), (prod(self.image(source)),))

    def linear(self, source: int, width: int, bias: bool = True) -> int:
        """Linear layer on a vector."""
        shape = self.shape(source)
        if len(shape) != 1:
            raise CandidateError(f"{self.block} needs a vector, but gets an image", self.address)
        weights = shape[0] * width
        return self.add("linear", (source,), (width,), {"bias": bias}, weights + (width if bias else 0), weights)


def _window(size: int, kernel: int, stride: int) -> tuple[int, int, int]:
    """(kernel, stride, padding) along one axis. An even kernel that would not tile the input grows by one.

    One window covers all of an axis that is no longer than the stride, so it need be no larger than that.
    """
    if stride > size:
        kernel, stride = min(kernel, 2 * size - 1), size
    if kernel % 2 == 0:
        if kernel >= stride and (kernel - stride) % 2 == 0 and size % stride == 0:
            return kernel, stride, (kernel - stride) // 2
        kernel += 1
    return kernel, stride, (kernel - 1) // 2


def lower(steps: Steps, node: Node, inputs: tuple[int, ...]) -> int:
    """Append the steps of one block; `inputs` are steps. Returns the step that is the block's output."""
    steps.begin(node.address, _title(node))
    return LOWERINGS[node.op](steps, node.attributes, inputs)


UNREMARKABLE = (("stride", 1), ("groups", 1), ("se", 0.0))
"""Attributes that a block's name leaves out."""


def _title(node: Node) -> str:
    """`MBConv 24, kernel 5, expand 3`: an operation with the attributes that tell it apart."""
    attributes = node.attributes
    kind = attributes.get("kind") or attributes.get("width") or ""
    told = [
        f"{name} {attributes[name] if isinstance(attributes[name], str) else f'{attributes[name]:g}'}"
        for name in ("kernel", "expand", "stride", "groups", "se", "rate")
        if name in attributes and (name, attributes[name]) not in UNREMARKABLE
    ]
    return ", ".join([f"{node.op} {kind}".strip(), *told])


Inputs = tuple[int, ...]
Attributes = Mapping[str, Any]


def _width(steps: Steps, attributes: Attributes, source: int) -> int:
    """The width, where it is the task's that of the source."""
    width = attributes["width"]
    return width if isinstance(width, int) else steps.shape(source)[0]


def _input(steps: Steps, attributes: Attributes, inputs: Inputs) -> int:
    task = steps.task
    pixels = steps.add("input", (), task.inputs)
    return steps.add("normalize", (pixels,), task.inputs, {"mean": tuple(task.mean), "std": tuple(task.std)})


def _conv(steps: Steps, attributes: Attributes, inputs: Inputs) -> int:
    (source,) = inputs
    width = _width(steps, attributes, source)
    first = attributes["order"] == "act-conv-norm"
    step = steps.activation(source, attributes["act"]) if first else source
    groups = attributes["groups"] if isinstance(attributes["groups"], int) else steps.image(source)[0]
    step = steps.conv(step, width, attributes["kernel"], attributes["stride"], groups, bias=attributes["bias"])
    if attributes["norm"]:
        step = steps.norm(step)
    return step if first else steps.activation(step, attributes["act"])


def _separable(steps: Steps, attributes: Attributes, inputs: Inputs) -> int:
    (source,) = inputs
    channels = steps.image(source)[0]
    act = attributes["act"]
    step = steps.norm(steps.conv(source, channels, attributes["kernel"], attributes["stride"], groups=channels))
    step = steps.norm(steps.conv(steps.activation(step, act), _width(steps, attributes, source), 1))
    return steps.activation(step, act)


def _mbconv(steps: Steps, attributes: Attributes, inputs: Inputs) -> int:
    (source,) = inputs
    wide = steps.image(source)[0] * attributes["expand"]
    act = attributes["act"]
    step = source
    if attributes["expand"] > 1:
        step = steps.activation(steps.norm(steps.conv(step, wide, 1)), act)
    step = steps.norm(steps.conv(step, wide, attributes["kernel"], attributes["stride"], groups=wide))
    step = steps.activation(step, act)
    if attributes["se"] > 0:
        step = _squeeze_and_excite(steps, step, max(1, round(wide * attributes["se"])))
    return steps.norm(steps.conv(step, _width(steps, attributes, source), 1))


def _squeeze_and_excite(steps: Steps, source: int, squeezed: int) -> int:
    """Channels weighed by what their means say (Hu et al., 2018), with the hard sigmoid of MobileNetV3."""
    step = steps.activation(steps.conv(steps.global_pool(source), squeezed, 1, bias=True), "relu")
    step = steps.activation(steps.conv(step, steps.shape(source)[0], 1, bias=True), "hsigmoid")
    return steps.add("mul", (source, step), steps.shape(source))


def _pool(steps: Steps, attributes: Attributes, inputs: Inputs) -> int:
    return steps.window(inputs[0], attributes["kind"], attributes["kernel"], attributes["stride"])


def _norm(steps: Steps, attributes: Attributes, inputs: Inputs) -> int:
    return steps.activation(steps.norm(inputs[0]), attributes["act"])


def _activation(steps: Steps, attributes: Attributes, inputs: Inputs) -> int:
    return steps.activation(inputs[0], attributes["act"])


def _linear(steps: Steps, attributes: Attributes, inputs: Inputs) -> int:
    (source,) = inputs
    step = steps.linear(source, _width(steps, attributes, source), bias=not attributes["norm"])
    if attributes["norm"]:
        step = steps.norm(step)
    return steps.activation(step, attributes["act"])


def _dropout(steps: Steps, attributes: Attributes, inputs: Inputs) -> int:
    return steps.add("dropout", inputs, steps.shape(inputs[0]), {"rate": attributes["rate"]})


def _sum(steps: Steps, attributes: Attributes, inputs: Inputs) -> int:
    shapes = {steps.shape(source) for source in inputs}
    if len(shapes) > 1:
        raise CandidateError(f"a sum needs inputs of one shape, but gets {sorted(shapes)}", steps.address)
    return steps.add("add", inputs, shapes.pop())


def _concat(steps: Steps, attributes: Attributes, inputs: Inputs) -> int:
    shapes = [steps.shape(source) for source in inputs]
    if len({shape[1:] for shape in shapes}) > 1:
        raise CandidateError(f"a concatenation needs inputs of one size, but gets {sorted(shapes)}", steps.address)
    return steps.add("concat", inputs, (sum(shape[0] for shape in shapes), *shapes[0][1:]))


LOWERINGS: dict[str, Callable[[Steps, Attributes, Inputs], int]] = {
    "Input": _input,
    "Conv": _conv,
    "Separable": _separable,
    "MBConv": _mbconv,
    "Pool": _pool,
    "Norm": _norm,
    "Activation": _activation,
    "GlobalPool": lambda steps, attributes, inputs: steps.global_pool(inputs[0]),
    "Flatten": lambda steps, attributes, inputs: steps.flatten(inputs[0]),
    "Linear": _linear,
    "Dropout": _dropout,
    "Sum": _sum,
    "Concat": _concat,
}
