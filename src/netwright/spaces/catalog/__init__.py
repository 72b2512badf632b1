"""Ready-made spaces, one a file, each a function of the task; and the spaces of users, by `FILE.py:NAME`."""

from __future__ import annotations

from collections.abc import Callable

from netwright.core.errors import SpaceError
from netwright.core.own import is_file, load
from netwright.core.task import TaskSpec
from netwright.spaces.catalog.chain import chain
from netwright.spaces.catalog.hierarchical import hierarchical
from netwright.spaces.catalog.mlp import mlp
from netwright.spaces.catalog.mobile import mobile
from netwright.spaces.catalog.nasbench201 import counts as nasbench201_counts
from netwright.spaces.catalog.nasbench201 import nasbench201
from netwright.spaces.space import Space

SpaceMaker = Callable[[TaskSpec], Space]

CATALOG: dict[str, SpaceMaker] = {
    "chain": chain,
    "hierarchical": hierarchical,
    "mobile": mobile,
    "nasbench201": nasbench201,
    "mlp": mlp,
}


def make_space(name: str, task: TaskSpec) -> Space:
    """The space of the catalogue with this name, for a task. Raises SpaceError listing the names that there are."""
    return _of_catalog(name)(task)


def _of_catalog(name: str) -> SpaceMaker:
    if name not in CATALOG:
        raise SpaceError(
            f"a space must be one of {', '.join(CATALOG)}, or FILE.py:NAME for one of your own, but got {name!r}"
        )
    return CATALOG[name]


def load_space(reference: str, task: TaskSpec) -> Space:
    """The space that `reference` names, for a task; see `find_space`."""
    return find_space(reference)(task)


def find_space(reference: str) -> SpaceMaker:
    """What makes the space that `reference` names: `NAME` of the catalogue, or `FILE.py:NAME`, a Space or a function.

    The file is run, so it must be the user's own. Raises SpaceError that says what is missing, before there is a task.
    """
    if not is_file(reference):
        return _of_catalog(reference)
    file, _, name = reference.rpartition(":")
    found = load(reference, "space", Space, SpaceError)
    if not isinstance(found, Space) and not callable(found):
        raise _no_space(name, file, found)

    def make(task: TaskSpec) -> Space:
        space = found if isinstance(found, Space) else found(task)
        if not isinstance(space, Space):
            raise _no_space(name, file, space)
        return space

    return make


def _no_space(name: str, file: str, found: object) -> SpaceError:
    return SpaceError(
        f"{name} in {file} must be a Space or a function of the task that returns one, but it is {type(found).__name__}"
    )


def counts(space: Space) -> dict[str, int]:
    """How many different networks a space holds by the general key (`distinct`), where it can be counted.

    For the cells of NAS-Bench-201 also by the published rule (`distinct_published`). Takes seconds.
    """
    if space.name == "nasbench201":
        return nasbench201_counts()
    distinct = space.distinct()
    return {} if distinct is None else {"distinct": distinct}
