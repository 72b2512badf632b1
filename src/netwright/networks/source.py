"""A plan becomes a Python file that a person reads: plain PyTorch, one class, no netwright.

Every weight keeps its name of the plan, so that `weights.safetensors` loads as it is. A convolution, its
normalisation and its activation make one line; a value is called `x` unless `x` is still needed. The text is as
`ruff format` leaves it. Nothing that comes from data is written into code: class names stay in `labels.json`, step
names must be identifiers, numbers are written as numbers, and names of blocks only occur in comments, on one line.
"""

from __future__ import annotations

import keyword
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from netwright.core.errors import CandidateError
from netwright.core.plan import Plan, Step
from netwright.core.task import TaskSpec
from netwright.core.text import plain

WIDTH = 88
"""Of a line; what ruff and black take by default, since the file leaves this project."""

ACTIVATIONS = {
    "relu": "F.relu",
    "relu6": "F.relu6",
    "hswish": "F.hardswish",
    "silu": "F.silu",
    "gelu": "F.gelu",
    "sigmoid": "torch.sigmoid",
    "hsigmoid": "F.hardsigmoid",
    "tanh": "torch.tanh",
}

_RESERVED = {"mean", "std", "training", "forward"}


def to_source(plan: Plan, task: TaskSpec) -> str:
    """The text of `model.py`: a class `Network`, `load(folder)`, and a `main` that labels image files.

    Raises CandidateError, with the address of the step, for an operation that is not known or a step name that is
    not an identifier.
    """
    _check_names(plan)
    forward = "\n".join(_Forward(plan).lines()).removeprefix("\n")
    modules = "\n".join(_definitions(plan))
    channels, height, width = task.inputs
    return _FILE.format(
        channels=channels,
        height=height,
        width=width,
        outputs=task.outputs,
        parameters=f"{plan.parameters:,}",
        functional="import torch.nn.functional as F\n" if "F." in forward else "",
        statistics="\n".join(_statistics(plan)),
        modules=modules,
        forward=forward,
    )


def _check_names(plan: Plan) -> None:
    seen = set(_RESERVED)
    for step in plan.steps:
        if not (step.name.isidentifier() and step.name.isascii()) or keyword.iskeyword(step.name) or step.name in seen:
            raise CandidateError(f"the name of a step must be new and an identifier, not {step.name!r}", step.address)
        seen.add(step.name)


def _statistics(plan: Plan) -> Iterator[str]:
    """Mean and deviation of the pixels, as constants."""
    step = next((step for step in plan.steps if step.op == "normalize"), None)
    if step is None:
        raise CandidateError("a plan must normalise its input, but has no such step")
    for name in ("mean", "std"):
        numbers = ", ".join(repr(float(value)) for value in step.attributes[name])
        line = f"{name.upper()} = [{numbers}]"
        if len(line) <= WIDTH:
            yield line
        else:
            lines = textwrap.wrap(numbers, WIDTH - 4, initial_indent="    ", subsequent_indent="    ")
            yield "\n".join(["# fmt: off", f"{name.upper()} = [", *lines, "]", "# fmt: on"])


def _definitions(plan: Plan) -> Iterator[str]:
    """The lines of `__init__` that make the layers with weights, a comment before each block."""
    group = None
    for step in plan.steps:
        arguments = _arguments(step, plan)
        if arguments is None:
            continue
        if step.group != group:
            yield from _comment(step)
        group = step.group
        kind, values = arguments
        yield from _layout(f"        self.{step.name} = nn.{kind}", values)


def _arguments(step: Step, plan: Plan) -> tuple[str, list[str]] | None:
    """Class and arguments of the layer of a step; None when it has no weights."""
    attributes = step.attributes
    outputs = str(int(step.shape[0]))
    match step.op:
        case "conv":
            values = [
                str(int(plan.steps[step.inputs[0]].shape[0])),
                outputs,
                f"kernel_size={_pair(attributes['kernel'])}",
            ]
            if tuple(attributes["stride"]) != (1, 1):
                values.append(f"stride={_pair(attributes['stride'])}")
            if tuple(attributes["padding"]) != (0, 0):
                values.append(f"padding={_pair(attributes['padding'])}")
            if attributes["groups"] != 1:
                values.append(f"groups={int(attributes['groups'])}")
            return "Conv2d", values if attributes["bias"] else [*values, "bias=False"]
        case "norm":
            return "BatchNorm2d" if len(step.shape) == 3 else "BatchNorm1d", [outputs]
        case "linear":
            values = [str(int(plan.steps[step.inputs[0]].shape[0])), outputs]
            return "Linear", values if attributes["bias"] else [*values, "bias=False"]
    return None


