"""Slots by position, with inactive ones marked."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.core.errors import CandidateError
from netwright.spaces.choices import choose, real, repeat
from netwright.spaces.encoding import INACTIVE, decode, encode, slots, vector
from netwright.spaces.layers import Conv
from netwright.spaces.recipe import Recipe
from netwright.spaces.space import Space
from tests.spaces.spaces import ENDLESS, FINITE

ALL = {**FINITE, "endless": ENDLESS}


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(ALL)), st.integers(0, 2**32))
def test_decoding_the_encoding_gives_the_same_network_and_recipe(name, seed):
    space = ALL[name]
    candidate = space.sample(random.Random(seed))
    values = encode(space, candidate)
    again = decode(space, values)
    assert (again.key, again.recipe) == (candidate.key, candidate.recipe)
    assert encode(space, again) == values


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(ALL)), st.integers(0, 2**32))
def test_vectors_of_a_space_are_equally_long_and_tell_its_candidates_apart(name, seed):
    space = ALL[name]
    rng = random.Random(seed)
    a, b = space.sample(rng), space.sample(rng)
    one, two = vector(space, a), vector(space, b)
    assert len(one) == len(two) == sum(slot.width for slot in slots(space))
    assert all(0 <= number <= 1 for number in one)
    assert (one == two) == (encode(space, a) == encode(space, b))


def test_elements_are_slots_by_position():
    space = FINITE["repeat"]
    assert [slot.address for slot in slots(space)] == [
        "network/1/length",
        *(f"network/1/[{position}]/kernel" for position in range(3)),
    ]
    candidate = space.replay({"network/1": ("#x", "#y"), "network/1/#x/kernel": 3, "network/1/#y/kernel": 5})
    assert encode(space, candidate) == {
        "network/1/length": 2,
        "network/1/[0]/kernel": 3,
        "network/1/[1]/kernel": 5,
        "network/1/[2]/kernel": INACTIVE,
    }


def test_what_is_always_there_is_not_conditional():
    space = Space([repeat(Conv(kernel=choose(3, 5)), 1, 2)], Recipe(lr=real(0.1, 1.0)))
    assert {slot.address: slot.conditional for slot in slots(space)} == {
        "network/0/length": False,
        "network/0/[0]/kernel": False,
        "network/0/[1]/kernel": True,
        "recipe/lr": False,
    }


def test_an_option_none_is_not_an_inactive_slot():
    space = Space([Conv(8, act=choose(None, "relu"))])
    candidate = space.replay({"network/0/act": None})
    assert encode(space, candidate) == {"network/0/act": None}
    assert vector(space, candidate) == [1.0, 0.0]


def test_numbers_are_scaled_and_options_are_one_hot():
    space = Space([Conv(8, kernel=choose(3, 5, 7))], Recipe(lr=real(0.01, 1.0, log=True)))
    candidate = space.replay({"network/0/kernel": 5, "recipe/lr": 0.1})
    assert vector(space, candidate) == pytest.approx([0, 1, 0, 0.5])


def test_a_value_that_is_missing_or_wrong_is_named():
    space = FINITE["repeat"]
    with pytest.raises(CandidateError, match=r"network/1/\[0\]/kernel"):
        decode(space, {"network/1/length": 1, "network/1/[0]/kernel": 4})
    with pytest.raises(CandidateError, match="network/1/length"):
        decode(space, {"network/1/length": 9})
    with pytest.raises(CandidateError, match="must have a value"):
        decode(space, {"network/1/length": 1})


def test_a_decision_of_another_space_is_named():
    with pytest.raises(CandidateError, match="no such decision"):
        encode(FINITE["flat"], FINITE["repeat"].replay({"network/1": ()}))
