"""Made-up runs with the shape of real ones: the events of a search by evolution with halving, told to a History.

Quality follows from size, kernel, expansion and training length plus noise, so that fronts, importances and curves have
something true to show. Artefacts are real files in a folder.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from netwright.core.candidate import Architecture, Candidate, digest
from netwright.core.events import Asked, Clock, Event, Failed, Finished, Lost, Noted, Started, Stored
from netwright.core.history import History
from netwright.core.measurement import Measurement
from netwright.core.objective import Goal, parse_goal
from netwright.core.task import TaskSpec
from netwright.core.trial import Continue, Fidelity, Fresh, Proposal
from netwright.reports.view import Roles, RunView

ROTATED = "3 images carry an EXIF rotation"
RUNGS = (2, 6, 18)
FULL = 40
VALIDATION = 310
TRACEBACK = """Traceback (most recent call last):
  File "/home/ada/secret-project/fit.py", line 88, in fit
    loss.backward()
RuntimeError: expected 3 dimensions, got 2"""
FAILURES = (
    ("invalid", "network/2/#4fd1/kernel: a kernel of 7 does not fit an image of 4x4", ""),
    ("diverged", "the loss was not finite in epoch 2", ""),
    ("out_of_memory", "the trial needed 2,114 MB, its cap is 2,048 MB", ""),
    ("timeout", "the trial ran for 92 s, its deadline was 90 s", ""),
    (
        "crashed",
        "RuntimeError: expected 3 dimensions, got 2",
        TRACEBACK,
    ),
)


@dataclass
class Made:
    """A run under way of being made up."""

    folder: Path
    labels: tuple[str, ...]
    seed: int = 0
    test_images: int = 311
    objectives: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    latency: bool = True
    handmade_skill: float = 0.0
    forest_skill: float = -0.35
    rare: bool = False
    gap: float = 0.0
    events: list[Stored] = field(default_factory=list)
    files: dict[tuple[int, str], Path] = field(default_factory=dict)
    now: float = 1_790_000_000.0
    next_id: int = 1
    free_at: list[float] = field(default_factory=lambda: [0.0, 0.0])

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.numbers = np.random.default_rng(self.seed)
        weights = np.ones(len(self.labels))
        if self.rare:
            weights[0] = 0.02
        self.truth = self.numbers.choice(len(self.labels), self.test_images, p=weights / weights.sum())
        self.ease = self.numbers.normal(0.0, 1.0, self.test_images)
        self.free_at = [self.now, self.now]

    def say(self, event: Event, at: float) -> None:
        self.events.append(Stored(len(self.events) + 1, at, event))

    def write(self, trial: int, name: str, content: Any) -> None:
        path = self.folder / f"{trial}-{name}"
        if isinstance(content, np.ndarray):
            path = path.with_suffix(".npy")
            np.save(path, content)
        else:
            path.write_text(json.dumps(content), encoding="utf-8")
        self.files[trial, name] = path

    # -- candidates ----------------------------------------------------------------------------------------------------

    def decisions(self) -> dict[str, Any]:
        rng = self.rng
        body = tuple(f"#{rng.randrange(16**4):04x}" for _ in range(rng.randint(2, 6)))
        chosen: dict[str, Any] = {"network/0/width": rng.choice([8, 16, 24, 32]), "network/1": body}
        for part in body:
            at = f"network/1/{part}"
            chosen[at] = rng.choice(["Conv", "MBConv", "Skip"])
            if chosen[at] != "Skip":
                chosen[f"{at}/{chosen[at]}/kernel"] = rng.choice([3, 5, 7])
                chosen[f"{at}/{chosen[at]}/width"] = rng.choice([16, 24, 32, 48, 64])
            if chosen[at] == "MBConv":
                chosen[f"{at}/MBConv/expand"] = rng.choice([2, 3, 6])
        chosen["recipe/lr"] = 10 ** rng.uniform(-3, 0)
        chosen["recipe/augment"] = rng.choice(["none", "flip", "mix"])
        return chosen

    def candidate(self, decisions: dict[str, Any]) -> Candidate:
        layers: list[dict[str, Any]] = [
            {"layer": "Conv", "address": "network/0", "width": decisions["network/0/width"], "kernel": 3, "stride": 2}
        ]
        for part in decisions["network/1"]:
            at = f"network/1/{part}"
            kind = decisions[at]
            layer: dict[str, Any] = {"layer": "Identity" if kind == "Skip" else kind, "address": at}
            if kind != "Skip":
                layer["width"] = decisions[f"{at}/{kind}/width"]
                layer["kernel"] = decisions[f"{at}/{kind}/kernel"]
                layer["stride"] = 1
            if kind == "MBConv":
                layer["expand"] = decisions[f"{at}/MBConv/expand"]
            layers.append(layer)
        layers += [{"layer": "GlobalPool", "address": "network/2"}, {"layer": "Linear", "address": "network/3"}]
        recipe = {"lr": decisions["recipe/lr"], "augment": decisions["recipe/augment"], "optimizer": "sgd"}
        return Candidate("network", Architecture(tuple(layers), digest(layers)), recipe, decisions)

    def steps(self, candidate: Candidate) -> list[dict[str, Any]]:
        """layers.json of a candidate on 32x32x3 images, roughly as the plan has it."""
        assert candidate.architecture is not None
        channels, side = 3, 32
        steps: list[dict[str, Any]] = [_step("input", "input", "input", 0, "", (3, 32, 32))]
        for group, layer in enumerate(candidate.architecture.layers, start=1):
            kind, at = layer["layer"], layer["address"]
            if kind in ("Conv", "MBConv"):
                width, kernel = layer["width"], layer["kernel"]
                side = side // 2 if layer.get("stride") == 2 or (group in (3, 5) and side > 4) else side
                block = f"{kind} {width}, kernel {kernel}" + (f", expand {layer['expand']}" if kind == "MBConv" else "")
                inner = channels * layer.get("expand", 1)
                parameters = (
                    channels * width * kernel * kernel if kind == "Conv" else inner * (kernel**2 + channels + width)
                )
                shape = (width, side, side)
                steps.append(
                    _step(f"conv_{group}", "conv", block, group, at, shape, parameters, parameters * side * side)
                )
                steps.append(_step(f"norm_{group}", "norm", block, group, at, shape, 2 * width))
                steps.append(_step(f"act_{group}", "activation", block, group, at, shape))
                channels = width
            elif kind == "GlobalPool":
                steps.append(_step("pool", "global_pool", "global pool", group, at, (channels, 1, 1)))
            elif kind == "Linear":
                out = len(self.labels)
                size = (channels + 1) * out
                steps.append(_step("head", "linear", f"linear {out}", group, at, (out,), size, channels * out))
        return steps

    def skill(self, candidate: Candidate, parameters: int, epochs: int) -> float:
        """How good it truly is; 0 is the level of the hand-made network in full training."""
        lr = float(candidate.recipe["lr"])  # type: ignore[arg-type]
        expands = [v for a, v in candidate.decisions.items() if a.endswith("expand")]
        return (
            0.35 * math.log10(parameters / 60_000)
            - 0.25 * abs(math.log10(lr / 0.08))
            + 0.1 * (candidate.recipe["augment"] == "flip")
            + 0.03 * len(expands)
            - 1.6 / math.sqrt(epochs)
            + 0.28
        )

    # -- trials --------------------------------------------------------------------------------------------------------

    def measurements(self, skill: float, steps: list[dict[str, Any]], seconds: float) -> dict[str, Measurement]:
        true = 1 / (1 + math.exp(-(2.6 + 2.2 * skill)))
        hits = sum(self.rng.random() < true + self.gap for _ in range(VALIDATION))
        value = hits / VALIDATION
        spread = 1.645 * math.sqrt(max(value * (1 - value), 1e-3) / VALIDATION)
        parameters = sum(step["parameters"] for step in steps)
        macs = sum(step["macs"] for step in steps)
        made = {
            "accuracy": Measurement(
                value, "", max(0, value - spread), min(1, value + spread), VALIDATION, split="validation"
            ),
            "loss": Measurement(0.05 + 1.4 * (1 - value), "nats", split="validation", samples=VALIDATION),
            "training_seconds": Measurement(seconds * 0.9, "s"),
        }
        if parameters:
            made["parameters"] = Measurement(parameters, source="computed")
            made["macs"] = Measurement(macs, "MAC", source="computed")
            if self.latency:
                ms = 0.05 + macs / 4e7
                made["latency"] = Measurement(ms, "ms", ms * 0.97, ms * 1.04, 25)
        return made

    def answers(self, skill: float, sharp: float = 1.0) -> np.ndarray[Any, Any]:
        """Test probabilities of a model of that skill: images are hard for every model alike."""
        classes = len(self.labels)
        logits = self.numbers.normal(0, 0.8, (self.test_images, classes))
        confusable = (self.truth + 1) % classes
        lift = 3.3 + 2.2 * skill + 1.1 * self.ease + self.numbers.normal(0, 0.35, self.test_images)
        logits[np.arange(self.test_images), self.truth] += lift
        logits[np.arange(self.test_images), confusable] += 1.2
        logits *= sharp
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)

    def run(self, source: str, proposal: Proposal, seconds: float, event: Any) -> int:
        """Give one trial to the worker that is free first; `event(trial)` closes it."""
        number = self.next_id
        self.next_id += 1
        worker = min(range(len(self.free_at)), key=lambda i: self.free_at[i])
        begin = self.free_at[worker] + 0.2 + 0.3 * self.rng.random()
        self.say(Asked(source, ((number, proposal),)), begin)
        self.say(Started(number, 1, f"worker-{worker}"), begin)
        self.free_at[worker] = begin + seconds
        self.say(event(number), begin + seconds)
        return number

    def search_trial(self, proposal: Proposal, fails: bool) -> tuple[int, float | None]:
        candidate = proposal.candidate
        steps = self.steps(candidate)
        parameters = max(1, sum(step["parameters"] for step in steps))
        start = proposal.notes.get("from", 0)
        epochs = proposal.fidelity.epochs - int(start or 0)
        seconds = (0.4 + parameters / 120_000) * epochs * self.rng.uniform(0.9, 1.3)
        if fails:
            status, reason, detail = self.rng.choice(FAILURES)
            part = seconds * self.rng.random()
            return self.run(
                "search",
                proposal,
                part,
                lambda n: Failed(n, status, reason, detail, part, part),  # type: ignore[arg-type]
            ), None
        skill = self.skill(candidate, parameters, proposal.fidelity.epochs)
        made = self.measurements(skill, steps, seconds)
        number = self.run("search", proposal, seconds, lambda n: Finished(n, "completed", made, {}, seconds, seconds))
        self.write(number, "layers", steps)
        return number, made["accuracy"].value

    def baselines(self) -> dict[str, int]:
        decisions = {"network/0/width": 16, "network/1": ("#0001", "#0002", "#0003")}
        for part, width in (("#0001", 32), ("#0002", 64), ("#0003", 64)):
            at = f"network/1/{part}"
            decisions |= {at: "Conv", f"{at}/Conv/kernel": 3, f"{at}/Conv/width": width}  # type: ignore[dict-item]
        decisions |= {"recipe/lr": 0.1, "recipe/augment": "none"}  # type: ignore[dict-item]
        made = {}
        for kind, skill, seconds in (
            ("network", self.handmade_skill, 30.0),
            ("linear", -0.7, 2.0),
            ("forest", self.forest_skill, 6.0),
        ):
            candidate = self.candidate(decisions) if kind == "network" else Candidate(kind, None, {})  # type: ignore[arg-type]
            steps = self.steps(candidate) if kind == "network" else []
            proposal = Proposal(candidate, Fidelity(FULL), origin="baseline", notes={"role": kind})
            values = self.measurements(skill, steps, seconds)
            number = self.run(
                "baseline",
                proposal,
                seconds,
                lambda n, values=values, seconds=seconds: Finished(n, "completed", values, {}, seconds, seconds),
            )
            self.write(number, "test", self.answers(skill))
            if steps:
                self.write(number, "layers", steps)
                self.write(number, "curve", self.curve(values["accuracy"].value))
            made["handmade" if kind == "network" else kind] = number
        return made

    def curve(self, final: float) -> list[dict[str, Any]]:
        return [
            {
                "epoch": epoch,
                "train_loss": 0.08 + 2.1 * math.exp(-epoch / 7) + 0.02 * self.rng.random(),
                "validation_accuracy": final - 0.6 * math.exp(-epoch / 5) + 0.01 * self.rng.gauss(0, 1),
                "validation_loss": 0.2 + 1.9 * math.exp(-epoch / 6) + 0.03 * self.rng.random(),
                "lr": 0.1 * (1 - epoch / FULL),
                "seconds": 0.8,
            }
            for epoch in range(1, FULL + 1)
        ]

    def view(self, roles: Roles, images: bool = True) -> RunView:
        spent = max(self.free_at) - 1_790_000_000.0
        self.say(Clock(spent, spent * 1.9), max(self.free_at))
        names = tuple(f"{self.labels[label]}/IMG_{i:04d}.JPG" for i, label in enumerate(self.truth))
        return RunView(
            history=History.of(self.events),
            goal=goal_of(self),
            task=TaskSpec((3, 32, 32), self.labels, (0.5,) * 3, (0.2,) * 3),
            facts=facts_of(self),
            roles=roles,
            files=lambda trial, name: self.files.get((trial, name)),
            test_labels=self.truth,
            test_names=names,
            image=(lambda index: picture(index, int(self.truth[index]))) if images else None,
        )


def _step(
    name: str, op: str, block: str, group: int, address: str, shape: tuple[int, ...], parameters: int = 0, macs: int = 0
) -> dict[str, Any]:
    return {
        "name": name,
        "op": op,
        "block": block,
        "group": group,
        "address": address,
        "shape": list(shape),
        "parameters": parameters,
        "macs": macs,
    }


def goal_of(made: Made) -> Goal:
    return parse_goal(made.objectives, made.limits)


def picture(index: int, label: int) -> np.ndarray[Any, Any]:
    """A coloured blob, 32x32x3."""
    y, x = np.mgrid[0:32, 0:32]
    near = np.exp(-((x - 8 - label * 1.6) ** 2 + (y - 16) ** 2) / (30 + index % 40))
    image = np.stack([near * 220, near * 150 + 40, 200 - near * 150], axis=-1)
    return image.astype(np.uint8)


def facts_of(made: Made) -> dict[str, Any]:
    return {
        "command": "netwright search data/sign_digits --groups data/sign_digits_groups.csv --minutes 10 --out runs/signs",
        "resume": "netwright search data/sign_digits --groups data/sign_digits_groups.csv --minutes 20 --out runs/signs",
        "predict": "netwright predict runs/signs some.jpg",
        "export": "export",
        "seed": made.seed,
        "versions": {"netwright": "0.1.0", "torch": "2.13.0", "python": "3.11.9"},
        "machine": {"processor": "AMD EPYC 9B14, 2 cores", "memory": "24 GB", "system": "Linux 6.8"},
        "strategy": "nsga2 with successive halving",
        "space": {"name": "mobile", "size": None, "fingerprint": "5d0c77e0a1f3b2c4"},
        "budget": "10 minutes",
        "workers": 2,
        "epochs": [*RUNGS, FULL],
        "created": "2026-11-24",
        "data": {
            "name": "sign_digits",
            "images": 2062,
            "size": [32, 32, 3],
            "classes": dict.fromkeys(made.labels, 206),
            "split": {"train": 1441, "validation": VALIDATION, "test": made.test_images},
            "how_split": "by group, 70/15/15",
            "fingerprint": "9f2c4e11ab03d7c25a6b",
            "licence": "Apache-2.0",
            "findings": [
                {"severity": "warn", "message": (said := "3 images carry an EXIF rotation"), "unnamed": said},
                {"severity": "warn", "message": ROTATED, "unnamed": ROTATED},
                {
                    "severity": "warn",
                    "message": "1 image of 2,062 cannot be read and is left out: 3/IMG_0412.JPG (truncated)",
                    "unnamed": "corrupt; replace or remove it",
                },
            ],
        },
    }


def searched(made: Made, trials: int, failing: float) -> Iterator[tuple[int, Candidate, int, float]]:
    """(trial, candidate, rung, accuracy) of the finished ones: random first, then children, promoted by thirds."""
    finished: list[tuple[int, Candidate, int, float]] = []
    promoted: set[tuple[int, int]] = set()
    for number in range(trials):
        rng = made.rng
        entry: tuple[Proposal, int] | None = None
        for rung in (1, 0):
            there = sorted((e for e in finished[-120:] if e[2] == rung), key=lambda e: -e[3])
            ready = [e for e in there[: len(there) // 3] if (e[0], rung) not in promoted]
            if ready:
                trial, candidate, _, _ = ready[0]
                promoted.add((trial, rung))
                proposal = Proposal(
                    candidate,
                    Fidelity(RUNGS[rung + 1], True),
                    Continue(trial),
                    parents=(trial,),
                    origin="promotion",
                    notes={"from": RUNGS[rung]},
                )
                entry = proposal, rung + 1
                break
        if entry is None:
            origin, parents = "random", ()
            decisions = made.decisions()
            if number > 12 and len(finished) > 4 and rng.random() < 0.85:
                pool = sorted(rng.sample(finished, min(6, len(finished))), key=lambda e: -e[3])
                origin = rng.choice(["mutation", "crossover"])
                parents = tuple(e[0] for e in pool[: 1 if origin == "mutation" else 2])
                base = dict(pool[0][1].decisions)
                base["recipe/lr"] = min(1.0, max(1e-3, float(base["recipe/lr"]) * 10 ** rng.gauss(0, 0.3)))  # type: ignore[arg-type]
                base["recipe/augment"] = decisions["recipe/augment"]
                decisions = base if rng.random() < 0.7 else decisions
            proposal = Proposal(made.candidate(decisions), Fidelity(RUNGS[0], True), Fresh(), 0, parents, origin)
            entry = proposal, 0
        trial, value = made.search_trial(entry[0], rng.random() < failing)
        if value is not None:
            finished.append((trial, entry[0].candidate, entry[1], value))
    yield from finished


def make_run(
    folder: Path,
    *,
    trials: int = 120,
    failing: float = 0.08,
    labels: tuple[str, ...] = tuple(str(d) for d in range(10)),
    final: bool = True,
    images: bool = True,
    winner_bonus: float = 0.35,
    **options: Any,
) -> RunView:
    """A whole run: baselines, search, finals. `final=False` ends it before the final stage."""
    made = Made(folder, labels, **options)
    made.say(Noted("driver", {"host": "here"}), made.now)
    base = made.baselines()
    finished = list(searched(made, trials, failing))
    if trials > 20:
        proposal = Proposal(made.candidate(made.decisions()), Fidelity(RUNGS[0], True), origin="random")
        made.run("search", proposal, 3.0, lambda n: Lost(n, "the worker was killed from outside three times"))
    if not final or not finished:
        return made.view(Roles(**base), images)
    randoms = {t for t, trial in History.of(made.events).trials.items() if trial.proposal.origin == "random"}
    ranked = sorted(finished, key=lambda e: (-e[2], -e[3]))
    best_random = next((e for e in sorted(finished, key=lambda e: -e[3]) if e[0] in randoms), None)
    chosen = [*ranked[:3], *([best_random] if best_random else [])]
    finals = []
    for place, (trial, candidate, _, _) in enumerate(chosen):
        steps = made.steps(candidate)
        skill = made.skill(candidate, sum(s["parameters"] for s in steps), FULL) * 0.3 + winner_bonus * (place == 0)
        values = made.measurements(skill, steps, 34.0)
        proposal = Proposal(candidate, Fidelity(FULL), repeat=1, parents=(trial,), origin="final")
        number = made.run(
            "final", proposal, 34.0, lambda n, values=values: Finished(n, "completed", values, {}, 34.0, 34.0)
        )
        made.write(number, "test", made.answers(skill))
        made.write(number, "layers", steps)
        made.write(number, "curve", made.curve(values["accuracy"].value))
        finals.append(number)
    made.say(Noted("test", {"trials": finals}), max(made.free_at))
    return made.view(
        Roles(**base, best_random=finals[-1] if best_random else None, finalists=tuple(finals), winner=finals[0]),
        images,
    )
