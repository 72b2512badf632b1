"""NAS-Bench-201: the published counts and formulas."""

from __future__ import annotations

import random
from functools import cache

import pytest
import torch

from netwright.core.errors import CandidateError, SpaceError
from netwright.core.trial import Fidelity, Proposal
from netwright.networks.build import build
from netwright.spaces.catalog import make_space
from netwright.spaces.catalog.nasbench201 import (
    EDGES,
    cell,
    code_of,
    codes,
    counts,
    decisions_of,
    distinct_published,
    published_key,
    string_key,
    text_of,
)
from netwright.spaces.layers import Conv
from netwright.spaces.shapes import costs, plan
from netwright.spaces.space import Space
from tests.spaces.helpers import Interpreter, task

TASK = task(3, 32, 32)
SPACE = make_space("nasbench201", TASK)


ONE_CELL = Space([Conv(16, act=None), cell()])


@cache
def enumerated():
    """(code, general key) of every cell."""
    return [(code_of(found.decisions), found.key) for found in ONE_CELL.enumerate()]


def candidate(code):
    return SPACE.replay(decisions_of(code))


def without_dead_edges(code):
    """Whether every convolution of the cell lies on a path from input to output."""
    reached = {0}
    for digit, (a, b) in zip(code, EDGES, strict=True):
        if digit != "0" and a in reached:
            reached.add(b)
    useful = {3}
    for digit, (a, b) in reversed(list(zip(code, EDGES, strict=True))):
        if digit != "0" and b in useful:
            useful.add(a)
    return all(digit not in "23" or (a in reached and b in useful) for digit, (a, b) in zip(code, EDGES, strict=True))


def test_the_space_has_15625_cells():
    assert SPACE.size() == len(codes()) == 15_625
    assert not SPACE.conditional


def test_the_published_rule_tells_6466_cells_apart_and_the_string_rule_4930():
    assert len({published_key(code) for code in codes()}) == distinct_published() == 6_466
    assert len({string_key(code) for code in codes()}) == 4_930


def test_the_general_key_tells_5260_cells_apart():
    assert counts() == {"distinct": 5_260, "distinct_published": 6_466}


def test_341_cells_have_no_path():
    nothing = ONE_CELL.replay(decisions_of("000000")).key
    assert sum(key == nothing for _, key in enumerated()) == 341
    assert sum(string_key(code) == "#" for code in codes()) == 341


def test_cells_of_one_general_key_have_one_string_key():
    """The general key is finer: it also keeps what is shared."""
    strings: dict[str, set[str]] = {}
    for code, key in enumerated():
        strings.setdefault(key, set()).add(string_key(code))
    assert all(len(found) == 1 for found in strings.values())


@pytest.mark.long
def test_whole_networks_differ_exactly_where_their_cells_do():
    assert SPACE.distinct() == 5_260


def test_a_sample_of_whole_networks_differ_exactly_where_their_cells_do():
    rng = random.Random(0)
    pairs = set()
    for _ in range(600):
        decisions = ONE_CELL.sample(rng).decisions
        pairs.add((ONE_CELL.replay(decisions).key, SPACE.replay(decisions).key))
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) > 300


@pytest.mark.parametrize(
    ("code", "classes", "parameters"),
    [
        ("333132", 10, 1_073_466),
        ("333133", 100, 1_294_356),
        ("322133", 10, 858_426),
        ("303101", 10, 559_386),
        ("333333", 10, 1_531_546),
        ("222222", 10, 241_306),
        ("111111", 10, 73_306),
        ("444444", 10, 73_306),
    ],
)
def test_parameters_of_known_cells(code, classes, parameters):
    assert costs(candidate(code).architecture, task(3, 32, 32, classes)).parameters == parameters


