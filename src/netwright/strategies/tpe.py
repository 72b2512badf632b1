"""Tree-structured Parzen estimator: a density of the good trials, one of the others, and what is likelier under the first.

Bergstra, Bardenet, Bengio, Kégl, "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011; kernels and constants as
in Optuna 5 (`models/parzen.py`). Several objectives as in Ozaki, Tanigaki, Watanabe, Nomura, Onishi, "Multiobjective
Tree-Structured Parzen Estimator", JAIR 73, 2022. Under successive halving the densities are those of one rung, as in
Falkner, Klein, Hutter, "BOHB: Robust and Efficient Hyperparameter Optimization at Scale", ICML 2018, arXiv 1807.01774.

Decisions that always occur together form a group, and are drawn together where the walk meets the first of them; so
nothing is drawn for an address that is not there. Trials under way count as bad ones (a "constant liar").

Where this deviates: failures count as bad; a proposal that repeats an earlier one is drawn again; of a subset the
members in common count; several objectives are modelled jointly, too, and a front is cut on the scale of distances.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import heapify, heappop, heapreplace
from itertools import chain
from math import ceil, inf
from random import Random
from typing import TYPE_CHECKING

from netwright.core.candidate import Candidate, Value
from netwright.core.errors import InputError
from netwright.core.events import Failed, Finished, Lost
from netwright.core.objective import Goal
from netwright.core.pareto import Costs
from netwright.core.trial import Fidelity, Proposal, TrialId
from netwright.spaces.choices import Choice
from netwright.spaces.encoding import slot_address
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction, Strategy
from netwright.strategies.shared.groups import Group, Numbers, Table, numbers_of, value_of
from netwright.strategies.shared.population import Result, result_of

if TYPE_CHECKING:
    import numpy as np

    from netwright.strategies.models.parzen import Floats, Mixture

STARTUP = 10
"""Random proposals until there are so many results."""
CANDIDATES = 24
"""Drawn from the good trials' density for each proposal. Few on purpose: taking the best of more explores less."""
GOOD_SHARE, MOST_GOOD = 0.1, 25
"""So many of the results are good; the highest number holds for one objective."""
BANDWIDTHS = ("gaps", "normal")
"""How wide kernels around numbers are: as the gaps between them, or by the normal reference rule."""
MOST_REMEMBERED = 2_000
"""Beyond so many results of a rung the better quarter and the newest are kept, half of all, and the others are forgotten:
it bounds memory and the cost of an ask."""
FEWEST = 2
"""A density of fewer trials than this is the prior alone."""


