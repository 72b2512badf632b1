"""Trainings that start from a parent's weights: what they are given, what they say, and that it helps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import mean
from typing import Any

import numpy as np
import pytest
import torch

from netwright.core.candidate import Candidate
from netwright.core.job import Evaluated, Job
from netwright.core.plan import Plan
from netwright.core.trial import Continue, Fidelity, Inherit, Proposal, Start
from netwright.data.dataset import Dataset
from netwright.evaluation import inherited, work
from netwright.networks.build import build
from netwright.networks.inherit import inherit
from netwright.networks.weights import weight_shapes
from netwright.spaces import Conv, Space, choose, repeat
from netwright.spaces.catalog import make_space
from netwright.spaces.recipe import Recipe
from netwright.spaces.shapes import plan
from netwright.spaces.variation import edit, mutate
from netwright.training.checkpoint import epochs_of_weights, load_weights, save_weights

from .jobs import go

RECIPE = Recipe(optimizer="adamw", lr=0.01, weight_decay=0.02)
SPACE = Space({"stem": Conv(choose(8, 12, 16), stride=2), "more": repeat(Conv(), 0, 3)}, RECIPE)
PARENT = SPACE.replay({"network/stem/width": 8, "network/more": ()})
WIDER = SPACE.replay({"network/stem/width": 12, "network/more": ()})
DEEPER = SPACE.replay({"network/stem/width": 8, "network/more": ("#1",)})


def train(
    folder: Path,
    data: Path,
    candidate: Candidate,
    start: Start | None = None,
    inputs: Mapping[str, Path] | None = None,
    *,
    epochs: int = 1,
    trunk: bool = False,
    seed: int = 1,
) -> Evaluated:
    proposal = Proposal(candidate, Fidelity(epochs, trunk))
    proposal = proposal if start is None else replace(proposal, start=start)
    folder.mkdir()
    return work(Job(2, 1, "train", {"data": str(data)}, proposal.to_json(), seed, folder, inputs or {}), go)


def files_of(folder: Path) -> dict[str, Path]:
    """What a child of the trial in this folder is given."""
    return {"parent": folder / "weights.safetensors", "parent_layers": folder / "layers.json"}


def start_of(child: Candidate, parent: Candidate = PARENT) -> Inherit:
    return Inherit(1, edit(parent, child).to_json())


@pytest.fixture(scope="module")
def parent(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained parent's folder."""
    folder = tmp_path_factory.mktemp("parent") / "job"
    train(folder, digits, PARENT, epochs=3)
    return folder


def test_the_layers_of_a_trial_are_its_plan(digits: Path, parent: Path) -> None:
    assert PARENT.architecture is not None
    expected = plan(PARENT.architecture, Dataset.open(digits).task)
    assert Plan.from_json(json.loads((parent / "layers.json").read_text())) == expected


@pytest.mark.parametrize("child", [WIDER, DEEPER], ids=["wider", "deeper"])
def test_a_child_says_what_it_was_given_and_for_how_long_that_was_trained(
    digits: Path, parent: Path, tmp_path: Path, child: Candidate
) -> None:
    evaluated = train(tmp_path / "child", digits, child, start_of(child), files_of(parent))
    told = dict(evaluated.notes["inherited"])
    assert told.pop("trial") == 1 and told.pop("preserved") is True
    assert child.architecture is not None
    assert sum(told.values()) == len(weight_shapes(plan(child.architecture, Dataset.open(digits).task)))
    assert evaluated.notes["ancestor_epochs"] == 3 and evaluated.notes["epochs"] == 1
    assert epochs_of_weights(tmp_path / "child" / "weights.safetensors") == 4
    again = train(tmp_path / "again", digits, child, start_of(child), files_of(parent))
    assert again.measurements["loss"] == evaluated.measurements["loss"], "a trial is a function of job and inputs"


def test_what_nothing_changed_in_goes_on_where_its_parent_ended(digits: Path, tmp_path: Path) -> None:
    """The loss of its first epoch is about that of its parent's last, or less."""
    last = train(tmp_path / "long", digits, PARENT, epochs=15).notes["train_loss"]
    same = train(tmp_path / "same", digits, PARENT, start_of(PARENT), files_of(tmp_path / "long"))
    fresh = train(tmp_path / "fresh", digits, PARENT)
    assert same.notes["train_loss"] <= 1.1 * last < fresh.notes["train_loss"]


