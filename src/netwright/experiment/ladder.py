"""How long candidates train: epochs of a full training, and the rungs of successive halving below it.

A full training shows the network about 300,000 images (at least 6 and at most 60 passes over the training split),
less where the final stage could not afford that for a handful of networks. Rungs are a factor 3 apart; the top one
is at most half a full training, since the final stage trains the best from the start anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

IMAGES_OF_A_FULL_TRAINING = 300_000
FEWEST_EPOCHS, MOST_EPOCHS = 6, 60
FINAL_SHARE = 0.3
FINALISTS_TO_AFFORD = 4
ETA = 3


@dataclass(frozen=True, slots=True)
class Ladder:
    """`epochs` of a full training and the `rungs` (epochs in all) of halving; `epoch_seconds` of the hand-made
    network on one worker, as measured at the start."""

    epochs: int
    rungs: tuple[int, ...]
    epoch_seconds: float

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {"epochs": self.epochs, "rungs": list(self.rungs), "epoch_seconds": self.epoch_seconds}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Ladder:
        """The inverse of `to_json`."""
        return cls(record["epochs"], tuple(record["rungs"]), record["epoch_seconds"])


def build_ladder(*, images: int, epoch_seconds: float, worker_seconds: float | None, epochs: int | None) -> Ladder:
    """The ladder for a training split of `images`, given what an epoch of the hand-made network costs.

    `worker_seconds` is the CPU time of the whole budget (None: no bound on time); `epochs` is the person's own choice.
    """
    if epochs is None:
        wanted = min(max(round(IMAGES_OF_A_FULL_TRAINING / images), FEWEST_EPOCHS), MOST_EPOCHS)
        if worker_seconds is not None:
            affordable = int(worker_seconds * FINAL_SHARE / (FINALISTS_TO_AFFORD * epoch_seconds))
            wanted = min(wanted, max(affordable, 1))
        epochs = wanted
    return Ladder(epochs, rungs(epochs), epoch_seconds)


def rungs(epochs: int) -> tuple[int, ...]:
    """Epochs of each rung below a full training of `epochs`: about a twentieth of it, then times 3 up to half."""
    lowest = max(1, round(epochs / 20))
    ladder = [lowest]
    while ladder[-1] * ETA <= max(epochs / 2, 1):
        ladder.append(ladder[-1] * ETA)
    return tuple(ladder)
