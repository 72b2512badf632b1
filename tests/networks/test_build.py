from __future__ import annotations

import copy
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from netwright.core.errors import CandidateError
from netwright.core.plan import Plan
from netwright.networks.build import Normalize, build, reset
from netwright.networks.weights import check_weights, random_weights, weight_shapes
from tests.networks.plans import PLANS, Draft, make_task

TASK = make_task()


def images(count: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.randint(
        0, 256, (count, *TASK.inputs), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )


@pytest.mark.parametrize("name", PLANS)
def test_network_takes_bytes_and_trains_all_its_parameters(name: str) -> None:
    plan = PLANS[name](TASK)
    network = build(plan, TASK)
    logits = network(images())
    assert logits.shape == (4, TASK.outputs) and logits.dtype == torch.float32
    assert sum(p.numel() for p in network.parameters()) == plan.parameters
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 3])).backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), parameter_name


@pytest.mark.parametrize("name", PLANS)
def test_state_dict_names_follow_the_steps(name: str) -> None:
    plan = PLANS[name](TASK)
    state = build(plan, TASK).state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == weight_shapes(plan)
    assert list(state) == list(weight_shapes(plan))


def test_pixels_are_normalised_with_the_statistics_of_the_task() -> None:
    network = build(PLANS["mlp"](TASK), TASK)
    normalize = next(module for module in network.modules() if isinstance(module, Normalize))
    pixels = images()
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (TASK.mean, TASK.std))
    torch.testing.assert_close(normalize(pixels), (pixels / 255 - mean) / std)
    torch.testing.assert_close(normalize(pixels.float()), normalize(pixels))


@pytest.mark.parametrize("name", PLANS)
def test_channels_last_and_bfloat16_give_the_same_answers(name: str) -> None:
    network = build(PLANS[name](TASK), TASK).eval()
    with torch.no_grad():
        expected = network(images())
        network.to(memory_format=torch.channels_last)
        by_channels_last = network(images().contiguous(memory_format=torch.channels_last))
        with torch.autocast("cpu", torch.bfloat16):
            by_bfloat16 = network(images().contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(by_channels_last, expected, rtol=1e-4, atol=1e-4)
    assert by_bfloat16.dtype == torch.float32
    assert (by_bfloat16 - expected).abs().max() < 0.1 * expected.abs().max()


def test_activations_are_released_after_their_last_use() -> None:
    draft = Draft(TASK)
    x = 1
    for _ in range(20):
        x = draft.act(draft.conv(x, 8), "silu")
    network = build(draft.head(x), TASK).eval()
    given: list[weakref.ref[torch.Tensor]] = []
    most = 0

    def watch(_module: object, _inputs: object, output: torch.Tensor) -> None:
        nonlocal most
        if output.shape[2:] == TASK.inputs[1:]:
            given.append(weakref.ref(output))
        most = max(most, sum(reference() is not None for reference in given))

    for module in network.children():
        module.register_forward_hook(watch)
    with torch.no_grad():
        network(images())
    assert most == 2, "each activation of a chain has one reader, so only its input and output may live"


def test_a_relu_works_in_place_only_where_nobody_needs_its_input() -> None:
    draft = Draft(TASK)
    x = draft.act(draft.norm(draft.conv(1, 8)))  # in place
    y = draft.act(draft.add(x, draft.act(draft.norm(x), "relu6")))  # the sum: in place; the norm's: in place
    z = draft.act(draft.act(draft.conv(y, 8), "sigmoid"))  # the gradient of sigmoid needs its output
    network = build(draft.head(draft.add(z, draft.act(y))), TASK)  # y has two readers
    relus = [module for module in network.modules() if isinstance(module, torch.nn.ReLU | torch.nn.ReLU6)]
    assert [module.inplace for module in relus] == [True, True, True, False, False]
    pixels = images()
    torch.manual_seed(0)  # for dropout
    network(pixels).sum().backward()
    gradients = [parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None]
    network.zero_grad()
    for module in relus:
        module.inplace = False
    torch.manual_seed(0)
    network(pixels).sum().backward()
    for parameter, gradient in zip(network.parameters(), gradients, strict=True):
        assert parameter.grad is not None and torch.equal(parameter.grad, gradient)


def test_reset_depends_on_the_seed_alone() -> None:
    network = build(PLANS["residual"](TASK), TASK, seed=3)
    first = copy.deepcopy(network.state_dict())
    torch.manual_seed(99)
    before = torch.get_rng_state()
    reset(network, 4)
    assert any(not torch.equal(first[name], value) for name, value in network.state_dict().items())
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor.fill_(7)
    reset(network, 3)
    assert torch.equal(torch.get_rng_state(), before)
    for name, value in network.state_dict().items():
        assert torch.equal(first[name], value), name


def test_building_does_not_touch_global_random_state() -> None:
    before = torch.get_rng_state()
    build(PLANS["mbconv"](TASK), TASK)
    assert torch.equal(torch.get_rng_state(), before)


def test_fresh_weights_keep_the_scale_of_the_signal() -> None:
    draft = Draft(make_task((1, 16, 16)))
    x = 1
    for _ in range(10):
        x = draft.act(draft.conv(x, 64))
    plan = draft.head(x)
    weights = random_weights(plan, 0)
    last = f"{plan.steps[-1].name}.weight"
    assert weights[last].std() == pytest.approx((1 / 64) ** 0.5, rel=0.2)
    network = build(plan, draft.task).eval()
    pixels = torch.randint(0, 256, (8, 1, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert 0.02 < network(pixels).std() < 20, "ten layers without normalisation neither vanish nor explode"


def altered(plan: Plan, op: str, /, **changes: object) -> Plan:
    index = next(i for i, step in enumerate(plan.steps) if step.op == op)
    steps = list(plan.steps)
    steps[index] = replace(steps[index], **changes)
    return Plan(tuple(steps))


@pytest.mark.attack(2)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"op": "os.system"}, "operation must be one that core.plan lists"),
        ({"shape": (9, 13, 11)}, "must have shape"),
        ({"parameters": 1}, "must have 216 parameters, not 1"),
        ({"name": "forward"}, "name of a step must be new"),
        ({"name": "x; import os"}, "name of a step must be new and an identifier"),
        ({"inputs": (40,)}, "must read earlier steps"),
        ({"inputs": ()}, "must read earlier steps"),
    ],
)
def test_unknown_or_wrong_steps_name_their_address(change: dict[str, object], message: str) -> None:
    plan = altered(PLANS["residual"](TASK), "conv", address="network/7/kernel", **change)
    with pytest.raises(CandidateError, match=message) as caught:
        build(plan, TASK)
    assert str(caught.value).startswith("network/")


