"""Plans written by hand: a small builder, and networks that between them use every operation."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from netwright.core.plan import Plan, Shape, Step
from netwright.core.task import TaskSpec
from netwright.networks.weights import random_weights

ACTIVATIONS = ("relu", "relu6", "hswish", "silu", "gelu", "sigmoid", "hsigmoid", "tanh")


def make_task(inputs: tuple[int, int, int] = (3, 13, 11), outputs: int = 5) -> TaskSpec:
    channels = inputs[0]
    return TaskSpec(
        inputs=inputs,
        labels=tuple(f"class {i}" for i in range(outputs)),
        mean=tuple(0.3 + 0.1 * c for c in range(channels)),
        std=tuple(0.2 + 0.05 * c for c in range(channels)),
    )


class Draft:
    """Steps so far; each method appends one and gives its index."""

    def __init__(self, task: TaskSpec) -> None:
        self.steps: list[Step] = []
        self.task = task
        self.block = "input"
        self.group = 0
        self._add("input", (), task.inputs)
        self._add("normalize", (0,), task.inputs, mean=task.mean, std=task.std)

    def begin(self, block: str) -> None:
        self.block = block
        self.group += 1

    def _add(self, op: str, inputs: tuple[int, ...], shape: Shape, parameters: int = 0, **attributes: object) -> int:
        self.steps.append(
            Step(
                name=f"{op}{len(self.steps)}",
                op=op,
                inputs=inputs,
                shape=shape,
                attributes=attributes,
                parameters=parameters,
                address=f"network/{self.group}",
                block=self.block,
                group=self.group,
            )
        )
        return len(self.steps) - 1

    def conv(self, x: int, width: int, kernel: int = 3, stride: int = 1, groups: int = 1, bias: bool = False) -> int:
        channels, height, width_in = self.steps[x].shape
        padding = kernel // 2
        shape = (width, *((size + 2 * padding - kernel) // stride + 1 for size in (height, width_in)))
        return self._add(
            "conv",
            (x,),
            shape,
            width * (channels // groups) * kernel**2 + width * bias,
            kernel=(kernel, kernel),
            stride=(stride, stride),
            padding=(padding, padding),
            groups=groups,
            bias=bias,
        )

    def norm(self, x: int) -> int:
        return self._add("norm", (x,), self.steps[x].shape, 2 * self.steps[x].shape[0])

    def act(self, x: int, function: str = "relu") -> int:
        return self._add("activation", (x,), self.steps[x].shape, function=function)

    def pool(self, x: int, op: str, kernel: int, stride: int, padding: int) -> int:
        channels, *sizes = self.steps[x].shape
        shape = (channels, *((size + 2 * padding - kernel) // stride + 1 for size in sizes))
        pairs = {"kernel": (kernel, kernel), "stride": (stride, stride), "padding": (padding, padding)}
        return self._add(op, (x,), shape, **pairs)

    def global_pool(self, x: int) -> int:
        return self._add("global_pool", (x,), (self.steps[x].shape[0], 1, 1))

    def flatten(self, x: int) -> int:
        return self._add("flatten", (x,), (prod(self.steps[x].shape),))

    def linear(self, x: int, width: int, bias: bool = True) -> int:
        return self._add("linear", (x,), (width,), self.steps[x].shape[0] * width + width * bias, bias=bias)

    def dropout(self, x: int, rate: float = 0.3) -> int:
        return self._add("dropout", (x,), self.steps[x].shape, rate=rate)

    def add(self, *inputs: int) -> int:
        return self._add("add", inputs, self.steps[inputs[0]].shape)

    def mul(self, x: int, gate: int) -> int:
        return self._add("mul", (x, gate), self.steps[x].shape)

    def concat(self, *inputs: int) -> int:
        first = self.steps[inputs[0]].shape
        return self._add("concat", inputs, (sum(self.steps[i].shape[0] for i in inputs), *first[1:]))

    def zero(self, x: int, shape: Shape) -> int:
        return self._add("zero", (x,), shape)

    def head(self, x: int) -> Plan:
        self.begin("Classifier")
        self.linear(self.dropout(self.flatten(self.global_pool(x))), self.task.outputs)
        return Plan(tuple(self.steps))

    def conv_norm_act(self, x: int, width: int, function: str = "relu", **options: int) -> int:
        return self.act(self.norm(self.conv(x, width, **options)), function)


def residual(task: TaskSpec) -> Plan:
    """A stem and two residual blocks, one with a projection; 24k parameters at the default task."""
    draft = Draft(task)
    draft.begin("Conv 8, kernel 3")
    x = draft.conv_norm_act(1, 8)
    for width, stride in ((8, 1), (16, 2)):
        draft.begin(f"Residual {width}, stride {stride}")
        y = draft.conv_norm_act(x, width, stride=stride)
        y = draft.norm(draft.conv(y, width))
        shortcut = x if stride == 1 else draft.norm(draft.conv(x, width, kernel=1, stride=stride))
        x = draft.act(draft.add(y, shortcut))
    return draft.head(x)


def mbconv(task: TaskSpec) -> Plan:
    """MBConv with squeeze and excitation, h-swish, max pooling and an overlapping average pooling."""
    draft = Draft(task)
    draft.begin("Conv 8, kernel 3")
    x = draft.pool(draft.conv_norm_act(1, 8, "hswish"), "max_pool", 3, 2, 1)
    draft.begin("MBConv 8, kernel 5, expand 3")
    y = draft.conv_norm_act(x, 24, "hswish", kernel=1)
    y = draft.conv_norm_act(y, 24, "hswish", kernel=5, groups=24)
    gate = draft.act(draft.conv(draft.global_pool(y), 8, kernel=1, bias=True))
    gate = draft.act(draft.conv(gate, 24, kernel=1, bias=True), "hsigmoid")
    y = draft.norm(draft.conv(draft.mul(y, gate), 8, kernel=1))
    x = draft.add(x, y)
    draft.begin("Pool, average")
    x = draft.pool(x, "avg_pool", 3, 2, 1)
    return draft.head(x)


def cell(task: TaskSpec) -> Plan:
    """A pre-activation cell with many live tensors, sums of three, grouped convolutions, a zero edge and concat."""
    draft = Draft(task)
    draft.begin("Conv 8, kernel 3")
    x = draft.conv(1, 8, bias=True)
    draft.begin("Cell of 4 nodes")
    a = draft.conv(draft.act(draft.norm(x), "gelu"), 8, groups=4)
    b = draft.add(draft.pool(x, "avg_pool", 3, 1, 1), a, a, draft.zero(x, draft.steps[a].shape))
    c = draft.add(draft.act(draft.conv(b, 8), "silu"), x)
    d = draft.act(draft.norm(draft.add(a, c)), "tanh")
    x = draft.concat(b, c, d)
    draft.begin("Reduce")
    x = draft.conv_norm_act(x, 16, "relu6", kernel=2, stride=2)
    return draft.head(x)


def mlp(task: TaskSpec) -> Plan:
    """Linear layers on the pixels, with normalisation over features and every activation that there is."""
    draft = Draft(task)
    draft.begin("Flatten")
    x = draft.flatten(1)
    for function in ACTIVATIONS:
        draft.begin(f"Linear 12, {function}")
        x = draft.act(draft.norm(draft.linear(x, 12, bias=False)), function)
    y = draft.norm(draft.act(draft.linear(x, 6)))
    x = draft.concat(x, y)
    draft.begin("Classifier")
    draft.linear(draft.dropout(x), task.outputs)
    return Plan(tuple(draft.steps))


PLANS = {"residual": residual, "mbconv": mbconv, "cell": cell, "mlp": mlp}


def lived_in_weights(plan: Plan, seed: int = 0) -> dict[str, Any]:
    """Weights as after training: no normalisation is the identity, no bias zero."""
    generator = np.random.default_rng(seed)
    weights = random_weights(plan, seed)
    for name, array in weights.items():
        if array.ndim == 1:
            noise = generator.uniform(0.5, 1.5, array.shape) if name.endswith(("weight", "var")) else array
            weights[name] = (noise + generator.normal(0, 0.1, array.shape)).astype(np.float32)
    return weights
