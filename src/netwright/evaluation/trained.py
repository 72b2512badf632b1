"""`train`: build a candidate, train it, and measure it on the validation split.

Settings
    data          folder that `Dataset.open` takes
    precision     fp32, bf16, or auto: whichever trains this network faster here (default fp32); under auto a
                  training that goes on keeps what it began with. The notes hold `precision`, and `probe` where it was timed
    forced        whether a person named it; if not, a training that goes on keeps what it began with (default yes)
    device        cpu, cuda or mps (default cpu)
    threads       of torch (default 1)
    measure       list of `latency` and `memory`, measured on the untrained network before training (default none)
    refuse_above  {metric: bound}: a network whose latency or memory lies above, with its whole interval, is not
                  trained; the notes then hold `infeasible`, the reason in a sentence (default none)
    full          whether this is a final training, of which the ONNX file is kept (default no)

Inputs: `checkpoint`, the trunk checkpoint of an earlier trial of the network, where the trial goes on from one;
`parent` and `parent_layers`, where it inherits (`evaluation.inherited`). The recipe may be another one than the earlier
trial's in what no checkpoint depends on: learning rate, weight decay, momentum, label smoothing, augmentation (population
based training). The training under way is kept in `Job.keep` (`evaluation.underway`). Where weights were trained before by
ancestors, the notes hold `ancestor_epochs`, how long.

Artefacts
    weights       weights.safetensors: what was scored
    checkpoint    checkpoint.safetensors: the trunk to go on from (under successive halving)
    curve         curve.json: a list of epoch, train_loss, validation_accuracy, validation_loss, lr, seconds
    layers        layers.json: the plan (`core.plan`), a list of its steps
    validation    validation.npy: float32 (validation images, classes), probabilities
    onnx          model.onnx (full)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from netwright.core.errors import InputError
from netwright.core.job import Diverged, Evaluated, Job, Report
from netwright.core.measurement import Measurement
from netwright.core.plan import Plan
from netwright.core.task import TaskSpec
from netwright.core.trial import Inherit
from netwright.data.dataset import Dataset
from netwright.evaluation.inherited import take_over
from netwright.evaluation.metrics import measure_answers
from netwright.evaluation.probe import time_precisions
from netwright.evaluation.reading import costs_of, plan_of, read_proposal, torch_threads, validation_indices
from netwright.evaluation.underway import UnderWay
from netwright.networks.build import build
from netwright.networks.onnx import to_onnx
from netwright.networks.weights import random_weights
from netwright.training.checkpoint import load_checkpoint, save_checkpoint, save_weights
from netwright.training.fit import Fitted, fit
from netwright.training.predict import logits, softmax

HARDWARE = ("latency", "memory")


def train(job: Job, report: Report) -> Evaluated:
    """Train the job's candidate. Raises CandidateError, Diverged or OutOfMemory, each the candidate's own doing."""
    settings = job.settings
    proposal = read_proposal(job)
    data = Dataset.open(Path(settings["data"]))
    network_plan = plan_of(proposal, data.task)
    measured, notes = _costs(network_plan, data.task, settings.get("measure", ()), job.seed)
    reason = _excess(measured, settings.get("refuse_above", {}))
    if reason is not None:
        return Evaluated(measured, _layers(network_plan, job.folder), {**notes, "infeasible": reason})

    checkpoint = job.inputs.get("checkpoint")
    start = None if checkpoint is None else load_checkpoint(checkpoint)
    if start is not None and start.facts.get("ancestor_epochs"):
        notes["ancestor_epochs"] = start.facts["ancestor_epochs"]
    under_way = UnderWay(job.keep, start, seed=job.seed, epochs=proposal.fidelity.epochs)
    device = settings.get("device", "cpu")
    recipe = proposal.candidate.recipe
    with torch_threads(settings.get("threads", 1)):
        precision = _given_precision(settings, under_way)
        if precision == "auto":
            probed = time_precisions(network_plan, data, recipe, seed=job.seed, device=device)
            precision, notes["probe"] = probed.precision, probed.to_json()
        network = build(network_plan, data.task, seed=job.seed)
        if isinstance(proposal.start, Inherit):
            notes |= take_over(network, proposal.start, job, data, device)
        fitted = fit(
            network,
            data,
            data.task,
            recipe,
            epochs=proposal.fidelity.epochs,
            seed=job.seed,
            precision=precision,
            device=device,
            resume=under_way.resume,
            report=under_way.retold(report),
            keep=under_way.keep,
            trunk=proposal.fidelity.trunk,
        )
        measured |= _score(network, data, job.folder, device)
    measured["training_seconds"] = Measurement(under_way.seconds + fitted.seconds, "s")
    artefacts = {
        "validation": "validation.npy",
        **_layers(network_plan, job.folder),
        **_kept(fitted, job.folder, notes.get("ancestor_epochs", 0), trunk=proposal.fidelity.trunk),
    }
    if settings.get("full", False):
        weights = {name: tensor.cpu().numpy() for name, tensor in fitted.weights.items()}
        (job.folder / "model.onnx").write_bytes(to_onnx(network_plan, data.task, weights))
        artefacts["onnx"] = "model.onnx"
    notes |= {
        "precision": precision,
        "batch": fitted.batch,
        "pieces": fitted.pieces,
        "epochs": len(fitted.curve),
        "resumed": checkpoint is not None,
        "began": 0 if start is None else start.facts["epochs"],
        "train_loss": fitted.curve[-1]["train_loss"],
    }
    return Evaluated(measured, artefacts, notes)


def _costs(
    network_plan: Plan, task: TaskSpec, wanted: Sequence[str], seed: int
) -> tuple[dict[str, Measurement], dict[str, Any]]:
    """What is known without training, and notes on how it was measured."""
    measured = costs_of(network_plan)
    notes: dict[str, Any] = {}
    for name in wanted:
        if name not in HARDWARE:
            raise InputError(f"what is measured must be {' or '.join(HARDWARE)}, but got {name!r}")
    if not wanted:
        return measured, notes
    from netwright.hardware.latency import REFERENCE, measure
    from netwright.hardware.memory import peak_memory

    model = to_onnx(network_plan, task, random_weights(network_plan, seed))
    if "latency" in wanted:
        timings = measure({"network": model}, task.inputs, seed=seed)
        measured["latency"] = timings["network"].measurement
        notes["latency"] = {**timings["network"].to_json(), "reference": timings[REFERENCE].measurement.value}
    if "memory" in wanted:
        measured["memory"] = peak_memory(model, task.inputs)
    return measured, notes


def _excess(measured: Mapping[str, Measurement], bounds: Mapping[str, float]) -> str | None:
    for name, bound in bounds.items():
        measurement = measured.get(name)
        if measurement is not None and (measurement.low or measurement.value) > bound:
            unit = measurement.unit
            return f"{name} is {measurement.value:.4g} {unit}, which is above {bound:.4g} {unit}".replace("  ", " ")
    return None


def _given_precision(settings: Mapping[str, Any], under_way: UnderWay) -> Any:
    """What is asked for; a training that goes on keeps what it began with, unless a person named another one."""
    precision = settings.get("precision", "fp32")
    free = precision == "auto" or not settings.get("forced", True)
    return under_way.precision or precision if free else precision


def _score(network: nn.Module, data: Dataset, folder: Path, device: str) -> dict[str, Measurement]:
    """Measure the network on the validation images, and write its answers. Raises Diverged."""
    indices = validation_indices(data)
    outputs = logits(network, data.images, indices, device=device)
    if not np.isfinite(outputs).all():
        raise Diverged("the network's outputs are not finite")
    probabilities = softmax(outputs)
    np.save(folder / "validation.npy", probabilities, allow_pickle=False)
    return measure_answers(probabilities, data.labels[indices], "validation")


def _kept(fitted: Fitted, folder: Path, ancestor_epochs: int, *, trunk: bool) -> dict[str, str]:
    """Write weights, with the epochs of their whole lineage, and learning curve; on the `trunk` what to go on from."""
    save_weights(fitted.weights, folder / "weights.safetensors", epochs=ancestor_epochs + len(fitted.curve))
    curve = [
        {
            **{name: record[name] for name in ("epoch", "train_loss", "lr", "seconds")},
            **{f"validation_{name}": value for name, value in record["validation"].items()},
        }
        for record in fitted.curve
    ]
    (folder / "curve.json").write_text(json.dumps(curve, allow_nan=False), encoding="utf-8")
    kept = {"weights": "weights.safetensors", "curve": "curve.json"}
    if not trunk:
        return kept
    facts = {**fitted.checkpoint.facts, "ancestor_epochs": ancestor_epochs}
    save_checkpoint(replace(fitted.checkpoint, facts=facts), folder / "checkpoint.safetensors")
    return {**kept, "checkpoint": "checkpoint.safetensors"}


def _layers(network_plan: Plan, folder: Path) -> dict[str, str]:
    """Write the table of the network's steps."""
    (folder / "layers.json").write_text(json.dumps(network_plan.to_json()), encoding="utf-8")
    return {"layers": "layers.json"}
