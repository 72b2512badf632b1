"""What a network is asked to do: the shape it takes and the answers it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task, without its data.

    `inputs` is (channels, height, width) of one `uint8` image. `labels` are the class names, in the order of the
    network's outputs. `mean` and `std` are per channel, of the training split scaled to [0, 1]; networks normalise
    with them inside. `class_weights` (one a class, mean 1) weigh the loss where classes are rare.
    """

    inputs: tuple[int, int, int]
    labels: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    class_weights: tuple[float, ...] | None = None
    kind: Literal["classification"] = "classification"

    @property
    def outputs(self) -> int:
        """Width of the network's last layer."""
        return len(self.labels)

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {
            "kind": self.kind,
            "inputs": list(self.inputs),
            "labels": list(self.labels),
            "mean": list(self.mean),
            "std": list(self.std),
            "class_weights": None if self.class_weights is None else list(self.class_weights),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> TaskSpec:
        """The inverse of `to_json`."""
        channels, height, width = record["inputs"]
        weights = record.get("class_weights")
        return cls(
            inputs=(channels, height, width),
            labels=tuple(record["labels"]),
            mean=tuple(record["mean"]),
            std=tuple(record["std"]),
            class_weights=None if weights is None else tuple(weights),
            kind=record.get("kind", "classification"),
        )
