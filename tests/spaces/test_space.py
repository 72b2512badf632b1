"""Sampling, replaying, counting, enumerating and validating."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, replace
from math import comb

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.core.candidate import Candidate
from netwright.core.errors import CandidateError, SpaceError
from netwright.spaces.choices import choose, integer, optional, real, repeat, shared, subset
from netwright.spaces.keys import verify
from netwright.spaces.layers import Cell, Conv, Identity, Layer, Pool, Residual
from netwright.spaces.recipe import Recipe
from netwright.spaces.space import Space
from tests.spaces.spaces import ENDLESS, FINITE

ALL = {**FINITE, "endless": ENDLESS}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(ALL)), st.integers(0, 2**32))
def test_replaying_the_decisions_gives_the_candidate(name, seed):
    candidate = ALL[name].sample(random.Random(seed))
    assert ALL[name].replay(candidate.decisions) == candidate


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(ALL)), st.integers(0, 2**32))
def test_a_candidate_survives_json_and_is_valid(name, seed):
    candidate = ALL[name].sample(random.Random(seed))
    again = Candidate.from_json(json.loads(json.dumps(candidate.to_json())))
    assert again.to_json() == candidate.to_json()
    ALL[name].validate(again)
    verify(again)


@pytest.mark.parametrize("name", FINITE)
def test_enumeration_yields_as_many_as_are_counted(name):
    candidates = list(FINITE[name].enumerate())
    assert len(candidates) == FINITE[name].size()
    assert len({json.dumps(candidate.to_json()["decisions"], sort_keys=True) for candidate in candidates}) == len(
        candidates
    )
    for candidate in candidates:
        FINITE[name].validate(candidate)


def test_sizes_by_hand():
    assert FINITE["flat"].size() == 6
    assert FINITE["repeat"].size() == 1 + 2 + 4 + 8
    assert FINITE["cell"].size() == 27
    assert FINITE["nodes"].size() == 2 + 8
    assert FINITE["inputs"].size() == 2 * 2**2 * 3 * 2**2
    assert FINITE["sometimes"].size() == 2 + 1 + 1
    assert FINITE["some"].size() == 2 * 1 + 2 * 2 + 1 * 2
    assert FINITE["recipes"].size() == 3
    assert ENDLESS.size() is None


def test_a_large_space_is_counted_without_being_enumerated():
    body = choose(Conv(kernel=choose(3, 5), width=choose(8, 16, 24)), Pool())
    assert Space([repeat(body, 0, 100)]).size() == sum(7**length for length in range(101))


def test_distinct_networks_are_fewer_than_candidates():
    space = Space([Conv(8), choose(Identity(), Pool(kernel=1), Conv())])
    assert space.size() == 3 and space.distinct() == 2
    assert ENDLESS.distinct() is None


def test_subsets_are_counted_without_being_enumerated():
    parts = [Conv(width) for width in range(1, 41)]
    assert Space([subset(20, parts)]).size() == comb(40, 20)
    assert Space([subset(2, [Conv(choose(4, 8)), Pool(), Conv(choose(4, 8, 16))])]).size() == 2 + 6 + 3


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: Space([Conv(choose(8, shared("w", choose(16, 32)))), Conv(shared("w", choose(64, 128)))]),
            "same part",
        ),
        (lambda: Space([Conv()], choose(Recipe(lr=choose(1, shared("w", 2))), Recipe(lr=shared("w", 3)))), "same part"),
        (lambda: Space([Conv()], reference=[Conv()]), "a reference must be a network and its Recipe"),
        (lambda: shared(3, Conv()), "must be an identifier"),
        (lambda: choose(**{"#1": Conv()}), "must be an identifier"),
        (lambda: Cell(nodes=shared("n", choose(2, 3))), "cannot be shared"),
    ],
)
def test_what_cannot_be_read_is_said_when_the_space_is_made(make, said):
    with pytest.raises(SpaceError, match=said):
        make()


def test_an_endless_space_is_not_enumerated():
    with pytest.raises(SpaceError, match="enumerated"):
        list(ENDLESS.enumerate())


def test_every_option_is_drawn_about_equally_often():
    rng = random.Random(1)
    counts = Counter(FINITE["flat"].sample(rng).decisions["network/0/kernel"] for _ in range(3000))
    assert set(counts) == {3, 5, 7} and all(abs(count - 1000) < 130 for count in counts.values())


def test_log_numbers_are_drawn_evenly_on_a_log_scale():
    rng = random.Random(1)
    low = sum(real(0.001, 10.0, log=True).draw("", rng) < 0.1 for _ in range(2000))
    assert 880 < low < 1120
    whole = [integer(1, 100, log=True).draw("", rng) for _ in range(2000)]
    assert min(whole) == 1 and max(whole) == 100
    assert 850 < sum(value < 10 for value in whole) < 1250


def test_addresses_are_as_documented():
    candidate = ENDLESS.sample(random.Random(3))
    ids = candidate.decisions["network/body"]
    assert all(name.startswith("#") and len(name) == 5 for name in ids)
    label = candidate.decisions[f"network/body/{ids[0]}"]
    assert label in ("Conv", "MBConv", "Residual")
    assert candidate.architecture.layers[1]["address"] == f"network/body/{ids[0]}/{label}"
    assert candidate.decisions["recipe"] in ("sgd", "adamw")
    assert f"recipe/{candidate.decisions['recipe']}/lr" in candidate.decisions


def test_options_of_one_layer_are_numbered():
    assert choose(Conv(8), Conv(16), Pool()).labels == ("Conv", "Conv#2", "Pool")
    assert choose([Conv(8), Pool()], Identity()).labels == ("Conv+Pool", "Identity")


def test_a_shared_part_is_decided_once_and_placed_twice():
    space = FINITE["shared"]
    for seed in range(20):
        candidate = space.sample(random.Random(seed))
        if candidate.decisions["network/2"] != "motif":
            continue
        convolutions = [layer for layer in candidate.architecture.layers if layer["layer"] == "Conv"]
        assert convolutions[1]["kernel"] == convolutions[2]["kernel"] == candidate.decisions["shared/motif/0/kernel"]
        assert convolutions[1]["address"] == "network/1/0"
        assert convolutions[2]["address"] == "network/2/motif/0"


def test_replay_names_the_decision_at_fault():
    space = FINITE["flat"]
    good = dict(space.sample(random.Random(0)).decisions)
    with pytest.raises(CandidateError, match="network/0/kernel: must be one of 3, 5, 7, but got 4"):
        space.replay({**good, "network/0/kernel": 4})
    with pytest.raises(CandidateError, match="must be one of 8, 16, but got 8.0"):
        space.replay({**good, "network/0/width": 8.0})
    del good["network/0/width"]
    with pytest.raises(CandidateError) as caught:
        space.replay(good)
    assert caught.value.address == "network/0/width"


def test_repeats_from_outside_must_be_lists_of_different_ids():
    space = FINITE["repeat"]
    for value in (("#1", "#1"), ("a",), ("#../x",), ("#1", "#2", "#3", "#4"), "#1", 3, None):
        with pytest.raises(CandidateError, match="network/1"):
            space.replay({"network/1": value, "network/1/#1/kernel": 3})


def test_a_candidate_of_another_space_or_with_other_layers_is_not_valid():
    candidate = FINITE["flat"].sample(random.Random(0))
    with pytest.raises(CandidateError):
        FINITE["repeat"].validate(candidate)
    layers = ({**candidate.architecture.layers[0], "width": 64},)
    forged = replace(candidate, architecture=replace(candidate.architecture, layers=layers))
    with pytest.raises(CandidateError, match="layers"):
        FINITE["flat"].validate(forged)
    with pytest.raises(CandidateError, match="key"):
        verify(forged)
    with pytest.raises(CandidateError, match="decisions"):
        FINITE["flat"].validate(replace(candidate, decisions={**candidate.decisions, "network/9/width": 1}))


def test_conditional_says_whether_decisions_depend_on_others():
    assert not FINITE["flat"].conditional
    assert not FINITE["cell"].conditional
    assert FINITE["parts"].conditional
    assert FINITE["repeat"].conditional
    assert FINITE["inputs"].conditional
    assert FINITE["recipes"].conditional


def test_the_fingerprint_follows_the_content():
    def make(kernel):
        return Space([Conv(8, kernel=choose(3, kernel)), repeat(Pool(), 0, 2)])

    assert make(5).fingerprint == make(5).fingerprint
    assert make(5).fingerprint != make(7).fingerprint
    assert make(5).fingerprint != Space([Conv(8, kernel=choose(3, 5)), repeat(Pool(), 0, 3)]).fingerprint
    assert make(5).fingerprint != Space(make(5).network, Recipe(lr=0.3)).fingerprint


def test_samples_and_fingerprints_are_the_same_in_another_process():
    code = (
        "import random\n"
        "from tests.spaces.spaces import ENDLESS\n"
        "print(ENDLESS.fingerprint, [ENDLESS.sample(random.Random(s)).key for s in range(5)])"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(path for path in sys.path if path) + ":."},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    here = f"{ENDLESS.fingerprint} {[ENDLESS.sample(random.Random(s)).key for s in range(5)]}\n"
    assert answers == {here}


def test_a_reference_holds_no_choice():
    space = Space([Conv(choose(8, 16))], reference=([Conv(8)], Recipe()))
    assert space.reference.key == Space([Conv(8)]).sample(random.Random(0)).key
    with pytest.raises(SpaceError, match="no choice"):
        Space([Conv(8)], reference=([Conv(choose(8, 16))], Recipe()))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Space([Conv(8), "Conv"]), "network/1: a part of a network must be"),
        (lambda: Space([Conv(8), [Pool(), 3]]), "network/1/1"),
        (lambda: Space([Conv(8)], {"lr": 1}), "recipe: a recipe must be"),
        (lambda: Space([shared("a", Conv(8)), shared("a", Conv(16))]), "must stand for the same part"),
        (lambda: Space([choose(Conv(8), Recipe())]), "network/0/Recipe"),
        (lambda: Conv(width=0), "width must be a whole number from 1 to 65536 or none, but got 0"),
        (lambda: Conv(kernel=choose(3, "5")), "kernel must be a whole number"),
        (lambda: Conv(kernel=integer(3, 99)), "but got 99"),
        (lambda: Conv(kernel=repeat(3, 0, 1)), "use choose, integer or real"),
        (lambda: Conv(act="rely"), "act must be one of None, 'relu'"),
        (lambda: Conv(norm=1), "norm must be one of True, False"),
        (lambda: Recipe(lr=float("nan")), "lr must be a number"),
        (lambda: Recipe(augment="flip+shift"), "augment must be one of"),
        (lambda: Cell(nodes=1), "nodes must be"),
        (lambda: Cell(inputs=0), "inputs must be"),
        (choose, "at least one"),
        (lambda: choose(3, 3), "given twice"),
        (lambda: choose(3, Conv()), "plain values or parts"),
        (lambda: integer(1.5, 2), "whole numbers"),
        (lambda: integer(3, 2), "low <= high"),
        (lambda: real(0, 1, log=True), "low > 0"),
        (lambda: real(0, float("inf")), "finite"),
        (lambda: repeat(Conv(), 0, 10**9), "1000"),
        (lambda: shared("a/b", Conv()), "identifier"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(make, message):
    with pytest.raises(SpaceError) as caught:
        make()
    assert message in str(caught.value)


def test_a_spec_that_holds_itself_is_refused():
    network = [Conv(8)]
    network.append(network)
    with pytest.raises(SpaceError, match="deeper"):
        Space(network)


def test_options_may_be_true_and_one():
    space = Space([Conv(8, norm=choose(True, False)), optional(Residual([Conv()]))])
    values = {candidate.architecture.layers[0]["norm"] for candidate in space.enumerate()}
    assert values == {True, False}


def test_a_layer_of_ones_own_is_refused_in_a_clear_sentence() -> None:
    @dataclass(frozen=True)
    class Mine(Layer):
        pass

    for own in (Mine(), torch.nn.Linear(2, 3), torch.nn.Linear, lambda images: images):
        with pytest.raises(
            SpaceError, match=r"network/1/body: .* from torch, a script or a notebook, are not supported"
        ):
            Space([Conv(), repeat(own, 1, 2)])


def test_a_layer_without_brackets_is_named() -> None:
    with pytest.raises(SpaceError, match=r"network/0: .*; write Conv\(…\)"):
        Space([Conv])
