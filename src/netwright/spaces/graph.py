"""From resolved layers to the live graph of a network.

Nodes are blocks (a convolution with its normalisation and activation is one). While the graph is made, it is brought
to a normal form, so that networks that compute the same in the same way become the same graph:

- identities are left out; zeros propagate and are dropped; what does not reach the output is dropped;
- sums of sums become one sum, with multiplicity (x + x is not x);
- nodes without weights and with equal inputs are merged; a node with weights stays an object of its own;
- where a sum contains another sum that is computed anyway, it takes that one's result.

**Joins.** Sizes are symbolic: channels, and the stride since the input (size = ceil(input size / stride)). A sum takes
the channels of its deepest term (longest path from the input, then the widest; channels that depend on the task yield
to given ones) and the smallest resolution. Terms of another size are averaged down and, where the channels differ,
pass a 1x1 convolution with normalisation. A concatenation repairs the resolution only, unless its cell projects it.
These repairs are nodes of the graph like any other. The result does not depend on the order of the terms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import lcm
from typing import Any

from netwright.core.errors import CandidateError

MOST_NODES = 4_000
MOST_TERMS = 500
MOST_MULTIPLES = 1_000_000
MOST_COPIES = 8

ZERO = -1
VECTOR = -1
PIXEL = 0

Channels = int | str
Terms = tuple[tuple[int, int], ...]
"""Sorted pairs of a node and how often it occurs."""


@dataclass(frozen=True, slots=True)
class Size:
    """Channels (text: they depend on the task) and scale: the stride since the input, or PIXEL (1x1), or VECTOR."""

    channels: Channels
    scale: int


@dataclass(frozen=True, slots=True)
class Node:
    """A block. `inputs` are earlier nodes (with repetition in a sum); `label` is the operation with its attributes."""

    op: str
    attributes: Mapping[str, Any]
    inputs: tuple[int, ...]
    label: str
    address: str = ""


@dataclass(frozen=True)
class Graph:
    """Nodes in topological order: the first is the input, the last the output.

    A network whose output does not depend on its input has no nodes; `cut` is then the address where the path ends.
    """

    nodes: tuple[Node, ...]
    cut: str = ""

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Pairs (from, to), once for every use."""
        return tuple((source, target) for target, node in enumerate(self.nodes) for source in node.inputs)


def build_graph(layers: Sequence[Mapping[str, Any]]) -> Graph:
    """The live graph of resolved layers, in normal form but not yet in canonical order (`keys.canonical`)."""
    builder = _Builder()
    output = builder.chain(layers, 0)
    if output == ZERO:
        return Graph((), builder.cut or "network")
    output = builder.flat(builder.pooled(output, "head"), "head")
    return Graph(tuple(_finish(builder, output)))


