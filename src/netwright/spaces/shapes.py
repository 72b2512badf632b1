"""The plan of a network, and its costs: every size by arithmetic, every limit checked before a tensor exists."""

from __future__ import annotations

from dataclasses import dataclass

from netwright.core.candidate import Architecture
from netwright.core.errors import CandidateError
from netwright.core.plan import Plan
from netwright.core.task import TaskSpec
from netwright.spaces.keys import canonical
from netwright.spaces.layers import check_layers
from netwright.spaces.lowering import Steps, lower


@dataclass(frozen=True, slots=True)
class Costs:
    """What a network costs without being trained: trainable numbers, and multiply-accumulates for one image."""

    parameters: int
    macs: int


def plan(architecture: Architecture, task: TaskSpec) -> Plan:
    """The primitive steps of a network for a task, in canonical order, with a linear classifier at the end.

    It is a function of the architecture's key and the task. Stored layers are checked first, so that a description
    from outside can do no harm. Raises CandidateError naming the address at fault: no path from input to output, a
    layer that does not fit its input, too many layers, parameters or activations.
    """
    check_layers(architecture.layers)
    graph, _ = canonical(architecture.layers)
    if not graph.nodes:
        raise CandidateError("there is no path from the input to the output", graph.cut)
    steps = Steps(task)
    outputs: list[int] = []
    for node in graph.nodes:
        outputs.append(lower(steps, node, tuple(outputs[source] for source in node.inputs)))
    steps.begin("head", f"Linear {task.outputs}")
    steps.linear(outputs[-1], task.outputs)
    return Plan(tuple(steps.steps))


def costs(architecture: Architecture, task: TaskSpec) -> Costs:
    """Parameters and MACs of a network for a task. Raises CandidateError as `plan` does."""
    planned = plan(architecture, task)
    return Costs(planned.parameters, planned.macs)
