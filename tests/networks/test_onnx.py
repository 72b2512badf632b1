from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from netwright.core.errors import CandidateError
from netwright.core.plan import Plan
from netwright.core.task import TaskSpec
from netwright.networks.build import build
from netwright.networks.onnx import to_onnx
from netwright.networks.weights import random_weights
from tests.networks.plans import PLANS, Draft, lived_in_weights, make_task
from tests.networks.test_build import altered

TASK = make_task()


def session(content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def compare(plan: Plan, task: TaskSpec) -> None:
    """ONNX and torch agree within 1e-4 of the largest logit for batches of 1, 2 and 7."""
    weights = lived_in_weights(plan)
    network = build(plan, task).eval()
    network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    content = to_onnx(plan, task, weights)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    runtime = session(content)
    assert [(i.name, i.type) for i in runtime.get_inputs()] == [("images", "tensor(uint8)")]
    assert [(o.name, o.type) for o in runtime.get_outputs()] == [("logits", "tensor(float)")]
    for batch in (1, 2, 7):
        images = np.random.default_rng(batch).integers(0, 256, (batch, *task.inputs), np.uint8)
        with torch.no_grad():
            expected = network(torch.from_numpy(images)).numpy()
        (logits,) = runtime.run(["logits"], {"images": images})
        assert logits.shape == (batch, task.outputs)
        assert np.abs(logits - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("inputs", [(3, 13, 11), (1, 8, 8)])
@pytest.mark.parametrize("name", PLANS)
def test_onnx_agrees_with_torch(name: str, inputs: tuple[int, int, int]) -> None:
    task = make_task(inputs)
    compare(PLANS[name](task), task)


def test_normalisation_is_folded_where_it_can_be() -> None:
    folded = onnx.load_from_string(to_onnx(PLANS["mbconv"](TASK), TASK, random_weights(PLANS["mbconv"](TASK), 0)))
    assert "BatchNormalization" not in {node.op_type for node in folded.graph.node}
    kept = onnx.load_from_string(to_onnx(PLANS["cell"](TASK), TASK, random_weights(PLANS["cell"](TASK), 0)))
    assert [node.op_type for node in kept.graph.node].count("BatchNormalization") == 2


def test_a_convolution_with_two_readers_keeps_its_normalisation() -> None:
    draft = Draft(TASK)
    conv = draft.conv(1, 8)
    plan = draft.head(draft.add(conv, draft.norm(conv)))
    content = onnx.load_from_string(to_onnx(plan, TASK, random_weights(plan, 0)))
    assert [node.op_type for node in content.graph.node].count("BatchNormalization") == 1
    compare(plan, TASK)


@pytest.mark.parametrize("ending", ["dropout", "norm", "norm after activation"])
def test_the_output_is_logits_whatever_the_last_step_is(ending: str) -> None:
    draft = Draft(TASK)
    x = draft.linear(draft.flatten(draft.global_pool(draft.conv(1, 8))), TASK.outputs)
    x = draft.act(x) if "after" in ending else x
    _ = draft.dropout(x) if ending == "dropout" else draft.norm(x)
    compare(Plan(tuple(draft.steps)), TASK)


def test_onnx_is_a_function_of_plan_and_weights() -> None:
    plan = PLANS["mbconv"](TASK)
    weights = random_weights(plan, 0)
    content = to_onnx(plan, TASK, weights)
    tensors = {name: torch.from_numpy(weights[name]) for name in reversed(weights)}
    assert to_onnx(plan, TASK, tensors) == content
    assert to_onnx(plan, TASK, random_weights(plan, 1)) != content


@pytest.mark.attack(2)
def test_unknown_operation_is_not_written() -> None:
    plan = altered(PLANS["residual"](TASK), "add", op="os.system", address="network/2")
    with pytest.raises(CandidateError, match="^network/2: the operation must be one"):
        to_onnx(plan, TASK, random_weights(plan, 0))


def test_writing_onnx_needs_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys; import netwright.networks.onnx; print('torch' in sys.modules)"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "False"
