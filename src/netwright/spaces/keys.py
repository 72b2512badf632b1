"""The canonical key of a network: equal exactly when two live graphs are equal up to renumbering.

A live graph has one input and one output, so it falls apart twice. *In series*, at the nodes that every path passes;
*in parallel*, between two such nodes, into parts that touch only there. Both ways of falling apart are the same for
equal graphs, so each part is named for itself (equal parts once, from a cache) and parallel parts are sorted. What
falls apart no further is labelled by colour refinement (Weisfeiler and Leman 1968, in both directions); where nodes
stay tied, each in turn is singled out and the smallest description wins (the scheme of McKay, Practical graph
isomorphism, 1981), a branch that an automorphism maps to an earlier one being left out. So the key is exact, and the
order it gives is one of the orders an equal graph would get: whatever is built in it is a function of the key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from netwright.core.candidate import Candidate
from netwright.core.errors import CandidateError
from netwright.spaces.graph import Graph, Node, build_graph
from netwright.spaces.layers import check_layers
from netwright.spaces.recipe import check_recipe

MOST_REFINEMENTS = 2_000
"""Work that one part may take before its symmetry is called too much."""

Order = list[int]
Named = tuple[str, Order]
"""A description, and the nodes in the order it describes them."""


def key(layers: Sequence[Mapping[str, Any]]) -> str:
    """The key of resolved layers: 32 hexadecimal digits."""
    return canonical(layers)[1]


def canonical(layers: Sequence[Mapping[str, Any]]) -> tuple[Graph, str]:
    """The live graph in canonical order, and its key."""
    return canonical_graph(build_graph(layers))


def canonical_graph(graph: Graph) -> tuple[Graph, str]:
    """A live graph in canonical order, and its key. Raises CandidateError where it is too symmetric or too deep."""
    if not graph.nodes:
        return graph, _digest("nothing")
    try:
        description, order = _Namer(graph.nodes).name()
    except RecursionError:
        raise CandidateError("the network's parts nest too deeply to be told apart") from None
    return _reordered(graph, order), _digest(description)


def verify(candidate: Candidate) -> None:
    """Hold a candidate from outside to the rules of layers and recipe, and its key to its layers (CandidateError)."""
    check_recipe(candidate.recipe)
    if candidate.architecture is None:
        if candidate.kind == "network":
            raise CandidateError("a candidate of kind network must have layers")
        return
    check_layers(candidate.architecture.layers)
    found = key(candidate.architecture.layers)
    if found != candidate.architecture.key:
        raise CandidateError(f"its layers have the key {found}, but it says {candidate.architecture.key!r:.40}")


def _digest(description: str) -> str:
    return hashlib.blake2b(description.encode(), digest_size=16).hexdigest()


def _reordered(graph: Graph, order: Order) -> Graph:
    """The same graph with its nodes in `order`."""
    if order == list(range(len(order))):
        return graph
    place = {node: index for index, node in enumerate(order)}
    nodes = (graph.nodes[node] for node in order)
    return Graph(
        tuple(Node(n.op, n.attributes, tuple(sorted(place[i] for i in n.inputs)), n.label, n.address) for n in nodes)
    )


class _Namer:
    """Names the parts of one graph. A part lies between two nodes: `start`, and an end whose inputs are `ends`."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.labels = [node.label for node in nodes]
        self.inputs = [node.inputs for node in nodes]

    def name(self) -> Named:
        """The whole graph."""
        last = len(self.labels) - 1
        if last == 0:
            return self.labels[0], [0]
        description, order = self.series(0, range(1, last), self.inputs[last])
        return f"{self.labels[0]};{description};{self.labels[last]}", [0, *order, last]

    def series(self, start: int, members: Sequence[int], ends: Sequence[int]) -> Named:
        """A part cut at the nodes that every path through it passes. `members` are in topological order."""
        cuts = []
        earliest = min(ends)
        for node in reversed(members):
            if earliest >= node:
                cuts.append(node)
            earliest = min(earliest, *self.inputs[node])
        names: list[str] = []
        order: Order = []
        position = 0
        for cut in reversed(cuts):
            begin = position
            while members[position] != cut:
                position += 1
            name, inner = self.parallel(start, members[begin:position], self.inputs[cut])
            names += (name, self.labels[cut])
            order += (*inner, cut)
            position += 1
            start = cut
        name, inner = self.parallel(start, members[position:], ends)
        return ";".join([*names, name]), order + inner

    def parallel(self, start: int, members: Sequence[int], ends: Sequence[int]) -> Named:
        """A part that no single node cuts, taken apart into its components."""
        direct = ends.count(start)
        if not members:
            return str(direct), []
        components = self.components(start, members)
        if direct == 0 and len(components) == 1:
            return self.prime(start, members, ends)
        named = sorted(self.series(start, part, [e for e in ends if e in inside]) for part, inside in components)
        return (
            f"[{direct}|{'|'.join(name for name, _ in named)}]",
            [node for _, order in named for node in order],
        )

    def components(self, start: int, members: Sequence[int]) -> list[tuple[list[int], frozenset[int]]]:
        """Members that hang together without the part's two ends, each group in order and as a set."""
        root = {node: node for node in members}

        def find(node: int) -> int:
            while root[node] != node:
                root[node] = root[root[node]]
                node = root[node]
            return node

        for node in members:
            for source in self.inputs[node]:
                if source != start:
                    root[find(node)] = find(source)
        parts: dict[int, list[int]] = {}
        for node in members:
            parts.setdefault(find(node), []).append(node)
        return [(part, frozenset(part)) for part in parts.values()]

    def prime(self, start: int, members: Sequence[int], ends: Sequence[int]) -> Named:
        """A part that falls apart no further."""
        place = {node: index for index, node in enumerate(members)}
        place[start] = -1
        name, order = _name_prime(
            tuple(self.labels[node] for node in members),
            tuple(tuple(sorted(place[source] for source in self.inputs[node])) for node in members),
            tuple(sorted(place[node] for node in ends)),
        )
        return name, [members[index] for index in order]


