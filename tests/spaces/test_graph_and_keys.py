"""The canonical key is equal exactly when two live graphs are equal up to renumbering."""

from __future__ import annotations

import random
from collections import Counter

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.core.candidate import Architecture
from netwright.core.errors import CandidateError
from netwright.spaces import keys
from netwright.spaces.graph import Graph, Node, build_graph
from netwright.spaces.keys import canonical, canonical_graph, key
from netwright.spaces.layers import (
    Activation,
    Cell,
    Conv,
    Dropout,
    Flatten,
    GlobalPool,
    Identity,
    Linear,
    MBConv,
    Pool,
    Residual,
    Zero,
)
from netwright.spaces.recipe import Recipe
from netwright.spaces.shapes import plan
from netwright.spaces.space import Space
from tests.spaces.helpers import task


def layers(*network):
    """Resolved layers of a network without choices."""
    return Space(list(network)).sample(random.Random(0)).architecture.layers


def key_of(*network):
    return key(layers(*network))


def ops(*network):
    return Counter(node.op for node in build_graph(layers(*network)).nodes)


@st.composite
def graphs(draw, most=9):
    """Live graphs: every node hangs on the first and reaches the last."""
    count = draw(st.integers(2, most))
    inputs = [()]
    for node in range(1, count):
        inputs.append(tuple(sorted(draw(st.lists(st.integers(0, node - 1), min_size=1, max_size=3)))))
    used = {source for sources in inputs for source in sources}
    loose = [node for node in range(count - 1) if node not in used]
    inputs[-1] = tuple(sorted((*inputs[-1], *loose)))
    labels = ["in", *(draw(st.sampled_from("ab")) for _ in range(count - 2)), "out"]
    return Graph(tuple(Node(label, {}, i, label) for label, i in zip(labels, inputs, strict=True)))


def renumbered(graph, rng):
    """The same graph in another topological order."""
    left = list(range(len(graph.nodes)))
    order = []
    while left:
        ready = [node for node in left if all(source in order for source in graph.nodes[node].inputs)]
        order.append(rng.choice(ready))
        left.remove(order[-1])
    place = {node: index for index, node in enumerate(order)}
    nodes = [graph.nodes[node] for node in order]
    return Graph(tuple(Node(n.op, {}, tuple(sorted(place[i] for i in n.inputs)), n.label) for n in nodes))


def as_networkx(graph):
    result = networkx.DiGraph()
    for index, node in enumerate(graph.nodes):
        result.add_node(index, label=node.label)
    for (source, target), count in Counter(graph.edges).items():
        result.add_edge(source, target, count=count)
    return result


def isomorphic(a, b):
    return networkx.is_isomorphic(
        as_networkx(a),
        as_networkx(b),
        node_match=lambda x, y: x["label"] == y["label"],
        edge_match=lambda x, y: x["count"] == y["count"],
    )


@pytest.mark.fault(14)
@settings(max_examples=200, deadline=None)
@given(graphs(), st.integers(0, 2**32))
def test_renumbering_keeps_the_key_and_the_canonical_graph(graph, seed):
    one, one_key = canonical_graph(graph)
    two, two_key = canonical_graph(renumbered(graph, random.Random(seed)))
    assert one_key == two_key
    assert [(n.label, n.inputs) for n in one.nodes] == [(n.label, n.inputs) for n in two.nodes]
    assert all(source < target for source, target in one.edges)


@pytest.mark.fault(14)
@settings(max_examples=300, deadline=None)
@given(graphs(most=6), graphs(most=6))
def test_keys_are_equal_exactly_for_isomorphic_graphs(a, b):
    assert (canonical_graph(a)[1] == canonical_graph(b)[1]) == isomorphic(a, b)


@settings(max_examples=100, deadline=None)
@given(graphs(most=8), st.data())
def test_a_moved_edge_changes_the_key_unless_the_graph_is_the_same(graph, data):
    target = data.draw(st.integers(1, len(graph.nodes) - 1))
    node = graph.nodes[target]
    other = (*node.inputs[1:], data.draw(st.integers(0, target - 1)))
    nodes = list(graph.nodes)
    nodes[target] = Node(node.op, {}, tuple(sorted(other)), node.label)
    moved = Graph(tuple(nodes))
    used = {source for source, _ in moved.edges}
    if used >= set(range(len(nodes) - 1)):
        assert (canonical_graph(graph)[1] == canonical_graph(moved)[1]) == isomorphic(graph, moved)


def ring(lengths):
    """Two layers of nodes joined in rings, which colour refinement cannot tell apart, under one more layer for all."""
    nodes = [Node("in", {}, (), "in")]
    half = sum(lengths) // 2
    nodes += [Node("a", {}, (0,), "a") for _ in range(half)]
    start = 0
    for length in lengths:
        size = length // 2
        for i in range(size):
            nodes.append(Node("b", {}, tuple(sorted((1 + start + i, 1 + start + (i + 1) % size))), "b"))
        start += size
    everything = tuple(range(1 + half, 1 + 2 * half))
    nodes += [Node("c", {}, everything, "c"), Node("c", {}, everything, "c")]
    nodes.append(Node("out", {}, (len(nodes) - 2, len(nodes) - 1, *range(1, half + 1)), "out"))
    return Graph(tuple(nodes))


