from __future__ import annotations

import ast
import importlib.util
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from netwright.core.errors import CandidateError
from netwright.core.plan import Plan
from netwright.core.task import TaskSpec
from netwright.networks.build import build
from netwright.networks.source import to_source
from netwright.networks.weights import random_weights
from tests.networks.plans import PLANS, Draft, lived_in_weights, make_task
from tests.networks.test_build import altered

TASK = make_task()
MODULES = {"__future__", "json", "sys", "pathlib", "torch", "torch.nn.functional", "safetensors.torch", "decode"}


def imported(text: str) -> set[str]:
    """Names of the modules that a source imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module))
    return names


def load(text: str, folder: Path) -> torch.nn.Module:
    """Imports the source from a file and calls its `load`."""
    file = folder / "model.py"
    file.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("exported_model", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.load(folder)
    assert isinstance(network, torch.nn.Module)
    return network


def assert_tidy(text: str, folder: Path) -> None:
    ruff = shutil.which("ruff") or shutil.which("ruff", path=str(Path(sys.executable).parent))
    if ruff is None:
        pytest.skip("ruff is not installed")
    file = folder / "model.py"
    file.write_text(text, encoding="utf-8")
    for command in (["format", "--diff"], ["check", "--select", "E,F,I,UP,B", "--ignore", "E501"]):
        finished = subprocess.run([ruff, *command, "--isolated", file], check=False, capture_output=True, text=True)
        assert finished.returncode == 0, finished.stdout + finished.stderr


def compare(plan: Plan, task: TaskSpec, folder: Path) -> str:
    """The source loads the weights by their names and agrees with the module within 1e-4 of the largest logit."""
    text = to_source(plan, task)
    assert imported(text) <= MODULES
    weights = lived_in_weights(plan)
    save_file(weights, folder / "weights.safetensors")
    network = build(plan, task).eval()
    network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    written = load(text, folder)
    assert not written.training
    for batch in (1, 3):
        images = torch.from_numpy(np.random.default_rng(batch).integers(0, 256, (batch, *task.inputs), np.uint8))
        with torch.no_grad():
            expected, answers = network(images), written(images)
        assert (answers - expected).abs().max() <= 1e-4 * expected.abs().max()
    return text


@pytest.mark.parametrize("name", PLANS)
def test_source_is_the_same_network_and_tidy(name: str, tmp_path: Path) -> None:
    assert_tidy(compare(PLANS[name](TASK), TASK, tmp_path), tmp_path)


def test_source_reads_top_to_bottom() -> None:
    text = to_source(PLANS["mbconv"](TASK), TASK)
    assert "x = F.hardswish(self.norm3(self.conv2(x)))\n" in text
    assert text.count("# MBConv 8, kernel 5, expand 3\n") == 2, "once among the layers, once in forward"
    assert text.index("# MBConv 8") < text.index("# Classifier")


def test_many_values_at_once_and_many_channels(tmp_path: Path) -> None:
    task = make_task((40, 5, 5))
    draft = Draft(task)
    draft.begin("Cell")
    branches = [draft.conv(1, 2) for _ in range(40)]
    plan = draft.head(draft.concat(draft.add(*branches), *branches))
    assert_tidy(compare(plan, task, tmp_path), tmp_path)


def test_long_step_names_break_lines_rather_than_overflow(tmp_path: Path) -> None:
    plan = PLANS["residual"](TASK)
    plan = Plan(tuple(replace(step, name=f"a_rather_long_name_of_a_layer_{i}") for i, step in enumerate(plan.steps)))
    assert_tidy(compare(plan, TASK, tmp_path), tmp_path)


def test_hostile_names_never_become_code(tmp_path: Path) -> None:
    hostile = 'x"""\n\nimport os; os.system("touch stolen")\n\'\'\'{0}\\'
    task = replace(TASK, labels=(hostile, *TASK.labels[1:]))
    plan = PLANS["residual"](task)
    plan = Plan(tuple(replace(step, block=hostile + "\u2028import os\x0c\rimport os") for step in plan.steps))
    text = compare(plan, task, tmp_path)
    assert "os" not in imported(text)


@pytest.mark.parametrize("name", ["x = 1", "class", "mean", "näme", "_Network__a; import os"])
def test_step_names_must_be_identifiers(name: str) -> None:
    plan = altered(PLANS["residual"](TASK), "conv", name=name, address="network/1")
    with pytest.raises(CandidateError, match="^network/1: the name of a step must be new and an identifier"):
        to_source(plan, TASK)


@pytest.mark.attack(2)
def test_unknown_operation_is_not_written() -> None:
    plan = altered(PLANS["residual"](TASK), "add", op="os.system", address="network/2")
    with pytest.raises(CandidateError, match="^network/2: the operation must be one"):
        to_source(plan, TASK)


def test_equal_plans_give_equal_text() -> None:
    assert to_source(PLANS["cell"](TASK), TASK) == to_source(PLANS["cell"](TASK), TASK)
    assert set(random_weights(PLANS["cell"](TASK), 0)) == set(build(PLANS["cell"](TASK), TASK).state_dict())
