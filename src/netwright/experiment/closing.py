"""How a run closes: finalists side by side, the winner by validation, and the test split, if there is one, read once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netwright.core.errors import NetwrightError
from netwright.core.files import storing
from netwright.core.job import Evaluated
from netwright.core.measurement import Measurement, measurements_to_json
from netwright.core.objective import Goal
from netwright.core.pareto import front
from netwright.core.seeding import derive
from netwright.core.trial import TrialId
from netwright.experiment.choice import winner
from netwright.experiment.desk import Result
from netwright.experiment.errand import errand
from netwright.experiment.networks import onnx_file
from netwright.experiment.stages import Stages


@dataclass(frozen=True, slots=True)
class Contender:
    """A trained network that may be exported, or that the winner is held against."""

    trial: TrialId
    role: str
    measurements: Mapping[str, Measurement]
    onnx: Path


@dataclass(slots=True)
class Closing:
    """Closes one stage of a run. `trials` are the networks that `Stages.final` gave.

    `memory` says whether their peak memory is measured, which takes a process and half a second each.
    """

    stages: Stages
    trials: Sequence[TrialId]
    memory: bool = True

    def run(self) -> TrialId:
        """Measure, choose, test; give the winner. The facts `measured` and `test` hold what was found.

        The hand-made network may win: what is exported is the best network there is, whoever made it.
        Data without a test split leave out the test; the verdict then says so. Raises NetwrightError when no weights
        are left of any network.
        """
        opened = self.stages.opened
        contenders = self._contenders()
        if not contenders:
            raise NetwrightError(
                "a run that closes must hold a trained network, but the weights of all that were trained are gone "
                "(`netwright clean` deletes them); give the run a larger budget, and new ones are trained"
            )
        measured = self._measure(contenders)
        merged = {c.trial: {**c.measurements, **measured[c.trial]} for c in contenders}
        best = winner(opened.goal, merged)
        opened.note(
            "measured",
            {
                "stage": self.number,
                "winner": best,
                "front": front_of(opened.goal, merged, [c.trial for c in contenders if c.role != "handmade"]),
                "measurements": {str(trial): measurements_to_json(m) for trial, m in measured.items()},
            },
        )
        if len(opened.data.indices("test")):
            self._test(contenders)
        return best

    @property
    def number(self) -> int:
        """Which stage this is, from 1."""
        stage = self.stages.opened.fact("stage")
        return int(stage["number"]) if stage else 0

    def _contenders(self) -> list[Contender]:
        desk, loop = self.stages.desk, self.stages.loop
        entries = {
            entry.trial: entry
            for standings in desk.standings.values()
            for entry in [*standings.front(), *([standings.random] if standings.random else [])]
        }
        found = []
        handmade = desk.baseline("handmade")
        results: list[tuple[TrialId, str, Any]] = [
            *([(handmade.event.trial, "handmade", handmade)] if handmade else []),
            *((trial, "finalist", desk.results.get(trial) or entries[trial]) for trial in self.trials),
        ]
        for trial, role, result in results:
            measurements = result.event.measurements if isinstance(result, Result) else result.measurements
            path = onnx_file(
                result.proposal.candidate, desk.task, loop.artefacts(trial), self._work() / f"{trial:06d}.onnx"
            )
            if path is not None:
                found.append(Contender(trial, role, measurements, path))
        return found

    def _work(self) -> Path:
        folder = self.stages.opened.folder / "work"
        with storing(str(folder)):
            folder.mkdir(exist_ok=True)
        return folder

    def _measure(self, contenders: Sequence[Contender]) -> dict[TrialId, dict[str, Measurement]]:
        """Latency and peak memory of all contenders in the same rounds."""
        settings, models = {"memory": self.memory}, {str(c.trial): c.onnx for c in contenders}
        measured = self._errand("latency", settings, models, lambda evaluated, folder: evaluated)
        by_trial: dict[TrialId, dict[str, Measurement]] = {c.trial: {} for c in contenders}
        for name, measurement in measured.measurements.items():
            metric, _, trial = name.partition("@")
            by_trial[int(trial)][metric] = measurement
        return by_trial

    def _test(self, contenders: Sequence[Contender]) -> None:
        """Read the test split once, for every contender and classic model, and record what came of it.

        What an earlier driver recorded of the same models in this stage is not read again.
        """
        opened, desk = self.stages.opened, self.stages.desk
        inputs = {str(c.trial): c.onnx for c in contenders}
        models = dict.fromkeys(inputs, "onnx")
        for role in ("linear", "forest"):
            result = desk.baseline(role)
            path = self.stages.loop.artefacts(result.event.trial).get("classic") if result else None
            if result is not None and path is not None:
                inputs[str(result.event.trial)] = path
                models[str(result.event.trial)] = "classic"

        before = opened.fact("test")
        if before is not None and before["stage"] == self.number and self._tested(before, models):
            return

        def take(evaluated: Evaluated, folder: Path) -> dict[str, Any]:
            answers = {name: opened.blobs.put(folder / evaluated.artefacts[f"test_{name}"]) for name in models}
            tested: dict[str, dict[str, Any]] = {name: {} for name in models}
            for name, record in measurements_to_json(evaluated.measurements).items():
                metric, _, trial = name.partition("@")
                tested[trial][metric] = record
            return {"stage": self.number, "measurements": tested, "answers": answers}

        opened.note("test", self._errand("test", {"models": models}, inputs, take))

    def _tested(self, test: Mapping[str, Any], models: Mapping[str, str]) -> bool:
        answers: Mapping[str, str] = test["answers"]
        blobs = self.stages.opened.blobs
        return all(name in answers and blobs.intact(answers[name]) for name in models)

    def _errand(self, evaluation: str, settings: Mapping[str, Any], inputs: Mapping[str, Path], take: Any) -> Any:
        opened = self.stages.opened
        return errand(
            opened.executor,
            opened.folder,
            evaluation,
            {"data": str(opened.data.folder), **settings},
            inputs=inputs,
            seed=derive(opened.settings.seed or 0, evaluation, self.number),
            take=take,
        )


def front_of(
    goal: Goal, measurements: Mapping[TrialId, Mapping[str, Measurement]], trials: Sequence[TrialId]
) -> list[TrialId]:
    """Which of `trials` no other one dominates, best first objective first."""
    known = [(trial, goal.costs(measurements[trial])) for trial in trials]
    rated = [(trial, costs) for trial, costs in known if costs is not None]
    violations = [goal.violation(measurements[trial]) for trial, _ in rated]
    return [rated[i][0] for i in front([costs for _, costs in rated], violations)]