@pytest.mark.fault(14)
def test_what_colour_refinement_cannot_tell_apart_is_told_apart():
    whole, halves = ring([12]), ring([6, 6])
    assert not isomorphic(whole, halves)
    assert canonical_graph(whole)[1] != canonical_graph(halves)[1]
    for seed in range(5):
        assert canonical_graph(renumbered(whole, random.Random(seed)))[1] == canonical_graph(whole)[1]
        assert canonical_graph(renumbered(halves, random.Random(seed)))[1] == canonical_graph(halves)[1]


def test_many_equal_branches_are_named_quickly():
    branches = 300
    nodes = [Node("in", {}, (), "in")]
    for _ in range(branches):
        nodes += [Node("a", {}, (0,), "a"), Node("b", {}, (len(nodes),), "b")]
    nodes.append(Node("out", {}, tuple(range(2, 2 * branches + 1, 2)), "out"))
    graph = Graph(tuple(nodes))
    assert canonical_graph(graph)[1] == canonical_graph(renumbered(graph, random.Random(1)))[1]


def test_a_large_symmetric_core_is_named():
    core = ring([40])
    assert canonical_graph(core)[1] == canonical_graph(renumbered(core, random.Random(2)))[1]


def test_too_much_symmetry_is_an_error_and_not_a_hang(monkeypatch):
    monkeypatch.setattr(keys, "MOST_REFINEMENTS", 3)
    with pytest.raises(CandidateError, match="symmetric"):
        canonical_graph(ring([44]))


def test_a_chain_keeps_its_natural_order():
    graph, _ = canonical(layers(Conv(8), Pool(stride=2), Conv(16, kernel=5)))
    assert [node.op for node in graph.nodes] == ["Input", "Conv", "Pool", "Conv", "GlobalPool", "Flatten"]


# --- the normal form -----------------------------------------------------------------------------------------------


def test_identities_and_windows_that_change_nothing_are_left_out():
    plain = key_of(Conv(8), Conv(16))
    assert key_of(Conv(8), Identity(), Conv(16), Dropout(0.0)) == plain
    assert key_of(Conv(8), Pool(kernel=1), Conv(16)) == plain
    assert key_of(Conv(8), Conv(16), GlobalPool(), Flatten()) == plain
    assert key_of(Conv(8), Conv(16), Pool()) != plain


def test_an_open_width_is_the_width_that_came_in():
    assert key_of(Conv(8), Conv()) == key_of(Conv(8), Conv(8))
    assert key_of(Conv(8), Conv()) != key_of(Conv(8), Conv(16))


def test_zeros_are_dropped_and_dead_parts_too():
    branch = Residual([Conv(), Zero(), Conv()])
    assert key_of(Conv(8), branch, Conv(8)) == key_of(Conv(8), Conv(8))
    assert ops(Conv(8), branch)["Conv"] == 1


def test_a_network_without_a_path_has_a_key_and_no_nodes():
    graph, one = canonical(layers(Conv(8), Zero(), Conv(8)))
    assert graph.nodes == () and graph.cut == "network/1"
    assert one == key_of(Zero())


def test_sums_are_flattened_and_multiplicity_is_kept():
    nested = Residual([Residual([Conv(), Conv()])], [Conv(kernel=5)])
    other = Residual([Residual([Conv(kernel=5)])], [Conv(), Conv()])
    assert key_of(Conv(8), nested) == key_of(Conv(8), other)
    doubled = key_of(Conv(8), Residual([]))
    assert doubled != key_of(Conv(8))
    assert doubled != key_of(Conv(8), Residual([Residual([])]))


def test_functions_are_merged_and_weights_are_not():
    assert ops(Conv(8), Residual([Pool()], [Pool()]))["Pool"] == 1
    assert ops(Conv(8), Residual([Activation()], [Activation()]))["Activation"] == 1
    assert ops(Conv(8), Residual([Conv()], [Conv()]))["Conv"] == 3
    assert ops(Conv(8), Residual([Dropout(0.1)], [Dropout(0.1)]))["Dropout"] == 2


def test_a_residual_stack_adds_one_term_a_block():
    graph = build_graph(layers(Conv(8), *(Residual([Conv(act=None)]) for _ in range(6))))
    assert [len(node.inputs) for node in graph.nodes if node.op == "Sum"] == [2] * 6


