"""Which steps of a parent's plan a child's steps go on from, by address and kind of layer.

Addresses are for life (`spaces.walk`), so a layer is found again wherever the list around it grew or shrank. Within a
layer, steps are aligned by what they do: an inverted bottleneck that gains an expansion keeps its other convolutions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from netwright.core.plan import Plan, Step

WEIGHTED = ("conv", "linear", "norm")


@dataclass(frozen=True, slots=True)
class Block:
    """The steps of one layer that have weights, and what tells the layer from others of its address."""

    kind: str
    address: str
    steps: tuple[int, ...]
    title: str
    operations: tuple[str, ...]
    reads: str


def counterparts(parent: Plan, child: Plan) -> dict[int, int]:
    """For each weighted step of the child that the parent has, too: its index to that of the parent.

    Layers of one kind and one address are the same layer; then those at options of one choice (`…/Conv`, `…/Conv#2`).
    The last steps, both classifiers, always are.
    """
    found = {len(child.steps) - 1: len(parent.steps) - 1}
    theirs, ours = blocks(parent)[:-1], blocks(child)[:-1]
    for place in (lambda block: (block.kind, block.address), _choice):
        pairs = _matched(theirs, ours, place)
        for old, new in pairs:
            found.update(_aligned(parent, child, old, new))
        theirs = [block for block in theirs if all(block is not old for old, _ in pairs)]
        ours = [block for block in ours if all(block is not new for _, new in pairs)]
    return found


def blocks(plan: Plan) -> list[Block]:
    """The layers of a plan that have weights, in the order of its steps."""
    groups: dict[int, list[int]] = {}
    for index, step in enumerate(plan.steps):
        groups.setdefault(step.group, []).append(index)
    found = []
    for members in groups.values():
        weighted = tuple(index for index in members if plan.steps[index].op in WEIGHTED)
        first = plan.steps[members[0]]
        if weighted:
            found.append(
                Block(
                    kind=first.block.partition(" ")[0].rstrip(","),
                    address=first.address,
                    steps=weighted,
                    title=first.block,
                    operations=tuple(_operation(plan.steps[index]) for index in members),
                    reads=plan.steps[first.inputs[0]].address,
                )
            )
    return found


def depthwise(step: Step) -> bool:
    """Whether a step is a convolution of each channel by itself."""
    return step.op == "conv" and step.attributes["groups"] == step.shape[0] > 1


def _choice(block: Block) -> tuple[str, str]:
    """The kind of layer, and the address of the list or choice that it stands in."""
    return block.kind, block.address.rpartition("/")[0]


def _matched(
    theirs: Iterable[Block], ours: Iterable[Block], place: Callable[[Block], tuple[str, str]]
) -> list[tuple[Block, Block]]:
    """Pairs of blocks of one place, the most alike first (a layer and the repair of its join share an address)."""
    at: dict[tuple[str, str], tuple[list[Block], list[Block]]] = {}
    for side, members in enumerate((theirs, ours)):
        for block in members:
            at.setdefault(place(block), ([], []))[side].append(block)
    pairs = []
    for old, new in at.values():
        ranked = sorted(((-_likeness(a, b), i, j) for i, a in enumerate(old) for j, b in enumerate(new)))
        left, right = set(range(len(old))), set(range(len(new)))
        for _, i, j in ranked:
            if i in left and j in right:
                left.remove(i)
                right.remove(j)
                pairs.append((old[i], new[j]))
    return pairs


def _likeness(a: Block, b: Block) -> int:
    return 4 * (a.title == b.title) + 2 * (a.operations == b.operations) + (a.reads == b.reads)


def _operation(step: Step) -> str:
    """What a step does, without its sizes."""
    return f"{step.op} {step.attributes.get('function', '')}"


def _aligned(parent: Plan, child: Plan, old: Block, new: Block) -> dict[int, int]:
    """The longest common sequence of two blocks' weighted steps (Needleman and Wunsch 1970)."""
    theirs, ours = [parent.steps[i] for i in old.steps], [child.steps[i] for i in new.steps]
    best = [[0] * (len(ours) + 1) for _ in range(len(theirs) + 1)]
    for i in reversed(range(len(theirs))):
        for j in reversed(range(len(ours))):
            both = _agreement(theirs[i], ours[j])
            best[i][j] = max(best[i + 1][j], best[i][j + 1], both + best[i + 1][j + 1] if both else 0)
    pairs, i, j = {}, 0, 0
    while i < len(theirs) and j < len(ours):
        both = _agreement(theirs[i], ours[j])
        if both and best[i][j] == both + best[i + 1][j + 1]:
            pairs[new.steps[j]] = old.steps[i]
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs


def _agreement(a: Step, b: Step) -> int:
    """0 where one step cannot go on from the other; more where they agree in having a bias, too."""
    if a.op != b.op or depthwise(a) != depthwise(b):
        return 0
    return 2 + (a.attributes.get("bias") == b.attributes.get("bias"))


def readers(steps: Sequence[Step]) -> list[list[int]]:
    """For each step, those that read it."""
    found: list[list[int]] = [[] for _ in steps]
    for index, step in enumerate(steps):
        for source in set(step.inputs):
            found[source].append(index)
    return found