class _Builder:
    """Adds nodes one by one; `add` merges equal functions."""

    def __init__(self) -> None:
        self.nodes: list[Node] = [Node("Input", {}, (), "Input")]
        self.sizes: list[Size] = [Size("image", 1)]
        self.depths: list[int] = [0]
        self.terms: dict[int, Terms] = {}
        self.known: dict[tuple[Any, ...], int] = {}
        self.cut = ""

    # --- nodes -----------------------------------------------------------------------------------------------------

    def add(
        self, op: str, attributes: Mapping[str, Any], inputs: tuple[int, ...], size: Size, address: str, weights: bool
    ) -> int:
        """A node. Without `weights` (its own numbers, or its own randomness), an equal one that is there already."""
        label = f"{op}({','.join(map(str, attributes.values()))})" if attributes else op
        if not weights:
            found = self.known.setdefault((label, inputs), len(self.nodes))
            if found < len(self.nodes):
                return found
        if len(self.nodes) >= MOST_NODES:
            raise CandidateError(f"a network may have {MOST_NODES:,} blocks, but this one has more", address)
        self.nodes.append(Node(op, attributes, inputs, label, address))
        self.sizes.append(size)
        self.depths.append(max(self.depths[source] for source in inputs) + (op != "Sum"))
        return len(self.nodes) - 1

    def block(
        self, op: str, attributes: dict[str, Any], source: int, width: int | None, stride: int, address: str
    ) -> int:
        """A block with weights on an image: width None keeps the channels."""
        size = self.sizes[source]
        channels = size.channels if width is None else width
        scale = size.scale * stride if size.scale > 0 else PIXEL
        return self.add(op, {"width": channels, **attributes}, (source,), Size(channels, scale), address, True)

    def pool(self, source: int, kind: str, kernel: int, stride: int, address: str) -> int:
        """A window, or the input itself where the window cannot change it."""
        size = self.sizes[source]
        if size.scale == PIXEL or (kernel == 1 and stride == 1):
            return source
        attributes = {"kind": kind, "kernel": kernel, "stride": stride}
        return self.add("Pool", attributes, (source,), Size(size.channels, size.scale * stride), address, False)

    def pooled(self, source: int, address: str) -> int:
        """One pixel."""
        size = self.sizes[source]
        if size.scale <= 0:
            return source
        return self.add("GlobalPool", {}, (source,), Size(size.channels, PIXEL), address, False)

    def flat(self, source: int, address: str) -> int:
        """A vector."""
        size = self.sizes[source]
        if size.scale == VECTOR:
            return source
        features = size.channels if size.scale == PIXEL else f"{size.channels}/{size.scale}"
        return self.add("Flatten", {}, (source,), Size(features, VECTOR), address, False)

    def linear(self, source: int, width: Channels, act: str | None, norm: bool, address: str) -> int:
        """A linear block."""
        attributes = {"width": width, "act": act, "norm": norm}
        return self.add("Linear", attributes, (source,), Size(width, VECTOR), address, True)

    # --- joins -----------------------------------------------------------------------------------------------------

    def sum(self, sources: Sequence[int], address: str) -> int:
        """The sum of the live sources, repaired to one size."""
        live = [source for source in sources if source != ZERO]
        if len(live) < 2:
            return live[0] if live else ZERO
        channels, scale = self._target_channels(live), self._target_scale(live)
        counts: dict[int, int] = {}
        for source in live:
            fitted = self._fit(source, channels, scale, address)
            for term, count in self.terms.get(fitted, ((fitted, 1),)):
                counts[term] = counts.get(term, 0) + count
        if len(counts) > MOST_TERMS or max(counts.values()) > MOST_MULTIPLES:
            raise CandidateError(
                f"a sum may have {MOST_TERMS} terms, each up to {MOST_MULTIPLES:,} times, but this one has more",
                address,
            )
        terms = tuple(sorted(counts.items()))
        if ("Sum", terms) not in self.known:
            inputs = tuple(counts)
            self.known["Sum", terms] = self.add("Sum", {}, inputs, self.sizes[inputs[0]], address, True)
            self.terms[self.known["Sum", terms]] = terms
        return self.known["Sum", terms]

    def concat(self, sources: Sequence[int], address: str) -> int:
        """The live sources side by side, at the smallest resolution."""
        live = [source for source in sources if source != ZERO]
        if len(live) < 2:
            return live[0] if live else ZERO
        scale = self._target_scale(live)
        fitted = sorted(self._fit(source, None, scale, address) for source in live)
        widths = [self.sizes[source].channels for source in fitted]
        numbers = sum(width for width in widths if isinstance(width, int))
        names = sorted(width for width in widths if isinstance(width, str))
        channels: Channels = "+".join([*names, *([str(numbers)] if numbers else [])]) if names else numbers
        return self.add("Concat", {}, tuple(fitted), Size(channels, scale), address, False)

    def join(self, kind: str, sources: Sequence[int], channels: Channels, address: str) -> int:
        """What a node of a cell makes of its edges; `channels` are those of the cell's input."""
        if kind == "sum":
            return self.sum(sources, address)
        joined = self.concat(sources, address)
        if kind == "concat" or joined == ZERO:
            return joined
        return self._fit(joined, channels, self.sizes[joined].scale, address)

    def _target_channels(self, sources: Iterable[int]) -> Channels:
        """The channels of the deepest source, then of the widest; numbers go before channels the task decides."""

        def rank(source: int) -> tuple[bool, int, int, str]:
            channels = self.sizes[source].channels
            number = channels if isinstance(channels, int) else 0
            return isinstance(channels, int), self.depths[source], number, str(channels)

        return self.sizes[max(sources, key=rank)].channels

    def _target_scale(self, sources: Iterable[int]) -> int:
        """The scale that every source can be brought to: a vector, one pixel, or the common stride."""
        scales = {self.sizes[source].scale for source in sources}
        if VECTOR in scales:
            return VECTOR
        return PIXEL if PIXEL in scales else lcm(*scales)

    def _fit(self, source: int, channels: Channels | None, scale: int, address: str) -> int:
        """`source` brought to `channels` (None: its own) and `scale`."""
        size = self.sizes[source]
        if scale <= 0:
            source = self.pooled(source, address)
        elif scale != size.scale:
            factor = scale // size.scale
            source = self.pool(source, "avg", factor + 1 - factor % 2, factor, address)
        if scale == VECTOR:
            source = self.flat(source, address)
        if channels is None or self.sizes[source].channels == channels:
            return source
        if not isinstance(channels, int):
            return source  # the task decides both, and may decide alike; the plan says so where it does not
        if scale == VECTOR:
            return self.linear(source, channels, None, True, address)
        return self.block("Conv", _conv(kernel=1, act=None), source, channels, 1, address)

    # --- layers ----------------------------------------------------------------------------------------------------

    def chain(self, layers: Sequence[Mapping[str, Any]], source: int) -> int:
        """Layers one after the other, with their skip connections."""
        values = [source]
        for record in layers:
            address = record["address"]
            value = self.apply(record, values[-1])
            skip = record.get("skip", 0)
            if skip:
                value = self.sum([value, values[max(0, len(values) - skip)]], address)
            if value == ZERO and values[-1] != ZERO:
                self.cut = address
            values.append(value)
        return values[-1]

    def apply(self, record: Mapping[str, Any], source: int) -> int:
        """One layer."""
        return source if source == ZERO else _APPLY[record["layer"]](self, record, source)


