"""Mutation changes one decision to another value; neighbours are all of these; crossover takes each from a parent."""

from __future__ import annotations

import random
from collections import Counter
from math import sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.core.candidate import Candidate
from netwright.core.errors import CandidateError
from netwright.core.task import TaskSpec
from netwright.spaces.catalog import make_space
from netwright.spaces.catalog.nasbench201 import code_of, codes, decisions_of
from netwright.spaces.choices import LARGEST_HANDFUL, NEARBY_DRAWS, choose, integer, optional, real, repeat, subset
from netwright.spaces.layers import Conv, Identity, Pool, Zero
from netwright.spaces.recipe import Recipe
from netwright.spaces.space import Space
from netwright.spaces.variation import crossover, edit, mutate, neighbours
from tests.spaces.spaces import ENDLESS, FINITE, SUBSET

ALL = {**FINITE, "endless": ENDLESS}
STRUCTURE = Space(
    [Conv(8), repeat(Conv(kernel=choose(3, 5), skip=choose(0, 1)), 1, 4), optional(Pool())],
    Recipe(lr=real(0.01, 1.0, log=True)),
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(ALL)), st.integers(0, 2**32))
def test_a_child_is_valid_and_never_its_parent(name, seed):
    rng = random.Random(seed)
    parent = ALL[name].sample(rng)
    child, changed = mutate(ALL[name], parent, rng)
    ALL[name].validate(child)
    assert (child.key, child.recipe) != (parent.key, parent.recipe)
    assert changed.added or changed.removed or changed.changed


def test_every_other_value_of_every_slot_is_equally_likely():
    space = Space([Conv(width=choose(8, 16, 24, 32), kernel=choose(3, 5)), Conv(kernel=choose(3, 5, 7))])
    parent = space.sample(random.Random(0))
    rng = random.Random(1)
    counts: Counter = Counter()
    draws = 10_000
    for _ in range(draws):
        child, changed = mutate(space, parent, rng)
        (address,) = changed.changed
        assert not changed.added and not changed.removed
        counts[address, child.decisions[address]] += 1
    others = {
        (address, value)
        for address, values in {
            "network/0/width": (8, 16, 24, 32),
            "network/0/kernel": (3, 5),
            "network/1/kernel": (3, 5, 7),
        }.items()
        for value in values
        if value != parent.decisions[address]
    }
    assert set(counts) == others
    for (address, _), count in counts.items():
        share = 1 / 3 / sum(other[0] == address for other in others)
        assert abs(count - draws * share) < 5 * sqrt(draws * share * (1 - share))


def test_a_mutation_picks_a_stratum_first():
    """Nine decisions in one stratum, one in another, two in none: a third of the mutations each."""
    many = [Conv(kernel=choose(3, 5)) for _ in range(9)]
    space = Space(
        {"many": many, "one": Conv(kernel=choose(3, 5)), "rest": [Conv(choose(8, 16)), Conv(choose(8, 16))]},
        strata=("network/many/", "network/one/"),
    )
    parent, rng = space.sample(random.Random(0)), random.Random(1)
    hits = Counter(mutate(space, parent, rng)[1].changed[0].split("/")[1] for _ in range(900))
    assert set(hits) == {"many", "one", "rest"}
    assert all(abs(count - 300) < 5 * sqrt(200) for count in hits.values())


def test_a_change_on_a_dead_edge_is_drawn_again():
    space = Space([Conv(8), choose(dead=[Conv(8, kernel=choose(3, 5, 7)), Zero()], live=Identity()), Identity()])
    lifeless = space.replay({"network/1": "dead", "network/1/dead/0/kernel": 3})
    children = {mutate(space, lifeless, random.Random(seed))[0].decisions["network/1"] for seed in range(50)}
    assert children == {"live"}


def test_a_space_of_one_candidate_gives_the_parent_back():
    space = Space([Conv(8)])
    parent = space.sample(random.Random(0))
    child, changed = mutate(space, parent, random.Random(0))
    assert child == parent and changed.to_json() == {"added": [], "removed": [], "changed": []}


