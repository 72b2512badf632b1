"""Stored layers and recipes are held to closed lists."""

from __future__ import annotations

import ast
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import netwright.spaces
from netwright.core.candidate import Architecture, Candidate
from netwright.core.errors import CandidateError
from netwright.spaces.graph import _APPLY
from netwright.spaces.keys import verify
from netwright.spaces.layers import LAYERS, Layer, check_layers
from netwright.spaces.lowering import LOWERINGS
from netwright.spaces.recipe import AUGMENTS, Recipe, check_recipe
from netwright.spaces.shapes import plan
from netwright.spaces.space import Space
from tests.spaces.helpers import plan_or_error, task
from tests.spaces.spaces import ENDLESS

RECIPE = Space([LAYERS["Identity"]()], Recipe()).sample(random.Random(0)).recipe


def sample_layers(seed=0):
    return json.loads(json.dumps(ENDLESS.sample(random.Random(seed)).architecture.layers))


def plan_of(layers):
    return plan(Architecture(tuple(layers), ""), task())


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_can_be_written_and_read(name):
    (record,) = Space([LAYERS[name]()]).sample(random.Random(0)).architecture.layers
    assert record["layer"] == name
    check_layers([json.loads(json.dumps(record))])


def test_the_registry_is_complete():
    assert {cls.__name__ for cls in Layer.__subclasses__()} == set(LAYERS) == set(_APPLY)
    assert {"Input", "Sum", "Concat"} < set(LOWERINGS)


PAYLOADS = [
    "os.system",
    "builtins.eval",
    "torch.load",
    "__import__",
    "Layer",
    "conv",
    "../Conv",
    "Conv\x00",
    "",
    None,
    3,
    ["Conv"],
    {"_target_": "os.system"},
]


@pytest.mark.attack(2)
@pytest.mark.parametrize("name", PAYLOADS, ids=repr)
def test_unknown_layer(name):
    with pytest.raises(CandidateError, match="unknown layer .*known are Conv, Separable, MBConv"):
        plan_of([{"layer": name, "address": "network/0"}])


@pytest.mark.attack(2)
@settings(max_examples=100, deadline=None)
@given(st.text())
def test_any_text_is_an_unknown_layer(name):
    if name not in LAYERS:
        with pytest.raises(CandidateError, match="unknown layer"):
            check_layers([{"layer": name, "address": ""}])


@pytest.mark.attack(2)
@pytest.mark.parametrize("field", ["_target_", "__class__", "width_", "body"])
def test_unknown_field(field):
    layers = sample_layers()
    layers[0][field] = "os.system"
    with pytest.raises(CandidateError, match="unknown field .* of Conv; known are width, kernel"):
        plan_of(layers)


@pytest.mark.attack(2)
def test_no_code_is_run_from_data():
    """Nothing in this room turns a name from data into an object other than by a literal dict."""
    folder = Path(netwright.spaces.__file__).parent
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile", "__import__", "globals"), file


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("width", 0),
        ("width", -1),
        ("width", 1.5),
        ("width", True),
        ("width", "16"),
        ("width", [16]),
        ("kernel", None),
        ("kernel", 10**9),
        ("act", "Relu"),
        ("norm", 1),
        ("norm", None),
        ("address", 5),
        ("address", "x" * 2000),
    ],
)
def test_a_value_out_of_its_range_is_named(field, value):
    layers = sample_layers()
    layers[0][field] = value
    with pytest.raises(CandidateError, match=f"network/0.*{field}"):
        check_layers(layers)


def test_a_missing_field_is_named():
    layers = sample_layers()
    del layers[0]["stride"]
    with pytest.raises(CandidateError, match="stride of Conv is missing"):
        check_layers(layers)


@pytest.mark.parametrize("edge", [(1, 1), (2, 1), (-1, 2), (0, 4), (0, "1"), (0.0, 1)])
def test_an_edge_that_goes_back_or_out_is_refused(edge):
    cell = {"layer": "Cell", "address": "network/0", "nodes": 4, "join": "sum", "output": "last"}
    with pytest.raises(CandidateError, match="earlier to a later"):
        check_layers([{**cell, "edges": [{"from": edge[0], "to": edge[1], "body": []}]}])
    twice = [{"from": 0, "to": 1, "body": []}] * 2
    with pytest.raises(CandidateError, match="given twice"):
        check_layers([{**cell, "edges": twice}])
    for edges in (None, [3], [{"from": 0, "to": 1}]):
        with pytest.raises(CandidateError, match="edge"):
            check_layers([{**cell, "edges": edges}])


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)


@pytest.mark.attack(2)
@settings(max_examples=150, deadline=None)
@given(json_values)
def test_any_json_is_refused_or_planned(value):
    try:
        check_layers(value)
    except CandidateError:
        return
    assert isinstance(value, list)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 30), st.data())
def test_a_candidate_with_one_thing_changed_is_refused_or_planned(seed, data):
    layers = sample_layers(seed)
    places = []

    def collect(value):
        for key in value if isinstance(value, dict) else range(len(value)):
            places.append((value, key))
            if isinstance(value[key], dict | list):
                collect(value[key])

    collect(layers)
    container, key = data.draw(st.sampled_from(places))
    container[key] = data.draw(json_values)
    planned = plan_or_error(Architecture(tuple(layers), ""), task())
    assert isinstance(planned, CandidateError) or planned.steps[-1].shape == (10,)


def test_a_recipe_is_held_to_its_fields():
    check_recipe(RECIPE)
    for change in (
        {"lr": -1.0},
        {"lr": "0.1"},
        {"lr": float("inf")},
        {"batch": 0},
        {"batch": 10**9},
        {"augment": "crop"},
        {"optimizer": "os.system"},
    ):
        with pytest.raises(CandidateError, match=f"recipe/{next(iter(change))}: must be"):
            check_recipe({**RECIPE, **change})
    with pytest.raises(CandidateError, match="unknown field"):
        check_recipe({**RECIPE, "hook": "x"})
    with pytest.raises(CandidateError, match="recipe/ema: is missing"):
        check_recipe({name: value for name, value in RECIPE.items() if name != "ema"})


def test_augmentations_combine_in_one_order():
    assert len(AUGMENTS) == len(set(AUGMENTS)) == 32
    assert {"none", "shift", "flip", "shift+flip", "shift+flip+cutout", "mixup"} <= set(AUGMENTS)


def test_verify_needs_layers_for_a_network():
    with pytest.raises(CandidateError, match="must have layers"):
        verify(Candidate("network", None, RECIPE))
    verify(Candidate("forest", None, RECIPE))