@pytest.mark.attack(2)
def test_unknown_activation() -> None:
    plan = altered(PLANS["residual"](TASK), "activation", attributes={"function": "__import__"})
    with pytest.raises(CandidateError, match="activation must be one of relu, "):
        build(plan, TASK)


@pytest.mark.parametrize(
    ("op", "attributes", "message"),
    [
        ("conv", {"groups": 2}, "channels the groups divide"),
        ("conv", {"kernel": (99, 99), "padding": (0, 0)}, "window that fits"),
        ("conv", {"stride": (0, 1)}, "window that fits"),
        ("max_pool", {"padding": (2, 2)}, "padding of at most half the kernel"),
        ("normalize", {"mean": (0.5,)}, "a mean and deviation a channel"),
    ],
)
def test_impossible_attributes_are_refused(op: str, attributes: dict[str, object], message: str) -> None:
    plan = PLANS["mbconv"](TASK)
    given = next(step.attributes for step in plan.steps if step.op == op)
    with pytest.raises(CandidateError, match=message):
        build(altered(plan, op, attributes={**given, **attributes}), TASK)


@pytest.mark.parametrize("change", ["linear on an image", "pool of a vector", "unequal concat", "unequal mul"])
def test_inputs_of_the_wrong_kind_are_refused(change: str) -> None:
    draft = Draft(TASK)
    x = draft.conv(1, 8)
    vector = draft.flatten(draft.global_pool(x))
    if change == "linear on an image":
        draft.linear(x, 4)
    elif change == "pool of a vector":
        draft._add("global_pool", (vector,), (8, 1, 1))
    elif change == "unequal concat":
        draft.concat(x, draft.conv(x, 8, stride=2))
    else:
        draft.mul(x, draft.conv(x, 4))
    draft.linear(vector, TASK.outputs)
    with pytest.raises(CandidateError, match=r"must take (a vector|an image|inputs of one|two inputs).*, but is given"):
        build(Plan(tuple(draft.steps)), TASK)


def test_adding_unequal_shapes_is_refused_even_where_torch_would_broadcast() -> None:
    draft = Draft(TASK)
    x = draft.conv(1, 8)
    plan = draft.head(draft.add(x, draft.global_pool(x)))
    with pytest.raises(CandidateError, match="two or more inputs of one shape"):
        build(plan, TASK)


def test_a_plan_for_another_task_is_refused() -> None:
    plan = PLANS["residual"](TASK)
    with pytest.raises(CandidateError, match="begin with an input of shape"):
        build(plan, make_task((1, 8, 8)))
    with pytest.raises(CandidateError, match="end with 9 logits"):
        build(plan, make_task(outputs=9))


@pytest.mark.parametrize("name", PLANS)
def test_given_weights_are_checked(name: str) -> None:
    plan = PLANS[name](TASK)
    weights = random_weights(plan, 1)
    checked = check_weights(plan, build(plan, TASK, seed=1).state_dict())
    assert all(np.array_equal(weights[key], checked[key]) for key in weights)
    some = next(key for key in weights if key.endswith("weight"))
    for broken, message in (
        ({key: value for key, value in weights.items() if key != some}, "is needed, but there is none"),
        ({**weights, some: weights[some][:-1]}, "must have shape"),
        ({**weights, some: weights[some] * np.nan}, "must be finite"),
        ({**weights, "os.system": weights[some]}, "must belong to a step"),
    ):
        with pytest.raises(CandidateError, match=message):
            check_weights(plan, broken)


def test_multiply_accumulates_of_a_module_can_be_counted() -> None:
    plan = PLANS["residual"](TASK)
    network = build(plan, TASK).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(images(1))
    assert counter.get_total_flops() > 2 * plan.parameters
