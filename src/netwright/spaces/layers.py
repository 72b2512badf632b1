"""The layers a network is described with.

Specs are frozen dataclasses whose fields may hold choices. Once every choice is made, a layer is a plain JSON object
with its `layer` name, its `address` and its fields; containers (`Residual`, `Cell`) nest such objects. `check_layers`
holds a stored description to the closed list of layers below, so nothing from outside is built that is not named here.
"""

# ruff: noqa: RUF009  (the defaults are dataclass fields with a rule, made by functions of rules.py)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from netwright.core.errors import CandidateError, SpaceError
from netwright.spaces.choices import Choice, Shared
from netwright.spaces.rules import Spec, flag, number, rules_of, whole, word

ACTIVATIONS = ("relu", "relu6", "hswish", "silu", "gelu", "sigmoid", "hsigmoid", "tanh")

WIDEST = 65_536
LARGEST_KERNEL = 31
FARTHEST_SKIP = 64
MOST_CELL_NODES = 64
MOST_LAYERS = 4_000
DEEPEST_NESTING = 64

Whole = int | Choice
Open = int | Choice | None
Real = float | Choice
Text = str | Choice
Act = str | Choice | None
Flag = bool | Choice


class Layer(Spec):
    """Base of all layer specs."""

    parts: ClassVar[tuple[str, ...]] = ()
    """Fields that hold layers."""


def _width() -> Any:
    return whole(None, 1, WIDEST)


def _kernel(default: int) -> Any:
    return whole(default, 1, LARGEST_KERNEL)


def _stride(default: int = 1) -> Any:
    return whole(default, 1, LARGEST_KERNEL)


def _act(default: str | None = "relu") -> Any:
    return word(default, None, *ACTIVATIONS)


def _skip() -> Any:
    return whole(0, 0, FARTHEST_SKIP)


@dataclass(frozen=True)
class Conv(Layer):
    """Convolution, batch normalisation, activation; output of ceil(size / stride).

    `width` None keeps the number of channels. `kernel` must be odd. `groups` None makes it depthwise: a group for each
    channel. `bias` None means: only without `norm`.
    `skip=k` adds the output of the layer k positions earlier in the same list (1: this layer's own input) to this
    layer's output; it is clipped at the beginning of the list.
    """

    width: Open = _width()
    kernel: Whole = _kernel(3)
    stride: Whole = _stride()
    groups: Open = whole(1, 1, WIDEST, or_none=True)
    act: Act = _act()
    norm: Flag = flag(True)
    bias: Flag | None = word(None, None, True, False)
    order: Text = word("conv-norm-act", "conv-norm-act", "act-conv-norm")
    skip: Whole = _skip()


@dataclass(frozen=True)
class Separable(Layer):
    """Depthwise convolution, then pointwise, each with batch normalisation and activation. `skip` as in `Conv`."""

    width: Open = _width()
    kernel: Whole = _kernel(3)
    stride: Whole = _stride()
    act: Act = _act()
    skip: Whole = _skip()


@dataclass(frozen=True)
class MBConv(Layer):
    """Inverted bottleneck of MobileNetV2: widen `expand` times, depthwise, (squeeze and excite), narrow.

    `se` is the squeezed share of the widened channels, 0 for none. With `residual` the input is added where the
    shapes agree.
    """

    width: Open = _width()
    kernel: Whole = _kernel(3)
    expand: Whole = whole(3, 1, 64)
    stride: Whole = _stride()
    se: Real = number(0, 0, 1)
    act: Act = _act("relu6")
    residual: Flag = flag(True)


@dataclass(frozen=True)
class Pool(Layer):
    """Maximum or mean over a window; output of ceil(size / stride). Padding is not counted in the mean."""

    kind: Text = word("max", "max", "avg")
    kernel: Whole = _kernel(3)
    stride: Whole = _stride()


@dataclass(frozen=True)
class Norm(Layer):
    """Batch normalisation, and an activation after it."""

    act: Act = _act(None)


@dataclass(frozen=True)
class Activation(Layer):
    """An activation alone."""

    act: Text = word("relu", *ACTIVATIONS)


@dataclass(frozen=True)
class Identity(Layer):
    """Hands its input on."""


@dataclass(frozen=True)
class Zero(Layer):
    """Cuts the path: a sum or concatenation goes on without it."""


@dataclass(frozen=True)
class GlobalPool(Layer):
    """The mean over height and width."""


@dataclass(frozen=True)
class Flatten(Layer):
    """An image as a vector."""


@dataclass(frozen=True)
class Linear(Layer):
    """Linear layer, batch normalisation where `norm`, activation. An image is flattened first. `skip` as in `Conv`."""

    width: Open = _width()
    act: Act = _act()
    norm: Flag = flag(False)
    skip: Whole = _skip()


@dataclass(frozen=True)
class Dropout(Layer):
    """Sets a share of the numbers to zero while training."""

    rate: Real = number(0.1, 0, 0.95)


@dataclass(frozen=True)
class Residual(Layer):
    """The sum of what `body` and `shortcut` make of one input; an empty shortcut is the input itself."""

    parts: ClassVar[tuple[str, ...]] = ("body", "shortcut")
    body: Any = ()
    shortcut: Any = ()


