"""`nasbench201`: the 15,625 cells of NAS-Bench-201 (Dong and Yang, ICLR 2020), one cell stacked in three stages.

For inputs of 3x32x32 it is the published network to the last parameter, but that dead edges are not built; smaller
inputs get fewer stages, larger ones a stem that halves the resolution until 32 pixels are left. A cell is written as
the authors' string `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|` or as six digits in the order 0-1, 0-2, 1-2, 0-3, 1-3, 2-3.
The general key of netwright tells 5,260 cells apart; the two string rules here are for comparison with publications.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import log2
from typing import Any

from netwright.core.candidate import Value
from netwright.core.errors import SpaceError
from netwright.core.task import TaskSpec
from netwright.spaces.choices import Shared, choose, shared
from netwright.spaces.layers import Cell, Conv, Identity, Norm, Pool, Residual, Zero
from netwright.spaces.recipe import Recipe
from netwright.spaces.space import Space

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""The authors' names, in the order of the digits."""

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(from, to), in the order of the six digits."""

REFERENCE = "303101"
"""The cell that is a residual block."""

ZERO = "#"
"""What the string rules write for a node that nothing reaches."""

CELLS_A_STAGE = 5
WIDTHS = (16, 32, 64)


def nasbench201(task: TaskSpec) -> Space:
    """The space for a task. The recipe is fixed: the published one, with a batch that small data sets allow."""
    recipe = Recipe(
        optimizer="sgd", lr=0.1, weight_decay=5e-4, momentum=0.9, schedule="cosine", warmup=0.0, augment="shift+flip"
    )
    conv = Conv(kernel=3, order="act-conv-norm")
    return Space(
        _outline(task, cell()),
        recipe,
        name="nasbench201",
        reference=(_outline(task, Residual([conv, conv])), recipe),
    )


def cell() -> Shared:
    """The cell: four nodes, and one of five operations on each of six edges."""
    edge = choose(
        none=Zero(),
        skip_connect=Identity(),
        nor_conv_1x1=Conv(kernel=1, order="act-conv-norm"),
        nor_conv_3x3=Conv(kernel=3, order="act-conv-norm"),
        avg_pool_3x3=Pool(kind="avg", kernel=3),
    )
    return shared("cell", Cell(nodes=4, edge=edge))


def _outline(task: TaskSpec, unit: Any) -> dict[str, Any]:
    """Stem, stages of cells with a residual block between them, and what comes before the classifier."""
    shorter = min(task.inputs[1:])
    stages = min(3, max(1, int(log2(max(1, shorter) / 8)) + 1))
    outline: dict[str, Any] = {"stem": Conv(WIDTHS[0], act=None)}
    for halving in range(max(0, round(log2(max(1, shorter) / 32)))):
        outline[f"reduce{halving + 1}"] = Conv(WIDTHS[0], stride=2, order="act-conv-norm")
    for stage, width in enumerate(WIDTHS[:stages], start=1):
        if stage > 1:
            outline[f"down{stage}"] = _downsampling(width)
        outline[f"stage{stage}"] = [unit] * CELLS_A_STAGE
    outline["last"] = Norm(act="relu")
    return outline


def _downsampling(width: int) -> Residual:
    """The authors' residual block of stride 2; its shortcut has no normalisation."""
    return Residual(
        body=[Conv(width, stride=2, order="act-conv-norm"), Conv(width, order="act-conv-norm")],
        shortcut=[
            Pool(kind="avg", kernel=2, stride=2),
            Conv(width, kernel=1, norm=False, bias=False, act=None),
        ],
    )


# --- cells as text -------------------------------------------------------------------------------------------------


def code_of(decisions: Mapping[str, Value]) -> str:
    """The six digits of a candidate's decisions."""
    return "".join(str(OPERATIONS.index(str(decisions[f"shared/cell/edge/{a}-{b}"]))) for a, b in EDGES)


def decisions_of(code: str) -> dict[str, Value]:
    """The decisions of a cell given by six digits or by the authors' string. Raises SpaceError for another text."""
    digits = code if not code.startswith("|") else _parse(code)
    if len(digits) != len(EDGES) or not set(digits) <= set("01234"):
        raise SpaceError(f"a cell must be six digits from 0 to 4, but got {code!r:.80}")
    return {f"shared/cell/edge/{a}-{b}": OPERATIONS[int(digit)] for (a, b), digit in zip(EDGES, digits, strict=True)}


def text_of(code: str) -> str:
    """The authors' string of six digits."""
    names = [f"{OPERATIONS[int(digit)]}~{source}" for digit, (source, _) in zip(code, EDGES, strict=True)]
    return "+".join(f"|{'|'.join(group)}|" for group in (names[:1], names[1:3], names[3:]))


def _parse(text: str) -> str:
    names = [name.rpartition("~")[0] for group in text.split("+") for name in group.strip("|").split("|")]
    if any(name not in OPERATIONS for name in names) or len(names) != len(EDGES):
        raise SpaceError(f"a cell must be like {text_of(REFERENCE)}, but got {text!r:.120}")
    code = "".join(str(OPERATIONS.index(name)) for name in names)
    if text_of(code) != text:
        raise SpaceError(f"a cell must be like {text_of(REFERENCE)}, but got {text!r:.120}")
    return code


def published_key(code: str) -> str:
    """The authors' string for isomorphic cells: 6,466 different ones. It keeps zeros in sums, and forgets sharing."""
    nodes = ["0"]
    for arriving in _arriving(code):
        terms = []
        for source, operation in arriving:
            if operation == "none" or nodes[source] == ZERO:
                terms.append(ZERO)
            else:
                terms.append(nodes[source] if operation == "skip_connect" else f"({nodes[source]})@{operation}")
        nodes.append("+".join(sorted(terms)))
    return nodes[-1]


def string_key(code: str) -> str:
    """The string with zeros dropped and sums flattened: 4,930 different ones. It, too, forgets sharing."""
    nodes: list[tuple[str, ...]] = [("0",)]
    for arriving in _arriving(code):
        terms: list[str] = []
        for source, operation in arriving:
            if operation == "none" or not nodes[source]:
                continue
            if operation == "skip_connect":
                terms.extend(nodes[source])
            else:
                terms.append(f"({'+'.join(nodes[source])})@{operation}")
        nodes.append(tuple(sorted(terms)))
    return "+".join(nodes[-1]) or ZERO


def _arriving(code: str) -> Sequence[list[tuple[int, str]]]:
    """For nodes 1, 2, 3: (source, operation) of every edge that arrives."""
    nodes: list[list[tuple[int, str]]] = [[], [], []]
    for digit, (source, target) in zip(code, EDGES, strict=True):
        nodes[target - 1].append((source, OPERATIONS[int(digit)]))
    return nodes


def codes() -> list[str]:
    """All 15,625 cells."""
    return ["".join(digits) for digits in product("01234", repeat=len(EDGES))]


def distinct_published() -> int:
    """How many cells the published rule tells apart."""
    return len({published_key(code) for code in codes()})


def counts() -> dict[str, int]:
    """How many cells the general key and the published rule tell apart: a network's key differs where its cell's does."""
    one_cell = Space([Conv(WIDTHS[0], act=None), cell()])
    return {
        "distinct": len({candidate.key for candidate in one_cell.enumerate()}),
        "distinct_published": distinct_published(),
    }