class _Forward:
    """Writes the body of `forward`, giving values names as it goes."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.readers: list[list[int]] = [[] for _ in plan.steps]
        for index, step in enumerate(plan.steps):
            for source in step.inputs:
                self.readers[source].append(index)
        self.names: dict[int, str] = {0: "images"}
        self.holders: dict[str, int] = {}

    def lines(self) -> Iterator[str]:
        """The statements, a comment before each block."""
        group: int | None = None
        for first, last in self._statements():
            step = self.plan.steps[last]
            if step.group != group:
                yield from _comment(step)
            group = step.group
            text = self._chain(first, last)
            if last == len(self.plan.steps) - 1:
                yield f"        return {text}"
            else:
                self.names[last] = self._name(last)
                yield from self._statement(last, text)

    def _statements(self) -> Iterator[tuple[int, int]]:
        """Runs of steps, first and last, that make one line each. Names are given between two of them."""
        first = 1
        for index in range(1, len(self.plan.steps)):
            following = index + 1
            joined = (
                following < len(self.plan.steps)
                and self._joins(index)
                and len(self._chain(first, following)) + len("        return ") <= WIDTH
            )
            if not joined:
                yield first, index
                first = following

    def _joins(self, index: int) -> bool:
        """Whether the next step reads nothing but this one, alone, and belongs on its line."""
        step, following = self.plan.steps[index], self.plan.steps[index + 1]
        alone = self.readers[index] == [index + 1] and following.inputs == (index,)
        together = alone and step.group == following.group
        return together and following.op in ("norm", "activation") and step.op not in ("activation", "normalize")

    def _chain(self, first: int, last: int) -> str:
        """The expression of steps `first` to `last`, each reading the one before."""
        values = [self.names[source] for source in self.plan.steps[first].inputs]
        text = _expression(self.plan.steps[first], values)
        for index in range(first + 1, last + 1):
            text = _expression(self.plan.steps[index], [text])
        return text

    def _name(self, index: int) -> str:
        """The first letter whose value nobody reads after step `index`."""
        name = next(letter for letter in _letters() if self._free(letter, index))
        self.holders[name] = index
        return name

    def _free(self, letter: str, index: int) -> bool:
        return letter not in self.holders or all(reader <= index for reader in self.readers[self.holders[letter]])

    def _statement(self, index: int, text: str) -> Iterable[str]:
        start = f"        {self.names[index]} = "
        if len(start + text) <= WIDTH or self.plan.steps[index].op not in ("add", "concat"):
            return [start + text]
        operands = [self.names[source] for source in self.plan.steps[index].inputs]
        if self.plan.steps[index].op == "add":
            return _layout(f"{start}sum", [operands])
        return _layout(f"{start}torch.cat", [operands, "dim=1"])


def _expression(step: Step, values: Sequence[str]) -> str:
    """What a step computes from expressions of its inputs."""
    attributes = step.attributes
    x = values[0]
    match step.op:
        case "normalize":
            return f"({x} / 255 - self.mean) / self.std"
        case "conv" | "norm" | "linear":
            return f"self.{step.name}({x})"
        case "activation" if attributes["function"] in ACTIVATIONS:
            return f"{ACTIVATIONS[attributes['function']]}({x})"
        case "max_pool" | "avg_pool":
            options = f"{_pair(attributes['kernel'])}, stride={_pair(attributes['stride'])}"
            if tuple(attributes["padding"]) != (0, 0):
                options += f", padding={_pair(attributes['padding'])}"
                options += ", count_include_pad=False" if step.op == "avg_pool" else ""
            return f"F.{step.op}2d({x}, {options})"
        case "global_pool":
            return f"{x}.mean((2, 3), keepdim=True)"
        case "flatten":
            return f"{x}.flatten(1)"
        case "dropout":
            return f"F.dropout({x}, {float(attributes['rate'])!r}, self.training)"
        case "add":
            return " + ".join(values)
        case "mul":
            return " * ".join(values)
        case "concat":
            return f"torch.cat([{', '.join(values)}], dim=1)"
        case "zero":
            return f"{x}.new_zeros(len({x}), {', '.join(str(int(size)) for size in step.shape)})"
    raise CandidateError(f"the operation must be one that core.plan lists, but got {step.op!r}", step.address)


def _letters() -> Iterator[str]:
    yield from "xyzuvwabcde"
    number = 1
    while True:
        yield f"h{number}"
        number += 1


def _pair(value: Sequence[int]) -> str:
    """A number for equal sides, else a tuple."""
    height, width = (int(side) for side in value)
    return str(height) if height == width else f"({height}, {width})"


def _comment(step: Step) -> Iterator[str]:
    """A blank line and the name of the block, cut to one line."""
    yield ""
    if text := plain(step.block):
        yield "        # " + textwrap.shorten(text, WIDTH - 10, placeholder=" …")


def _layout(start: str, arguments: Sequence[str | list[str]]) -> Iterator[str]:
    """A call as ruff lays it out: on one line, with the arguments on a line of their own, or one a line.

    A list among the arguments stands for a list display.
    """
    indent = " " * (len(start) - len(start.lstrip()))
    flat = ", ".join(f"[{', '.join(entry)}]" if isinstance(entry, list) else entry for entry in arguments)
    if len(start) + len(flat) + 2 <= WIDTH:
        yield f"{start}({flat})"
        return
    yield f"{start}("
    if len(indent) + 4 + len(flat) <= WIDTH:
        yield f"{indent}    {flat}"
    else:
        comma = "," if len(arguments) > 1 else ""
        for entry in arguments:
            if isinstance(entry, list):
                yield f"{indent}    ["
                yield from (f"{indent}        {operand}," for operand in entry)
                yield f"{indent}    ]{comma}"
            else:
                yield f"{indent}    {entry},"
    yield f"{indent})"


_FILE = '''\
"""A network that sorts {channels} x {height} x {width} images into {outputs} classes. {parameters} parameters.

