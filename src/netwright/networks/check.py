"""Whether a plan holds together: every declared shape and number of parameters, by arithmetic of its own.

Independent of the arithmetic in `spaces`, and without torch: running the network on torch's `meta` device would show
the same, many times slower.
"""

from __future__ import annotations

from math import prod

from netwright.core.errors import CandidateError
from netwright.core.plan import Plan, Shape, Step
from netwright.core.task import TaskSpec
from netwright.networks.weights import weight_shapes


def check_plan(plan: Plan, task: TaskSpec) -> None:
    """Raises CandidateError, with the address of the step at fault, where the plan is no network for the task."""
    if not plan.steps or plan.steps[0].op != "input" or plan.steps[0].shape != task.inputs:
        raise CandidateError(f"a plan must begin with an input of shape {task.inputs}")
    last = plan.steps[-1]
    if last.shape != (task.outputs,):
        raise CandidateError(
            f"a plan must end with {task.outputs} logits, but ends with shape {last.shape}", last.address
        )
    for index, step in enumerate(plan.steps[1:], start=1):
        if not step.inputs or not all(0 <= source < index for source in step.inputs):
            raise CandidateError(f"step {step.name!r} must read earlier steps, but reads {step.inputs}", step.address)
        sources = [plan.steps[source].shape for source in step.inputs]
        expected = output_shape(step, sources)
        if expected != step.shape:
            raise CandidateError(f"step {step.name!r} must have shape {expected}, not {step.shape}", step.address)
    _check_parameters(plan)


def output_shape(step: Step, sources: list[Shape]) -> Shape:
    """The shape that a step gives for inputs of these shapes. Raises CandidateError when it cannot take them."""
    first = sources[0]
    match step.op:
        case "normalize" if len(step.attributes["mean"]) == len(step.attributes["std"]) == first[0]:
            return first
        case "conv" if len(first) == 3 and _divides(step.attributes["groups"], first[0], step.shape[0]):
            return _window(step, (step.shape[0], *first[1:]))
        case "max_pool" | "avg_pool" if len(first) == 3 and _narrow(step):
            return _window(step, first)
        case "global_pool" if len(first) == 3:
            return first[0], 1, 1
        case "flatten":
            return (prod(first),)
        case "linear" if len(first) == 1:
            return (step.shape[0],)
        case "norm" | "activation" | "dropout":
            return first
        case "add" if len(sources) > 1 and len(set(sources)) == 1:
            return first
        case "mul" if len(sources) == 2 and sources[1] in (first, (first[0], 1, 1)):
            return first
        case "concat" if len({source[1:] for source in sources}) == 1:
            return (sum(source[0] for source in sources), *first[1:])
        case "zero":
            return step.shape
        case op if op in _TAKES:
            given = " and ".join(str(source) for source in sources)
            raise CandidateError(f"step {step.name!r} must take {_TAKES[op]}, but is given {given}", step.address)
    raise CandidateError(f"the operation must be one that core.plan lists, but got {step.op!r}", step.address)


_TAKES = {
    "normalize": "an image with a mean and deviation a channel",
    "conv": "an image whose channels the groups divide, as they divide the width",
    "max_pool": "an image, with a padding of at most half the kernel",
    "avg_pool": "an image, with a padding of at most half the kernel",
    "global_pool": "an image",
    "linear": "a vector",
    "add": "two or more inputs of one shape",
    "mul": "two inputs, the second of the same shape or (channels, 1, 1)",
    "concat": "inputs of one height and width",
}


def _divides(groups: int, *channels: int) -> bool:
    return groups >= 1 and all(count % groups == 0 for count in channels)


def _narrow(step: Step) -> bool:
    """Torch and ONNX runtimes refuse a window that may lie on padding alone."""
    return all(2 * p <= k for p, k in zip(step.attributes["padding"], step.attributes["kernel"], strict=True))


def _window(step: Step, shape: Shape) -> Shape:
    """(channels, height, width) after a window slid over an image of that shape."""
    attributes = step.attributes
    sides = []
    for axis, size in enumerate(shape[1:]):
        kernel, stride, padding = (attributes[name][axis] for name in ("kernel", "stride", "padding"))
        if min(kernel, stride) < 1 or padding < 0 or size + 2 * padding < kernel:
            raise CandidateError(f"step {step.name!r} must have a window that fits in {shape[1:]}", step.address)
        sides.append((size + 2 * padding - kernel) // stride + 1)
    return (shape[0], *sides)


def _check_parameters(plan: Plan) -> None:
    numbers = dict.fromkeys((step.name for step in plan.steps), 0)
    for name, shape in weight_shapes(plan).items():
        owner, _, part = name.rpartition(".")
        numbers[owner] += prod(shape) if part in ("weight", "bias") else 0
    for step in plan.steps:
        if numbers[step.name] != step.parameters:
            raise CandidateError(
                f"step {step.name!r} must have {numbers[step.name]} parameters, not {step.parameters}", step.address
            )
