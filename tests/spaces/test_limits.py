"""Genome bombs are defused by arithmetic: without torch, in little memory, before anything is built."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (300 * 2**20, 300 * 2**20))
from netwright.core.candidate import Architecture
from netwright.core.errors import CandidateError
from netwright.core.task import TaskSpec
from netwright.spaces.shapes import plan
assert "torch" not in sys.modules and "numpy" not in sys.modules
task = TaskSpec((3, 224, 224), ("a", "b"), (0.5,) * 3, (0.2,) * 3)

def conv(width=8, kernel=3, stride=1, skip=0, groups=1):
    return dict(layer="Conv", address="network/0", width=width, kernel=kernel, stride=stride, groups=groups, act="relu",
                norm=True, bias=None, order="conv-norm-act", skip=skip)

def residual(body, shortcut=()):
    return dict(layer="Residual", address="network/1", body=list(body), shortcut=list(shortcut))

def cell(nodes, body, join="sum", output="last"):
    edges = [{"from": a, "to": b, "body": body} for b in range(1, nodes) for a in range(b)]
    return dict(layer="Cell", address="network/2", nodes=nodes, join=join, output=output, edges=edges)

def linear(width):
    return dict(layer="Linear", address="network/3", width=width, act="relu", norm=False, skip=0)

def nested(depth, make):
    layers = [conv()]
    for _ in range(depth):
        layers = [make(layers)]
    return layers

def mbconv(width=None, expand=64):
    return dict(layer="MBConv", address="network/4", width=width, kernel=3, expand=expand, stride=1, se=0.5,
                act="relu6", residual=True)
"""

BOMBS = {
    "10^12 channels": "[conv(width=10**12)]",
    "the widest layers": "[conv(width=65536)] * 3",
    "wide activations": "[conv(width=60000)]",
    "many wide layers": "[conv(width=500)] * 200",
    "a huge linear layer": "[linear(65536)]",
    "linear layers": "[conv(width=64), *[linear(65536)] * 3]",
    "a million layers": "[conv()] * 10**6",
    "as many layers as may be": "[conv()] * 3999",
    "more steps than may be": "[conv(), *[mbconv(expand=2)] * 900]",
    "a huge kernel": "[conv(kernel=10**9 + 1)]",
    "a huge stride": "[conv(stride=10**18)]",
    "strides without end": "[conv(stride=31)] * 1000",
    "deep nesting": "nested(10**5, residual)",
    "nesting as deep as may be": "nested(60, lambda inner: residual(inner, inner))",
    "doubling": "[conv(), *[residual([])] * 3000]",
    "doubling in cells": "[conv(), *[cell(8, [])] * 60]",
    "growing sums": "[conv(), *[residual([conv()])] * 1500]",
    "a full cell": "[conv(), cell(64, [conv()])]",
    "a full cell of cells": "[conv(), cell(16, [cell(8, [conv()])])]",
    "full concatenation": "[conv(), *[cell(30, [conv()], 'concat', 'concat')] * 3]",
    "growing concatenation": "[conv(), *[cell(20, [], 'concat', 'concat')] * 40]",
    "crossing skips": "[conv(skip=1 + i % 64) for i in range(2000)]",
    "skips over everything": "[conv(skip=64)] * 2000",
    "nested skips": "[conv(skip=k) for _ in range(20) for k in range(64)]",
    "equal branches": "[conv(), cell(3, [cell(40, [conv()])])]",
    "widening": "[mbconv(width=None, expand=64), *[mbconv(width=60000)] * 10]",
    "a cycle": "[dict(cell(4, []), edges=[{'from': 2, 'to': 1, 'body': []}])]",
    "not a number": "[conv(width=float('nan'))]",
    "groups": "[conv(groups=65536)]",
}


@pytest.mark.attack(6)
@pytest.mark.parametrize("bomb", BOMBS)
def test_genome_bomb(bomb):
    code = f"""{HEAD}
try:
    planned = plan(Architecture(tuple({BOMBS[bomb]}), ""), task)
except CandidateError as error:
    assert len(str(error)) < 500, str(error)
    print("refused:", error)
else:
    assert len(planned.steps) <= 4_000
    assert planned.parameters <= 2_000_000_000
    assert sum(step.elements for step in planned.steps) <= 1_000_000_000
    print("planned:", len(planned.steps), planned.parameters)
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith(("refused: ", "planned: "))


RANDOM_BOMBS = """
import random

def size(rng):
    return rng.choice([0, 1, 3, 8, 64, 1000, 10**4, 65536, 10**6, 10**12, -1, rng.randrange(1, 10**rng.randrange(1, 13))])

def some(rng, depth):
    kind = rng.randrange(6 if depth else 3)
    if kind == 0:
        return conv(size(rng), rng.choice([1, 3, 7, size(rng)]), rng.choice([1, 2, size(rng)]), size(rng) % 70)
    if kind == 1:
        return linear(size(rng))
    if kind == 2:
        return mbconv(size(rng), size(rng))
    body = [some(rng, depth - 1) for _ in range(rng.randrange(4))] * rng.choice([1, 1, 2, 30])
    if kind == 3:
        return residual(body)
    return cell(rng.choice([2, 4, 20, 64]), body, *rng.choice([("sum", "last"), ("concat", "concat")]))

refused = planned = 0
for seed in range(NUMBER):
    rng = random.Random(seed)
    layers = [some(rng, 2) for _ in range(rng.randrange(1, 6))] * rng.choice([1, 1, 10, 1000])
    try:
        made = plan(Architecture(tuple(layers), ""), task)
    except CandidateError as error:
        assert len(str(error)) < 500
        refused += 1
    else:
        assert len(made.steps) <= 4_000 and made.parameters <= 2_000_000_000
        assert sum(step.elements for step in made.steps) <= 1_000_000_000
        planned += 1
assert "torch" not in sys.modules
print(refused, planned)
"""


@pytest.mark.attack(6)
def test_random_bombs():
    """Sizes of every magnitude in layers of every kind, nested and repeated: refused or within the limits."""
    code = HEAD + RANDOM_BOMBS.replace("NUMBER", "400")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    refused, planned = map(int, done.stdout.split())
    assert refused >= 200
    assert planned >= 10, "the limits are not so low that nothing passes"
