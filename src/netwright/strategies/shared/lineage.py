"""Children that start from their parents' weights: what evolution of any kind needs for it.

Real et al., "Large-Scale Evolution of Image Classifiers", ICML 2017; Elsken, Metzen, Hutter, "Efficient Multi-objective
Neural Architecture Search via Lamarckian Evolution", ICLR 2019. A network is proposed once, whichever parent it might
inherit from: what is new is decided before the start is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from netwright.core.events import Asked
from netwright.core.trial import Fresh, Inherit, Proposal, TrialId
from netwright.spaces.variation import edit
from netwright.strategies.base import Drawing, Told
from netwright.strategies.shared.population import Member

INHERITED = (
    "children start from their parents' weights, so that old lineages look better than they are; "
    "finalists are trained from the start"
)


class Lineage(Drawing):
    """A strategy with a population. With `inherit`, a child's weights come from its (first) parent's.

    A parent whose candidate was refused before training has none; its children begin with fresh weights.
    """

    inherits: ClassVar[bool] = True
    inherit: bool = False
    members: Sequence[Member]

    def ask(self) -> Iterator[Proposal]:
        """What is drawn, each child with its start."""
        return map(self._started, super().ask())

    def _started(self, proposal: Proposal) -> Proposal:
        if not self.inherit or not proposal.parents:
            return proposal
        parent = next((member for member in self.members if member.trial == proposal.parents[0]), None)
        if parent is None or not parent.trained:
            return proposal
        change = edit(parent.candidate, proposal.candidate)
        return replace(proposal, start=Inherit(parent.trial, change.to_json()))

    def tell(self, event: Told) -> None:
        """Take in one recorded event; a proposal is known by what it is, not by what it started from."""
        super().tell(without_starts(event))

    def remarks(self) -> tuple[str, ...]:
        """What to keep in mind where weights are inherited."""
        if not self.inherit:
            return super().remarks()
        return (*super().remarks(), INHERITED)

    def holds(self) -> set[TrialId]:
        """All members that have weights, where children inherit them."""
        return {member.trial for member in self.members if member.trained} if self.inherit else set()


def without_starts(event: Told) -> Told:
    """The same, with fresh weights in place of whatever was inherited."""
    if not isinstance(event, Asked):
        return event
    return Asked(event.source, tuple((trial, replace(proposal, start=Fresh())) for trial, proposal in event.trials))
