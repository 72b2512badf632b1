"""The one training loop. `fit` reads top to bottom; what it needs of a step, a schedule or a hook lies beside it.

An epoch is a pass over the training images, or an equal part of one where they are many (`core.trial.epochs_a_pass`).
All its random numbers (order, augmentation, dropout) are a function of the seed and its number, and a checkpoint lies
between epochs. So a resumed training goes on exactly: on one CPU thread, bit for bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import nn

from netwright.core.candidate import Scalar
from netwright.core.errors import InputError
from netwright.core.job import Diverged, Report
from netwright.core.seeding import derive
from netwright.core.task import TaskSpec
from netwright.core.trial import epochs_a_pass
from netwright.training.augment import augment, augmentation_names
from netwright.training.checkpoint import Checkpoint, restore, snapshot
from netwright.training.hooks import Average, Hook, Weights
from netwright.training.predict import Integers, LabelledImages, gather, logits
from netwright.training.recipe import (
    TrainingRecipe,
    batch_size,
    decay_factor,
    decay_steps,
    read_recipe,
    schedule_factor,
    trunk_factor,
)
from netwright.training.step import Stepper

Precision = Literal["fp32", "bf16"]
PRECISIONS: tuple[str, ...] = get_args(Precision)

Keep = Callable[[Callable[[], Checkpoint], bool], None]
"""Hears after an epoch of a way to take a checkpoint, and whether the training ends there."""

CURVE_IMAGES = 2000
"""The learning curve is taken on at most so many validation images, evenly spaced; the score is not."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What training gave. The module itself holds `weights` afterwards.

    `weights` is the state dict that is to be scored (the average, where there is one). `curve` has one record an
    epoch: epoch, of, train_loss, validation, lr, seconds (CPU, summed over resumed calls). `checkpoint` is the state
    to go on from: under successive halving the trunk's, before the decay branch. `seconds` are CPU seconds of this
    call. `pieces` says into how many parts each batch was cut for lack of memory.
    """

    weights: Weights
    curve: list[dict[str, Any]]
    checkpoint: Checkpoint
    seconds: float
    stopped: bool
    batch: int
    pieces: int


def fit(
    module: nn.Module,
    data: LabelledImages,
    task: TaskSpec,
    recipe: Mapping[str, Scalar],
    *,
    epochs: int,
    seed: int,
    precision: Precision = "fp32",
    device: str = "cpu",
    hooks: Sequence[Hook] = (),
    resume: Checkpoint | None = None,
    report: Report | None = None,
    keep: Keep | None = None,
    trunk: bool = False,
) -> Fitted:
    """Train `module` (`uint8` images in, logits out) on the training split until `epochs` epochs are done in all.

    With `trunk` the learning rate is warmed up and then constant; after the last epoch the state is kept as the
    checkpoint and a decay branch of a fifth of all epochs, learning rate falling to zero, makes the weights that are
    scored. `resume` goes on from a checkpoint, with its seed. `report` hears of each epoch and may answer "stop"; then
    training ends there, without a decay branch. `keep` hears after each epoch of a way to take a checkpoint, and
    whether training ends there.

    CUDA and MPS go through the same code; what is tested here is the CPU.
    Raises Diverged at the first loss or weight that is not finite, OutOfMemory when a quarter of the batch is still
    too much, CandidateError for a recipe that cannot be read, InputError for a checkpoint of another network or
    an unknown precision.
    """
    settings = read_recipe(recipe)
    if precision not in PRECISIONS:
        raise InputError(f"precision must be {' or '.join(PRECISIONS)}, but got {precision!r}")
    train = data.indices("train")
    parts = epochs_a_pass(len(train))
    batch = batch_size(settings.batch, len(train))
    steps = math.ceil(len(train) / (parts * batch))
    active = [*hooks, Average(settings.ema)] if settings.ema else list(hooks)
    stepper = Stepper(module, task, settings, active, precision=precision, device=torch.device(device))
    for hook in active:
        hook.start(module)
    done = 0
    curve: list[dict[str, Any]] = []
    if resume is not None:
        seed, done, curve = restore(resume, module, stepper.optimizer, active)

    run = _Epochs(stepper, data, train, settings, outputs=task.outputs, parts=parts, steps=steps, seed=seed)
    factor = partial(trunk_factor, settings, steps) if trunk else partial(schedule_factor, settings, epochs * steps)
    before = curve[-1]["seconds"] if curve else 0.0
    began, stopped = time.process_time(), False
    with torch.random.fork_rng(devices=[stepper.device] if stepper.device.type == "cuda" else []):
        for epoch in range(done, epochs):
            losses = run.train(epoch, steps, factor, epoch * steps)
            for hook in active:
                hook.epoch_end(module, epoch + 1)
            record = {
                "epoch": epoch + 1,
                "of": epochs,
                "train_loss": sum(losses) / len(losses),
                "validation": _validate(module, data, active, device),
                "lr": stepper.optimizer.param_groups[0]["lr"],
                "seconds": before + time.process_time() - began,
            }
            curve.append(record)
            stopped = report is not None and report(record) == "stop"
            if keep is not None:
                keep(partial(snapshot, module, stepper.optimizer, active, seed, curve, precision), stopped)
            if stopped:
                break
        checkpoint = snapshot(module, stepper.optimizer, active, seed, curve, precision)
        if trunk and not stopped:
            length = decay_steps(epochs, steps)
            for part, first in enumerate(range(0, length, steps)):
                # Numbers that no epoch has give the branch an order and random numbers of its own.
                run.train(-1 - part, min(steps, length - first), partial(decay_factor, length), first)
    module.load_state_dict(_scored(module, active))
    _refuse_non_finite(module)
    return Fitted(
        weights={name: tensor.detach().clone() for name, tensor in module.state_dict().items()},
        curve=curve,
        checkpoint=checkpoint,
        seconds=time.process_time() - began,
        stopped=stopped,
        batch=batch,
        pieces=stepper.pieces,
    )


class _Epochs:
    """Runs epochs: the order of the images, their augmentation, and a step for each batch."""

    def __init__(
        self,
        stepper: Stepper,
        data: LabelledImages,
        train: np.ndarray[Any, Any],
        recipe: TrainingRecipe,
        *,
        outputs: int,
        parts: int,
        steps: int,
        seed: int,
    ) -> None:
        self.stepper = stepper
        self.images = data.images
        self.labels = np.asarray(data.labels).astype(np.int64)
        self.train_indices = train
        self.lr = recipe.lr
        self.names = augmentation_names(recipe.augment)
        self.outputs = outputs
        self.parts = parts
        self.steps = steps
        self.seed = seed
        self.generator = torch.Generator(stepper.device)

    def train(self, epoch: int, count: int, factor: Callable[[int], float], first: int) -> list[float]:
        """Take the first `count` steps of an epoch; gives their losses. Batches are equal to within one image.

        `factor` of the learning rate is asked for step `first` and those after it.
        """
        device = self.stepper.device
        number, part = divmod(epoch, self.parts)
        order = np.random.default_rng(derive(self.seed, "order", number)).permutation(self.train_indices)
        shown = np.array_split(order, self.parts)[part]
        self.generator.manual_seed(derive(self.seed, "augment", epoch))
        torch.manual_seed(derive(self.seed, "dropout", epoch))
        self.stepper.module.train()
        losses = []
        for step, indices in enumerate(np.array_split(shown, min(self.steps, len(shown)))[:count]):
            images = gather(self.images, indices, device)
            targets = torch.from_numpy(self.labels[indices]).to(device)
            images, targets = augment(images, targets, self.names, self.outputs, self.generator)
            losses.append(self.stepper.step(images, targets, self.lr * factor(first + step)))
        return losses


def _validate(module: nn.Module, data: LabelledImages, hooks: list[Hook], device: str) -> dict[str, float]:
    """Accuracy and loss for the learning curve; empty where there is no validation split."""
    indices = data.indices("validation")
    if len(indices) == 0:
        return {}
    if len(indices) > CURVE_IMAGES:
        indices = indices[np.linspace(0, len(indices) - 1, CURVE_IMAGES).astype(np.int64)]
    with _holding(module, hooks):
        values = logits(module, data.images, indices, device=device).astype(np.float64)
    if not np.isfinite(values).all():
        raise Diverged("the network's outputs are not finite")
    labels: Integers = np.asarray(data.labels)[indices].astype(np.int64)
    shifted = values - values.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]
    return {"accuracy": float((values.argmax(axis=1) == labels).mean()), "loss": float(losses.mean())}


def _scored(module: nn.Module, hooks: list[Hook]) -> Weights:
    weights: Weights = dict(module.state_dict())
    for hook in hooks:
        weights = hook.scored(weights)
    return weights


@contextmanager
def _holding(module: nn.Module, hooks: list[Hook]) -> Iterator[None]:
    """Let the module hold the weights that are scored for a while."""
    if all(type(hook).scored is Hook.scored for hook in hooks):
        yield
        return
    kept = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
    module.load_state_dict(_scored(module, hooks))
    yield
    module.load_state_dict(kept)


def _refuse_non_finite(module: nn.Module) -> None:
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise Diverged(f"the weights {name} are not finite")