@pytest.mark.parametrize("seed", range(10))
def test_adding_a_layer_moves_no_other_address(seed):
    rng = random.Random(seed)
    parent = STRUCTURE.replay(
        {**STRUCTURE.sample(rng).decisions, "network/1": ("#a", "#b"), **_element("#a"), **_element("#b")}
    )
    child, changed = mutate(STRUCTURE, parent, rng, "add_layer")
    if "network/2" in changed.changed:
        assert child.decisions["network/2"] is True
        return
    ids = child.decisions["network/1"]
    assert len(ids) == 3 and [name for name in ids if name in ("#a", "#b")] == ["#a", "#b"]
    (new,) = set(ids) - {"#a", "#b"}
    assert set(changed.added) == {f"network/1/{new}", f"network/1/{new}/kernel", f"network/1/{new}/skip"}
    assert changed.removed == changed.changed == ()
    for address, value in parent.decisions.items():
        assert address == "network/1" or child.decisions[address] == value


def _element(name):
    return {f"network/1/{name}/kernel": 3, f"network/1/{name}/skip": 0}


def test_removing_a_layer_takes_its_decisions_along():
    for seed in range(20):
        rng = random.Random(seed)
        parent = STRUCTURE.sample(rng)
        child, changed = mutate(STRUCTURE, parent, rng, "remove_layer")
        if changed.removed:
            (gone,) = set(parent.decisions["network/1"]) - set(child.decisions["network/1"])
            assert all(address.startswith(f"network/1/{gone}") for address in changed.removed)


@pytest.mark.parametrize("kind", ["add_layer", "remove_layer", "alter_layer", "toggle_skip", "alter_recipe"])
def test_each_kind_changes_what_it_names(kind):
    for seed in range(30):
        rng = random.Random(seed)
        parent = STRUCTURE.sample(rng)
        child, changed = mutate(STRUCTURE, parent, rng, kind)
        before = len(parent.decisions["network/1"]) + parent.decisions["network/2"]
        after = len(child.decisions["network/1"]) + child.decisions["network/2"]
        match kind:
            case "add_layer" if before < 5:
                assert after == before + 1
            case "remove_layer" if before > 1:
                assert after == before - 1
            case "alter_layer":
                assert len(changed.changed) == 1 and changed.changed[0].endswith("/kernel")
            case "toggle_skip":
                assert len(changed.changed) == 1 and changed.changed[0].endswith("/skip")
            case "alter_recipe":
                assert changed.changed == ("recipe/lr",)


def test_a_kind_that_finds_nothing_is_any():
    space = FINITE["flat"]
    parent = space.sample(random.Random(0))
    child, changed = mutate(space, parent, random.Random(0), "toggle_skip")
    assert child.key != parent.key and len(changed.changed) == 1


def test_numbers_move_nearby():
    rng = random.Random(0)
    learning_rate = real(1e-3, 10.0, log=True)
    values = [learning_rate.alternative("", 0.1, rng) for _ in range(500)]
    assert all(0.05 <= value <= 0.2 for value in values) and min(values) < 0.06 and max(values) > 0.18
    assert all(1e-3 <= learning_rate.alternative("", 1e-3, rng) <= 2e-3 for _ in range(100))
    width = integer(8, 1024, log=True)
    widths = {width.alternative("", 64, rng) for _ in range(2_000)}
    assert widths <= set(range(32, 129)) - {64} and min(widths) < 36 and max(widths) > 120
    assert {integer(1, 3).alternative("", value, rng) for value in (1, 2, 3) for _ in range(50)} == {1, 2, 3}
    for value in (1, 2, 3):
        assert value not in {integer(1, 3).alternative("", value, rng) for _ in range(50)}
    assert all(0.2 <= real(0, 1).alternative("", 0.45, rng) <= 0.7 for _ in range(200))


def test_strides_stay_powers_of_two():
    space = Space([Conv(8, stride=choose(1, 2, 4)), Conv(16, stride=choose(1, 2, 4))])
    rng, child = random.Random(0), space.sample(random.Random(0))
    strides = set()
    for _ in range(500):
        child, _ = mutate(space, child, rng)
        strides |= {value for address, value in child.decisions.items() if address.endswith("/stride")}
    assert strides == {1, 2, 4}