@lru_cache(maxsize=4096)
def _name_prime(labels: tuple[str, ...], inputs: tuple[tuple[int, ...], ...], ends: tuple[int, ...]) -> Named:
    """The smallest description of a part over all orders that refinement allows. Input -1 is the part's start."""
    return _Search(labels, inputs, ends).best()


class _Search:
    """Refinement with individualisation on one part."""

    def __init__(self, labels: tuple[str, ...], inputs: tuple[tuple[int, ...], ...], ends: tuple[int, ...]) -> None:
        self.labels = labels
        self.inputs = inputs
        self.ends = ends
        self.outputs: list[list[int]] = [[] for _ in labels]
        for node, sources in enumerate(inputs):
            for source in sources:
                if source >= 0:
                    self.outputs[source].append(node)
        self.refinements = 0

    def best(self) -> Named:
        """The smallest description."""
        levels: list[int] = []
        for sources in self.inputs:
            levels.append(1 + max(levels[source] if source >= 0 else -1 for source in sources))
        first = [(levels[node], self.labels[node], self.ends.count(node)) for node in range(len(self.labels))]
        return self.search(self.refine(_ranks(first)))

    def search(self, colours: list[int]) -> Named:
        """The smallest description below this partition."""
        tied = _tie(colours)
        if not tied:
            return self.describe(colours)
        first, *others = tied
        best = self.search(self.single_out(colours, first))
        seen = {self.descend(self.single_out(colours, first))}
        for node in others:
            probe = self.descend(self.single_out(colours, node))
            if probe in seen:
                continue
            seen.add(probe)
            best = min(best, self.search(self.single_out(colours, node)))
        return best

    def descend(self, colours: list[int]) -> str:
        """The description at the end of the first branch. Two equal ones mean an automorphism between the branches."""
        while tied := _tie(colours):
            colours = self.single_out(colours, tied[0])
        return self.describe(colours)[0]

    def single_out(self, colours: list[int], node: int) -> list[int]:
        """The partition refined after `node` has been put before those it is tied with."""
        return self.refine([2 * colour + (index != node) for index, colour in enumerate(colours)])

    def refine(self, colours: list[int]) -> list[int]:
        """The coarsest equitable partition below `colours`, with colours in an order that numbering cannot change."""
        self.refinements += 1
        if self.refinements > MOST_REFINEMENTS:
            raise CandidateError(f"a part of {len(self.labels)} blocks is too symmetric to be told apart")
        count = len(set(colours))
        while True:
            padded = [*colours, -1]
            colours = _ranks(
                [
                    (
                        colours[node],
                        sorted(padded[source] for source in self.inputs[node]),
                        sorted(colours[target] for target in self.outputs[node]),
                    )
                    for node in range(len(colours))
                ]
            )
            if (refined := len(set(colours))) == count:
                return colours
            count = refined

    def describe(self, colours: list[int]) -> Named:
        """The description in the order of discrete colours."""
        order = sorted(range(len(colours)), key=colours.__getitem__)
        place = [*colours, -1]
        lines = [f"{self.labels[n]}{sorted(place[source] for source in self.inputs[n])}" for n in order]
        return f"<{';'.join(lines)};{sorted(place[node] for node in self.ends)}>", order


def _ranks(signatures: Sequence[Any]) -> list[int]:
    """Each signature's place among the different ones."""
    order: list[Any] = []
    for signature in sorted(signatures):
        if not order or signature != order[-1]:
            order.append(signature)
    places = {_hashable(signature): place for place, signature in enumerate(order)}
    return [places[_hashable(signature)] for signature in signatures]


def _hashable(signature: Any) -> Any:
    return tuple(tuple(part) if isinstance(part, list) else part for part in signature)


def _tie(colours: list[int]) -> list[int]:
    """The nodes of the first colour that more than one node has."""
    members: dict[int, list[int]] = {}
    for node, colour in enumerate(colours):
        members.setdefault(colour, []).append(node)
    tied = [colour for colour, nodes in members.items() if len(nodes) > 1]
    return members[min(tied)] if tied else []
