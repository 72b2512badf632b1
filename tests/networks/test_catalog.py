"""Every space of the catalogue: module, ONNX file and source of sampled candidates are one network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from netwright.core.plan import Plan
from netwright.core.seeding import stream
from netwright.core.task import TaskSpec
from netwright.networks.build import build
from netwright.spaces.catalog import CATALOG, make_space
from netwright.spaces.shapes import plan
from tests.networks import test_onnx, test_source
from tests.networks.plans import make_task

TASKS = {"colour": make_task((3, 20, 17), 4), "grey": make_task((1, 8, 8), 10), "small": make_task((1, 5, 6), 2)}
SAMPLES = 4


def sampled(space: str, task: TaskSpec) -> list[Plan]:
    """Plans of the reference, where there is one, and of random candidates of at most two million parameters."""
    made = make_space(space, task)
    random = stream(0, space, *task.inputs)
    candidates = [made.sample(random) for _ in range(SAMPLES)]
    if made.reference is not None:
        candidates.append(made.reference)
    plans = [plan(candidate.architecture, task) for candidate in candidates if candidate.architecture is not None]
    return [found for found in plans if found.parameters < 2_000_000]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("space", CATALOG)
def test_module_and_onnx_agree(space: str, task: str) -> None:
    plans = sampled(space, TASKS[task])
    assert plans
    for found in plans:
        test_onnx.compare(found, TASKS[task])


@pytest.mark.parametrize("space", CATALOG)
def test_module_and_source_agree(space: str, tmp_path: Path) -> None:
    for found in sampled(space, TASKS["colour"]):
        test_source.assert_tidy(test_source.compare(found, TASKS["colour"], tmp_path), tmp_path)


@pytest.mark.parametrize("space", CATALOG)
def test_arithmetic_agrees_with_torch(space: str) -> None:
    """Multiply-accumulates of the plan are exactly those torch counts; `build` itself compares the parameters."""
    task = TASKS["colour"]
    for found in sampled(space, task):
        network = build(found, task).eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.zeros(1, *task.inputs, dtype=torch.uint8))
        assert counter.get_total_flops() == 2 * found.macs
