"""Population based training: networks train side by side, and the weak go on from the weights of the strong.

Jaderberg, Dalibard, Osindero, Czarnecki, Donahue, Razavi, Vinyals, Green, Dunning, Simonyan, Fernando, Kavukcuoglu,
"Population Based Training of Neural Networks", 2017, arXiv 1711.09846. A member trains for an interval; then, if it is
among the last `quantile` of its population, it takes network, weights and recipe of one of the first `quantile`
(exploit, by truncation), and the recipe is perturbed (explore): each number that may change while a network trains is
multiplied by 0.8 or 1.2, or drawn anew, and each option steps to a neighbour. What is found is a schedule, kept in the
chain of `Continue` starts (`schedule`).

Where this deviates: members of a population differ in architecture, too, so exploiting also selects networks. A member
is judged by a decay branch at the end of each interval (`Fidelity.trunk`), not at its present learning rate, so that one
is not preferred for having lowered it early. Whoever is ready is compared with the latest results of all others. A member
that is through, failed or was lost makes room for one of the next population; populations do not mix. Where a recipe has
nothing that could change, a new member takes the place of the weak one. The first of several objectives counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from netwright.core.candidate import Candidate, Scalar, Value
from netwright.core.errors import InputError
from netwright.core.events import Failed, Finished, Lost
from netwright.core.objective import Goal
from netwright.core.trial import Continue, Fidelity, Proposal, TrialId
from netwright.spaces.choices import Choice, Choose, Integer, Real
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import REDRAWS, CostFunction, Strategy
from netwright.strategies.shared.population import FAILED, Result, result_of
from netwright.strategies.shared.ranking import best_first

CHANGEABLE = frozenset({"lr", "weight_decay", "momentum", "label_smoothing", "augment"})
"""Fields of a recipe that may change while a network trains: a checkpoint depends on the others."""
FACTORS = (0.8, 1.2)
ANEW = 0.25
"""How often a decision is drawn anew instead of being perturbed."""


@dataclass(slots=True, eq=False)
class Member:
    """A network in training. `trial` is its latest that has ended, after `epochs` in all (0: none has) with `result`."""

    population: int
    candidate: Candidate
    trial: TrialId = 0
    epochs: int = 0
    result: Result = FAILED


@dataclass(frozen=True, slots=True)
class Open:
    """A trial under way."""

    member: Member
    proposal: Proposal


class PopulationTraining(Strategy):
    """Population based training of `population` networks at a time, in `steps` intervals.

    `fidelity` is the whole training of a member. `quantile` is the share of a population that gives up, and that of those
    it goes on from.
    """

    name = "pbt"
    kind = "evolution"
    fidelities = False

    def __init__(
        self,
        space: SearchSpace,
        goal: Goal,
        *,
        seed: int,
        costs: CostFunction,
        population: int = 20,
        steps: int = 10,
        quantile: float = 0.2,
    ) -> None:
        super().__init__(space, goal, seed=seed, costs=costs)
        if population < 2 or steps < 1 or not 0 < quantile <= 0.5:
            raise InputError(
                "population must be at least 2, steps at least 1 and quantile within 0 … 0.5, "
                f"but got {population}, {steps} and {quantile}"
            )
        self.population = population
        self.steps = steps
        self.quantile = quantile
        self.members: list[Member] = []  # those in training, in order of their beginning
        self.ready: list[Member] = []  # those that wait for their next interval, the longest waiting first
        self._begun = 0
        self._first = goal.first
        self._open: dict[TrialId, Open] = {}

    @property
    def interval(self) -> int:
        """Epochs between two judgements, at most `steps` of them in a training."""
        return -(-self.fidelity.epochs // self.steps)

    # -- asking ----------------------------------------------------------------------------------------------------

    def ask(self) -> Iterator[Proposal]:
        """New members until the population is full, then the next interval of whoever has waited longest."""
        turns = self._turns()
        for _ in self._starts_left(set()):
            next(turns)
        turn: Member | None = None
        latest: Random | None = None

        def draw(rng: Random) -> Proposal:
            nonlocal turn, latest
            if latest is not rng:
                turn, latest = next(turns), rng
            return self._begin(rng) if turn is None else self._go_on(turn, rng)

        return self.novel(draw)

    def _turns(self) -> Iterator[Member | None]:
        """Whose turn it is: a member that is ready, or None for a new one. `on_asked` goes through the same."""
        missing, ready = self.population - len(self.members), list(self.ready)
        while True:
            if missing <= 0 and ready:
                yield ready.pop(0)
            else:
                missing -= 1
                yield None

    def propose(self, candidate: Candidate, **more: Any) -> Proposal:
        """A proposal for the first interval of a new member."""
        return replace(super().propose(candidate, **more), fidelity=self._after(0))

    def _after(self, epochs: int) -> Fidelity:
        """The interval after so many epochs."""
        return Fidelity(min(epochs + self.interval, self.fidelity.epochs), trunk=True)

    def _begin(self, rng: Random) -> Proposal:
        return self.propose(self.space.sample(rng), origin="random")

    def _go_on(self, member: Member, rng: Random) -> Proposal:
        """The next interval of a member; exploit and explore, if it is among the last."""
        donor = self._donor(member, rng)
        if donor is None:
            return self._continued(member, member.candidate, "promotion")
        for _ in range(REDRAWS):
            explored = explore(self.space, donor.candidate, rng)
            if explored.recipe != donor.candidate.recipe:
                return self._continued(donor, explored, "exploit")
        return self._begin(rng)

    def _continued(self, member: Member, candidate: Candidate, origin: str) -> Proposal:
        return Proposal(
            candidate, self._after(member.epochs), Continue(member.trial), parents=(member.trial,), origin=origin
        )

    def _donor(self, member: Member, rng: Random) -> Member | None:
        """Whose weights a member goes on from; None if it is not among the last of its population."""
        peers = [other for other in self.members if other.population == member.population and other.epochs]
        count = int(self.quantile * len(peers))
        order = list(best_first([peer.result for peer in peers]))
        if not any(peers[i] is member for i in order[len(order) - count :]):
            return None
        return peers[order[rng.randrange(count)]]

    # -- telling ---------------------------------------------------------------------------------------------------

    def on_asked(self, trial: TrialId, proposal: Proposal, repeated: bool) -> None:
        """A member is under way to the end of an interval; who gave up for a new one leaves."""
        member = next(self._turns())
        if member is not None:
            self.ready.remove(member)
        if member is None or not isinstance(proposal.start, Continue):
            if member is not None:
                self.members.remove(member)
            member = Member(self._begun // self.population, proposal.candidate)
            self._begun += 1
            self.members.append(member)
        self._open[trial] = Open(member, proposal)

    def on_finished(self, event: Finished) -> None:
        """The member is ready for its next interval, or through."""
        entry = self._open.pop(event.trial, None)
        if entry is None:
            return
        member, proposal, result = entry.member, entry.proposal, result_of(self._first, event)
        if event.status != "completed" or result is None or proposal.fidelity.epochs >= self.fidelity.epochs:
            self.members.remove(member)
            return
        member.trial, member.candidate, member.result = event.trial, proposal.candidate, result
        member.epochs = proposal.fidelity.epochs
        self.ready.append(member)

    def on_failed(self, event: Failed | Lost) -> None:
        """The member makes room for a new one; that goes on from the weights of others soon enough."""
        entry = self._open.pop(event.trial, None)
        if entry is not None:
            self.members.remove(entry.member)

    def holds(self) -> set[TrialId]:
        """The latest checkpoint of every member, and what trials under way start from."""
        starts = (entry.proposal.start for entry in self._open.values())
        held = {start.trial for start in starts if isinstance(start, Continue)}
        return held | {member.trial for member in self.members if member.epochs}


# -- exploring ---------------------------------------------------------------------------------------------------------


def explore(space: SearchSpace, candidate: Candidate, rng: Random) -> Candidate:
    """The same network with a perturbed recipe; the same candidate where nothing can change."""
    return space.walk(_Perturbed(candidate.decisions, rng))


@dataclass(slots=True)
class _Perturbed:
    """Every decision as it was, but for those of the recipe that may change."""

    decisions: Mapping[str, Value]
    rng: Random

    def decide(self, address: str, choice: Choice) -> Value:
        head, *rest = address.split("/")
        if address in self.decisions:
            value = self.decisions[address]
            if head != "recipe" or not CHANGEABLE.intersection(rest):
                return value
            if self.rng.random() >= ANEW:
                return perturbed(choice, value, self.rng)
        return choice.draw(address, self.rng)  # anew, or a decision that another one has just opened


def perturbed(choice: Choice, value: Value, rng: Random) -> Value:
    """A number times 0.8 or 1.2, within its range; of options a neighbour."""
    match choice:
        case Real() | Integer():
            moved = min(max(float(value) * rng.choice(FACTORS), choice.low), choice.high)  # type: ignore[arg-type]
            return round(moved) if isinstance(choice, Integer) else moved
        case Choose():
            place = choice.index(value)
            near = [i for i in (place - 1, place + 1) if 0 <= i < len(choice.labels)]
            neighbour: Value = choice.labels[rng.choice(near)] if near else value
            return neighbour
        case _:
            return value


def schedule(proposals: Mapping[TrialId, Proposal], trial: TrialId) -> list[tuple[int, Mapping[str, Scalar]]]:
    """What the network of `trial` was trained by: (up to which epoch, recipe), from its beginning.

    Trained again with each recipe up to its epoch, on the trunk, it is the same network again.
    """
    steps: list[tuple[int, Mapping[str, Scalar]]] = []
    while True:
        proposal = proposals[trial]
        steps.insert(0, (proposal.fidelity.epochs, proposal.candidate.recipe))
        if not isinstance(proposal.start, Continue):
            return steps
        trial = proposal.start.trial
