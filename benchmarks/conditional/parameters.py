"""A space as a table of parameters, some of which are there after certain decisions only: ours walks it, peers are told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from netwright.core.candidate import Candidate, Value
from netwright.spaces.choices import Choice
from netwright.spaces.walk import Decider
from netwright.testing.toys import Toy, toy_candidate

Decisions = Mapping[str, Value]


@dataclass(frozen=True)
class Parameter:
    """A decision and its choice. It is there always, or where the decision `of` is there and is one of `when`."""

    name: str
    choice: Choice
    of: str | None = None
    when: tuple[Value, ...] = ()

    def active(self, decisions: Decisions) -> bool:
        """Whether it is there, after these decisions."""
        return self.of is None or decisions.get(self.of) in self.when


class Conditional(Toy):
    """A space of `parameters`, each after those that it hangs on. A candidate is nothing but its decisions."""

    parameters: ClassVar[Sequence[Parameter]]

    def walk(self, decider: Decider) -> Candidate:
        """What `decider` chooses."""
        decisions: dict[str, Value] = {}
        for parameter in self.parameters:
            if parameter.active(decisions):
                decisions[parameter.name] = decider.decide(parameter.name, parameter.choice)
        return toy_candidate(decisions)
