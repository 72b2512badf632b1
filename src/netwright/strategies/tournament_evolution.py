"""Tournament evolution: two members are drawn at random; the worse leaves, the better has a child.

Real, Moore, Selle, Saxena, Suematsu, Tan, Le, Kurakin, "Large-Scale Evolution of Image Classifiers", ICML 2017, arXiv
1703.01041. Unlike under regularized evolution a member that wins its comparisons stays for ever, so a lucky evaluation
does, too.

Where this deviates: parents win their tournament when a child is proposed, and another pair decides who makes room for
the child when its result comes, so that the population keeps its size whatever is under way or fails. Children
are trained from new weights unless `inherit` is set; in the paper they always inherit. Mutations are those of `spaces`
(`operators.KINDS`), and the first members are the `starts` and random candidates in place of linear models. The rest is
as in `evolution`.
"""

from __future__ import annotations

from netwright.core.errors import InputError
from netwright.core.objective import Goal
from netwright.core.seeding import stream
from netwright.core.trial import TrialId
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction
from netwright.strategies.shared.evolution import Evolution
from netwright.strategies.shared.population import beats


class TournamentEvolution(Evolution):
    """Evolution of `population` members by tournaments of two, for parenthood and for life."""

    name = "tournament-evolution"

    def __init__(
        self,
        space: SearchSpace,
        goal: Goal,
        *,
        seed: int,
        costs: CostFunction,
        population: int = 16,
        inherit: bool = False,
    ) -> None:
        if population < 2:
            raise InputError(f"population must be at least 2, but got {population}")
        super().__init__(space, goal, seed=seed, costs=costs, population=population, sample=2, inherit=inherit)

    def _make_room(self, birth: TrialId) -> None:
        """The worse of two leaves, or the first drawn where neither beats the other."""
        first, second = stream(self.seed, self.name, "leaves", birth).sample(range(self.population), 2)
        del self.members[second if beats(self.members[first], self.members[second]) else first]