def test_a_subset_swaps_one_member():
    rng = random.Random(0)
    for _ in range(50):
        value = SUBSET.draw("", rng)
        other = SUBSET.alternative("", value, rng)
        assert SUBSET.fault(other) is None and len(set(value) & set(other)) == 1
    assert subset(2, 2).alternative("", ("0", "1"), rng) == ("0", "1")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(ALL)), st.integers(0, 2**32))
def test_neighbours_are_valid_and_each_is_given_once_and_never_the_parent(name, seed):
    rng = random.Random(seed)
    parent = ALL[name].sample(rng)
    found = list(neighbours(ALL[name], parent, random.Random(seed)))
    assert found
    for neighbour in found:
        ALL[name].validate(neighbour)
        changed = edit(parent, neighbour)
        assert changed.added or changed.removed or changed.changed
    identities = [(neighbour.key, sorted(neighbour.recipe.items())) for neighbour in (parent, *found)]
    assert all(identity not in identities[:index] for index, identity in enumerate(identities))
    assert list(neighbours(ALL[name], parent, random.Random(seed))) == found


def test_neighbours_are_what_mutation_reaches():
    for name in ("flat", "cell", "inputs", "recipes"):
        space = FINITE[name]
        parent = space.sample(random.Random(1))
        mutants = {mutate(space, parent, random.Random(seed))[0].key for seed in range(400)}
        drawn = (neighbours(space, parent, random.Random(seed)) for seed in range(40))
        assert {neighbour.key for found in drawn for neighbour in found} == mutants


def test_neighbours_come_in_random_order_and_as_they_are_taken():
    space = FINITE["flat"]
    parent = space.sample(random.Random(0))
    firsts = Counter(next(neighbours(space, parent, random.Random(seed))).key for seed in range(300))
    assert len(firsts) == 3 and min(firsts.values()) > 60


NASBENCH201 = make_space("nasbench201", TaskSpec((3, 32, 32), ("a", "b"), (0.5,) * 3, (0.25,) * 3))


@pytest.mark.parametrize("code", ["123431", "343434", "000000", "303101"])
def test_a_cell_of_nasbench201_has_24_changes_of_one_edge(code):
    parent = NASBENCH201.replay(decisions_of(code))
    changes = [other for other in codes() if sum(a != b for a, b in zip(code, other, strict=True)) == 1]
    keys = {NASBENCH201.replay(decisions_of(other)).key for other in changes} - {parent.key}
    found = list(neighbours(NASBENCH201, parent, random.Random(0)))
    assert len(changes) == 24
    assert {code_of(neighbour.decisions) for neighbour in found} <= set(changes)
    assert len(found) == len(keys) and {neighbour.key for neighbour in found} == keys
    if code == "343434":
        assert len(found) == 24


def test_changes_on_dead_edges_are_no_neighbours():
    space = Space([Conv(8), choose(dead=[Conv(8, kernel=choose(3, 5, 7)), Zero()], live=Identity()), Identity()])
    lifeless = space.replay({"network/1": "dead", "network/1/dead/0/kernel": 3})
    (only,) = neighbours(space, lifeless, random.Random(0))
    assert only.decisions == {"network/1": "live"}


def test_a_neighbour_keeps_what_it_can_and_draws_what_is_new():
    space = FINITE["parts"]
    parent = space.replay({"network/1": "Conv", "network/1/Conv/kernel": 5})
    drawn = [list(neighbours(space, parent, random.Random(seed))) for seed in range(20)]
    assert {len(found) for found in drawn} == {3}
    expanded = [n.decisions for found in drawn for n in found if n.decisions["network/1"] == "MBConv"]
    assert {decisions["network/1/MBConv/expand"] for decisions in expanded} == {3, 6}


