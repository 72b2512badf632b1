"""Weight inheritance: what is kept is kept exactly, and what is said of each tensor is so."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

import numpy as np
import pytest
import torch

from netwright.core.candidate import Candidate
from netwright.core.plan import Plan
from netwright.core.task import TaskSpec
from netwright.networks import channels
from netwright.networks.build import build
from netwright.networks.inherit import KINDS, Inherited, inherit
from netwright.networks.weights import random_weights, weight_shapes
from netwright.spaces import (
    Conv,
    Flatten,
    Linear,
    MBConv,
    Residual,
    Separable,
    Space,
    choose,
    integer,
    repeat,
)
from netwright.spaces.catalog import make_space
from netwright.spaces.layers import Activation, Cell, Dropout, GlobalPool, Norm, Pool
from netwright.spaces.shapes import plan
from netwright.spaces.variation import edit, mutate

TASK = TaskSpec((3, 12, 12), ("a", "b", "c", "d"), (0.4, 0.5, 0.6), (0.2, 0.3, 0.25))
ADDED = {"added": ["network/new"], "removed": [], "changed": []}
CHANGED = {"added": [], "removed": [], "changed": ["network/a/width"]}
Weights = Mapping[str, np.ndarray[Any, Any]]


def network(**layers: Any) -> Plan:
    """The plan of layers whose addresses are their names."""
    architecture = Space(dict(layers)).sample(Random(0)).architecture
    assert architecture is not None
    return plan(architecture, TASK)


def trained(of: Plan, seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
    """Weights as after a training, in float64: no statistic and no bias is at its default."""
    rng = np.random.default_rng(seed)
    weights = {}
    for name, array in random_weights(of, seed).items():
        if name.endswith("num_batches_tracked"):
            weights[name] = np.array(17, np.int64)
        elif name.endswith("running_var") or (array == 1).all():
            weights[name] = rng.uniform(0.5, 2.0, array.shape)
        else:
            weights[name] = array + rng.normal(0, 0.1, array.shape)
    return weights


def module_of(of: Plan, weights: Weights) -> torch.nn.Module:
    made = build(of, TASK).to(torch.float64)
    made.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    return made.eval()


def outputs(made: torch.nn.Module, images: int = 8) -> torch.Tensor:
    """Logits in float64; the network itself gives float32."""
    pixels = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (images, *TASK.inputs)).astype(np.float64))
    kept: list[torch.Tensor] = []
    last = list(made.children())[-1]
    hook = last.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
    made(pixels)
    hook.remove()
    return kept[0]


def difference(parent: Plan, weights: Weights, child: Plan, found: Inherited, *, training: bool = False) -> float:
    """The largest difference of logits."""
    both = [module_of(parent, weights).train(training), module_of(child, found.weights).train(training)]
    with torch.no_grad():
        a, b = (outputs(made) for made in both)
    return float((a - b).abs().max())


def kinds_of(found: Inherited, of: Plan, address: str) -> set[str]:
    names = {step.name for step in of.steps if step.address == address}
    return {kind for name, kind in found.kinds.items() if name.rpartition(".")[0] in names}


BASE = {"a": Conv(8), "b": Conv(10, stride=2), "c": Conv(12)}

MORPHISMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": (BASE, BASE),
    "wider": (BASE, {**BASE, "a": Conv(13)}),
    "wider before the classifier": (BASE, {**BASE, "c": Conv(29)}),
    "wider before a kept width": (
        {"a": Conv(8), "b": Separable(), "c": Conv(12)},
        {"a": Conv(11), "b": Separable(), "c": Conv(12)},
    ),
    "larger kernel": (BASE, {**BASE, "b": Conv(10, kernel=5, stride=2)}),
    "deeper": (BASE, {"a": Conv(8), "new": Conv(), "b": Conv(10, stride=2), "c": Conv(12)}),
    "deeper and wide": (BASE, {**BASE, "new": Conv(20)}),
    "deeper with a large kernel": (BASE, {"a": Conv(8), "new": Conv(kernel=7), "b": Conv(10, stride=2), "c": Conv(12)}),
    "deeper by groups": (BASE, {"a": Conv(8), "new": Conv(groups=4), "b": Conv(10, stride=2), "c": Conv(12)}),
    "deeper and separable": (BASE, {**BASE, "new": Separable()}),
    "deeper without normalisation": (BASE, {**BASE, "new": Conv(norm=False)}),
    "deeper with relu6": (
        {"a": Conv(8, act="relu6"), "b": Conv(12)},
        {"a": Conv(8, act="relu6"), "new": Conv(act="relu6"), "b": Conv(12)},
    ),
    "deeper, linear": (BASE, {"a": Conv(8), "new": Conv(act=None), "b": Conv(10, stride=2), "c": Conv(12)}),
    "deeper in the head": (
        {**BASE, "pool": GlobalPool(), "d": Linear(9)},
        {**BASE, "pool": GlobalPool(), "d": Linear(9), "new": Linear(norm=True)},
    ),
    "a residual block": (BASE, {**BASE, "new": Residual([Conv(), Conv(act=None)]), "act": Activation("relu")}),
    "a residual block after tanh": (
        {"a": Conv(8, act="tanh"), "b": Conv(12)},
        {"a": Conv(8, act="tanh"), "new": Residual([Conv(act="silu"), Conv(act=None)]), "b": Conv(12)},
    ),
    "a residual bottleneck": (BASE, {**BASE, "new": MBConv(se=0.25)}),
    "a layer with a skip": (BASE, {**BASE, "new": Conv(skip=1)}),
    "a skip with a projection": ({**BASE, "c": Conv(12, act=None)}, {**BASE, "c": Conv(12, act=None, skip=2)}),
    "wider residual sums": (
        {"a": Conv(8), "b": Residual([Conv(), Conv(act=None)]), "c": Residual([Conv(5), Conv(8, act=None)])},
        {"a": Conv(11), "b": Residual([Conv(), Conv(act=None)]), "c": Residual([Conv(5), Conv(11, act=None)])},
    ),
    "wider inside a residual": (
        {"a": Conv(8), "b": Residual([Conv(6), Conv(8, act=None)])},
        {"a": Conv(8), "b": Residual([Conv(9), Conv(8, act=None)])},
    ),
    "wider bottleneck": (
        {"a": Conv(8), "b": MBConv(8, se=0.25), "c": Conv(9)},
        {"a": Conv(10), "b": MBConv(10, se=0.25), "c": Conv(9)},
    ),
    "more expansion": (
        {"a": Conv(8), "b": MBConv(8, expand=2, se=0.5), "c": Conv(9)},
        {"a": Conv(8), "b": MBConv(8, expand=4, se=0.25), "c": Conv(9)},
    ),
    "wider with equal groups": (
        {"a": Conv(8), "b": Conv(12, groups=4), "c": Conv(9)},
        {"a": Conv(16), "b": Conv(20, groups=4), "c": Conv(9)},
    ),
    "wider by whole groups": (
        {"a": Conv(8), "b": Conv(12, groups=4), "c": Conv(9)},
        {"a": Conv(14), "b": Conv(21, groups=7), "c": Conv(9)},
    ),
    "wider before flattening": (
        {"a": Conv(4, stride=4), "flat": Flatten(), "d": Linear(7)},
        {"a": Conv(6, stride=4), "flat": Flatten(), "d": Linear(7)},
    ),
    "wider in a concatenation": (
        {"a": Conv(4), "b": Cell(nodes=3, edge=Conv(5, kernel=1), output="concat"), "c": Conv(6)},
        {"a": Conv(7), "b": Cell(nodes=3, edge=Conv(6, kernel=1), output="concat"), "c": Conv(6)},
    ),
    "inputs added by concatenation": (
        {"a": Conv(4), "b": Cell(nodes=3, edge=Conv(kernel=1), inputs=1, output="concat"), "c": Conv(6)},
        {"a": Conv(4), "b": Cell(nodes=4, edge=Conv(kernel=1), inputs=1, output="concat"), "c": Conv(6)},
    ),
    "pre-activation, wider": (
        {"a": Conv(8), "b": Conv(8, order="act-conv-norm", skip=1), "n": Norm("relu")},
        {"a": Conv(9), "b": Conv(9, order="act-conv-norm", skip=1), "n": Norm("relu")},
    ),
    "normalisation added": (BASE, {**BASE, "new": Norm("relu")}),
    "dropout added": (BASE, {**BASE, "new": Dropout(0.2)}),
    "wider through pooling": (
        {"a": Conv(6), "p": Pool("max", 2, 2), "q": Pool("avg", 3, 1), "b": Conv(8)},
        {"a": Conv(9), "p": Pool("max", 2, 2), "q": Pool("avg", 3, 1), "b": Conv(8)},
    ),
}


@pytest.mark.parametrize("name", MORPHISMS)
def test_morphisms_keep_the_function(name: str) -> None:
    before, after = MORPHISMS[name]
    parent, child = network(**before), network(**after)
    weights = trained(parent)
    found = inherit(parent, weights, child, ADDED if "new" in after else CHANGED, seed=3)
    assert found.preserved
    assert difference(parent, weights, child, found) <= 1e-12
    assert set(found.kinds) == set(found.weights) == set(weight_shapes(child))
    assert {name: array.shape for name, array in found.weights.items()} == weight_shapes(child)


@pytest.mark.parametrize("name", MORPHISMS)
def test_float32_is_kept_to_rounding(name: str) -> None:
    before, after = MORPHISMS[name]
    parent, child = network(**before), network(**after)
    weights = {name: a.astype(np.float32) if a.dtype == np.float64 else a for name, a in trained(parent).items()}
    found = inherit(parent, weights, child, ADDED if "new" in after else CHANGED, seed=3)
    assert all(array.dtype in (np.float32, np.int64) for array in found.weights.values())
    made = [build(of, TASK).eval() for of in (parent, child)]
    for network_, given in zip(made, (weights, found.weights), strict=True):
        network_.load_state_dict({name: torch.from_numpy(array) for name, array in given.items()})
    images = torch.randint(0, 256, (16, *TASK.inputs), dtype=torch.uint8)
    with torch.no_grad():
        a, b = (network_(images) for network_ in made)
    assert float((a - b).abs().max()) <= 1e-5 * float(a.abs().max())


@pytest.mark.parametrize("name", ["wider", "wider residual sums", "more expansion", "wider by whole groups"])
def test_wider_layers_compute_the_same_in_training_too(name: str) -> None:
    before, after = MORPHISMS[name]
    parent, child = network(**before), network(**after)
    weights = trained(parent)
    found = inherit(parent, weights, child, CHANGED, seed=3)
    assert difference(parent, weights, child, found, training=True) <= 1e-12


def test_a_deeper_layer_differs_in_training_alone() -> None:
    """Its normalisation is an identity by stored statistics; which, `norms` says."""
    before, after = MORPHISMS["deeper"]
    parent, child = network(**before), network(**after)
    weights = trained(parent)
    found = inherit(parent, weights, child, ADDED, seed=3)
    (name,) = found.norms
    assert [step.address for step in child.steps if step.name == name] == ["network/new"]
    assert difference(parent, weights, child, found, training=True) > 1e-3


def test_without_the_division_wider_layers_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = MORPHISMS["wider"]
    parent, child = network(**before), network(**after)
    monkeypatch.setattr(channels, "_copies", np.ones_like)
    weights = trained(parent)
    found = inherit(parent, weights, child, CHANGED, seed=3)
    assert difference(parent, weights, child, found) > 1e-2
    assert not found.preserved


def test_what_is_kept_is_exact_and_what_is_new_is_said() -> None:
    parent, child = network(**BASE), network(**{**BASE, "b": Conv(14, kernel=5, stride=2), "c": Conv(12, act="tanh")})
    weights = trained(parent)
    found = inherit(parent, weights, child, CHANGED, seed=3)
    assert kinds_of(found, child, "network/a") == {"exact"}
    assert kinds_of(found, child, "network/b") == {"widened", "exact"}  # the number of batches is what it was
    assert kinds_of(found, child, "head") == {"exact"}
    assert not found.preserved
    names = {step.address: step.name for step in child.steps if step.op == "norm"}
    for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
        np.testing.assert_array_equal(found.weights[f"{names['network/a']}.{part}"], weights[f"norm1.{part}"])
    assert found.counts() == {
        kind: list(found.kinds.values()).count(kind) for kind in KINDS if kind in found.kinds.values()
    }


def test_narrower_keeps_the_strongest_channels_everywhere() -> None:
    before = {"a": Conv(6), "b": Residual([Conv(), Conv(act=None)]), "c": Conv(5)}
    parent, child = network(**before), network(**{**before, "a": Conv(4)})
    weights = trained(parent)
    (first, last) = (
        next(s.name for s in parent.steps if s.op == "conv" and s.address == address)
        for address in ("network/a", "network/b/body/1")
    )
    strength = sum(np.abs(weights[f"{name}.weight"]).reshape(6, -1).sum(axis=1) for name in (first, last))
    kept = np.sort(np.argsort(-strength)[:4])
    found = inherit(parent, weights, child, CHANGED, seed=3)
    by_address = {step.address: step for step in child.steps if step.op == "conv"}
    old = {step.address: step for step in parent.steps if step.op == "conv"}
    for address, axis in (("network/a", 0), ("network/b/body/1", 0), ("network/b/body/0", 1), ("network/c", 1)):
        theirs = weights[f"{old[address].name}.weight"].take(kept, axis=axis)
        mine = found.weights[f"{by_address[address].name}.weight"]
        if address != "network/b/body/1" and address != "network/b/body/0":
            np.testing.assert_array_equal(mine, theirs)
        assert found.kinds[f"{by_address[address].name}.weight"] == "sliced"
    np.testing.assert_array_equal(found.weights["norm1.running_var"], weights["norm1.running_var"][kept])


def test_smaller_kernels_keep_the_centre() -> None:
    parent, child = network(a=Conv(4, kernel=5)), network(a=Conv(4, kernel=3))
    weights = trained(parent)
    found = inherit(parent, weights, child, CHANGED, seed=3)
    np.testing.assert_array_equal(found.weights["conv1.weight"], weights["conv1.weight"][:, :, 1:4, 1:4])
    assert found.kinds["conv1.weight"] == "sliced"


@pytest.mark.parametrize("act", ["tanh", "sigmoid", "gelu", "silu", "hswish"])
def test_activations_that_change_their_own_output_refuse_a_deeper_identity(act: str) -> None:
    parent = network(a=Conv(8, act=act), b=Conv(9))
    child = network(a=Conv(8, act=act), new=Conv(act=act), b=Conv(9))
    found = inherit(parent, trained(parent), child, ADDED, seed=3)
    assert kinds_of(found, child, "network/new") == {"fresh"}
    assert not found.preserved
    assert kinds_of(found, child, "network/a") == kinds_of(found, child, "network/b") == {"exact"}


def test_a_layer_in_place_of_another_is_fresh_and_its_neighbours_are_kept() -> None:
    before = {**BASE, "old": Conv(12)}
    parent, child = network(**before), network(**{**BASE, "new": Separable()})
    replaced = {"added": ["network/new/kernel"], "removed": ["network/old/kernel"], "changed": ["network"]}
    found = inherit(parent, trained(parent), child, replaced, seed=3)
    assert kinds_of(found, child, "network/new") == {"fresh"}
    assert all(kinds_of(found, child, address) == {"exact"} for address in ("network/a", "network/c", "head"))


def test_a_layer_removed_leaves_its_neighbours() -> None:
    parent, child = network(**BASE, d=Conv()), network(**BASE)
    gone = {"added": [], "removed": ["network/d"], "changed": []}
    found = inherit(parent, trained(parent), child, gone, seed=3)
    assert found.counts() == {"exact": len(weight_shapes(child))}
    assert not found.preserved


def test_options_of_one_choice_that_are_one_kind_of_layer_go_on_from_each_other() -> None:
    """The kernel of a NAS-Bench-201 convolution grows by zeros."""
    space = Space([Conv(6), choose(small=Conv(kernel=1), large=Conv(kernel=3))])
    small, large = (space.replay({"network/1": name}) for name in ("small", "large"))
    assert small.architecture is not None and large.architecture is not None
    parent, child = plan(small.architecture, TASK), plan(large.architecture, TASK)
    weights = trained(parent)
    found = inherit(parent, weights, child, edit(small, large).to_json(), seed=3)
    assert found.preserved
    assert difference(parent, weights, child, found) <= 1e-12


def test_copies_have_equal_gradients_until_noise_sets_them_apart() -> None:
    before, after = MORPHISMS["wider"]
    parent, child = network(**before), network(**after)
    gradients = []
    for noise in (0.0, 0.01):
        found = inherit(parent, trained(parent), child, CHANGED, seed=3, noise=noise)
        made = module_of(child, found.weights).train()
        outputs(made)[:, 0].sum().backward()
        name = next(step.name for step in child.steps if step.op == "conv" and step.address == "network/a")
        gradients.append(dict(made.named_parameters())[f"{name}.weight"].grad)
        if noise == 0:
            weight = found.weights[f"{name}.weight"].reshape(13, -1)
            original = [int(np.abs(weight[:8] - weight[j]).sum(axis=1).argmin()) for j in range(8, 13)]
    same, apart = ([float((g[8 + k] - g[first]).abs().max()) for k, first in enumerate(original)] for g in gradients)
    assert max(same) <= 1e-12
    assert all(value > 1e-6 for value in apart)


def test_noise_is_small_and_spares_what_is_no_copy() -> None:
    before, after = MORPHISMS["wider"]
    parent, child = network(**before), network(**after)
    plain, noisy = (inherit(parent, trained(parent), child, CHANGED, seed=3, noise=noise) for noise in (0.0, 0.01))
    changed = {name for name in plain.weights if not np.array_equal(plain.weights[name], noisy.weights[name])}
    assert changed == {"conv1.weight"}
    np.testing.assert_array_equal(plain.weights["conv1.weight"][:8], noisy.weights["conv1.weight"][:8])
    deviation = (noisy.weights["conv1.weight"] - plain.weights["conv1.weight"])[8:].std()
    assert 0.005 < deviation / plain.weights["conv1.weight"].std() < 0.02


def test_a_silent_branch_learns_once_noise_has_woken_it() -> None:
    """ReLU lets no gradient through at zero."""
    before, after = MORPHISMS["a layer with a skip"]
    parent, child = network(**before), network(**after)
    name = next(step.name for step in child.steps if step.op == "norm" and step.address == "network/new")
    sums = []
    for noise in (0.0, 0.01):
        made = module_of(child, inherit(parent, trained(parent), child, ADDED, seed=3, noise=noise).weights).train()
        outputs(made)[:, 0].sum().backward()
        sums.append(float(dict(made.named_parameters())[f"{name}.weight"].grad.detach().abs().sum()))
    assert sums[0] == 0 < sums[1]


def test_the_same_seed_gives_the_same_child() -> None:
    before, after = MORPHISMS["wider"]
    parent, child = network(**before), network(**after)
    weights = trained(parent)
    one, again, other = (inherit(parent, weights, child, CHANGED, seed=seed, noise=0.01) for seed in (1, 1, 2))
    assert all(np.array_equal(one.weights[name], again.weights[name]) for name in one.weights)
    assert any(not np.array_equal(one.weights[name], other.weights[name]) for name in one.weights)


def growing(widths: tuple[int, int] = (6, 24)) -> Space:
    """A space most of whose growth is a morphism."""
    block = choose(
        plain=Conv(kernel=choose(3, 5)),
        residual=[Residual([Conv(), Conv(act=None)]), Activation("relu")],
        separable=Separable(kernel=choose(3, 5)),
        bottleneck=[MBConv(expand=integer(2, 4)), Activation("relu")],
    )
    return Space({"stem": Conv(integer(*widths)), "blocks": repeat(block, 0, 12), "last": Conv(integer(*widths))})


def morphisms(space: Space, seed: int, count: int) -> list[Candidate]:
    """A chain of mutations that only grow: more layers, channels, or larger kernels."""
    rng = Random(seed)
    decisions = {"network/stem/width": 6, "network/blocks": (), "network/last/width": 8}
    chain = [space.replay(decisions)]
    while len(chain) <= count:
        child, change = mutate(space, chain[-1], rng)
        steps = [(chain[-1].decisions[place], child.decisions[place]) for place in change.changed]
        grown = all(isinstance(a, int) and isinstance(b, int) and a <= b for a, b in steps)
        if not change.removed and grown and child.decisions != chain[-1].decisions:
            chain.append(child)
    return chain


@pytest.mark.parametrize("seed", range(4))
def test_chains_of_morphisms_keep_the_function(seed: int) -> None:
    space = growing()
    chain = morphisms(space, seed, 20)
    plans = [plan(candidate.architecture, TASK) for candidate in chain if candidate.architecture is not None]
    first = trained(plans[0])
    weights: Weights = first
    for number in range(20):
        change = edit(chain[number], chain[number + 1]).to_json()
        found = inherit(plans[number], weights, plans[number + 1], change, seed=number)
        assert found.preserved, change
        weights = found.weights
    assert difference(plans[0], first, plans[-1], found) <= 1e-10


@pytest.mark.parametrize("name", ["chain", "mobile", "nasbench201", "mlp"])
def test_any_mutation_gives_a_network_and_the_truth_about_it(name: str) -> None:
    """`preserved` says exactly whether the function is; every tensor of the child is reported once, fresh ones too."""
    space = make_space(name, TASK)
    rng = Random(5)
    seen = {True: 0, False: 0}
    for number in range(6):
        parent = space.sample(rng)
        child, change = mutate(space, parent, rng)
        assert parent.architecture is not None and child.architecture is not None
        plans = plan(parent.architecture, TASK), plan(child.architecture, TASK)
        weights = trained(plans[0], number)
        found = inherit(plans[0], weights, plans[1], change.to_json(), seed=number)
        assert set(found.kinds) == set(found.weights) == set(weight_shapes(plans[1]))
        assert set(found.kinds.values()) <= set(KINDS)
        fresh = random_weights(plans[1], number)
        for tensor, kind in found.kinds.items():
            assert np.isfinite(found.weights[tensor]).all()
            if kind == "fresh":
                np.testing.assert_array_equal(found.weights[tensor], fresh[tensor].astype(found.weights[tensor].dtype))
        apart = difference(plans[0], weights, plans[1], found)
        scale = float(outputs(module_of(plans[0], weights)).detach().abs().max())
        assert (apart <= 1e-9 * scale) == found.preserved, (number, change, apart)
        seen[found.preserved] += 1
    assert seen[False]
