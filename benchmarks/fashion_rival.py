"""The rival on Fashion-MNIST: Optuna's NSGA-II over a hand-written conditional space, with netwright's training loop.

Two worker processes of one thread share a journal file. CPU seconds are user and system time of each process since
its imports were done and the faster number format was found. Networks above the limit are refused untrained; a trial
ends at 90 CPU seconds.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from netwright.core.candidate import Candidate
from netwright.core.trial import epochs_a_pass
from netwright.data.dataset import Dataset
from netwright.evaluation.probe import time_precisions
from netwright.networks.build import build
from netwright.spaces import Conv, Dropout, MBConv, Recipe, Space
from netwright.spaces.layers import Activation, Residual
from netwright.spaces.shapes import plan
from netwright.training.fit import Precision, fit
from netwright.training.predict import logits

WORKERS = 2
POPULATION = 10
PASSES, FULL_PASSES = 2, 6
"""Over the training images: in a trial of the search, and when a chosen network is retrained."""
LONGEST_TRIAL = 90.0
DIRECTIONS = ("maximize", "minimize")


def search(data: Path, folder: Path, seed: int, cpu_seconds: float, most: int) -> tuple[list[dict[str, Any]], float]:
    """All completed trials (validation accuracy, parameters, decisions), and the CPU seconds that were used."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = str(folder / "journal.log")
    optuna.create_study(study_name="rival", storage=storage(path), directions=DIRECTIONS)
    context = multiprocessing.get_context("spawn")
    used = context.Array("d", WORKERS)
    workers = [
        context.Process(target=worker, args=(path, str(data), seed * WORKERS + i, i, used, cpu_seconds, most))
        for i in range(WORKERS)
    ]
    for process in workers:
        process.start()
    for process in workers:
        process.join()
        if process.exitcode:
            raise RuntimeError(f"a process of the rival ended with {process.exitcode}")
    study = optuna.load_study(study_name="rival", storage=storage(path))
    found = [
        {"accuracy": t.values[0], "parameters": t.values[1], "decisions": t.params}
        for t in study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    ]
    return found, sum(used)


def storage(path: str) -> JournalStorage:
    """The journal that the processes share."""
    return JournalStorage(JournalFileBackend(path))