@dataclass(frozen=True)
class Cell(Layer):
    """A directed acyclic graph of `nodes` nodes: node 0 is the input, and every node joins the edges that reach it.

    `edge` is decided for each pair of nodes apart (addresses `…/edge/0-1`). `inputs` is "all", or the number of
    earlier nodes that each node takes, which ones being a decision (`…/inputs/2`). `join` is how a node combines its
    edges: "sum", "concat", or "project": concatenated, and brought back to the channels of the cell's input by a 1x1
    convolution with normalisation. `output` is the last node or the concatenation of all nodes but the input.
    """

    parts: ClassVar[tuple[str, ...]] = ("edge",)
    nodes: Whole = whole(4, 2, MOST_CELL_NODES)
    edge: Any = Conv()
    inputs: int | str = "all"
    join: Text = word("sum", "sum", "concat", "project")
    output: Text = word("last", "last", "concat")

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.nodes, Shared):
            raise SpaceError("Cell: nodes cannot be shared; use choose or integer")
        if self.inputs != "all" and (type(self.inputs) is not int or self.inputs < 1):
            raise SpaceError(f'Cell: inputs must be "all" or a number of earlier nodes, but got {self.inputs!r}')


LAYERS: dict[str, type[Layer]] = {
    "Conv": Conv,
    "Separable": Separable,
    "MBConv": MBConv,
    "Pool": Pool,
    "Norm": Norm,
    "Activation": Activation,
    "Identity": Identity,
    "Zero": Zero,
    "GlobalPool": GlobalPool,
    "Flatten": Flatten,
    "Linear": Linear,
    "Dropout": Dropout,
    "Residual": Residual,
    "Cell": Cell,
}


def check_layers(layers: object) -> None:
    """Hold resolved layers, as they may come from a file, to the list of layers and the rules of their fields.

    Raises CandidateError that names the address (or the position) at fault and lists what is known.
    """
    _check_list(layers, "network", 0, 0)


def number_of_layers(resolved: Any) -> int:
    """Layers in a resolved list, those inside others among them."""
    if isinstance(resolved, Mapping):
        return ("layer" in resolved) + sum(number_of_layers(part) for part in resolved.values())
    return sum(map(number_of_layers, resolved)) if isinstance(resolved, list | tuple) else 0


def _check_list(layers: object, place: str, depth: int, count: int) -> int:
    if not isinstance(layers, list | tuple):
        raise _wrong(f"must be a list of layers, but got {type(layers).__name__}", place)
    if depth > DEEPEST_NESTING:
        raise _wrong(f"layers may nest {DEEPEST_NESTING} deep, but these go deeper", place)
    for position, record in enumerate(layers):
        count = _check_layer(record, f"{place}/{position}", depth, count)
    return count


def _check_layer(record: object, place: str, depth: int, count: int) -> int:
    if not isinstance(record, Mapping):
        raise _wrong(f"a layer must be an object, but got {type(record).__name__}", place)
    name, address = record.get("layer"), record.get("address")
    if not isinstance(address, str) or len(address) > 1_000:
        raise _wrong("a layer must have an `address`, a text of up to 1,000 characters", place)
    kind = LAYERS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise _wrong(f"unknown layer {_short(name)}; known are {', '.join(LAYERS)}", place)
    rules = rules_of(kind)
    nested = ("edges",) if kind is Cell else kind.parts
    for key in record:
        if key not in rules and key not in nested and key not in ("layer", "address"):
            known = ", ".join([*rules, *nested]) or "none"
            raise _wrong(f"unknown field {_short(key)} of {name}; known are {known}", place)
    for key, rule in rules.items():
        fault = rule.fault(record.get(key)) if key in record else "is missing"
        if fault is not None:
            given = f", but got {_short(record[key])}" if key in record else ""
            raise _wrong(f"{key} of {name} {fault}{given}", place)
    if count >= MOST_LAYERS:
        raise _wrong(f"a network may have {MOST_LAYERS:,} layers, but this one has more", place)
    count += 1
    if kind is Cell:
        return _check_edges(record, place, depth, count)
    for part in nested:
        count = _check_list(record.get(part), f"{place}/{part}", depth + 1, count)
    return count


def _check_edges(record: Mapping[str, Any], place: str, depth: int, count: int) -> int:
    """The edges of a resolved cell: objects with `from`, `to` and a `body` of layers, each pair once."""
    edges = record.get("edges")
    if not isinstance(edges, list | tuple):
        raise _wrong("a Cell must have a list of `edges`", place)
    seen = set()
    for edge in edges:
        if not isinstance(edge, Mapping) or set(edge) != {"from", "to", "body"}:
            raise _wrong("an edge of a Cell must be an object with `from`, `to` and `body`", place)
        source, target = edge["from"], edge["to"]
        if type(source) is not int or type(target) is not int or not 0 <= source < target < record["nodes"]:
            raise _wrong(
                f"an edge must lead from an earlier to a later of {record['nodes']} nodes, "
                f"but got {_short(source)} to {_short(target)}",
                place,
            )
        if (source, target) in seen:
            raise _wrong(f"the edge {source}-{target} is given twice", place)
        seen.add((source, target))
        count = _check_list(edge["body"], f"{place}/edge/{source}-{target}", depth + 1, count + 1)
    return count


def _wrong(message: str, place: str) -> CandidateError:
    return CandidateError(message, place if len(place) <= 120 else f"{place[:60]}…{place[-40:]}")


def _short(value: object) -> str:
    text = repr(value) if isinstance(value, str | int | float | bool | None) else type(value).__name__
    return text if len(text) <= 60 else text[:57] + "…"
