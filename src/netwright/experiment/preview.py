"""`--dry-run`: what a search would do, without training: the space, one sampled network, what a trial would cost."""

from __future__ import annotations

import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netwright.core.candidate import Candidate
from netwright.core.job import Job
from netwright.core.seeding import derive, stream
from netwright.core.trial import UNTRAINED, Fidelity, Proposal, epochs_a_pass
from netwright.experiment.ladder import FINAL_SHARE, build_ladder
from netwright.experiment.run import data_of
from netwright.experiment.settings import Settings
from netwright.experiment.view import data_facts
from netwright.reports.terminal import data_in_words, size_in_words
from netwright.reports.words import count, duration, layer_in_words
from netwright.spaces.catalog import find_space
from netwright.spaces.shapes import plan
from netwright.strategies import parts_of


@dataclass(frozen=True, slots=True)
class Preview:
    """What was found. Times are for one worker of this machine as it is now."""

    data: dict[str, Any]
    space: dict[str, Any]
    sample: dict[str, Any]
    layers: list[str]
    rungs: tuple[int, ...]
    epochs: int
    epoch_images: int
    trial_seconds: float
    trials: int | None

    def to_json(self) -> dict[str, Any]:
        """The same as one JSON object."""
        return {
            "data": self.data,
            "space": self.space,
            "sample": self.sample,
            "epochs": [*self.rungs, self.epochs],
            "epoch_images": self.epoch_images,
            "trial_seconds": self.trial_seconds,
            "trials": self.trials,
        }

    def lines(self) -> list[str]:
        """The same for a reader."""
        rungs = ", ".join(map(str, self.rungs))
        shown = [f"    {line}" for line in self.layers]
        fits = "" if self.trials is None else f"; about {self.trials} of them fit into the search"
        return [
            data_in_words(self.data),
            f"space {self.space['name']}: {size_in_words(self.space['size'])}",
            f"one of them, {count(self.sample['parameters'])} parameters, {count(self.sample['macs'])} MACs:",
            *shown,
            f"rungs of {rungs} epochs of {count(self.epoch_images)} images; a full training has {self.epochs}",
            f"a first trial takes about {duration(self.trial_seconds)} on one worker{fits}",
        ]


def preview(given: Settings) -> Preview:
    """Decode the data, draw one candidate, and time a few of its training steps. Nothing is kept."""
    settings = given.complete()
    with tempfile.TemporaryDirectory(prefix="netwright-") as place:
        folder = Path(place)
        make_space = find_space(settings.space or "")
        data = data_of(settings, folder / "data")
        space = make_space(data.task)
        candidate = space.sample(stream(settings.seed or 0, "preview"))
        if candidate.architecture is None:
            raise TypeError("a space must give networks")
        drawn = plan(candidate.architecture, data.task)
        images = len(data.indices("train"))
        epoch = {
            name: _epoch_seconds(settings, one, folder, images)
            for name, one in (("sample", candidate), ("reference", space.reference or candidate))
        }
        budget = settings.budget.worker_seconds(settings.workers or 1)
        ladder = build_ladder(
            images=images, epoch_seconds=epoch["reference"], worker_seconds=budget, passes=settings.epochs
        )
        first = ladder.rungs[0] if parts_of(settings.strategy or "")[1] else max(1, ladder.epochs // 3)
        seconds = epoch["sample"] * first * 1.2 if settings.trains else _score_seconds(settings, candidate, folder)
        bounds = [] if settings.trials is None else [settings.trials]
        bounds += [] if budget is None else [math.floor(budget * (1 - FINAL_SHARE) / seconds)]
        return Preview(
            data=data_facts(data),
            space={"name": space.name, "size": space.size(), "conditional": space.conditional},
            sample={
                "architecture": candidate.key,
                "parameters": drawn.parameters,
                "macs": drawn.macs,
                "decisions": {a: list(v) if isinstance(v, tuple) else v for a, v in candidate.decisions.items()},
            },
            layers=[layer_in_words(layer) for layer in candidate.architecture.layers],
            rungs=ladder.rungs,
            epochs=ladder.epochs,
            epoch_images=ladder.epoch_images,
            trial_seconds=seconds,
            trials=min(bounds, default=None),
        )


def _score_seconds(settings: Settings, candidate: Candidate, folder: Path) -> float:
    """CPU seconds of a score: what a trial of a search without training takes."""
    from netwright.evaluation.scored import score_untrained

    job = Job(
        trial=0,
        attempt=1,
        evaluation="score",
        settings={"data": str(folder / "data"), "scores": [settings.score]},
        proposal=Proposal(candidate, UNTRAINED, origin="probe").to_json(),
        seed=derive(settings.seed or 0, "probe"),
        folder=folder,
    )
    began = time.process_time()
    score_untrained(job)
    return time.process_time() - began


def _epoch_seconds(settings: Settings, candidate: Candidate, folder: Path, images: int) -> float:
    from netwright.evaluation.probe import probe

    job = Job(
        trial=0,
        attempt=1,
        evaluation="precision",
        settings={"data": str(folder / "data")},
        proposal=Proposal(candidate, Fidelity(1), origin="probe").to_json(),
        seed=derive(settings.seed or 0, "probe"),
        folder=folder,
    )
    notes = probe(job).notes
    chosen = notes["precision"] if settings.precision == "auto" else settings.precision
    steps = math.ceil(images / epochs_a_pass(images) / int(notes["batch"]))
    return float(notes[f"{chosen}_ms"]) / 1e3 * steps
