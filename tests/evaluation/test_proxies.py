"""Zero-cost scores beside references written from the formulas alone, and what a score must leave alone."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from netwright.core.errors import InputError
from netwright.core.metrics import METRICS
from netwright.core.metrics import SCORES as NAMES
from netwright.core.plan import Plan, Step
from netwright.core.task import TaskSpec
from netwright.evaluation.proxies import SCORES, Batch, score
from netwright.networks.build import Network, build
from netwright.spaces.catalog import make_space
from netwright.spaces.catalog.nasbench201 import decisions_of, nasbench201
from netwright.spaces.shapes import plan

TASK = TaskSpec((3, 8, 8), tuple("abcd"), (0.4, 0.5, 0.6), (0.2, 0.25, 0.3))


def batch(task: TaskSpec = TASK, size: int = 16, seed: int = 3) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (size, *task.inputs), generator=generator, dtype=torch.uint8)
    return Batch(images, torch.randint(0, task.outputs, (size,), generator=generator), seed)


def steps(function: str = "relu") -> tuple[Step, ...]:
    """Two convolutions with normalisation and activation, pooled, and a linear layer."""

    def conv(name: str, source: int, shape: tuple[int, ...], channels: int) -> Step:
        attributes = {"kernel": (3, 3), "stride": (1, 1), "padding": (1, 1), "groups": 1, "bias": False}
        return Step(name, "conv", (source,), shape, attributes, parameters=9 * channels * shape[0])

    return (
        Step("input", "input", (), (3, 8, 8), {}),
        Step("normalize", "normalize", (0,), (3, 8, 8), {"mean": TASK.mean, "std": TASK.std}),
        conv("first", 1, (6, 8, 8), 3),
        Step("norm1", "norm", (2,), (6, 8, 8), {}, parameters=12),
        Step("act1", "activation", (3,), (6, 8, 8), {"function": function}),
        conv("second", 4, (5, 8, 8), 6),
        Step("norm2", "norm", (5,), (5, 8, 8), {}, parameters=10),
        Step("act2", "activation", (6,), (5, 8, 8), {"function": function}),
        Step("pool", "global_pool", (7,), (5, 1, 1), {}),
        Step("flatten", "flatten", (8,), (5,), {}),
        Step("answer", "linear", (9,), (4,), {"bias": True}, parameters=24),
    )


@pytest.fixture
def network() -> Network:
    """Three layers, with weights that look trained: no bias is 0, no scale of a normalisation 1."""
    made = build(Plan(steps()), TASK, seed=5)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return made


class Reference:
    """The same three layers as functions of their weights, in float64."""

    def __init__(self, network: Network, given: Batch) -> None:
        state = {name: tensor.double() for name, tensor in network.state_dict().items()}
        self.weights = [state[f"{name}.weight"].requires_grad_() for name in ("first", "second", "answer")]
        self.bias = state["answer.bias"]
        self.norms = [(state[f"{name}.weight"], state[f"{name}.bias"]) for name in ("norm1", "norm2")]
        mean, std = torch.tensor(TASK.mean, dtype=torch.float64), torch.tensor(TASK.std, dtype=torch.float64)
        self.images = (given.images.double() / 255 - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)
        self.labels = given.labels

    def layers(self, x: Tensor, norm: bool = True) -> dict[str, Tensor]:
        """Every tensor on the way."""
        a = functional.conv2d(x, self.weights[0], padding=1)
        b = self.normalized(a, 0) if norm else a
        c = functional.conv2d(b.clamp(min=0), self.weights[1], padding=1)
        d = self.normalized(c, 1) if norm else c
        features = d.clamp(min=0)
        logits = features.mean((2, 3)) @ self.weights[2].T + self.bias
        return {"first": a, "before1": b, "second": c, "before2": d, "features": features, "logits": logits}

    def normalized(self, x: Tensor, which: int) -> Tensor:
        weight, bias = self.norms[which]
        centred = x - x.mean((0, 2, 3), keepdim=True)
        scaled = centred / (centred.square().mean((0, 2, 3), keepdim=True) + 1e-5).sqrt()
        return scaled * weight.view(1, -1, 1, 1) + bias.view(1, -1, 1, 1)

    def loss(self) -> Tensor:
        logits = self.layers(self.images)["logits"]
        return (logits.logsumexp(1) - logits[torch.arange(len(logits)), self.labels]).mean()

    def gradients(self) -> list[Tensor]:
        return list(torch.autograd.grad(self.loss(), self.weights))


def grad_norm(reference: Reference, given: Batch) -> float:
    return sum(math.sqrt(sum(float(v) ** 2 for v in gradient.flatten())) for gradient in reference.gradients())


def snip(reference: Reference, given: Batch) -> float:
    """By a mask of ones, as the paper has it."""
    masks = [torch.ones_like(weight, requires_grad=True) for weight in reference.weights]
    plain = [weight.detach() for weight in reference.weights]
    reference.weights = [weight * mask for weight, mask in zip(plain, masks, strict=True)]
    return sum(float(g.abs().sum()) for g in torch.autograd.grad(reference.loss(), masks))


def grasp(reference: Reference, given: Batch) -> float:
    """Hg by the change of the gradient along itself."""
    weights, step = [weight.detach() for weight in reference.weights], 1e-5
    first = reference.gradients()
    moved = []
    for sign in (1, -1):
        reference.weights = [
            (weight + sign * step * g).requires_grad_() for weight, g in zip(weights, first, strict=True)
        ]
        moved.append(reference.gradients())
    changes = [(up - down) / (2 * step) for up, down in zip(*moved, strict=True)]
    return -sum(float((weight * change).detach().sum()) for weight, change in zip(weights, changes, strict=True))


def fisher(reference: Reference, given: Batch) -> float:
    layers = reference.layers(reference.images)
    loss = functional.cross_entropy(layers["logits"], reference.labels)
    value = 0.0
    for name, weight in zip(("first", "second", "logits"), reference.weights, strict=True):
        (gradient,) = torch.autograd.grad(loss, layers[name], retain_graph=True)
        for channel in range(len(weight)):
            products = (layers[name] * gradient)[:, channel].reshape(len(gradient), -1).sum(1)
            value += 0.5 * float((products**2).mean().detach()) * weight[channel].numel()
    return value


def synflow(reference: Reference, given: Batch) -> float:
    """The flow is linear in the weights of each of the three layers, but for the last bias; so each sum is the flow."""
    reference.weights = [weight.detach().abs().requires_grad_() for weight in reference.weights]
    reference.bias = reference.bias.abs()
    flow = reference.layers(torch.ones(1, 3, 8, 8, dtype=torch.float64), norm=False)["logits"].sum()
    return math.log(3 * float((flow - reference.bias.sum()).detach()))


def jacov(reference: Reference, given: Batch) -> float:
    images = reference.images.clone().requires_grad_()
    rows = torch.autograd.grad(reference.layers(images)["logits"].sum(), images)[0].reshape(len(images), -1)
    rows = rows - rows.mean(1, keepdim=True)
    rows = rows / rows.norm(dim=1, keepdim=True)
    values = torch.linalg.eigvals(rows @ rows.T).real + 1e-5
    return -float((values.log() + 1 / values).sum())


def naswot(reference: Reference, given: Batch) -> float:
    layers = reference.layers(reference.images)
    codes = torch.cat([layers["before1"].flatten(1), layers["before2"].flatten(1)], 1) > 0
    kernel = torch.tensor([[float((a == b).sum()) for b in codes] for a in codes], dtype=torch.float64)
    return float(torch.logdet(kernel))


def zen(reference: Reference, given: Batch) -> float:
    generator = torch.Generator().manual_seed(given.seed)
    reference.weights = [torch.randn(weight.shape, generator=generator).double() for weight in reference.weights]
    reference.norms = [(torch.ones_like(weight), torch.zeros_like(bias)) for weight, bias in reference.norms]
    x, z = (torch.randn(given.images.shape, generator=generator).double() for _ in range(2))
    ours, moved = reference.layers(x), reference.layers(x + 0.01 * z)
    value = float((ours["features"] - moved["features"]).abs().sum((1, 2, 3)).mean().log())
    for name in ("first", "second"):
        variances = [seen[name].transpose(0, 1).flatten(1).var(1) for seen in (ours, moved)]  # unbiased
        value += float(torch.stack(variances).mean().sqrt().log())
    return value


REFERENCES: dict[str, Callable[[Reference, Batch], float]] = {
    "synflow": synflow,
    "naswot": naswot,
    "zen": zen,
    "jacov": jacov,
    "grad_norm": grad_norm,
    "snip": snip,
    "fisher": fisher,
    "grasp": grasp,
    "parameters": lambda reference, given: 9 * 3 * 6 + 9 * 6 * 5 + 5 * 4 + 4 + 12 + 10,
}


@pytest.mark.parametrize("name", REFERENCES)
def test_it_is_what_the_formula_says(name: str, network: Network) -> None:
    """Both in float64 (but that the network rounds its logits), and again with the network in float32."""
    given = batch()
    expected = REFERENCES[name](Reference(network, given), given)
    assert score(name, network, given) == pytest.approx(expected, rel=1e-4)
    assert score(name, network.double(), given) == pytest.approx(expected, rel=1e-6)


def test_every_score_is_a_metric() -> None:
    assert set(SCORES) == set(NAMES) <= set(METRICS)


@pytest.mark.parametrize("name", SCORES)
def test_the_network_stays_as_it_is(name: str, network: Network) -> None:
    calls: list[str] = []
    network.get_submodule("act1").register_forward_hook(lambda module, given, output: calls.append("hook"))
    network.get_submodule("first").weight.requires_grad_(False)
    network.eval()
    before = copy.deepcopy(network.state_dict())
    hooks = [(len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)) for m in network.modules()]
    random = torch.get_rng_state()
    value = score(name, network, batch())
    assert score(name, network, batch()) == value, "a second score is another"
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert hooks == [
        (len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)) for m in network.modules()
    ]
    assert not any(module.training for module in network.modules())
    assert not network.get_submodule("first").weight.requires_grad
    assert all(p.requires_grad for n, p in network.named_parameters() if n != "first.weight")
    assert all(parameter.grad is None for parameter in network.parameters())
    assert torch.equal(torch.get_rng_state(), random)
    assert not calls, "somebody's hook heard of the score"
    assert any(isinstance(module, nn.ReLU) and module.inplace for module in network.modules()), "nothing was in place"


@pytest.mark.parametrize("name", [name for name in SCORES if name != "zen"])
def test_numbering_does_not_matter(name: str) -> None:
    """The same weights along the isomorphism. (Zen draws weights of its own, in the order of the plan.)"""
    task = replace(TASK, inputs=(3, 16, 16))
    first, second = renumbered(task)
    given = batch(task, size=8)
    assert score(name, first, given) == pytest.approx(score(name, second, given), rel=1e-4)


def renumbered(task: TaskSpec) -> tuple[Network, Network]:
    """Two branches that are summed, written in either order."""

    def branch(name: str, at: int, kernel: int) -> tuple[Step, ...]:
        size = (kernel, kernel)
        attributes = {
            "kernel": size,
            "stride": (1, 1),
            "padding": (kernel // 2, kernel // 2),
            "groups": 1,
            "bias": False,
        }
        return (
            Step(f"{name}conv", "conv", (1,), (6, 16, 16), attributes, parameters=18 * kernel * kernel),
            Step(f"{name}norm", "norm", (at,), (6, 16, 16), {}, parameters=12),
            Step(f"{name}act", "activation", (at + 1,), (6, 16, 16), {"function": "relu"}),
        )

    def whole(order: tuple[tuple[str, int], ...]) -> Plan:
        (one, kernel), (other, wide) = order
        return Plan(
            (
                Step("input", "input", (), (3, 16, 16), {}),
                Step("normalize", "normalize", (0,), (3, 16, 16), {"mean": TASK.mean, "std": TASK.std}),
                *branch(one, 2, kernel),
                *branch(other, 5, wide),
                Step("add", "add", (4, 7), (6, 16, 16), {}),
                Step("pool", "global_pool", (8,), (6, 1, 1), {}),
                Step("flatten", "flatten", (9,), (6,), {}),
                Step("answer", "linear", (10,), (4,), {"bias": True}, parameters=28),
            )
        )

    first = build(whole((("a", 1), ("b", 3))), task, seed=1)
    second = build(whole((("b", 3), ("a", 1))), task, seed=2)
    second.load_state_dict(first.state_dict())
    return first, second


@pytest.mark.parametrize("name", SCORES)
def test_a_network_without_a_path_has_the_lowest_score(name: str) -> None:
    cut = list(steps())
    cut[5] = Step("second", "zero", (4,), (5, 8, 8), {})
    assert score(name, build(Plan(tuple(cut)), TASK), batch()) == -math.inf


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("function", ["silu", "gelu", "hswish", "relu6", "tanh"])
def test_other_activations_have_a_score(name: str, function: str) -> None:
    assert math.isfinite(score(name, build(Plan(steps(function)), TASK), batch()))


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("space", ["chain", "mobile", "mlp"])
def test_every_space_has_scores(name: str, space: str) -> None:
    """With squeeze and excitation, depthwise convolutions, dropout and no convolution at all."""
    given = batch(size=8)
    for seed in range(3):
        architecture = make_space(space, TASK).sample(Random(seed)).architecture
        assert architecture is not None
        network = build(plan(architecture, TASK), TASK, seed=1)
        assert math.isfinite(score(name, network, given)) or name == "naswot", f"{space}, seed {seed}"


def test_a_deep_network_does_not_overflow() -> None:
    """51 layers of convolutions; in float32 the flow of the all-convolution cell is beyond what it holds."""
    task = replace(TASK, inputs=(3, 32, 32))
    architecture = nasbench201(task).replay(decisions_of("333333")).architecture
    assert architecture is not None
    value = score("synflow", build(plan(architecture, task), task), batch(task, size=1))
    assert math.log(torch.finfo(torch.float32).max) < value < math.log(torch.finfo(torch.float64).max)


def test_equal_images_cannot_be_told_apart(network: Network) -> None:
    """No score of NASWOT, and not a number that looks like one."""
    one = batch()
    twice = Batch(one.images[:1].repeat(4, 1, 1, 1), one.labels[:4], 0)
    assert score("naswot", network, twice) == -math.inf


def test_an_unknown_score_is_refused(network: Network) -> None:
    with pytest.raises(InputError, match="must be one of synflow, naswot"):
        score("magic", network, batch())