@pytest.mark.parametrize("damage", ["gone", "weights", "layers", "another network"])
def test_without_its_parents_files_a_child_starts_fresh_and_says_so(
    digits: Path, parent: Path, tmp_path: Path, damage: str
) -> None:
    files = {name: tmp_path / path.name for name, path in files_of(parent).items()}
    for name, path in files.items():
        path.write_bytes(files_of(parent)[name].read_bytes())
    if damage == "weights":
        files["parent"].write_bytes(b"no weights")
    elif damage == "layers":
        files["parent_layers"].write_text('[{"name": "input"}]')
    elif damage == "another network":
        save_weights({"other.weight": torch.zeros(3)}, files["parent"])
    given = {} if damage == "gone" else files
    evaluated = train(tmp_path / "child", digits, WIDER, start_of(WIDER), given)
    fresh = train(tmp_path / "fresh", digits, WIDER)
    assert evaluated.notes["inherited"] is None and evaluated.notes["ancestor_epochs"] == 0
    assert evaluated.measurements["loss"] == fresh.measurements["loss"]
    assert evaluated.measurements["training_seconds"].value > 0
    assert epochs_of_weights(tmp_path / "child" / "weights.safetensors") == 1


def test_a_promotion_of_a_child_remembers_its_ancestors(digits: Path, parent: Path, tmp_path: Path) -> None:
    rung = train(tmp_path / "rung", digits, WIDER, start_of(WIDER), files_of(parent), trunk=True)
    checkpoint = {"checkpoint": tmp_path / "rung" / rung.artefacts["checkpoint"]}
    above = train(tmp_path / "above", digits, WIDER, Continue(2), checkpoint, epochs=2, trunk=True)
    assert above.notes["ancestor_epochs"] == 3 and above.notes["epochs"] == 2
    assert epochs_of_weights(tmp_path / "above" / "weights.safetensors") == 5


def test_a_new_normalisation_is_nearly_an_identity_in_training_once_it_is_matched(digits: Path, parent: Path) -> None:
    data = Dataset.open(digits)
    assert PARENT.architecture is not None and DEEPER.architecture is not None
    plans = [plan(candidate.architecture, data.task) for candidate in (PARENT, DEEPER) if candidate.architecture]
    weights = {name: tensor.numpy() for name, tensor in load_weights(parent / "weights.safetensors").items()}
    found = inherit(plans[0], weights, plans[1], edit(PARENT, DEEPER).to_json(), seed=1)
    networks = [build(one, data.task) for one in plans]
    images = torch.from_numpy(np.ascontiguousarray(data.images[data.indices("train")[:256]])).permute(0, 3, 1, 2)

    def apart(*, training: bool, matched: bool) -> float:
        for network, given in zip(networks, (weights, found.weights), strict=True):
            network.load_state_dict({name: torch.from_numpy(array) for name, array in given.items()})
        if matched:
            inherited.match_norms(networks[1], found.norms, data, "cpu")
        with torch.no_grad():
            a, b = (network.train(training)(images) for network in networks)
        return float((a - b).abs().max() / a.abs().max())

    assert apart(training=False, matched=True) < 1e-4
    assert apart(training=True, matched=True) < 0.2 * apart(training=True, matched=False)


def accuracy(evaluated: Evaluated) -> float:
    return evaluated.measurements["accuracy"].value


@pytest.mark.long
def test_children_by_morphism_are_ahead_of_fresh_ones_after_an_epoch(digits: Path, tmp_path: Path) -> None:
    """The same seeds: a parent is trained, then its child for one epoch, with its weights and without."""
    space = make_space("chain", Dataset.open(digits).task)
    pairs: list[dict[str, Any]] = []
    seed = 0
    while len(pairs) < 20:
        seed += 1
        rng = Random(seed)
        start = space.starts[rng.randrange(len(space.starts))]
        child, change = mutate(space, start, rng)
        if child.key == start.key:
            continue
        folder = tmp_path / f"parent{seed}"
        before = train(folder, digits, start, epochs=4, seed=seed)
        fresh = train(tmp_path / f"fresh{seed}", digits, child, seed=seed + 100)
        heir = train(
            tmp_path / f"child{seed}",
            digits,
            child,
            Inherit(1, change.to_json()),
            files_of(folder),
            seed=seed + 100,
        )
        if heir.notes["inherited"]["preserved"]:
            pairs.append({"parent": accuracy(before), "fresh": accuracy(fresh), "heir": accuracy(heir)})
            print(seed, pairs[-1], change.to_json(), heir.notes["inherited"])
    print({name: round(mean(pair[name] for pair in pairs), 4) for name in ("parent", "fresh", "heir")})
    assert mean(pair["heir"] - pair["parent"] for pair in pairs) >= -0.02
    assert mean(pair["heir"] - pair["fresh"] for pair in pairs) > 0
    assert sum(pair["heir"] >= pair["fresh"] for pair in pairs) >= 15
