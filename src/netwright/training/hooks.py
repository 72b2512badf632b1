"""Hooks: what else may happen in the training loop, and the average of weights as one of them.

A hook's state is part of every checkpoint, so a resumed training knows nothing of the interruption.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

State = Mapping[str, Tensor | int | float | str]
Weights = dict[str, Tensor]


class Hook:
    """Every method does nothing by itself; a hook overrides the ones it needs. `name` tells its state from others'."""

    name = "hook"

    def start(self, module: nn.Module) -> None:
        """Before the first step, with the weights training begins with (also when it is about to be resumed)."""

    def loss(self, loss: Tensor, logits: Tensor, images: Tensor, targets: Tensor) -> Tensor:
        """The loss to minimise instead of `loss`. `targets` are class numbers, or soft after mixup."""
        return loss

    def gradients(self, module: nn.Module) -> None:
        """After the backward pass, before the optimiser's step."""

    def step_end(self, module: nn.Module) -> None:
        """After the optimiser's step."""

    def epoch_end(self, module: nn.Module, epoch: int) -> None:
        """After epoch `epoch` (counted from 1), before it is scored."""

    def scored(self, weights: Weights) -> Weights:
        """The weights that are scored and kept instead of `weights` (a state dict)."""
        return weights

    def state(self) -> State:
        """What a checkpoint must hold to go on exactly."""
        return {}

    def load(self, state: State) -> None:
        """Take `state` back."""


class Average(Hook):
    """An exponential moving average of the weights and of batch-norm statistics, scored in their place.

    The decay is lowered at the start, min(decay, (1 + t) / (10 + t)), so that the average forgets the random weights.
    """

    name = "average"

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.average: Weights = {}

    def start(self, module: nn.Module) -> None:
        """Begin with a copy of the weights."""
        self.average = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}

    @torch.no_grad()
    def step_end(self, module: nn.Module) -> None:
        """Move the average towards the new weights."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        averages, news = [], []
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                averages.append(self.average[name])
                news.append(tensor)
            else:
                self.average[name].copy_(tensor)
        torch._foreach_lerp_(averages, news, 1 - decay)

    def scored(self, weights: Weights) -> Weights:
        """The average."""
        return self.average

    def state(self) -> State:
        """The average and how many steps it has seen."""
        return {"steps": self.steps, **self.average}

    def load(self, state: State) -> None:
        """Take the average back."""
        self.steps = int(state["steps"])
        for name, tensor in self.average.items():
            stored = state[name]
            if not isinstance(stored, Tensor):
                raise TypeError(f"the average of {name} must be a tensor, but got {type(stored).__name__}")
            tensor.copy_(stored)
