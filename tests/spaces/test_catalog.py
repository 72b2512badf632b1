"""The ready-made spaces, and spaces of users from a file."""

from __future__ import annotations

import random
from statistics import quantiles

import pytest

from netwright.core.errors import SpaceError
from netwright.spaces.catalog import CATALOG, counts, load_space, make_space
from netwright.spaces.choices import choose
from netwright.spaces.encoding import slots
from netwright.spaces.layers import Conv
from netwright.spaces.recipe import check_recipe
from netwright.spaces.shapes import costs, plan
from netwright.spaces.space import Space
from netwright.spaces.variation import mutate
from tests.spaces.helpers import task


@pytest.mark.parametrize("name", CATALOG)
@pytest.mark.parametrize(
    "shape", [(1, 8, 8), (1, 28, 28), (3, 64, 64), (3, 40, 100), (3, 224, 224), (2, 3, 5)], ids=str
)
def test_a_space_has_a_reference_and_replays(name, shape):
    spec = task(*shape)
    space = make_space(name, spec)
    assert space.name == name
    assert make_space(name, spec).fingerprint == space.fingerprint
    assert space.reference is not None
    check_recipe(space.reference.recipe)
    assert costs(space.reference.architecture, spec).parameters > 100
    candidate = space.sample(random.Random(0))
    check_recipe(candidate.recipe)
    space.validate(candidate)
    child, _ = mutate(space, candidate, random.Random(0))
    space.validate(child)
    assert len(slots(space)) < 200


def test_chain_spreads_over_sizes_of_use():
    spec = task(1, 28, 28)
    space = make_space("chain", spec)
    rng = random.Random(0)
    sizes = [costs(space.sample(rng).architecture, spec).parameters for _ in range(400)]
    low, *_, high = quantiles(sizes, n=10)
    assert min(sizes) < 10_000 and low < 30_000 and 150_000 < high < 400_000
    assert sum(size <= 120_000 for size in sizes) > 250


def test_chain_holds_every_kind_of_block_and_skip_connections():
    space = make_space("chain", task(1, 28, 28))
    rng = random.Random(0)
    layers = [layer for _ in range(200) for layer in space.sample(rng).architecture.layers]
    assert {"Conv", "Residual", "Separable", "Dropout"} <= {layer["layer"] for layer in layers}
    assert {layer["skip"] for layer in layers if "skip" in layer} == {0, 1, 2}
    assert {space.sample(rng).recipe["optimizer"] for _ in range(50)} == {"sgd", "adamw"}


def test_larger_inputs_are_halved_more_often():
    def last_size(shape):
        spec = task(*shape)
        steps = plan(make_space("chain", spec).reference.architecture, spec).steps
        return next(step.shape[1:] for step in reversed(steps) if step.op == "activation")

    assert last_size((1, 8, 8)) == (4, 4)
    assert last_size((1, 28, 28)) == (7, 7)
    assert last_size((3, 64, 64)) == (8, 8)
    assert last_size((3, 224, 224)) == (7, 7)
    assert last_size((3, 40, 100)) == (5, 13)


def test_mobile_leaves_blocks_out():
    space = make_space("mobile", task(3, 64, 64))
    rng = random.Random(0)
    counts_of_blocks = {len(space.sample(rng).architecture.layers) for _ in range(100)}
    assert len(counts_of_blocks) >= 4


def test_an_unknown_name_lists_the_names():
    with pytest.raises(SpaceError, match="must be one of chain, hierarchical, mobile, nasbench201, mlp.*'chian'"):
        load_space("chian", task())


FILE = """
from netwright.spaces.choices import choose, repeat
from netwright.spaces.layers import Conv, Pool
from netwright.spaces.space import Space

mine = Space([Conv(choose(8, 16), stride=2), repeat(Conv(kernel=choose(3, 5)), 0, 3)], name="mine")

def scaled(task):
    return Space([Conv(8), *[Pool(stride=2)] * (task.inputs[1] // 14)])

wrong = 3
def nothing(task):
    return None
"""


def test_a_space_in_a_file_is_read_by_name(tmp_path):
    file = tmp_path / "my space.py"
    file.write_text(FILE, encoding="utf-8")
    assert load_space(f"{file}:mine", task()).name == "mine"
    assert len(load_space(f"{file}:scaled", task()).network) == 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("other", "must define other, but it does not; there is in it: mine"),
        ("wrong", "must be a Space or a function of the task that returns one, but it is int"),
        ("nothing", "but it is NoneType"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, name, message):
    file = tmp_path / "spaces.py"
    file.write_text(FILE, encoding="utf-8")
    with pytest.raises(SpaceError, match=message):
        load_space(f"{file}:{name}", task())


def test_a_missing_or_broken_file_is_said(tmp_path):
    with pytest.raises(SpaceError, match="there is no"):
        load_space(f"{tmp_path}/none.py:mine", task())
    with pytest.raises(SpaceError, match="FILE.py:NAME"):
        load_space("spaces.py", task())
    with pytest.raises(SpaceError, match="FILE.py:NAME"):
        load_space("spaces:mine", task())
    broken = tmp_path / "broken.py"
    broken.write_text("import no_such_module", encoding="utf-8")
    with pytest.raises(SpaceError, match="ModuleNotFoundError: No module named 'no_such_module'"):
        load_space(f"{broken}:mine", task())
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from netwright.spaces.layers import Conv\nmine = Conv(kernel=0)", encoding="utf-8")
    with pytest.raises(SpaceError, match="kernel must be a whole number"):
        load_space(f"{wrong}:mine", task())


def test_different_networks_are_counted_where_they_can_be():
    assert counts(make_space("chain", task())) == {}
    assert counts(Space([])) == {"distinct": 1}


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 64, 64), (3, 40, 100), (3, 224, 224)], ids=str)
def test_chain_starts_at_the_hand_made_network_in_rising_sizes(shape):
    spec = task(*shape)
    space = make_space("chain", spec)
    for start in space.starts:
        space.validate(start)
    sizes = [costs(start.architecture, spec).parameters for start in space.starts]
    assert sizes == sorted(set(sizes))
    assert sizes[-1] < costs(space.reference.architecture, spec).parameters
    assert all(start.recipe["lr"] == space.reference.recipe["lr"] for start in space.starts)


def test_a_start_must_be_a_point_of_the_space():
    with pytest.raises(SpaceError, match="network/0/width"):
        Space([Conv(choose(8, 16))], starts=[{"network/0/width": 12}])
