"""The path encoding: counted by hand on small networks, equal for equal graphs, and complete on a cell of NAS-Bench-201."""

from __future__ import annotations

import random
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.core.task import TaskSpec
from netwright.spaces.catalog import CATALOG, make_space
from netwright.spaces.catalog.nasbench201 import EDGES, OPERATIONS, cell, codes, decisions_of, nasbench201
from netwright.spaces.layers import Conv, Pool, Residual, Zero
from netwright.spaces.paths import LONGEST, paths
from netwright.spaces.recipe import Recipe
from netwright.spaces.space import Space
from netwright.spaces.walk import Replay

TASK = TaskSpec((3, 32, 32), tuple("0123456789"), (0.4,) * 3, (0.2,) * 3)
CONV1 = "Conv(1,1,1,relu,True,False,act-conv-norm)"
CONV3 = "Conv(3,1,1,relu,True,False,act-conv-norm)"
POOL = "Pool(avg,3,1)"


def counted(network: object) -> dict[str, int]:
    """Paths of a network without choices; operations by their first letters and kernel, without what ends it."""
    found = paths(Space(network).sample(random.Random(0)).architecture.layers)
    names = {CONV1: "c1", CONV3: "c3", POOL: "p"}
    plain = {}
    for name, count in found.items():
        for long, short in names.items():
            name = name.replace(long, short)
        if name not in ("GlobalPool", "Flatten"):
            plain[name] = count
    return plain


def conv(kernel: int, width: int | None = None) -> Conv:
    return Conv(width, kernel=kernel, order="act-conv-norm")


def test_blocks_in_a_row_are_counted_without_their_width():
    assert counted([conv(3, 8), conv(3, 16), conv(1)]) == {"c3": 2, "c1": 1}


def test_parts_with_several_paths_are_counted_by_path():
    block = Residual([conv(3), conv(1)])
    assert counted([conv(3), block, block]) == {"c3": 1, "path:c3>c1": 2, "path:": 2}


def test_a_row_is_no_branch():
    row = counted([conv(3, 8), conv(3), Residual([conv(1)])])
    branch = counted([conv(3, 8), Residual([conv(3)], shortcut=[Residual([conv(1)])])])
    assert row == {"c3": 2, "path:c1": 1, "path:": 1}
    assert branch == {"c3": 1, "path:c3": 1, "path:c1": 1, "path:": 1}


def test_long_paths_are_left_out_and_still_make_a_branch():
    assert counted(Residual([conv(3)] * (LONGEST + 1))) == {"path:": 1}
    assert counted(Residual([conv(3)] * LONGEST)) == {"path:": 1, "path:c3>c3>c3": 1}


def test_what_is_cut_off_has_no_paths():
    assert paths(Space([Conv(8), Zero()]).sample(random.Random(0)).architecture.layers) == {}


def test_very_many_paths_are_counted_in_time():
    found = counted(Residual([Residual([conv(3), Pool(kernel=3, kind="avg"), conv(3)])] * 20))
    assert found["path:"] == 2
    assert found["path:c3>p>c3"] == 20


def test_a_stack_of_cells_has_the_paths_of_its_cell():
    """The published encoding of one cell, in each of the network's fifteen."""
    space = nasbench201(TASK)
    found = paths(space.walk(Replay(decisions_of("334312"))).architecture.layers)
    by_hand = by_cell("334312")
    assert {name: found.get(f"path:{name}", 0) for name in by_hand} == {
        name: 15 * count for name, count in by_hand.items()
    }


def by_cell(code: str) -> dict[str, int]:
    """Paths of a cell, from its six digits."""
    names = {"nor_conv_1x1": [CONV1], "nor_conv_3x3": [CONV3], "avg_pool_3x3": [POOL], "skip_connect": []}
    operation = {edge: OPERATIONS[int(digit)] for edge, digit in zip(EDGES, code, strict=True)}
    found: dict[str, int] = {}
    for taken in product((True, False), repeat=2):
        nodes = [0, *(node for node, on in zip((1, 2), taken, strict=True) if on), 3]
        steps = [operation[pair] for pair in pairwise(nodes)]
        if "none" not in steps:
            name = ">".join(step for chosen in steps for step in names[chosen])
            found[name] = found.get(name, 0) + 1
    return found


@pytest.mark.parametrize("name", CATALOG)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_every_network_of_the_catalogue_has_paths_and_equal_keys_equal_ones(name, seed):
    space = make_space(name, TASK)
    candidate = space.sample(random.Random(seed))
    found = paths(candidate.architecture.layers)
    assert all(count >= 1 for count in found.values())
    assert found == paths(space.replay(candidate.decisions).architecture.layers)


def test_copies_of_a_cell_have_equal_paths():
    space = Space([Conv(16, act=None), cell()], Recipe())
    rng, met, copies = random.Random(0), {}, 0
    for code in rng.sample(codes(), 1500):
        candidate = space.walk(Replay(decisions_of(code)))
        found = paths(candidate.architecture.layers)
        copies += candidate.key in met
        assert met.setdefault(candidate.key, found) == found
    assert copies > 100
