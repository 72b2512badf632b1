"""What scores share: the minibatch, a copy of the network to work on, its weights, loss and gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from netwright.core.plan import Plan
from netwright.networks.build import Network, Normalize


@dataclass(frozen=True, eq=False)
class Batch:
    """What a score looks at: images (batch, channels, height, width) of 0 to 255, labels (batch,), and a seed for
    what is drawn besides."""

    images: Tensor
    labels: Tensor
    seed: int = 0


def normalized(network: Network, batch: Batch) -> Tensor:
    """The batch's images as the first layer gets them, float32."""
    for module in network.children():
        if isinstance(module, Normalize):
            images: Tensor = module(batch.images)
            return images
    return batch.images.float()


def copied(network: Network, *, batch_norm: bool = True) -> Network:
    """A copy in training mode that takes `normalized` images, with no hooks, no dropout and nothing done in place.

    Without `batch_norm` normalisation is the identity.
    """
    with torch.device("meta"):
        copy = Network(network.plan)
    like = next(network.parameters())
    copy.to_empty(device=like.device).to(like.dtype)
    copy.load_state_dict(network.state_dict())
    removed: tuple[type[nn.Module], ...] = (Normalize, nn.Dropout)
    if not batch_norm:
        removed += (nn.BatchNorm1d, nn.BatchNorm2d)
    for name, module in list(copy.named_children()):
        if isinstance(module, removed):
            setattr(copy, name, nn.Identity())
        elif isinstance(module, nn.ReLU | nn.ReLU6):
            module.inplace = False
    return copy.train()


def weighted(network: Network) -> list[nn.Conv2d | nn.Linear]:
    """The layers whose weights scores are about: convolutions and linear layers, in the order of the plan."""
    return [module for module in network.children() if isinstance(module, nn.Conv2d | nn.Linear)]


def loss(copy: Network, images: Tensor, batch: Batch) -> Tensor:
    """Mean cross-entropy of the logits."""
    return functional.cross_entropy(copy(images), batch.labels)


def gradients(of: Tensor, to: Sequence[Tensor], *, graph: bool = False) -> list[Tensor]:
    """Gradients with zeros where nothing depends on a tensor; with `graph` they can be differentiated again."""
    found = torch.autograd.grad(of, list(to), create_graph=graph, allow_unused=True)
    return [torch.zeros_like(t) if g is None else g for t, g in zip(to, found, strict=True)]


def output_of(copy: Network, name: str, images: Tensor) -> Tensor:
    """What the step `name` gives in one forward pass, in the arithmetic it was computed in."""
    outputs: list[Tensor] = []
    handle = copy.get_submodule(name).register_forward_hook(lambda module, given, output: outputs.append(output))
    try:
        copy(images)
    finally:
        handle.remove()
    return outputs[-1]


def total(numbers: Tensor) -> float:
    """Their sum, in float64."""
    return float(numbers.double().sum())


def connected(plan: Plan) -> bool:
    """Whether the output depends on the input at all."""
    live: list[bool] = []
    for step in plan.steps:
        sources = [live[source] for source in step.inputs]
        if step.op == "input":
            live.append(True)
        elif step.op == "zero":
            live.append(False)
        else:
            live.append(all(sources) if step.op == "mul" else any(sources))
    return live[-1]