def test_a_repeat_loses_each_element_or_gets_one_at_each_place():
    parent = STRUCTURE.replay(
        {**STRUCTURE.sample(random.Random(0)).decisions, "network/1": ("#a", "#b"), **_element("#a"), **_element("#b")}
    )
    choice = STRUCTURE.choices(parent.decisions)["network/1"]
    values = choice.nearby("network/1", ("#a", "#b"), random.Random(0))
    places = [tuple(name if name in ("#a", "#b") else "new" for name in value) for value in values]
    assert places == [("#b",), ("#a",), ("new", "#a", "#b"), ("#a", "new", "#b"), ("#a", "#b", "new")]
    assert all(len(value) == 2 for value in choice.nearby("", ("#a",), random.Random(0)))
    assert all(len(value) == 3 for value in choice.nearby("", ("#a", "#b", "#c", "#d"), random.Random(0)))


def test_what_is_near_each_kind_of_choice():
    rng = random.Random(0)
    assert choose(1, True, "a").nearby("", 1, rng) == [True, "a"]
    assert optional(Pool()).nearby("", False, rng) == [True]
    assert integer(1, LARGEST_HANDFUL).nearby("", 3, rng) == [n for n in range(1, LARGEST_HANDFUL + 1) if n != 3]
    assert sorted(SUBSET.nearby("", ("a", "c"), rng)) == [("a", "b"), ("a", "d"), ("b", "c"), ("c", "d")]
    for _ in range(50):
        widths = integer(8, 128, log=True).nearby("", 64, rng)
        assert 1 <= len(widths) <= NEARBY_DRAWS and all(32 <= width <= 128 and width != 64 for width in widths)
        rates = real(0.01, 1.0, log=True).nearby("", 0.1, rng)
        assert len(rates) == NEARBY_DRAWS and all(0.05 <= rate <= 0.2 for rate in rates)


@pytest.mark.parametrize(
    ("choice", "value"),
    [
        (choose(3), 3),
        (integer(2, 2), 2),
        (real(0.5, 0.5), 0.5),
        (repeat(Pool(), 2, 2), ("#a", "#b")),
        (repeat(Pool(), 0, 0), ()),
        (subset(2, 2), ("0", "1")),
        (subset(0, 2), ()),
    ],
)
def test_nothing_is_near_the_only_value(choice, value):
    assert choice.nearby("", value, random.Random(0)) == []


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(ALL)), st.integers(0, 2**32))
def test_crossover_gives_a_valid_child_of_its_parents_decisions(name, seed):
    rng = random.Random(seed)
    a, b = ALL[name].sample(rng), ALL[name].sample(rng)
    child = crossover(ALL[name], a, b, rng)
    ALL[name].validate(child)
    for address, value in child.decisions.items():
        offers = [parent.decisions[address] for parent in (a, b) if address in parent.decisions]
        if offers:
            assert value in offers


def test_crossover_mixes_both_parents():
    space = Space([Conv(width=choose(8, 16), kernel=choose(3, 5)), Conv(width=choose(8, 16), kernel=choose(3, 5))])
    a = space.replay({f"network/{i}/{f}": v for i in (0, 1) for f, v in (("width", 8), ("kernel", 3))})
    b = space.replay({f"network/{i}/{f}": v for i in (0, 1) for f, v in (("width", 16), ("kernel", 5))})
    children = {tuple(crossover(space, a, b, random.Random(seed)).decisions.values()) for seed in range(200)}
    assert len(children) == 16


def test_the_elements_of_a_repeat_come_from_one_parent_as_a_list():
    rng = random.Random(4)
    for _ in range(30):
        a, b = STRUCTURE.sample(rng), STRUCTURE.sample(rng)
        child = crossover(STRUCTURE, a, b, rng)
        assert child.decisions["network/1"] in (a.decisions["network/1"], b.decisions["network/1"])


def test_the_edit_of_a_candidate_with_itself_is_empty():
    candidate = ENDLESS.sample(random.Random(0))
    assert edit(candidate, candidate).to_json() == {"added": [], "removed": [], "changed": []}


def test_a_parent_from_another_space_is_refused():
    parent = Candidate("network", None, {}, {"network/0/width": 8})
    with pytest.raises(CandidateError, match="another space"):
        mutate(FINITE["flat"], parent, random.Random(0))
    with pytest.raises(CandidateError, match="another space"):
        list(neighbours(FINITE["flat"], parent, random.Random(0)))
