"""Checkpoints: one safetensors file, tensors as they are and everything else as JSON in its header. Nothing is unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from netwright.core.candidate import canonical_json
from netwright.core.errors import InputError, RunVersion, Untrusted
from netwright.core.files import write_bytes
from netwright.training.hooks import Hook

VERSION = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A training between two epochs.

    `tensors` are named `module.…`, `optimizer.{parameter}.…` and `hook.{name}.…`. `facts` are JSON: the seed, the
    precision, the epochs done, the learning curve, and the numbers of optimiser and hooks. Random states are not among
    them: each epoch's random numbers are a function of seed and epoch.
    """

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin with `prefix` and a dot, without it."""
        return {name[len(prefix) + 1 :]: t for name, t in self.tensors.items() if name.startswith(f"{prefix}.")}


def snapshot(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    hooks: list[Hook],
    seed: int,
    curve: list[dict[str, Any]],
    precision: str,
) -> Checkpoint:
    """Copies of everything that training goes on from."""
    tensors: dict[str, Tensor] = {f"module.{name}": tensor for name, tensor in module.state_dict().items()}
    for name, parameter in module.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{name}.{key}"] = torch.as_tensor(value)
    numbers: dict[str, dict[str, Any]] = {}
    for hook in hooks:
        state = hook.state()
        numbers[hook.name] = {key: value for key, value in state.items() if not isinstance(value, Tensor)}
        tensors |= {f"hook.{hook.name}.{key}": value for key, value in state.items() if isinstance(value, Tensor)}
    copies = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
    facts = {"seed": seed, "precision": precision, "epochs": len(curve), "curve": list(curve), "hooks": numbers}
    return Checkpoint(copies, facts)


def restore(
    checkpoint: Checkpoint, module: nn.Module, optimizer: torch.optim.Optimizer, hooks: list[Hook]
) -> tuple[int, int, list[dict[str, Any]]]:
    """Put a checkpoint back; gives its seed, the epochs done and the learning curve so far."""
    weights = checkpoint.part("module")
    own = module.state_dict()
    if {name: t.shape for name, t in weights.items()} != {name: t.shape for name, t in own.items()}:
        raise InputError("a checkpoint must be of the same network, but its weights have other names or shapes")
    module.load_state_dict(weights)
    for name, parameter in module.named_parameters():
        for key, value in checkpoint.part(f"optimizer.{name}").items():
            # The layout of the parameter is kept (channels-last), so a resumed step is as fast as any other.
            own_layout = torch.empty_like(parameter) if value.shape == parameter.shape else torch.empty_like(value)
            optimizer.state[parameter][key] = own_layout.detach().copy_(value)
    for hook in hooks:
        numbers = checkpoint.facts["hooks"].get(hook.name)
        if numbers is None:
            raise InputError(f"a checkpoint must hold the state of every hook, but it has none of {hook.name!r}")
        hook.load({**numbers, **checkpoint.part(f"hook.{hook.name}")})
    return checkpoint.facts["seed"], checkpoint.facts["epochs"], list(checkpoint.facts["curve"])


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write the file atomically: a reader sees the old one or the new one, never half."""
    header = {"netwright": str(VERSION), "facts": canonical_json(dict(checkpoint.facts))}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.tensors.items()}
    write_bytes(path, safetensors.torch.save(tensors, header))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint. Raises RunVersion for another version's file and Untrusted for anything else that is none."""
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a mapping)
    except (SafetensorError, ValueError) as error:
        raise Untrusted(f"a checkpoint must be a whole safetensors file, but {path.name} is not: {error}") from error
    if header.get("netwright") != str(VERSION):
        found = header.get("netwright", "none")
        raise RunVersion(
            f"a checkpoint must have version {VERSION}, but {path.name} has {found!r}; "
            "train the network from the start, or use the netwright that wrote it"
        )
    try:
        facts = json.loads(header["facts"])
    except (KeyError, ValueError) as error:
        raise Untrusted(f"the facts in {path.name} must be JSON, but cannot be read: {error}") from error
    return Checkpoint(tensors, facts)


def save_weights(weights: Mapping[str, Tensor], path: Path, *, epochs: int = 0) -> None:
    """Write a plain safetensors file of named weights, atomically; `epochs` is how long they were trained in all."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    write_bytes(path, safetensors.torch.save(tensors, {"epochs": str(epochs)}))


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read a plain safetensors file. Raises Untrusted when it is none."""
    try:
        return safetensors.torch.load_file(path)
    except (SafetensorError, ValueError) as error:
        raise Untrusted(f"weights must be a whole safetensors file, but {path.name} is not: {error}") from error


def epochs_of_weights(path: Path) -> int:
    """How many epochs a file of `save_weights` says its weights were trained in all; 0 where it says nothing."""
    try:
        with safe_open(path, framework="pt") as file:
            return int((file.metadata() or {}).get("epochs", 0))
    except (SafetensorError, ValueError) as error:
        raise Untrusted(f"weights must be a whole safetensors file, but {path.name} is not: {error}") from error