def test_many_copies_of_one_input_stay_few_terms():
    graph = build_graph(layers(Conv(8), *(Residual([]) for _ in range(10))))
    sums = [node for node in graph.nodes if node.op == "Sum"]
    assert all(2 <= len(node.inputs) <= 16 for node in sums) and len(sums) < 10
    copies = [0] * len(graph.nodes)
    for index, node in enumerate(graph.nodes):
        copies[index] = sum(copies[source] for source in node.inputs) if node.op == "Sum" else 1
    assert max(copies) == 2**10


@pytest.mark.fault(14)
def test_the_order_of_branches_does_not_matter():
    a, b = [Conv(kernel=5), Pool()], [Conv(kernel=3, act="silu")]
    assert key_of(Conv(8), Residual(a, b)) == key_of(Conv(8), Residual(b, a))


def test_a_skip_connection_is_a_sum_and_is_clipped_at_the_start():
    assert key_of(Conv(8), Conv(skip=1)) == key_of(Conv(8), Residual([Conv()]))
    assert key_of(Conv(8), Conv(skip=1)) != key_of(Conv(8), Conv())
    assert key_of(Conv(8), Conv(), Conv(skip=3)) == key_of(Conv(8), Conv(), Conv(skip=40))


def test_joins_are_repaired_towards_the_deepest_input():
    graph = build_graph(layers(Conv(8), Residual([Conv(16, stride=2), Conv(16)], [])))

    added = [node for node in graph.nodes if node.address == "network/1" and node.op != "Sum"]
    assert [node.op for node in added] == ["Pool", "Conv"]
    assert added[0].attributes == {"kind": "avg", "kernel": 3, "stride": 2}
    assert added[1].attributes["width"] == 16 and added[1].attributes["kernel"] == 1


def test_the_bottleneck_adds_its_input_where_shapes_agree():
    assert ops(Conv(8), MBConv())["Sum"] == 1
    assert ops(Conv(8), MBConv(16))["Sum"] == 0
    assert ops(Conv(8), MBConv(stride=2))["Sum"] == 0
    assert ops(Conv(8), MBConv(residual=False))["Sum"] == 0


def test_a_linear_layer_flattens_an_image():
    assert key_of(Conv(8), Linear(16)) == key_of(Conv(8), Flatten(), Linear(16))


@pytest.mark.fault(14)
def test_cells_with_their_nodes_renumbered_are_one_network():
    """Inner nodes 1 and 2 do not see each other, so swapping all their edges is a renumbering."""
    rng = random.Random(5)
    edges = [Conv(), Conv(kernel=1), Identity(), Zero(), Pool("avg"), Pool("max")]
    for _ in range(50):
        bodies = {pair: rng.choice(edges) for pair in ((0, 1), (0, 2), (0, 3), (1, 3), (2, 3))}
        assert _cell_key(bodies) == _cell_key({_swap(pair): body for pair, body in bodies.items()})


def _swap(pair):
    return tuple({1: 2, 2: 1}.get(node, node) for node in pair)


def _cell_key(bodies):
    record = {**layers(Cell(nodes=4, edge=Zero()))[0]}
    record["edges"] = [{"from": a, "to": b, "body": [dict(layers(body)[0])]} for (a, b), body in sorted(bodies.items())]
    return key([*layers(Conv(8)), record])


def test_the_recipe_is_no_part_of_the_key():
    one = Space([Conv(8)], Recipe(lr=0.1)).sample(random.Random(0))
    two = Space([Conv(8)], Recipe(lr=0.2)).sample(random.Random(0))
    assert one.key == two.key and one.recipe != two.recipe


def test_a_sum_of_too_many_terms_is_refused():
    with pytest.raises(CandidateError, match="500 terms"):
        key_of(Conv(8), *(Residual([Conv(act=None)]) for _ in range(600)))


def test_depthwise_is_a_group_for_each_channel():
    assert key_of(Conv(16), Conv(groups=None)) == key_of(Conv(16), Conv(groups=16))
    assert key_of(Conv(16), Conv(groups=None)) != key_of(Conv(16), Conv())
    planned = plan(Architecture(layers(Conv(groups=None)), ""), task(3, 8, 8))
    (step,) = (step for step in planned.steps if step.op == "conv")
    assert step.shape[0] == step.attributes["groups"] == 3


def test_a_cell_may_be_projected_to_the_channels_of_its_input():
    cell = Cell(nodes=3, edge=Conv(), join="project")
    assert ops(Conv(8), cell)["Concat"] == 1
    written = [Conv(8), Cell(nodes=3, edge=Conv(), join="concat"), Conv(8, kernel=1, act=None)]
    assert key_of(Conv(8), cell) == key_of(*written)
    alone = Cell(nodes=2, edge=Conv(), join="project")
    assert key_of(Conv(8), alone) == key_of(Conv(8), Conv())
    assert ops(Conv(8), Cell(nodes=3, edge=Zero(), join="project"), Conv(8)) == ops(Zero())
    assert ops(cell)["Conv"] == 3  # the channels of the images are the task's: left as they are
