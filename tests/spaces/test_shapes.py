"""Plans: what arithmetic promises, torch keeps."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from netwright.core.candidate import Architecture
from netwright.core.errors import CandidateError
from netwright.spaces.catalog import CATALOG, make_space
from netwright.spaces.choices import choose, repeat
from netwright.spaces.keys import key
from netwright.spaces.layers import (
    ACTIVATIONS,
    Activation,
    Cell,
    Conv,
    Dropout,
    Flatten,
    GlobalPool,
    Identity,
    Linear,
    MBConv,
    Norm,
    Pool,
    Residual,
    Separable,
    Zero,
)
from netwright.spaces.shapes import costs, plan
from netwright.spaces.space import Space
from tests.spaces.helpers import Interpreter, plan_or_error, task
from tests.spaces.spaces import ENDLESS

WIDE = Space(
    [
        Conv(choose(4, 8), stride=choose(1, 2, 3), act=choose(None, *ACTIVATIONS)),
        repeat(
            choose(
                Conv(choose(None, 8, 12), kernel=choose(1, 3, 5), stride=choose(1, 2), skip=choose(0, 1, 2, 3)),
                Conv(8, norm=choose(True, False), bias=choose(None, True, False), order="act-conv-norm"),
                Conv(8, groups=choose(1, 4)),
                Conv(kernel=choose(1, 3), stride=choose(1, 2), groups=None),
                Separable(choose(None, 12), kernel=choose(3, 5), stride=choose(1, 2, 3), skip=choose(0, 1)),
                MBConv(
                    choose(None, 8), kernel=choose(3, 7), expand=choose(1, 3), stride=choose(1, 2), se=choose(0, 0.25)
                ),
                Pool(choose("max", "avg"), kernel=choose(1, 2, 3, 4, 5), stride=choose(1, 2, 3)),
                Norm(choose(None, "relu")),
                Activation("gelu"),
                Dropout(0.2),
                Residual([Conv(choose(8, 12), stride=choose(1, 2))], choose(Pool(stride=3), Identity(), Conv(4))),
                Cell(
                    nodes=4,
                    edge=choose(Conv(4), Pool(stride=2), Identity(), Zero()),
                    join=choose("sum", "concat", "project"),
                    inputs=2,
                ),
                Cell(nodes=3, edge=choose(Conv(), Pool("avg"), Identity()), output=choose("last", "concat")),
            ),
            1,
            5,
        ),
        choose(
            Identity(),
            GlobalPool(),
            [Flatten(), repeat(Linear(choose(None, 6, 9), norm=choose(True, False), skip=choose(0, 1, 2)), 0, 3)],
            Residual([GlobalPool(), Conv(8)], [Pool(stride=2)]),
            Residual([Linear(9)], [Pool()]),
        ),
    ]
)


def check_against_torch(planned, spec):
    module = Interpreter(planned).eval()
    images = torch.randint(0, 256, (2, *spec.inputs)).float()
    with FlopCounterMode(display=False) as counter:
        logits = module(images)
    assert logits.shape == (2, spec.outputs)
    assert sum(weight.numel() for weight in module.parameters()) == planned.parameters
    assert counter.get_total_flops() == 2 * 2 * planned.macs
    names = [step.name for step in planned.steps]
    assert len(set(names)) == len(names) and all(name.isidentifier() for name in names)
    assert [step.op for step in planned.steps[:2]] == ["input", "normalize"]
    assert planned.steps[-1].op == "linear"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([(1, 8, 8), (3, 13, 9), (2, 5, 31), (1, 1, 1)]))
def test_shapes_parameters_and_macs_are_those_of_torch(seed, shape):
    spec = task(*shape, classes=3)
    candidate = WIDE.sample(random.Random(seed))
    planned = plan_or_error(candidate.architecture, spec)
    if isinstance(planned, CandidateError):
        assert "no path" in str(planned) or "one shape" in str(planned)
    else:
        check_against_torch(planned, spec)


@pytest.mark.parametrize("name", CATALOG)
@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 64, 64), (3, 40, 100)], ids=str)
def test_every_space_of_the_catalogue_is_planned_for_every_input(name, shape):
    for classes in (2, 1000):
        spec = task(*shape, classes=classes)
        space = make_space(name, spec)
        rng = random.Random(1)
        planned = [plan_or_error(space.sample(rng).architecture, spec) for _ in range(15)]
        refused = [error for error in planned if isinstance(error, CandidateError)]
        assert all(name == "nasbench201" and "no path" in str(error) for error in refused)
        assert len(refused) <= 5
        assert all(p.steps[-1].shape == (classes,) for p in planned if not isinstance(p, CandidateError))
    check_against_torch(plan(space.reference.architecture, spec), spec)


def bare(planned):
    """Steps without where they come from."""
    return [(s.name, s.op, s.inputs, s.shape, s.attributes, s.parameters, s.macs) for s in planned.steps]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_the_plan_is_a_function_of_the_key(seed):
    """Branches in another order give the same steps, but for addresses."""
    rng = random.Random(seed)
    layers = ENDLESS.sample(rng).architecture.layers
    turned = [
        {**layer, "body": layer["shortcut"], "shortcut": layer["body"]} if layer["layer"] == "Residual" else layer
        for layer in layers
    ]
    assert key(turned) == key(layers)
    plans = []
    for some in (layers, turned):
        planned = plan_or_error(Architecture(tuple(some), ""), task())
        plans.append(str(planned) if isinstance(planned, CandidateError) else bare(planned))
    assert plans[0] == plans[1]


def plan_of(*network, spec=None):
    candidate = Space(list(network)).sample(random.Random(0))
    return plan(candidate.architecture, spec or task())


def test_costs_are_those_of_the_plan():
    candidate = ENDLESS.sample(random.Random(1))
    planned = plan(candidate.architecture, task())
    found = costs(candidate.architecture, task())
    assert (found.parameters, found.macs) == (planned.parameters, planned.macs)


def test_a_small_network_counted_by_hand():
    planned = plan_of(Conv(8, stride=2), Linear(5), spec=task(1, 6, 6, classes=2))
    assert planned.parameters == (8 * 9 + 16) + (8 * 9 * 5 + 5) + (5 * 2 + 2)
    assert planned.macs == 8 * 9 * 9 + 8 * 9 * 5 + 5 * 2


def test_steps_say_where_they_come_from():
    planned = plan_of(Conv(8), MBConv(16, kernel=5, expand=3))
    step = next(step for step in planned.steps if step.attributes.get("groups") == 24)
    assert step.block == "MBConv 16, kernel 5, expand 3"
    assert step.address == "network/1"
    assert len({s.group for s in planned.steps if s.block == step.block}) == 1
    assert planned.steps[-1].address == "head"


@pytest.mark.parametrize(
    ("network", "address", "message"),
    [
        ([Conv(8), Zero(), Conv(8)], "network/1", "no path"),
        ([Conv(8), Residual([Zero()], [Conv(), Zero()])], "network/1", "no path"),
        ([Conv(8), Flatten(), Conv(8)], "network/2", "needs an image"),
        ([Conv(8), Linear(8), Pool()], "network/2", "needs an image"),
        ([Conv(8, kernel=4)], "network/0", "must be odd"),
        ([Conv(8), Conv(9, groups=4)], "network/1", "does not divide 8 and 9"),
        ([Residual([Pool()], [Flatten()])], "network/0", "one shape"),
    ],
)
def test_what_cannot_be_built_names_its_address(network, address, message):
    with pytest.raises(CandidateError, match=message) as caught:
        plan_of(*network)
    assert caught.value.address == address


def test_a_network_of_nothing_is_a_linear_classifier():
    planned = plan_of(Flatten(), spec=task(1, 8, 8, classes=10))
    assert [step.op for step in planned.steps] == ["input", "normalize", "flatten", "linear"]
    assert planned.parameters == 650


@pytest.mark.parametrize("size", range(1, 12))
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_windows_give_the_size_divided_by_the_stride_rounded_up(size, kernel, stride):
    spec = task(1, size, 2 * size + 1)
    planned = plan_of(Pool("max", kernel, stride), Pool("avg", kernel, stride), spec=spec)
    pools = [step.shape for step in planned.steps if step.op in ("max_pool", "avg_pool")]
    height, width = size, 2 * size + 1
    for shape in pools:
        height, width = -(-height // stride), -(-width // stride)
        assert shape == (1, height, width)
    check_against_torch(planned, spec)


def test_a_window_is_no_larger_than_what_it_covers():
    spec = task(1, 28, 28)
    planned = plan_of(Residual([Conv(4, stride=31)] * 14), spec=spec)
    assert max(max(step.attributes["kernel"]) for step in planned.steps if step.op == "avg_pool") < 2 * 28
    check_against_torch(planned, spec)


def test_the_mean_of_a_constant_is_constant_at_the_border():
    planned = plan_of(Pool("avg", 3, 1), Flatten(), spec=task(1, 5, 5))
    pool = next(step for step in planned.steps if step.op == "avg_pool")
    pooled = Interpreter(planned).run(pool, [torch.ones(1, 1, 5, 5)], None)
    assert torch.equal(pooled, torch.ones(1, 1, 5, 5))