def _conv(
    *,
    kernel: int,
    stride: int = 1,
    groups: Channels = 1,
    act: str | None = "relu",
    norm: bool = True,
    bias: bool | None = None,
    order: str = "conv-norm-act",
) -> dict[str, Any]:
    """The attributes of a convolution block, with what follows from others filled in."""
    return {
        "kernel": kernel,
        "stride": stride,
        "groups": groups,
        "act": act,
        "norm": norm,
        "bias": not norm if bias is None else bias,
        "order": "conv-norm-act" if act is None else order,
    }


def _apply_conv(builder: _Builder, record: Mapping[str, Any], source: int) -> int:
    attributes = _conv(
        kernel=record["kernel"],
        stride=record["stride"],
        groups=builder.sizes[source].channels if record["groups"] is None else record["groups"],
        act=record["act"],
        norm=record["norm"],
        bias=record["bias"],
        order=record["order"],
    )
    return builder.block("Conv", attributes, source, record["width"], record["stride"], record["address"])


def _apply_separable(builder: _Builder, record: Mapping[str, Any], source: int) -> int:
    attributes = {name: record[name] for name in ("kernel", "stride", "act")}
    return builder.block("Separable", attributes, source, record["width"], record["stride"], record["address"])


def _apply_mbconv(builder: _Builder, record: Mapping[str, Any], source: int) -> int:
    attributes = {name: record[name] for name in ("kernel", "expand", "stride", "act")} | {"se": float(record["se"])}
    node = builder.block("MBConv", attributes, source, record["width"], record["stride"], record["address"])
    if record["residual"] and record["stride"] == 1 and builder.sizes[node] == builder.sizes[source]:
        return builder.sum([node, source], record["address"])
    return node


def _apply_pool(builder: _Builder, record: Mapping[str, Any], source: int) -> int:
    return builder.pool(source, record["kind"], record["kernel"], record["stride"], record["address"])


def _apply_norm(builder: _Builder, record: Mapping[str, Any], source: int) -> int:
    return builder.add(
        "Norm", {"act": record["act"]}, (source,), builder.sizes[source], record["address"], weights=True
    )


def _apply_activation(builder: _Builder, record: Mapping[str, Any], source: int) -> int:
    return builder.add(
        "Activation", {"act": record["act"]}, (source,), builder.sizes[source], record["address"], weights=False
    )


def _apply_linear(builder: _Builder, record: Mapping[str, Any], source: int) -> int:
    source = builder.flat(source, record["address"])
    width = builder.sizes[source].channels if record["width"] is None else record["width"]
    return builder.linear(source, width, record["act"], record["norm"], record["address"])


def _apply_dropout(builder: _Builder, record: Mapping[str, Any], source: int) -> int:
    rate = float(record["rate"])
    if rate == 0:
        return source
    return builder.add("Dropout", {"rate": rate}, (source,), builder.sizes[source], record["address"], weights=True)


