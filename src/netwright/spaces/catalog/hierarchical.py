"""`hierarchical`: motifs of motifs of primitives; the highest is the cell of a fixed outline.

Liu, Simonyan, Vinyals, Fernando, Kavukcuoglu, "Hierarchical Representations for Efficient Architecture Search", ICLR
2018, arXiv 1711.00436. A motif is a small acyclic graph whose edges are operations or none; the operations of one level
are the motifs of the level below, those of the lowest are six primitives. As in the paper there are six motifs of four
nodes and above them one of five, the cell. A motif is decided once, however often it is used: an edge has one address,
`shared/level2_motif3/edge/0-2` or `shared/cell/edge/1-4`, and candidates in which only unused motifs differ are the
same network.

Candidates are drawn as the paper's first population is: from the trivial genotype, in which every motif is a chain of
identities, by a thousand random mutations; one whose cell does not connect its input to its output is drawn again. A
mutation picks a level evenly, then an edge of that level (`Space.strata`).

Where this deviates: every node that joins several edges is brought back to the channels of the motif's input by a 1x1
convolution (the paper: every motif of level 2 is, at its end); a mutation that a strategy makes picks evenly among the
edges of a level (the paper: the later node, then the earlier one) and never the operation that is there; the outline
follows the size of the input, and the recipe is fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Any

from netwright.core.candidate import Value
from netwright.core.errors import SpaceError
from netwright.core.task import TaskSpec
from netwright.spaces.catalog.chain import reference_recipe
from netwright.spaces.catalog.scale import halvings
from netwright.spaces.choices import Shared, choose, shared
from netwright.spaces.layers import MOST_LAYERS, Activation, Cell, Conv, Identity, Pool, Residual, Separable, Zero
from netwright.spaces.space import Space
from netwright.spaces.walk import Decider, Replay

PRIMITIVES: dict[str, Any] = {
    "identity": Identity(),
    "conv_1x1": Conv(kernel=1),
    "depthwise_3x3": Conv(kernel=3, groups=None),
    "separable_3x3": Separable(kernel=3),
    "max_pool_3x3": Pool(kind="max", kernel=3),
    "avg_pool_3x3": Pool(kind="avg", kernel=3),
}
"""The operations of level 1. All keep the channels and the resolution."""

NONE = "none"
CELL = "cell"

LEVELS = ((6, 4), (1, 5))
"""(motifs, nodes of each), from level 2 up; the highest level has one motif, the cell."""

MUTATIONS = 1_000
"""How many random mutations lead from the trivial genotype to a drawn candidate."""

WIDTHS = (16, 32, 64)

REDRAWS = 100


@dataclass(frozen=True, slots=True)
class Motif:
    """A graph of `nodes` nodes. `below` are the motifs that its edges may be, by operation; None for a primitive.

    The first operation is the one that a trivial genotype is a chain of.
    """

    name: str
    nodes: int
    below: dict[str, Motif | None]

    @property
    def edges(self) -> list[tuple[int, int]]:
        """All pairs of an earlier and a later node."""
        return [(source, target) for target in range(1, self.nodes) for source in range(target)]

    def address(self, source: int, target: int) -> str:
        """Where the operation of an edge is decided."""
        return f"shared/{self.name}/edge/{source}-{target}"


Levels = list[list[Motif]]


def hierarchical(task: TaskSpec, *, levels: Sequence[tuple[int, int]] = LEVELS, mutations: int = MUTATIONS) -> Space:
    """The space for a task: a stage for each halving of the resolution, three at most, each with one cell.

    `levels` are pairs (motifs, nodes), the last with one motif; `[(1, 11)]` is the paper's flat control. Candidates are
    drawn by so many `mutations` of the trivial genotype: few stay near it. Raises SpaceError where the motifs, written
    out at every use, are more layers than a network may have.
    """
    motifs = _motifs(levels)
    total = halvings(task)
    stages = min(len(WIDTHS), total)
    layers = written_out(levels, total - stages, stages)
    if layers > MOST_LAYERS:
        raise SpaceError(
            f"a network may have {MOST_LAYERS:,} layers, but motifs of the levels {tuple(levels)} come to {layers:,} "
            "when they are written out at every use; take fewer nodes or levels"
        )
    specs = _specs(motifs)
    network = _outline(total - stages, stages, specs[CELL])
    library = [specs[motif.name] for level in motifs[:-1] for motif in level]
    if library:
        network["motifs"] = Residual(body=[*library, Zero()])  # dead, so that unused motifs are decided, too
    hand_made = [Residual([Conv(), Conv(act=None)]), Activation("relu")]
    return Space(
        network,
        reference_recipe(),
        name="hierarchical",
        reference=(_outline(total - stages, stages, hand_made), reference_recipe()),
        sampler=_diversified(motifs, mutations),
        strata=[*(f"shared/level{number}_" for number in range(2, len(levels) + 1)), f"shared/{CELL}/"],
    )


def _outline(early: int, stages: int, cell: Any) -> dict[str, Any]:
    """Stem, early halvings of large inputs, then stages: a strided separable convolution and a cell."""
    outline: dict[str, Any] = {"stem": Conv(WIDTHS[0])}
    for extra in range(early):
        outline[f"reduce{extra + 1}"] = Separable(WIDTHS[0], stride=2)
    for stage, width in enumerate(WIDTHS[:stages], start=1):
        outline[f"stage{stage}"] = {"down": Separable(width, stride=2), "cell": cell}
    return outline


def _motifs(levels: Sequence[tuple[int, int]]) -> Levels:
    """All motifs, level by level from the second."""
    if not levels or levels[-1][0] != 1 or any(count < 1 or nodes < 2 for count, nodes in levels):
        raise SpaceError(f"levels must be (motifs, nodes), the last with one motif, none empty, but got {levels!r}")
    below: dict[str, Motif | None] = dict.fromkeys(PRIMITIVES)
    made: Levels = []
    for number, (count, nodes) in enumerate(levels, start=2):
        highest = number == len(levels) + 1
        names = [CELL] if highest else [f"level{number}_motif{index + 1}" for index in range(count)]
        made.append([Motif(name, nodes, below) for name in names])
        below = {motif.name: motif for motif in made[-1]}
    return made


def _specs(motifs: Levels) -> dict[str, Shared]:
    """Each motif as a part of a network."""
    specs: dict[str, Shared] = {}
    for motif in (motif for level in motifs for motif in level):
        operations = {name: PRIMITIVES[name] if below is None else specs[name] for name, below in motif.below.items()}
        edge = choose(none=Zero(), **operations)
        specs[motif.name] = shared(motif.name, Cell(nodes=motif.nodes, edge=edge, join="project"))
    return specs


def written_out(levels: Sequence[tuple[int, int]], early: int, stages: int) -> int:
    """The most layers that a network may come to, by arithmetic: a motif is written out at every use.

    Counted as stored descriptions are (`spaces.layers`): a cell, an edge and a layer are one each.
    """
    motif, library = 1, 2
    for count, nodes in levels[:-1]:
        motif = 1 + nodes * (nodes - 1) // 2 * (1 + motif)
        library += count * motif
    nodes = levels[-1][1]
    cell = 1 + nodes * (nodes - 1) // 2 * (1 + motif)
    return 1 + early + stages * (1 + cell) + (library if len(levels) > 1 else 0)


# --- how candidates are drawn --------------------------------------------------------------------------------------


def _diversified(motifs: Levels, mutations: int) -> Callable[[Random], Decider]:
    """Deciders for candidates that are so many random mutations away from the trivial one.

    The paper's mutation picks a level, a motif of it, a node, an earlier node, and what leads from there, each evenly.
    Only the last mutation of an edge is seen, and its operation does not depend on those before: it is enough to draw
    which edges are met at all, and one operation for each of them.
    """
    start = trivial(motifs)
    edges: dict[str, tuple[str, ...]] = {}
    chances: list[float] = []
    for level in motifs:
        for motif in level:
            for source, target in motif.edges:
                edges[motif.address(source, target)] = (NONE, *motif.below)
                chances.append(1 / (len(level) * (motif.nodes - 1) * target))
    addresses, sums = tuple(edges), tuple(accumulate(chances))

    def sampler(rng: Random) -> Decider:
        for _ in range(REDRAWS):
            met = set(rng.choices(addresses, cum_weights=sums, k=mutations))
            decisions = start | {address: rng.choice(edges[address]) for address in addresses if address in met}
            if connected(motifs[-1][0], decisions):
                return Replay(decisions)
        return Replay(start)

    return sampler


def trivial(motifs: Levels) -> dict[str, Value]:
    """The genotype in which every motif is a chain, so that the cell is nothing but an identity."""
    return {
        motif.address(source, target): next(iter(motif.below)) if target == source + 1 else NONE
        for level in motifs
        for motif in level
        for source, target in motif.edges
    }


def connected(motif: Motif, decisions: dict[str, Value]) -> bool:
    """Whether a motif leads from its first node to its last."""
    known: dict[str, bool] = {}

    def leads(motif: Motif) -> bool:
        if motif.name not in known:
            reached = {0}
            for source, target in motif.edges:
                operation = str(decisions[motif.address(source, target)])
                if source in reached and operation != NONE:
                    below = motif.below[operation]
                    if below is None or leads(below):
                        reached.add(target)
            known[motif.name] = motif.nodes - 1 in reached
        return known[motif.name]

    return leads(motif)
