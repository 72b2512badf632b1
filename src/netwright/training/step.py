"""One optimiser step: forward, loss, backward, update; in smaller pieces when memory runs out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from netwright.core.job import Diverged, OutOfMemory
from netwright.core.task import TaskSpec
from netwright.training.hooks import Hook
from netwright.training.recipe import TrainingRecipe, make_optimizer

MOST_PIECES = 4
"""A batch is halved at most twice."""


class Stepper:
    """Holds what a step needs: the module on its device, channels last; optimiser, hooks, and the settings of the loss.

    `pieces` says into how many parts a batch is cut, 1 until memory runs out.
    """

    def __init__(
        self,
        module: nn.Module,
        task: TaskSpec,
        recipe: TrainingRecipe,
        hooks: Sequence[Hook] = (),
        *,
        precision: str,
        device: torch.device,
    ) -> None:
        module.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.module = module
        self.optimizer = make_optimizer(module, recipe)
        self.hooks = hooks
        self.class_weights = None if task.class_weights is None else torch.tensor(task.class_weights, device=device)
        self.label_smoothing = recipe.label_smoothing
        self.precision = precision
        self.device = device
        self.pieces = 1

    def step(self, images: Tensor, targets: Tensor, rate: float) -> float:
        """Train on one batch with learning rate `rate`; gives the loss.

        Raises Diverged at once when the loss is not finite, and OutOfMemory when memory does not suffice for a
        quarter of the batch. Pieces add up to the gradient of the whole batch (batch norms see each by itself).
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        while True:
            try:
                loss = self._gradients(images, targets)
                break
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if self.pieces == MOST_PIECES:
                    size = math.ceil(len(images) / self.pieces)
                    raise OutOfMemory(f"memory does not suffice for {size} images at a time") from error
            self.pieces *= 2
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
        for hook in self.hooks:
            hook.gradients(self.module)
        self.optimizer.step()
        for hook in self.hooks:
            hook.step_end(self.module)
        return loss

    def _gradients(self, images: Tensor, targets: Tensor) -> float:
        self.optimizer.zero_grad(set_to_none=True)
        total, whole = 0.0, self._heft(targets)
        for part, wanted in zip(images.chunk(self.pieces), targets.chunk(self.pieces), strict=True):
            loss = self._loss(part, wanted) * (self._heft(wanted) / whole)
            value = loss.item()
            if not math.isfinite(value):
                raise Diverged(f"the loss became {value}")
            loss.backward()  # type: ignore[no-untyped-call]
            total += value
        return total

    def _loss(self, images: Tensor, targets: Tensor) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            logits = self.module(images).float()
        loss = functional.cross_entropy(
            logits, targets, self.class_weights, reduction="sum", label_smoothing=self.label_smoothing
        ) / self._heft(targets)
        for hook in self.hooks:
            loss = hook.loss(loss, logits, images, targets)
        return loss

    def _heft(self, targets: Tensor) -> float:
        """What a mean over these images is divided by: their number, or the sum of their weights."""
        if self.class_weights is None:
            return len(targets)
        weights = targets @ self.class_weights if targets.is_floating_point() else self.class_weights[targets]
        return float(weights.sum())


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out; on the CPU and on MPS torch says so only in words."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in ("can't allocate memory", "out of memory", "not enough memory")
    )
