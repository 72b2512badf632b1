"""Reading a record of learning curves, and what it answers to a search: accuracy and seconds of each training.

A line of the record is a network of one seed (`record.py`). Seed 0 answers the search: what the rungs of the trunk and
a full training gave, and how long a worker was busy with it. A search is judged by the mean over the full trainings of
all seeds, which it never sees, so that a lucky training is not mistaken for a good network.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

from netwright.core.candidate import Candidate
from netwright.core.measurement import Measurement
from netwright.core.trial import Continue, Proposal
from netwright.testing.simulate import Answer, Report

from .grid import name_of

RECORD = Path(__file__).with_name("networks.jsonl")


@dataclass(frozen=True)
class Training:
    """One training, up to a rung from the one below, or in full. `accuracy` is None where it diverged.

    `seconds` are the CPU seconds of its worker. `curve` has the accuracy after each epoch that was added, `curve_seconds`
    the time of all epochs up to there, without decay branches and without what a worker does beside training.
    """

    accuracy: float | None
    seconds: float
    curve: tuple[float, ...] = ()
    curve_seconds: tuple[float, ...] = ()

    @property
    def trunk_seconds(self) -> float:
        """Those of all epochs since the first."""
        return self.curve_seconds[-1] if self.curve_seconds else 0.0

    @classmethod
    def read(cls, line: Mapping[str, Any]) -> Training:
        """From a line of the record."""
        curves = (tuple(line.get(name, ())) for name in ("curve", "curve_seconds"))
        return cls(line.get("accuracy"), line["seconds"], *curves)


@dataclass(frozen=True)
class Network:
    """A recorded network: its rungs (fewer where one diverged) and its full trainings, one a seed."""

    name: str
    decisions: Mapping[str, Any]
    parameters: int
    rungs: tuple[Training, ...]
    full: tuple[Training, ...]

    @property
    def truth(self) -> float:
        """What a search is judged by: mean accuracy of the full trainings; one that diverged counts as 0."""
        return fmean(training.accuracy or 0.0 for training in self.full)


class Record:
    """All networks by name, and the epochs of the rungs that they were trained to. The last is a full training's."""

    def __init__(self, networks: Iterable[Network], rungs: Sequence[int]) -> None:
        self.networks = {network.name: network for network in networks}
        self.epochs = tuple(rungs)
        self.best = max(network.truth for network in self.networks.values())

    def regret(self, candidate: Candidate) -> float:
        """Points of accuracy that a network's truth lies below that of the best."""
        return 100 * (self.best - self._network(candidate).truth)

    def full_seconds(self, candidate: Candidate) -> float:
        """How long a worker is busy with a full training."""
        return self._network(candidate).full[0].seconds

    def in_true_order(self) -> Record:
        """The same networks and seconds, but every training answers with the truth, so that all rungs order as it does.

        No rungs of these lengths could rank better: what a search takes on it, it owes to the rungs, not to their errors.
        """
        return Record(map(_truthful, self.networks.values()), self.epochs)

    def answer(self, proposal: Proposal, rng: Random | None = None) -> Answer:
        """What a training gives, in the form `testing.simulate` takes."""
        accuracy = self._training(proposal).accuracy
        if accuracy is None:
            return "diverged"
        return {"accuracy": Measurement(accuracy, split="validation")}

    def seconds(self, proposal: Proposal, rng: Random | None = None) -> float:
        """How long a worker is busy with a training.

        A rung was recorded as a trial that goes on from the one below. One that starts at a higher rung trains the
        epochs below, too, without their decay branches.
        """
        seconds = self._training(proposal).seconds
        if proposal.fidelity.trunk and not isinstance(proposal.start, Continue):
            level = self._level(proposal)
            if level > 0:
                seconds += self._network(proposal.candidate).rungs[level - 1].trunk_seconds
        return seconds

    def reports(self, proposal: Proposal, rng: Random | None = None) -> list[Report]:
        """What a full training says after each epoch. What a worker does beside training comes before the first."""
        if proposal.fidelity.trunk:
            raise ValueError("only full trainings report")
        training = self._training(proposal)
        beside, of = training.seconds - training.trunk_seconds, proposal.fidelity.epochs
        return [
            Report(
                beside + seconds,
                {"epoch": epoch, "of": of, "accuracy": accuracy},
                {"accuracy": Measurement(accuracy, split="validation")},
            )
            for epoch, (accuracy, seconds) in enumerate(zip(training.curve, training.curve_seconds, strict=True), 1)
        ]

    def _training(self, proposal: Proposal) -> Training:
        """A rung above the one where the network diverged has no training of its own: it diverges there, again."""
        network = self._network(proposal.candidate)
        if proposal.fidelity.trunk:
            return network.rungs[self._level(proposal)]
        if proposal.fidelity.epochs != self.epochs[-1]:
            raise ValueError(f"full trainings have {self.epochs[-1]} epochs, but got {proposal.fidelity.epochs}")
        return network.full[0]

    def _level(self, proposal: Proposal) -> int:
        """The rung of a trunk training, or that at which the network diverged below."""
        recorded = len(self._network(proposal.candidate).rungs)
        return min(self.epochs.index(proposal.fidelity.epochs), recorded - 1)

    def _network(self, candidate: Candidate) -> Network:
        return self.networks[name_of(candidate)]


def read(path: Path, rungs: Sequence[int], names: Iterable[str]) -> Record:
    """The record at `path` of the networks that must be in it, judged over the seeds that all of them have.

    Raises ValueError where networks are missing: a search must be able to ask for any.
    """
    found = {(line["name"], line["seed"]): line for line in lines(path)}
    wanted = list(names)
    missing = sum((name, 0) not in found for name in wanted)
    if missing:
        raise ValueError(f"{missing} of {len(wanted)} networks are not in {path.name}; record them with record.py")
    seeds = 0
    while all((name, seeds) in found for name in wanted):
        seeds += 1
    return Record((_network([found[name, seed] for seed in range(seeds)]) for name in wanted), rungs)


def lines(path: Path) -> list[Mapping[str, Any]]:
    """The networks of a record, one a seed, without the lines that say where they come from. None where it has not begun."""
    if not path.exists():
        return []
    return [line for line in map(json.loads, path.read_text("utf-8").splitlines()) if "name" in line]


def append(path: Path, line: Mapping[str, Any]) -> None:
    """Add a line to a record."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, separators=(",", ":")) + "\n")


def mend(path: Path) -> None:
    """Cut off a torn last line, so that its network is trained again."""
    text = path.read_text("utf-8") if path.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, "utf-8")


def _truthful(network: Network) -> Network:
    """Trainings that diverged stay so."""

    def told(training: Training) -> Training:
        return training if training.accuracy is None else replace(training, accuracy=network.truth)

    return replace(network, rungs=tuple(map(told, network.rungs)), full=tuple(map(told, network.full)))


def _network(seeds: Sequence[Mapping[str, Any]]) -> Network:
    first = seeds[0]
    return Network(
        first["name"],
        first["decisions"],
        first["parameters"],
        tuple(map(Training.read, first["rungs"])),
        tuple(Training.read(line["full"]) for line in seeds),
    )
