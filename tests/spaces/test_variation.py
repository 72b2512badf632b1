"""Mutation changes one decision to another value; crossover takes each from a parent."""

from __future__ import annotations

import random
from collections import Counter
from math import sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.core.candidate import Candidate
from netwright.core.errors import CandidateError
from netwright.spaces.choices import choose, integer, optional, real, repeat, subset
from netwright.spaces.layers import Conv, Identity, Pool, Zero
from netwright.spaces.recipe import Recipe
from netwright.spaces.space import Space
from netwright.spaces.variation import crossover, edit, mutate
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
    width = integer(8, 128, log=True)
    assert {width.alternative("", 64, rng) for _ in range(500)} <= set(range(32, 129)) - {64}
    assert {integer(1, 3).alternative("", value, rng) for value in (1, 2, 3) for _ in range(50)} == {1, 2, 3}
    for value in (1, 2, 3):
        assert value not in {integer(1, 3).alternative("", value, rng) for _ in range(50)}
    assert all(0.2 <= real(0, 1).alternative("", 0.45, rng) <= 0.7 for _ in range(200))


def test_a_subset_swaps_one_member():
    rng = random.Random(0)
    for _ in range(50):
        value = SUBSET.draw("", rng)
        other = SUBSET.alternative("", value, rng)
        assert SUBSET.fault(other) is None and len(set(value) & set(other)) == 1
    assert subset(2, 2).alternative("", ("0", "1"), rng) == ("0", "1")


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