def _apply_residual(builder: _Builder, record: Mapping[str, Any], source: int) -> int:
    body, shortcut = builder.chain(record["body"], source), builder.chain(record["shortcut"], source)
    return builder.sum([body, shortcut], record["address"])


def _apply_cell(builder: _Builder, record: Mapping[str, Any], source: int) -> int:
    kind, channels = record["join"], builder.sizes[source].channels
    arriving: list[list[int]] = [[] for _ in range(record["nodes"])]
    values = [source]
    edges = sorted(record["edges"], key=lambda edge: (edge["to"], edge["from"]))
    position = 0
    for target in range(1, record["nodes"]):
        while position < len(edges) and edges[position]["to"] == target:
            edge = edges[position]
            arriving[target].append(builder.chain(edge["body"], values[edge["from"]]))
            position += 1
        values.append(builder.join(kind, arriving[target], channels, record["address"]))
    return values[-1] if record["output"] == "last" else builder.concat(values[1:], record["address"])


_APPLY: dict[str, Callable[[_Builder, Mapping[str, Any], int], int]] = {
    "Conv": _apply_conv,
    "Separable": _apply_separable,
    "MBConv": _apply_mbconv,
    "Pool": _apply_pool,
    "Norm": _apply_norm,
    "Activation": _apply_activation,
    "Identity": lambda builder, record, source: source,
    "Zero": lambda builder, record, source: ZERO,
    "GlobalPool": lambda builder, record, source: builder.pooled(source, record["address"]),
    "Flatten": lambda builder, record, source: builder.flat(source, record["address"]),
    "Linear": _apply_linear,
    "Dropout": _apply_dropout,
    "Residual": _apply_residual,
    "Cell": _apply_cell,
}


# --- the finished graph --------------------------------------------------------------------------------------------


def _finish(builder: _Builder, output: int) -> Iterable[Node]:
    """The nodes that reach `output`, sums rewritten over the sums they contain, in topological order."""
    nodes = builder.nodes
    inputs = [node.inputs for node in nodes]
    for node, terms in builder.terms.items():
        inputs[node] = tuple(term for term, _ in terms)
    live = set(_before(inputs, output))
    sums = {node: dict(terms) for node, terms in builder.terms.items() if node in live}
    sizes = {node: sum(terms.values()) for node, terms in sums.items()}
    eights: dict[int, int] = {}

    def copies(node: int, count: int) -> tuple[int, ...]:
        """`count` times `node`: eight copies are a sum of their own, so that x + x + … stays short."""
        if count <= MOST_COPIES:
            return (node,) * count
        if node not in eights:
            eights[node] = len(nodes)
            nodes.append(Node("Sum", {}, (), "Sum", nodes[node].address))
            inputs.append((node,) * MOST_COPIES)
        return (node,) * (count % MOST_COPIES) + copies(eights[node], count // MOST_COPIES)

    for node in sums:
        rest = _over_known_sums(node, sums, sizes)
        inputs[node] = tuple(copy for term, count in rest.items() for copy in copies(term, count))
    order = _before(inputs, output)
    place = {node: index for index, node in enumerate(order)}
    for node in order:
        old = nodes[node]
        yield Node(old.op, old.attributes, tuple(sorted(place[i] for i in inputs[node])), old.label, old.address)


def _over_known_sums(node: int, sums: Mapping[int, Mapping[int, int]], sizes: Mapping[int, int]) -> dict[int, int]:
    """The terms of a sum, where the largest other sum inside it, if there is one such, stands for its own terms.

    Every sum is looked at with all its terms, so the result is the same whatever the nodes' numbers.
    """
    terms = dict(sums[node])
    size = sizes[node]
    inside = [
        other
        for other, parts in sums.items()
        if sizes[other] < size and all(terms.get(term, 0) >= count for term, count in parts.items())
    ]
    largest = max((sizes[other] for other in inside), default=0)
    best = [other for other in inside if sizes[other] == largest]
    if len(best) == 1:
        (known,) = best
        times = min(terms[term] // count for term, count in sums[known].items())
        for term, count in sums[known].items():
            terms[term] -= times * count
        terms[known] = times
    return terms


def _before(inputs: Sequence[tuple[int, ...]], output: int) -> list[int]:
    """`output` and everything it depends on, each after its inputs."""
    order: list[int] = []
    done: set[int] = set()
    stack = [(output, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif node not in done:
            done.add(node)
            stack.append((node, True))
            stack.extend((source, False) for source in reversed(inputs[node]) if source not in done)
    return order