Plain PyTorch, written by netwright. Needs torch, safetensors, numpy and Pillow, and the
files beside it: weights.safetensors, labels.json, decode.json and decode.py.

    python model.py PICTURE ...
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
{functional}from torch import Tensor, nn

# Mean and standard deviation of the training pixels, a channel, scaled to 0 to 1.
{statistics}


class Network(nn.Module):
    """Takes pixels of 0 to 255, (batch, {channels}, {height}, {width}); gives (batch, {outputs}) logits."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        mean, std = torch.tensor(MEAN), torch.tensor(STD)
        self.register_buffer("mean", mean.view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", std.view(1, -1, 1, 1), persistent=False)
{modules}

    def forward(self, images: Tensor) -> Tensor:
{forward}


def load(folder: str | Path = Path(__file__).parent) -> Network:
    """The network with its trained weights, in evaluation mode."""
    from safetensors.torch import load_file

    network = Network()
    network.load_state_dict(load_file(Path(folder) / "weights.safetensors"))
    return network.eval()


def main() -> None:
    """Prints file, label and probability of each picture named on the command line."""
    from decode import DecodeSettings, load_image

    folder = Path(__file__).parent
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    record = json.loads((folder / "decode.json").read_text(encoding="utf-8"))
    settings = DecodeSettings.from_json(record)
    network = load(folder)
    for path in sys.argv[1:]:
        pixels = torch.tensor(load_image(path, settings)).permute(2, 0, 1)
        with torch.inference_mode():
            probabilities = network(pixels[None]).softmax(dim=1)[0]
        best = int(probabilities.argmax())
        print(path, labels[best], f"{{probabilities[best]:.4f}}", sep="\\t")


if __name__ == "__main__":
    main()
'''