def worker(path: str, data: str, seed: int, number: int, used: Any, cpu_seconds: float, most: int) -> None:
    """One process of the search: go on until all together have used the budget."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    torch.set_num_threads(1)
    dataset = Dataset.open(data)
    dense = faster_format(dataset)
    began = time.process_time()

    def over() -> bool:
        used[number] = time.process_time() - began
        return sum(used) >= cpu_seconds

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        if over():
            trial.study.stop()
            raise optuna.TrialPruned
        candidate = draw(trial)
        size = parameters(candidate, dataset)
        if size > most:
            raise optuna.TrialPruned
        start = time.process_time()

        def report(record: Mapping[str, Any]) -> str:
            return "stop" if over() or time.process_time() - start > LONGEST_TRIAL else "go"

        return train(candidate, dataset, dataset, PASSES, trial.number, report, "validation", dense), float(size)

    study = optuna.load_study(
        study_name="rival",
        storage=storage(path),
        sampler=optuna.samplers.NSGAIISampler(population_size=POPULATION, seed=seed),
    )
    study.optimize(objective)
    over()


def draw(trial: Any) -> Candidate:
    """The hand-written conditional space; `trial` may be a FixedTrial."""
    layers: list[Any] = [Conv(trial.suggest_categorical("stem", [8, 16, 24, 32]))]
    for stage in range(trial.suggest_int("stages", 2, 3)):
        kind = trial.suggest_categorical(f"kind{stage}", ["conv", "residual", "mbconv"])
        width = trial.suggest_int(f"width{stage}", 16, 96, log=True)
        depth = trial.suggest_int(f"depth{stage}", 1, 3)
        kernel = trial.suggest_categorical(f"{kind}_kernel{stage}", [3, 5])
        if kind == "mbconv":
            expand = trial.suggest_int(f"expand{stage}", 2, 4)
            layers += [MBConv(width, kernel, expand, stride=2 if i == 0 else 1) for i in range(depth)]
        elif kind == "conv":
            layers += [Conv(width, kernel, stride=2 if i == 0 else 1) for i in range(depth)]
        else:
            layers.append(Conv(width, kernel, stride=2))
            for _ in range(depth - 1):
                layers += [Residual([Conv(kernel=kernel), Conv(kernel=kernel, act=None)]), Activation("relu")]
    layers.append(Dropout(trial.suggest_float("dropout", 0.0, 0.3)))
    return _resolved(layers, _recipe(trial))


def _recipe(trial: Any) -> Recipe:
    optimizer = trial.suggest_categorical("optimizer", ["sgd", "adamw"])
    sgd = optimizer == "sgd"
    return Recipe(
        optimizer=optimizer,
        lr=trial.suggest_float(f"{optimizer}_lr", *((0.05, 1.0) if sgd else (1e-3, 3e-2)), log=True),
        weight_decay=trial.suggest_float(
            f"{optimizer}_weight_decay", *((1e-5, 1e-3) if sgd else (1e-3, 1e-1)), log=True
        ),
        label_smoothing=trial.suggest_categorical("label_smoothing", [0.0, 0.1]),
        augment=trial.suggest_categorical("augment", ["none", "flip"]),
        batch=trial.suggest_categorical("batch", [128, 256]),
    )


def _resolved(layers: list[Any], recipe: Recipe) -> Candidate:
    """The candidate of layers without choices."""
    candidate = Space(layers, recipe, reference=(layers, recipe)).reference
    if candidate is None:
        raise RuntimeError("a space must keep its reference")
    return candidate


def parameters(candidate: Candidate, data: Dataset) -> int:
    """By arithmetic."""
    if candidate.architecture is None:
        raise ValueError("the rival trains networks alone")
    return plan(candidate.architecture, data.task).parameters


def faster_format(dataset: Dataset) -> Precision:
    """Of dense convolutions on this machine: not every processor computes in bfloat16."""
    candidate = _resolved([Conv(16), Conv(48, stride=2), Conv(48, stride=2)], Recipe())
    if candidate.architecture is None:
        raise RuntimeError("a network of convolutions must keep its architecture")
    return time_precisions(plan(candidate.architecture, dataset.task), dataset, candidate.recipe, seed=0).precision


def train(
    candidate: Candidate,
    data: Any,
    dataset: Dataset,
    passes: int,
    seed: int,
    report: Any,
    scored: Any,
    dense: Precision,
) -> float:
    """Train on the training part of `data`; the accuracy on the part `scored` of `dataset`.

    In fp32 where convolutions are depthwise, else in the format `dense`.
    """
    if candidate.architecture is None:
        raise ValueError("the rival trains networks alone")
    network_plan = plan(candidate.architecture, dataset.task)
    epochs = passes * epochs_a_pass(len(data.indices("train")))
    module = build(network_plan, dataset.task, seed=seed)
    depthwise = any(layer["layer"] == "MBConv" for layer in candidate.architecture.layers)
    fitted = fit(
        module,
        data,
        dataset.task,
        candidate.recipe,
        epochs=epochs,
        seed=seed,
        precision="fp32" if depthwise else dense,
        report=report,
    )
    if fitted.stopped and len(fitted.curve) < epochs:
        raise optuna.TrialPruned
    indices = dataset.indices(scored)
    return float((logits(module, dataset.images, indices).argmax(axis=1) == dataset.labels[indices]).mean())


@dataclass(frozen=True, slots=True)
class Everything:
    """Training and validation images as one training part, nothing else."""

    dataset: Dataset

    @property
    def images(self) -> Any:
        return self.dataset.images

    @property
    def labels(self) -> Any:
        return self.dataset.labels

    def indices(self, part: str, /) -> Any:
        parts = [self.dataset.indices("train"), self.dataset.indices("validation")]
        return np.concatenate(parts) if part == "train" else np.array([], np.int64)


def retrain(data: str, decisions: Mapping[str, Any], passes: int, seed: int) -> dict[str, float]:
    """A chosen network from the start on all the training data; its error on the test split, read here once."""
    torch.set_num_threads(1)
    dataset = Dataset.open(data)
    dense = faster_format(dataset)
    began = time.process_time()
    candidate = draw(optuna.trial.FixedTrial(dict(decisions)))
    accuracy = train(candidate, Everything(dataset), dataset, passes, seed, None, "test", dense)
    return {
        "parameters": parameters(candidate, dataset),
        "test_accuracy": accuracy,
        "cpu_seconds": time.process_time() - began,
    }
