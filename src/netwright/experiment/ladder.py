"""How long candidates train: epochs of a full training, and the rungs of successive halving below it.

A full training shows the network about 300,000 images (at least 6 and at most 60 passes over the training split),
less where the final stage could not afford that for a handful of networks as dear as the hand-made one. It is counted in
epochs: passes, or parts of passes where there are many images (`core.trial.epochs_a_pass`). The top rung is half a full
training, since the final stage trains the best from the start anyway; those below are a factor 3 apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from heapq import heapreplace
from typing import Any

from netwright.core.errors import RunVersion
from netwright.core.trial import DECAY_SHARE, Fidelity, epochs_a_pass

IMAGES_OF_A_FULL_TRAINING = 300_000
FEWEST_PASSES, MOST_PASSES = 6, 60
FINAL_SHARE = 0.3
FINALISTS_TO_AFFORD = 4
ETA = 3
LOWEST = 25
"""The lowest rung is no less than this part of a full training."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """`epochs` of a full training and the `rungs` (epochs in all) of halving; an epoch has `epoch_images` and takes
    the hand-made network `epoch_seconds` on one worker, as measured at the start. `unhurried` are the epochs of a full
    training where time is no object."""

    epochs: int
    rungs: tuple[int, ...]
    epoch_images: int
    epoch_seconds: float
    unhurried: int = 0

    def trained(self, fidelity: Fidelity, *, resumed: bool, began: int | None = None) -> float:
        """How many epochs a trial trains: after those of the checkpoint it `began` with (where that is not known, from
        the rung below) when `resumed`; with the decay branch on the trunk."""
        below = max((rung for rung in self.rungs if rung < fidelity.epochs), default=0) if began is None else began
        below = below if resumed else 0
        return fidelity.epochs - below + (DECAY_SHARE * fidelity.epochs if fidelity.trunk else 0.0)

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {**asdict(self), "rungs": list(self.rungs)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Ladder:
        """The inverse of `to_json`."""
        if "epoch_images" not in record:
            raise RunVersion(
                "this run was begun by a netwright that counted epochs in another way; go on with that one, "
                "or begin anew in another folder"
            )
        return cls(**{**record, "rungs": tuple(record["rungs"])})


def build_ladder(*, images: int, epoch_seconds: float, worker_seconds: float | None, passes: int | None) -> Ladder:
    """The ladder for a training split of `images`, given what an epoch of the hand-made network costs.

    `worker_seconds` is the CPU time of the whole budget (None: no bound on time); `passes` is the person's own choice.
    """
    parts = epochs_a_pass(images)
    whole = min(max(round(IMAGES_OF_A_FULL_TRAINING / images), FEWEST_PASSES), MOST_PASSES)
    unhurried = epochs = parts * (whole if passes is None else passes)
    if passes is None and worker_seconds is not None:
        affordable = int(worker_seconds * FINAL_SHARE / (FINALISTS_TO_AFFORD * epoch_seconds))
        epochs = min(epochs, max(affordable, 1))
    return Ladder(epochs, rungs(epochs), math.ceil(images / parts), epoch_seconds, unhurried)


def rungs(epochs: int) -> tuple[int, ...]:
    """Epochs of each rung below a full training of `epochs`: half of it, and thirds from there to about a twentieth."""
    ladder = [max(1, epochs // 2)]
    while max(1, epochs / LOWEST) <= (below := round(ladder[0] / ETA)) < ladder[0]:
        ladder.insert(0, below)
    return tuple(ladder)


def share_out(
    costs: Sequence[float], *, seconds: float, workers: int, full: int, longest: int, sure: int = 1, unhurried: int = 0
) -> dict[int, int]:
    """Epochs of each candidate that fits into `seconds` of some `workers`, by its place in `costs`; costliest first.

    `costs` are seconds an epoch, the candidates that matter most first; the first `sure` of them are kept whatever they
    take, and if need be nobody trains longer than they can. Everyone kept has a full training; more than a handful are
    kept only where all can have an `unhurried` one, since longer trainings are worth more than further candidates. What
    time that leaves is shared out evenly, up to the `longest` training: so small networks train longer. What is given
    fits when it is begun in this order.
    """
    kept = list(range(min(sure, len(costs))))
    least = max(1, min(full, int(seconds / makespan([costs[place] for place in kept], workers))))
    for place in range(len(kept), len(costs)):
        length = least if len(kept) < FINALISTS_TO_AFFORD else max(least, unhurried)
        if makespan([costs[other] * length for other in (*kept, place)], workers) <= seconds:
            kept.append(place)
    kept.sort(key=lambda place: -costs[place])
    for most in range(max(longest, least), least, -1):
        most_of = [max(least, min(most, int(seconds / costs[place]))) for place in kept]
        epochs = _evenly([costs[place] for place in kept], seconds * workers, least, most_of)
        if makespan([costs[place] * number for place, number in zip(kept, epochs, strict=True)], workers) <= seconds:
            return dict(zip(kept, epochs, strict=True))
    return dict.fromkeys(kept, least)


def _evenly(costs: Sequence[float], room: float, least: int, most: Sequence[int]) -> list[int]:
    """Epochs from `least` to `most` each, the costliest first; what the cheaper ones leave of their share of `room` goes on."""
    epochs: list[int] = []
    for left in range(len(costs), 0, -1):
        cost = costs[left - 1]
        epochs.insert(0, min(max(int(room / left / cost), least), most[left - 1]))
        room -= cost * epochs[0]
    return epochs


def makespan(seconds: Iterable[float], workers: int) -> float:
    """When the last of some trainings ends, the longest begun first, each by the next free worker."""
    busy = [0.0] * workers
    for length in sorted(seconds, reverse=True):
        heapreplace(busy, busy[0] + length)
    return max(busy)
