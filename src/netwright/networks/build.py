"""A plan becomes a torch module.

Each step is one submodule under its own name, so that weights are `{step.name}.weight`. Shapes are checked by
arithmetic (`check.py`), then the module is made on the `meta` device, which costs no memory, and its parameters are
counted; only then does a real tensor exist.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor, nn

from netwright.core.errors import CandidateError
from netwright.core.plan import Plan, Shape, Step
from netwright.core.task import TaskSpec
from netwright.networks.check import check_plan
from netwright.networks.weights import random_weights


class Normalize(nn.Module):
    """(x / 255 - mean) / std per channel, in float32. Takes integers, or floats on the same scale of 0 to 255."""

    scale: Tensor
    shift: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.mean = mean
        self.std = std
        self.register_buffer("scale", torch.empty(1, len(mean), 1, 1), persistent=False)
        self.register_buffer("shift", torch.empty(1, len(mean), 1, 1), persistent=False)

    def fill(self) -> None:
        """Writes the constants, which are not part of the state dict."""
        mean, std = torch.tensor(self.mean, dtype=torch.float64), torch.tensor(self.std, dtype=torch.float64)
        self.scale.copy_((1 / (255 * std)).view(1, -1, 1, 1))
        self.shift.copy_((-mean / std).view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """(batch, channels, height, width) to the same shape, float32."""
        return images.to(self.scale.dtype) * self.scale + self.shift


class GlobalPool(nn.Module):
    """Mean over height and width: (batch, channels, height, width) to (batch, channels, 1, 1)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keepdim=True)


class Add(nn.Module):
    """Sum of two or more tensors of one shape."""

    def forward(self, first: Tensor, *others: Tensor) -> Tensor:
        for other in others:
            first = first + other
        return first


class Multiply(nn.Module):
    """Product of two tensors; the second may be (batch, channels, 1, 1)."""

    def forward(self, x: Tensor, gate: Tensor) -> Tensor:
        return x * gate


class Concat(nn.Module):
    """Tensors side by side along channels or features."""

    def forward(self, *parts: Tensor) -> Tensor:
        return torch.cat(parts, dim=1)


class Zero(nn.Module):
    """Zeros of a fixed shape, for as many examples as the input has."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.new_zeros((len(x), *self.shape))


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "hswish": nn.Hardswish,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "sigmoid": nn.Sigmoid,
    "hsigmoid": nn.Hardsigmoid,
    "tanh": nn.Tanh,
}

OVERWRITABLE = ("conv", "norm", "linear", "add", "concat")
"""Operations whose gradient does not need their output, so that a ReLU after them may work in place."""


def build(plan: Plan, task: TaskSpec, *, seed: int = 0) -> Network:
    """The network of `plan` on the CPU, in training mode, with fresh weights from `seed`.

    Raises CandidateError with the address of the step at fault when an operation is not known, a shape is not what
    the plan declares, or the number of parameters differs.
    """
    check_plan(plan, task)
    with torch.device("meta"):
        network = Network(plan)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    if parameters != plan.parameters:
        raise CandidateError(f"the network must have {plan.parameters} parameters, but has {parameters}")
    network.to_empty(device="cpu")
    reset(network, seed)
    return network


def reset(network: Network, seed: int) -> None:
    """Draws fresh weights in place; the same seed gives the same weights on every device (`random_weights`).

    The global random state is neither read nor changed.
    """
    with torch.no_grad():
        state = network.state_dict()
        for name, array in random_weights(network.plan, seed).items():
            state[name].copy_(torch.from_numpy(array))
        for module in network.modules():
            if isinstance(module, Normalize):
                module.fill()


class Network(nn.Module):
    """Runs the steps of a plan in order and lets go of each activation after its last use.

    Takes images of 0 to 255, (batch, channels, height, width), and gives float32 logits, (batch, outputs).
    Made by `build`.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        last_use = {source: index for index, step in enumerate(plan.steps) for source in step.inputs}
        self._released: list[list[int]] = [[] for _ in plan.steps]
        for source, index in last_use.items():
            self._released[index].append(source)
        readers = Counter(source for step in plan.steps for source in step.inputs)
        for step in plan.steps[1:]:
            sources = [plan.steps[source] for source in step.inputs]
            overwrite = readers[step.inputs[0]] == 1 and sources[0].op in OVERWRITABLE
            self._add(step, [source.shape for source in sources], overwrite)

    def _add(self, step: Step, sources: list[Shape], overwrite: bool) -> None:
        if not step.name.isidentifier() or hasattr(self, step.name):
            raise CandidateError(f"the name of a step must be new and an identifier, not {step.name!r}", step.address)
        module = _module(step, sources)
        if overwrite and isinstance(module, nn.ReLU | nn.ReLU6):
            module.inplace = True
        self.add_module(step.name, module)

    def forward(self, images: Tensor) -> Tensor:
        values: list[Tensor | None] = [images]
        for step, released in zip(self.plan.steps[1:], self._released[1:], strict=True):
            values.append(self._modules[step.name](*[values[source] for source in step.inputs]))  # type: ignore[misc]
            for source in released:
                values[source] = None
        logits = values[-1]
        return logits.float()  # type: ignore[union-attr]  # the last step is never released


def _module(step: Step, sources: list[Shape]) -> nn.Module:
    """The module of one step, from the shapes it reads."""
    attributes = step.attributes
    match step.op:
        case "normalize":
            return Normalize(attributes["mean"], attributes["std"])
        case "conv":
            return nn.Conv2d(
                sources[0][0],
                step.shape[0],
                attributes["kernel"],
                stride=attributes["stride"],
                padding=attributes["padding"],
                groups=attributes["groups"],
                bias=attributes["bias"],
            )
        case "norm":
            return nn.BatchNorm2d(step.shape[0]) if len(step.shape) == 3 else nn.BatchNorm1d(step.shape[0])
        case "activation" if attributes["function"] in ACTIVATIONS:
            return ACTIVATIONS[attributes["function"]]()
        case "activation":
            known = ", ".join(ACTIVATIONS)
            raise CandidateError(f"an activation must be one of {known}, not {attributes['function']!r}", step.address)
        case "max_pool":
            return nn.MaxPool2d(attributes["kernel"], attributes["stride"], attributes["padding"])
        case "avg_pool":
            return nn.AvgPool2d(
                attributes["kernel"], attributes["stride"], attributes["padding"], count_include_pad=False
            )
        case "global_pool":
            return GlobalPool()
        case "flatten":
            return nn.Flatten()
        case "linear":
            return nn.Linear(sources[0][0], step.shape[0], bias=attributes["bias"])
        case "dropout":
            return nn.Dropout(attributes["rate"])
        case "add":
            return Add()
        case "mul":
            return Multiply()
        case "concat":
            return Concat()
        case "zero":
            return Zero(step.shape)
    raise CandidateError(f"the operation must be one that core.plan lists, but got {step.op!r}", step.address)
