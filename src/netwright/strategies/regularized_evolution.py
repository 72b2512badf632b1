"""Regularized (aging) evolution: the population is a queue; whoever has been in it longest leaves, however good.

Real, Aggarwal, Huang, Le, "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019,
arXiv 1802.01548. A lineage lives on only while its children train well again, so one lucky evaluation dies of age.

Where this deviates: what `evolution` says of births and limits; mutations are those of `spaces` (`operators.KINDS`),
without the identity.
"""

from __future__ import annotations

from netwright.core.trial import TrialId
from netwright.strategies.shared.evolution import Evolution


class RegularizedEvolution(Evolution):
    """Aging evolution of `population` members; the best of `sample` drawn ones (with replacement) has a child."""

    name = "regularized-evolution"

    def _make_room(self, birth: TrialId) -> None:
        """The oldest leaves."""
        self.members.popleft()
