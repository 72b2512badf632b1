"""A network as the operations on its way from input to output: the path encoding, for graphs of any size.

White, Neiswanger, Savani, "BANANAS: Bayesian Optimization with Neural Architectures for Neural Architecture Search",
AAAI 2021, arXiv 1910.11858, section 4, encode a cell by the sequences of operations along its paths. A whole network
has too many long paths, but it falls apart at the blocks that every path passes (as in `keys`). So here a block on every
path is counted by its operation, and a path is one through a part between two of these blocks that has several. As
in the paper the long ones are left out; those of up to three operations are all there are in a cell of NAS-Bench-201,
and the 40 most frequent in one of NAS-Bench-101.

Equal graphs have equal counts, whatever decisions they come from. The converse does not hold: widths and the order of
blocks in a row are not told apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from netwright.spaces.graph import Graph, Node, build_graph

LONGEST = 3
"""Operations of the longest path that is counted."""
JOINS = ("Sum", "Concat")
"""What is no operation of a path."""

Path = tuple[str, ...]


def paths(layers: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How often each block on every path, and each path through a part with several, occurs in resolved layers.

    Blocks are named by their operation, paths by `path:` and their operations; `path:` alone is a skip connection.
    Raises CandidateError as `graph.build_graph`. A network that is cut off from its input has none.
    """
    counts: Counter[str] = Counter()
    for blocks, between in _parts(build_graph(layers)):
        counts.update(blocks)
        if between.total() > 1:
            counts.update({f"path:{'>'.join(path)}": count for path, count in between.items() if len(path) <= LONGEST})
    return dict(counts)


def _parts(graph: Graph) -> Iterator[tuple[list[str], Counter[Path]]]:
    """For each node that every path passes: its own operation, if it is one, and the paths to it from the one before.

    Of the paths that are longer than `LONGEST` only the number is kept, as of one that is one operation longer.
    """
    cuts = _cuts(graph)
    arrived: dict[int, Counter[Path]] = {0: Counter({(): 1})}
    for index, node in enumerate(graph.nodes[1:], start=1):
        coming: Counter[Path] = Counter()
        for source in node.inputs:
            coming.update(arrived[source])
        if index in cuts:
            yield ([] if node.op in JOINS else [_operation(node)]), coming
            arrived = {index: Counter({(): 1})}
        elif node.op in JOINS:
            arrived[index] = coming
        else:
            arrived[index] = Counter()
            for path, count in coming.items():
                arrived[index][(*path, _operation(node))[: LONGEST + 1]] += count


def _cuts(graph: Graph) -> set[int]:
    """Nodes that every path from the input to the output passes, without the input."""
    cuts = set()
    earliest = len(graph.nodes) - 1
    for node in range(len(graph.nodes) - 1, 0, -1):
        if earliest >= node:
            cuts.add(node)
        earliest = min(earliest, *graph.nodes[node].inputs)
    return cuts


def _operation(node: Node) -> str:
    """A block without its width."""
    attributes = [str(value) for name, value in node.attributes.items() if name != "width"]
    return f"{node.op}({','.join(attributes)})" if attributes else node.op