@pytest.mark.parametrize(("code", "classes", "parameters"), [("333132", 10, 1_073_466), ("333133", 100, 1_294_356)])
def test_built_networks_have_as_many_parameters(code, classes, parameters):
    made = task(3, 32, 32, classes)
    network = build(plan(candidate(code).architecture, made), made)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_pooling_leaves_a_constant_constant_up_to_the_border():
    found = plan(candidate("444444").architecture, TASK)
    pool = next(step for step in found.steps if step.op == "avg_pool" and step.attributes["kernel"] == (3, 3))
    module = dict(build(found, TASK).named_modules())[pool.name]
    ones = torch.full((2, 16, 8, 8), 0.7)
    assert torch.allclose(module(ones), ones, atol=1e-6)


@pytest.mark.parametrize(
    ("code", "macs"), [("333132", 153_272_960), ("333333", 220_119_680), ("222222", 31_376_000), ("111111", 7_783_040)]
)
def test_macs_of_known_cells(code, macs):
    assert costs(candidate(code).architecture, TASK).macs == macs


def test_the_formulas_hold_for_every_cell_without_dead_convolutions():
    rng = random.Random(0)
    for code in rng.sample([code for code in codes() if string_key(code) != "#" and without_dead_edges(code)], 150):
        found = costs(candidate(code).architecture, TASK)
        conv3, conv1 = code.count("3"), code.count("2")
        assert found.parameters == 72_656 + 65 * 10 + 243_040 * conv3 + 28_000 * conv1, code
        assert found.macs == 7_782_400 + 64 * 10 + 35_389_440 * conv3 + 3_932_160 * conv1, code


def test_a_quarter_of_the_pixels_takes_a_quarter_of_the_macs():
    small = task(3, 16, 16)
    outline = costs(candidate("333132").architecture, small).macs
    assert outline == (153_272_960 - 640) // 4 + 640


def test_text_and_digits_of_a_cell():
    text = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"
    assert text_of("333132") == text
    assert code_of(decisions_of(text)) == "333132"
    assert all(code_of(decisions_of(text_of(code))) == code for code in codes()[::37])
    for wrong in ("33313", "333135", "abcdef", "|none~0|", text.replace("~1", "~2"), text.replace("skip", "os")):
        with pytest.raises(SpaceError, match="a cell must be"):
            decisions_of(wrong)


def test_an_unreachable_cell_is_refused_by_name():
    with pytest.raises(CandidateError, match="network/stage1/0.*no path"):
        plan(candidate("003003").architecture, TASK)


def test_the_reference_is_the_residual_cell():
    assert SPACE.reference.key == candidate("303101").key


def test_cells_of_one_key_compute_the_same():
    """Fifty pairs: equal costs, and equal weights in canonical order give equal outputs."""
    small = task(3, 8, 8, classes=4)
    space = make_space("nasbench201", small)
    groups: dict[str, list[str]] = {}
    for code, key in enumerated():
        groups.setdefault(key, []).append(code)
    rng = random.Random(0)
    several = [group for group in groups.values() if len(group) > 1 and string_key(group[0]) != "#"]
    images = torch.randint(0, 256, (4, 3, 8, 8)).double()
    for group in rng.sample(several, 50):
        outputs, sizes = [], set()
        for code in rng.sample(group, 2):
            torch.manual_seed(0)
            planned = plan(space.replay(decisions_of(code)).architecture, small)
            sizes.add((planned.parameters, planned.macs))
            module = Interpreter(planned).double().eval()
            outputs.append(module(images))
        assert torch.allclose(*outputs, atol=1e-9, rtol=0), group
        assert len(sizes) == 1, group


def test_isomorphic_cells_are_one_candidate():
    """Other decisions, one key: to a strategy the second is a proposal that was made before."""
    groups: dict[str, list[str]] = {}
    for code, key in enumerated():
        groups.setdefault(key, []).append(code)
    several = [group for group in groups.values() if len(group) > 1 and string_key(group[0]) != "#"]
    for group in random.Random(1).sample(several, 20):
        cells = [ONE_CELL.replay(decisions_of(code)) for code in group]
        assert len({tuple(cell.decisions.values()) for cell in cells}) == len(group)
        assert len({cell.architecture.key for cell in cells}) == 1
        assert len({Proposal(cell, Fidelity(1)).identity() for cell in cells}) == 1
