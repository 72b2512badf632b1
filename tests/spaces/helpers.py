"""What the tests of spaces share: tasks, and a small interpreter that runs a plan in torch."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from netwright.core.candidate import Architecture
from netwright.core.errors import CandidateError
from netwright.core.plan import Plan
from netwright.core.task import TaskSpec
from netwright.spaces.shapes import plan


def task(channels: int = 1, height: int = 28, width: int = 28, classes: int = 10) -> TaskSpec:
    labels = tuple(f"class {number}" for number in range(classes))
    return TaskSpec((channels, height, width), labels, (0.4,) * channels, (0.2,) * channels)


def plan_or_error(architecture: Architecture, spec: TaskSpec) -> Plan | CandidateError:
    """The plan, or why there is none."""
    try:
        return plan(architecture, spec)
    except CandidateError as error:
        return error


FUNCTIONS = {
    "relu": functional.relu,
    "relu6": functional.relu6,
    "hswish": functional.hardswish,
    "silu": functional.silu,
    "gelu": functional.gelu,
    "sigmoid": torch.sigmoid,
    "hsigmoid": functional.hardsigmoid,
    "tanh": torch.tanh,
}


class Interpreter(nn.Module):
    """Runs a plan step by step and checks every shape that it promises."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        self.weights = nn.ModuleDict()
        for step in plan.steps:
            a = step.attributes
            if step.op == "conv":
                channels = plan.steps[step.inputs[0]].shape[0]
                self.weights[step.name] = nn.Conv2d(
                    channels, step.shape[0], a["kernel"], a["stride"], a["padding"], groups=a["groups"], bias=a["bias"]
                )
            elif step.op == "linear":
                self.weights[step.name] = nn.Linear(plan.steps[step.inputs[0]].shape[0], step.shape[0], a["bias"])
            elif step.op == "norm":
                self.weights[step.name] = (nn.BatchNorm2d if len(step.shape) == 3 else nn.BatchNorm1d)(step.shape[0])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        values: list[torch.Tensor] = []
        for step in self.plan.steps:
            values.append(self.run(step, [values[i] for i in step.inputs], images))
            assert tuple(values[-1].shape[1:]) == step.shape, step
        return values[-1]

    def run(self, step, x, images):
        a = step.attributes
        match step.op:
            case "input":
                return images
            case "normalize":
                mean, std = (torch.tensor(a[name], dtype=images.dtype)[:, None, None] for name in ("mean", "std"))
                return (x[0] / 255 - mean) / std
            case "conv" | "linear" | "norm":
                return self.weights[step.name](x[0])
            case "activation":
                return FUNCTIONS[a["function"]](x[0])
            case "max_pool":
                return functional.max_pool2d(x[0], a["kernel"], a["stride"], a["padding"])
            case "avg_pool":
                return functional.avg_pool2d(x[0], a["kernel"], a["stride"], a["padding"], count_include_pad=False)
            case "global_pool":
                return x[0].mean((2, 3), keepdim=True)
            case "flatten":
                return x[0].flatten(1)
            case "dropout":
                return functional.dropout(x[0], a["rate"], self.training)
            case "add":
                return sum(x[1:], x[0])
            case "mul":
                return x[0] * x[1]
            case "concat":
                return torch.cat(x, 1)
        raise AssertionError(f"the plan holds an operation that core.plan does not know: {step.op}")
