"""Motifs of motifs: what is shared, what is counted before it is built, and how candidates are drawn and mutated."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from math import sqrt
from statistics import mean
from typing import Any

import pytest

from netwright.core.candidate import Candidate, Value
from netwright.core.errors import CandidateError, SpaceError
from netwright.core.plan import Plan
from netwright.networks.build import build
from netwright.spaces.catalog.hierarchical import (
    LEVELS,
    NONE,
    PRIMITIVES,
    Levels,
    Motif,
    _motifs,
    connected,
    hierarchical,
    trivial,
    written_out,
)
from netwright.spaces.encoding import slots
from netwright.spaces.layers import check_layers
from netwright.spaces.shapes import costs, plan
from netwright.spaces.space import Space
from netwright.spaces.variation import mutate
from tests.spaces.helpers import task

TASK = task(1, 28, 28)  # two stages: the cell is there twice
MOTIFS: Levels = _motifs(LEVELS)
(CELL,) = MOTIFS[-1]


@pytest.fixture(scope="module")
def space() -> Space:
    return hierarchical(TASK)


def genotype(**edges: str) -> dict[str, Value]:
    """The trivial genotype with other edges: `cell_0_4="level2_motif2"`."""
    decisions = trivial(MOTIFS)
    for place, operation in edges.items():
        motif, source, target = place.rsplit("_", 2)
        address = f"shared/{motif}/edge/{source}-{target}"
        assert address in decisions
        decisions[address] = operation
    return decisions


def everything_used() -> dict[str, Value]:
    """Six different motifs without a dead edge, each of them in the cell."""
    rng = random.Random(0)
    operations = [name for name in PRIMITIVES if name != "identity"]
    lower = {motif.address(*edge): rng.choice(operations) for motif in MOTIFS[0] for edge in motif.edges}
    names = [motif.name for motif in MOTIFS[0]]
    return {**lower, **{CELL.address(*edge): names[i % 6] for i, edge in enumerate(CELL.edges)}}


def convolutions(made: Plan) -> int:
    return sum(step.op == "conv" for step in made.steps)


def planned(space: Space, decisions: Mapping[str, Value]) -> Plan:
    architecture = space.replay(decisions).architecture
    assert architecture is not None
    return plan(architecture, TASK)


def test_there_is_one_address_for_each_edge_of_each_motif(space: Space) -> None:
    addresses = {motif.address(*edge) for level in MOTIFS for motif in level for edge in motif.edges}
    assert len(addresses) == 6 * 6 + 10
    assert {slot.address for slot in slots(space)} == addresses
    assert "shared/level2_motif3/edge/0-2" in addresses
    assert not space.conditional
    assert space.size() == 7 ** (6 * 6) * 7**10


def test_the_trivial_genotype_is_the_outline_alone(space: Space) -> None:
    found = planned(space, trivial(MOTIFS))
    assert convolutions(found) == 1 + 2 * 2  # stem, and a strided separable convolution in each stage


def test_an_edge_of_a_motif_changes_every_place_that_uses_it(space: Space) -> None:
    three = genotype(cell_0_1="level2_motif2", cell_1_2="level2_motif2", cell_2_3="level2_motif2")
    changed = {**three, "shared/level2_motif2/edge/1-2": "conv_1x1"}
    assert convolutions(planned(space, changed)) - convolutions(planned(space, three)) == 3 * 2
    built = [Counter(type(m).__name__ for m in build(planned(space, d), TASK).modules()) for d in (three, changed)]
    assert built[1]["Conv2d"] - built[0]["Conv2d"] == 3 * 2


def test_what_only_unused_motifs_differ_in_is_the_same_network(space: Space) -> None:
    one, other = genotype(), genotype(level2_motif5_0_1="conv_1x1", level2_motif5_0_3="max_pool_3x3")
    assert space.replay(one).key == space.replay(other).key
    used = genotype(cell_3_4="level2_motif5", level2_motif5_0_1="conv_1x1", level2_motif5_0_3="max_pool_3x3")
    assert space.replay(used).key != space.replay(one).key


def test_the_key_is_that_of_the_graph_written_out(space: Space) -> None:
    """Two motifs that are the same graph may stand for each other."""
    same = {f"{motif}_1_2": "depthwise_3x3" for motif in ("level2_motif1", "level2_motif4")}
    assert (
        space.replay(genotype(**same, cell_0_1="level2_motif1")).key
        == space.replay(genotype(**same, cell_0_1="level2_motif4")).key
    )


def test_a_node_is_brought_back_to_the_channels_of_the_input(space: Space) -> None:
    wide = planned(space, everything_used())
    for position, step in enumerate(wide.steps):
        if step.op == "concat":
            (reader,) = [other for other in wide.steps if position in other.inputs]
            assert reader.op == "conv" and reader.attributes["kernel"] == (1, 1) and reader.shape[0] in (16, 32)
    depthwise = [step for step in wide.steps if step.op == "conv" and step.attributes["groups"] == step.shape[0]]
    assert {step.shape[0] for step in depthwise} == {16, 32}


@pytest.mark.parametrize(
    "edges",
    [
        {"cell_3_4": NONE},
        {f"cell_{source}_{target}": NONE for source, target in CELL.edges},
        {"level2_motif1_2_3": NONE},  # what every edge of the trivial cell is
    ],
    ids=["last edge", "no edge", "a motif that leads nowhere"],
)
def test_a_cell_that_leads_nowhere_is_refused_by_name(space: Space, edges: dict[str, str]) -> None:
    decisions = genotype(**edges)
    assert not connected(CELL, decisions)
    with pytest.raises(CandidateError, match="no path") as refused:
        planned(space, decisions)
    assert "network/stage1/cell" in str(refused.value)


def test_a_motif_that_leads_nowhere_is_as_none(space: Space) -> None:
    decisions = genotype(cell_0_4="level2_motif2", level2_motif2_0_1=NONE, level2_motif2_0_3=NONE)
    assert connected(CELL, decisions)
    assert space.replay(decisions).key == space.replay(genotype()).key


def test_connected_says_what_the_graph_says(space: Space) -> None:
    rng = random.Random(0)
    found = Counter[bool]()
    for _ in range(80):
        sparse = {
            motif.address(*edge): rng.choice([*[NONE] * 8, *motif.below])
            for level in MOTIFS
            for motif in level
            for edge in motif.edges
        }
        try:
            planned(space, sparse)
        except CandidateError:
            leads = False
        else:
            leads = True
        assert connected(CELL, sparse) == leads
        found[leads] += 1
    assert min(found[True], found[False]) > 15


# -- counted before it is built ----------------------------------------------------------------------------------------


def layers_of(records: object) -> int:
    """Layers and edges of a description, as `check_layers` counts them."""
    if isinstance(records, list | tuple):
        return sum(map(layers_of, records))
    assert isinstance(records, Mapping)
    inner: list[Any] = [value for value in records.values() if isinstance(value, list | tuple)]
    return 1 + sum(map(layers_of, inner))


@pytest.mark.parametrize("levels", [LEVELS, [(1, 11)], [(2, 3), (3, 3), (1, 4)]], ids=str)
@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 224, 224)], ids=str)
def test_layers_are_counted_by_arithmetic(levels: list[tuple[int, int]], shape: tuple[int, int, int]) -> None:
    made = hierarchical(task(*shape), levels=levels)
    full = {}
    for slot in slots(made):
        full[slot.address] = list(slot.choice.values(slot.address))[-1]
    candidate = made.replay(full)
    assert candidate.architecture is not None
    check_layers(candidate.architecture.layers)
    stages = sum(name.startswith("stage") for name in made.network)
    early = sum(name.startswith("reduce") for name in made.network)
    assert layers_of(list(candidate.architecture.layers)) == written_out(levels, early, stages)


def test_an_explosion_is_refused_before_anything_is_made() -> None:
    with pytest.raises(SpaceError, match=r"come to [\d,]{13,} when they are written out"):
        hierarchical(TASK, levels=[(6, 20), (6, 20), (6, 20), (1, 20)])
    with pytest.raises(SpaceError, match="levels must be"):
        hierarchical(TASK, levels=[(2, 4)])


def test_the_flat_control_is_one_motif() -> None:
    flat = hierarchical(TASK, levels=[(1, 11)])
    assert flat.size() == 7**55
    assert flat.strata == ("shared/cell/",)
    assert "motifs" not in flat.network
    flat.validate(flat.sample(random.Random(0)))


# -- drawing and mutating ----------------------------------------------------------------------------------------------


def test_every_drawn_candidate_leads_somewhere(space: Space) -> None:
    rng = random.Random(0)
    keys = set()
    for _ in range(30):
        candidate = space.sample(rng)
        assert connected(CELL, dict(candidate.decisions))
        assert costs(candidate.architecture, TASK).parameters > 1_000
        keys.add(candidate.key)
    assert len(keys) == 30


def drawn(mutations: int, number: int) -> list[Candidate]:
    made = hierarchical(task(1, 8, 8), mutations=mutations)
    return [made.sample(random.Random(seed)) for seed in range(number)]


def test_few_mutations_stay_near_the_trivial_genotype() -> None:
    start = trivial(MOTIFS)
    assert dict(drawn(0, 1)[0].decisions) == {**start}
    near = [sum(start[a] != value for a, value in candidate.decisions.items()) for candidate in drawn(5, 60)]
    assert 1 <= mean(near) <= 5 and max(near) <= 5
    far = [sum(start[a] != value for a, value in candidate.decisions.items()) for candidate in drawn(1_000, 60)]
    assert mean(far) > 0.8 * 46


def test_the_distribution_is_that_of_single_mutations() -> None:
    """Each edge is away from its start as often as when mutations are made one by one."""
    start, rng, counts = trivial(MOTIFS), random.Random(0), Counter[str]()
    number, mutations = 3_000, 8
    for _ in range(number):
        decisions = dict(start)
        for _ in range(mutations):
            motif = rng.choice(rng.choice(MOTIFS))
            target = rng.randrange(1, motif.nodes)
            decisions[motif.address(rng.randrange(target), target)] = rng.choice([NONE, *motif.below])
        if connected(CELL, decisions):
            counts.update(address for address in start if decisions[address] != start[address])
            counts["all"] += 1
    sampler, found = hierarchical(task(1, 8, 8), mutations=mutations)._sampler, Counter[str]()
    for _ in range(number):
        decisions = dict(sampler(rng).decisions)  # type: ignore[attr-defined]
        found.update(address for address in start if decisions[address] != start[address])
    for address in start:
        share = counts[address] / counts["all"]
        spread = sqrt(max(share, 0.002) * (1 - share) * (1 / counts["all"] + 1 / number))
        assert abs(found[address] / number - share) < 5 * spread, address


@pytest.mark.long
def test_mutations_hit_every_level_evenly() -> None:
    """Ten thousand mutations of a genotype all of whose edges matter."""
    made = hierarchical(task(1, 8, 8))
    parent, rng = made.replay(everything_used()), random.Random(1)
    levels, motifs, draws = Counter[str](), Counter[str](), 10_000
    for _ in range(draws):
        _, edit = mutate(made, parent, rng)
        (address,) = edit.changed
        levels[address.split("/")[1].split("_")[0]] += 1
        motifs[address.split("/")[1]] += 1
    assert abs(levels["cell"] - draws / 2) < 5 * sqrt(draws / 4)
    for motif in MOTIFS[0]:
        assert abs(motifs[motif.name] - draws / 12) < 5 * sqrt(draws / 12 * 11 / 12)


def test_mutations_hit_both_levels() -> None:
    made = hierarchical(task(1, 8, 8))
    parent, rng = made.replay(everything_used()), random.Random(1)
    cell = sum(mutate(made, parent, rng)[1].changed[0].startswith("shared/cell/") for _ in range(160))
    assert abs(cell - 80) < 5 * sqrt(40)  # evenly over addresses it would be 35


def test_the_motifs_of_one_level_are_the_operations_of_the_next() -> None:
    made = _motifs([(2, 3), (3, 4), (1, 5)])
    assert [[motif.name for motif in level] for level in made] == [
        ["level2_motif1", "level2_motif2"],
        ["level3_motif1", "level3_motif2", "level3_motif3"],
        ["cell"],
    ]
    assert list(made[1][0].below) == ["level2_motif1", "level2_motif2"]
    assert isinstance(made[2][0].below["level3_motif2"], Motif)
    assert hierarchical(TASK, levels=[(2, 3), (3, 4), (1, 5)]).strata == (
        "shared/level2_",
        "shared/level3_",
        "shared/cell/",
    )
