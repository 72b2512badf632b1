"""A strategy of one's own, mutations of the best so far: examined as those of netwright are, then at work on digits.

From the command line the same strategy is `--strategy examples/own_strategy.py:Climber`.
"""

import netwright as nw
from netwright.spaces.variation import mutate
from netwright.strategies import Drawing
from netwright.testing.strategies import CHECKS
from netwright.testing.toys import Grid, toy_costs


class Climber(Drawing):
    name = "climber"

    def __init__(self, space, goal, *, seed, costs):
        super().__init__(space, goal, seed=seed, costs=costs)
        self.open, self.known = {}, []  # candidates under way by trial; (cost, trial, candidate), the best first

    def draw(self, rng, drawn):
        if len(self.known) < 10:
            return self.propose(self.space.sample(rng), origin="random")
        _, trial, candidate = self.known[0]
        return self.propose(mutate(self.space, candidate, rng)[0], origin="mutation", parents=(trial,))

    def on_asked(self, trial, proposal, repeated):
        self.open[trial] = proposal.candidate

    def on_finished(self, event):
        candidate = self.open.pop(event.trial, None)
        costs = self.goal.costs(event.measurements)  # one an objective, less is better; None where one is missing
        if candidate is not None and costs is not None:
            self.known = sorted([*self.known, (costs[0], event.trial, candidate)], key=lambda one: one[:2])

    def on_failed(self, event):
        self.open.pop(event.trial, None)


if __name__ == "__main__":  # only because the command line reads `Climber` out of this file
    for check in CHECKS.values():
        check(lambda space, goal, seed: Climber(space, goal, seed=seed, costs=toy_costs), Grid((5,) * 6))
    run = nw.search("digits", strategy=f"{__file__}:Climber", space="mlp", trials=15, epochs=3)
    print(run.best)
