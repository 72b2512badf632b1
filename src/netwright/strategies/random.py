"""Random search: independent draws from the space, none of them twice while new ones can be found.

Li, Talwalkar, "Random Search and Reproducibility for Neural Architecture Search", UAI 2019, arXiv 1902.07638.
The yardstick of every other strategy. It learns nothing from results; limits on parameters and MACs are kept by
drawing again.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from netwright.core.candidate import Candidate
from netwright.core.trial import Proposal
from netwright.strategies.base import Drawing


class RandomSearch(Drawing):
    """Draws at random."""

    name = "random"
    kind = "random"
    multi_objective = True

    def draw(self, rng: Random, drawn: Sequence[Candidate]) -> Proposal:
        """A random candidate."""
        return self.propose(self.space.sample(rng), origin="random")