class TPE(Strategy):
    """Proposes what is likely among the good trials and unlikely among the others.

    Until there are `startup` results (but see `by_decisions`) proposals are random; each later one is the best of
    `candidates` draws, but for a `random_share` of them. The best `good_share` of a rung, at most `most_good`, is good.
    With `by_decisions` at least one more than a candidate has decisions are, and no rung is modelled that has not as many
    others, however few the `startup`. `bandwidth` is one of `BANDWIDTHS`; draws come from kernels so many times `wider`.
    """

    name = "tpe"
    kind = "model"
    multi_objective = True

    def __init__(
        self,
        space: SearchSpace,
        goal: Goal,
        *,
        seed: int,
        costs: CostFunction,
        startup: int = STARTUP,
        candidates: int = CANDIDATES,
        good_share: float = GOOD_SHARE,
        most_good: int | None = MOST_GOOD,
        by_decisions: bool = False,
        random_share: float = 0.0,
        bandwidth: str = "gaps",
        wider: float = 1.0,
    ) -> None:
        super().__init__(space, goal, seed=seed, costs=costs)
        if startup < 1 or candidates < 1:
            raise InputError(f"startup and candidates must be at least 1, but got {startup} and {candidates}")
        if not (0 < good_share < 1 and 0 <= random_share <= 1 and wider > 0 and bandwidth in BANDWIDTHS):
            raise InputError(
                f"good_share must be within 0 … 1, random_share within 0 … 1, wider positive and bandwidth one of "
                f"{', '.join(BANDWIDTHS)}, but got {good_share}, {random_share}, {wider} and {bandwidth!r}"
            )
        self.startup = startup
        self.candidates = candidates
        self.good_share = good_share
        self.most_good = most_good
        self.by_decisions = by_decisions
        self.random_share = random_share
        self.bandwidth = bandwidth
        self.wider = wider
        self._table = Table(space)
        self._open: set[TrialId] = set()
        self._outcomes: dict[int, dict[TrialId, Outcome]] = {}  # by epochs
        self._failed: dict[TrialId, int] = {}  # at which number of epochs
        self._widest = 0  # decisions of the largest candidate that ended

    def ask(self) -> Iterator[Proposal]:
        """Random candidates at first, then the best of some that are drawn from the good trials' density.

        A proposal counts as under way from the moment it is drawn, as it will when it is told.
        """
        now = self.densities()
        likeliest: Likeliest | None = None
        random: Random | None = None  # whose proposal is one of the random share

        def draw(rng: Random) -> Proposal:
            nonlocal likeliest, random
            if now is None or random is rng:
                return self.propose(self.space.sample(rng), origin="random")
            if likeliest is None or likeliest.rng is not rng:
                if self.random_share and rng.random() < self.random_share:
                    random = rng
                    return draw(rng)
                likeliest = Likeliest(now, self.candidates, rng, self.wider)
            return self.propose(likeliest.walk(self.space), origin="model")

        for proposal in self.novel(draw):
            yield proposal
            if now is not None:
                now.join(proposal.candidate)

    def densities(self) -> Densities | None:
        """Those of the trials so far; None while there are too few results."""
        epochs = self._rung()
        if epochs is None:
            return None
        outcomes = self._outcomes[epochs]
        trials = sorted(outcomes)
        several = len(self.goal.objectives) > 1
        chosen = best([outcomes[trial] for trial in trials], self._good(len(trials), capped=not several))
        good = {trials[i] for i in chosen}
        failed = [trial for trial, at in self._failed.items() if at <= epochs]
        bad = sorted({*trials, *failed, *self._open} - good)
        return Densities(self._table, sorted(good), bad, aged=not several, normal=self.bandwidth == "normal")

    def _good(self, results: int, *, capped: bool) -> int:
        """How many of so many results are good."""
        count = ceil(self.good_share * results)
        if self.by_decisions:
            count = max(count, self._widest + 1)
        return min(count, self.most_good) if capped and self.most_good is not None else count

    def _rung(self) -> int | None:
        """The highest number of epochs with enough results: more good ones than decisions, but `most_good` will do.

        For the lowest one the `startup` is enough. With `by_decisions` each needs as many good ones and others.
        """
        for epochs in sorted(self._outcomes, reverse=True):
            results = len(self._outcomes[epochs])
            if self.by_decisions:
                if results >= 2 * (self._widest + 1):
                    return epochs
                continue
            needed = 0 if epochs == self.fidelity.epochs else min(self._widest + 1, self.most_good or inf)
            if results >= self.startup and ceil(self.good_share * results) >= needed:
                return epochs
        return None

    def on_asked(self, trial: TrialId, proposal: Proposal, repeated: bool) -> None:
        """From now on it is under way."""
        self._table.add(trial, proposal.candidate)
        self._open.add(trial)

    def on_finished(self, event: Finished) -> None:
        """A result; a copied one says nothing new."""
        if event.trial in self._open:
            self._open.remove(event.trial)
            if event.reused_from is None:
                self._learn(event.trial, self.fidelity.epochs, event)

    def on_failed(self, event: Failed | Lost) -> None:
        """A failed trial is a bad one; a lost one says nothing."""
        if event.trial in self._open:
            self._open.remove(event.trial)
            self._learn(event.trial, self.fidelity.epochs, event)

    def on_promoted(self, trial: TrialId, fidelity: Fidelity, event: Finished | Failed | Lost) -> None:
        """A trial was trained on: a result of the higher rung, where the trial is still remembered."""
        if trial in self._table.places:
            self._learn(trial, fidelity.epochs, event)

    def _learn(self, trial: TrialId, epochs: int, event: Finished | Failed | Lost) -> None:
        result = result_of(self.goal, event) if isinstance(event, Finished) else None
        if isinstance(event, Finished) and result is not None:
            self._outcomes.setdefault(epochs, {})[trial] = Outcome(result, event.status == "stopped")
        elif isinstance(event, Failed):
            self._failed[trial] = epochs
        else:
            return
        self._widest = max(self._widest, self._table.refine(trial))
        self._forget(epochs)

    def _forget(self, epochs: int) -> None:
        """Where there are too many results of a rung, or failures: some of them, and the numbers of whom nothing is left."""
        outcomes = self._outcomes.get(epochs, {})
        if len(outcomes) > MOST_REMEMBERED:
            self._outcomes[epochs] = _worth_keeping(outcomes, MOST_REMEMBERED // 2)
        elif len(self._failed) > MOST_REMEMBERED:
            self._failed = dict(sorted(self._failed.items())[-MOST_REMEMBERED // 2 :])
        else:
            return
        self._table.keep({*self._open, *self._failed, *chain.from_iterable(self._outcomes.values())})


# -- which trials are good ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result on one rung; `stopped` before its training ended."""

    result: Result
    stopped: bool = False


def _worth_keeping(outcomes: Mapping[TrialId, Outcome], count: int) -> dict[TrialId, Outcome]:
    """So many of them: the better half of these from all, the rest the newest of the others."""
    trials = sorted(outcomes)
    good = {trials[i] for i in best([outcomes[trial] for trial in trials], count // 2)}
    newest = [trial for trial in trials if trial not in good][-(count - len(good)) :]
    return {trial: outcomes[trial] for trial in sorted([*good, *newest])}


def best(outcomes: Sequence[Outcome], count: int) -> list[int]:
    """Indices of the `count` best, ties by index.

    Those inside all limits come first, by value or by non-dominated front; then those that were stopped early, by
    value; then the others by violation. A front that is too large is cut to the most hypervolume.
    """
    inside = [i for i, outcome in enumerate(outcomes) if outcome.result.violation == 0]
    completed = [i for i in inside if not outcomes[i].stopped]
    chosen = [completed[i] for i in _leading([outcomes[i].result for i in completed], count)]
    stopped = sorted((i for i in inside if outcomes[i].stopped), key=lambda i: outcomes[i].result.costs)
    outside = (i for i, outcome in enumerate(outcomes) if outcome.result.violation > 0)
    violated = sorted(outside, key=lambda i: outcomes[i].result.violation)
    return chosen + (stopped + violated)[: count - len(chosen)]


def _leading(results: Sequence[Result], count: int) -> list[int]:
    """Indices of the `count` best of results that are inside all limits."""
    if len(results) <= count:
        return list(range(len(results)))
    if len(results[0].costs) == 1:
        return sorted(range(len(results)), key=lambda i: results[i].costs)[:count]
    import moocore
    import numpy as np

    ranks = moocore.pareto_rank(np.array([result.costs for result in results]))
    order = ranks.argsort(kind="stable")
    last = ranks[order[count - 1]]
    chosen: list[int] = order[ranks[order] < last].tolist()
    front = order[ranks[order] == last].tolist()
    kept = most_volume([results[i].spread for i in front], count - len(chosen))
    return chosen + [front[i] for i in kept]


def most_volume(costs: Sequence[Costs], count: int) -> list[int]:
    """Indices of `count` of the costs of one front, each the one that adds most hypervolume to those before it.

    The reference point is a tenth beyond the worst of each cost. Guerreiro, Fonseca, Paquete, "Greedy Hypervolume Subset
    Selection in Low Dimensions", Evolutionary Computation 24(3), 2016.
    """
    if count == len(costs):
        return list(range(count))
    import numpy as np

    points = np.array(costs)
    worst = points.max(axis=0)
    reference = np.maximum(1.1 * worst, 0.9 * worst)
    reference[reference == 0] = 1e-12
    return (_most_area if len(reference) == 2 else _most_added)(points, reference, count)


def _most_area(points: Floats, reference: Floats, count: int) -> list[int]:
    """For two costs: what a point adds is the rectangle up to its chosen neighbours, or to the reference."""
    import numpy as np

    order = np.lexsort(points.T[::-1])
    corners = np.tile(reference, (len(points), 1))
    points = points[order]
    chosen: list[int] = []
    for _ in range(count):
        added = (corners - points).prod(axis=1)
        added[chosen] = -np.inf
        i = int(added.argmax())
        chosen.append(i)
        corners[:i, 0] = np.minimum(corners[:i, 0], points[i, 0])
        corners[i + 1 :, 1] = np.minimum(corners[i + 1 :, 1], points[i, 1])
    return [int(order[i]) for i in chosen]


def _most_added(points: Floats, reference: Floats, count: int) -> list[int]:
    """For any number of costs. What a point adds only falls as more are chosen: its last known addition bounds it."""
    import moocore

    bounds = [(-volume, i) for i, volume in enumerate((reference - points).prod(axis=1).tolist())]
    heapify(bounds)
    chosen: list[int] = []
    covered = 0.0
    while len(chosen) < count:
        i = bounds[0][1]
        volume = float(moocore.hypervolume(points[[*chosen, i]], ref=reference))
        heapreplace(bounds, (covered - volume, i))
        if bounds[0][1] == i:
            heappop(bounds)
            chosen.append(i)
            covered = volume
    return chosen


# -- densities ---------------------------------------------------------------------------------------------------------


class Densities:
    """Of the good trials and of the bad ones at one moment, group by group; both in order of their numbers.

    `aged`: older good trials weigh less, as older bad ones always do. `normal`: kernels around numbers are as wide as the
    normal reference rule says.
    """

    def __init__(
        self, table: Table, good: Sequence[TrialId], bad: Sequence[TrialId], *, aged: bool, normal: bool = False
    ) -> None:
        import numpy as np

        self.table = table
        self.good = good
        self.bad = bad
        self.aged = aged
        self.normal = normal
        self._places = np.zeros((2, len(table.places)), dtype=np.bool_)  # of the good ones, of the bad ones
        for among, trials in zip(self._places, (good, bad), strict=True):
            among[[table.places[trial] for trial in trials]] = True
        self._ahead: list[Numbers] = []
        self._fits: dict[Group, tuple[Mixture, Mixture]] = {}

    def join(self, candidate: Candidate) -> None:
        """One more candidate is under way: the newest of the bad ones."""
        self._ahead.append(self.table.numbers(candidate))
        self._fits.clear()

    def of(self, group: Group) -> tuple[Mixture, Mixture]:
        """Of the good trials and of the bad ones that hold the whole group."""
        if group not in self._fits:
            import numpy as np

            from netwright.strategies.models.parzen import Mixture, normal_reference

            good, bad = (group.points(among) for among in self._places)
            ahead = [row for row in map(group.row, self._ahead) if row is not None]
            bad = np.concatenate([bad, np.array(ahead)]) if ahead else bad
            good, bad = (points if len(points) >= FEWEST else points[:0] for points in (good, bad))
            even = None if self.aged else np.ones(len(good))
            bandwidth = partial(normal_reference, columns=len(group.columns)) if self.normal else None
            self._fits[group] = (
                Mixture(group.columns, good, even, bandwidth),
                Mixture(group.columns, bad, bandwidth=bandwidth),
            )
        return self._fits[group]

    def draws(self, group: Group, count: int, rng: np.random.Generator, wider: float = 1.0) -> Iterator[Numbers]:
        """Numbers for each slot of a group: different ones of `count` draws, the best first; then of as many more.

        They are drawn from kernels so many times `wider`."""
        good, bad = self.of(group)
        given: set[bytes] = set()
        while True:
            known = len(given)
            drawn = good.draw(count, rng, wider)
            for i in (bad.log_density(drawn) - good.log_density(drawn)).argsort(kind="stable"):
                if drawn[i].tobytes() not in given:
                    given.add(drawn[i].tobytes())
                    yield {slot: drawn[i, at].tolist() for slot, at in zip(group.slots, good.places, strict=True)}
            if len(given) == known:
                given.clear()

    def score(self, candidate: Candidate) -> float:
        """The logarithm of l(x) / g(x): the sum over the groups that the candidate holds."""
        import numpy as np

        numbers = self.table.numbers(candidate)
        score = 0.0
        for group in dict.fromkeys(self.table.groups.values()):
            row = group.row(numbers)
            if row is not None:
                good, bad = (mixture.log_density(np.array([row]))[0] for mixture in self.of(group))
                score += float(good - bad)
        return score


class Likeliest:
    """A decider that draws each group where the walk meets the first of its slots, and at random what was never seen.

    Every walk takes the next best of each group's draws.
    """

    def __init__(self, densities: Densities, count: int, rng: Random, wider: float = 1.0) -> None:
        import numpy as np

        self.densities = densities
        self.count = count
        self.wider = wider
        self.rng = rng
        self.generator = np.random.default_rng(rng.getrandbits(64))
        self.draws: dict[Group, Iterator[Numbers]] = {}
        self.decisions: dict[str, Value] = {}
        self.drawn: Numbers = {}

    def walk(self, space: SearchSpace) -> Candidate:
        """The next best candidate."""
        self.decisions, self.drawn = {}, {}
        return space.walk(self)

    def decide(self, address: str, choice: Choice) -> Value:
        slot = slot_address(address, self.decisions)
        group = self.densities.table.groups.get(slot)
        if group is not None and slot not in self.drawn:
            if group not in self.draws:
                self.draws[group] = self.densities.draws(group, self.count, self.generator, self.wider)
            self.drawn.update(next(self.draws[group]))
        numbers = self.drawn.get(slot) or numbers_of(choice, choice.draw(address, self.rng))
        self.decisions[address] = value_of(choice, address, numbers)
        return self.decisions[address]
