"""What controllers share: a policy draws candidates, rewards come back in any order, and the policy learns from each.

Zoph, Le, "Neural Architecture Search with Reinforcement Learning", ICLR 2017, arXiv 1611.01578. The policy is a table of
logits (`models.policy`): a row for each question (`questions`) of each slot, made where a candidate is first asked it. An
algorithm (`reinforce`, `ppo`) says what is learnt from a `Lesson`.

Rewards. Inside all limits: `scalar`. Failed through its own fault (no memory, no finite loss, not to be built): the worst
of the latest `MEMORY` rewards, once there is one. Outside a limit: as much below that as the violation times all that
lies between the best and the worst reward so far. While nothing was inside the limits yet, the smaller violation is the
better reward. A lost trial, a crash and a timeout teach nothing.

What was drawn under an older policy, or not by the policy at all, carries the probabilities it was drawn with.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from random import Random
from typing import TYPE_CHECKING

from netwright.core.candidate import Candidate, Value
from netwright.core.errors import InputError
from netwright.core.events import Failed, Finished, Lost
from netwright.core.objective import Goal
from netwright.core.trial import Proposal, TrialId
from netwright.spaces.choices import Choice
from netwright.spaces.encoding import slot_address
from netwright.spaces.walk import SearchSpace
from netwright.strategies.base import CostFunction, Strategy
from netwright.strategies.shared.questions import Answered, Prior, answers, draw
from netwright.strategies.shared.scalar import Form, Scalar
from netwright.strategies.shared.slots import Slots

if TYPE_CHECKING:
    from netwright.strategies.models.policy import Floats, LogitsTable, Path

MEMORY = 100
"""A failure is as bad as the worst of so many latest rewards."""
FLATTER = 0.8
"""A policy that repeats itself is drawn from with its tilts times this, and again, until a candidate is new."""
ITS_OWN_FAULT = frozenset({"invalid", "diverged", "out_of_memory"})
"""How a trial fails through the candidate. A crash or a timeout may be the machine's doing."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A trial under way: its path and the probability of each answer when it was drawn, (n,)."""

    path: Path
    probability: Floats


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a trial came to. `measured`: the reward is its own, not that of a failure; only such ones move a baseline."""

    drawn: Drawn
    reward: float
    measured: bool


class Controller(Strategy):
    """A policy over the decisions of a space. `reward`, `weight` and `targets` fold costs into the reward (`scalar`)."""

    kind = "reinforcement"

    def __init__(
        self,
        space: SearchSpace,
        goal: Goal,
        *,
        seed: int,
        costs: CostFunction,
        learning_rate: float,
        reward: Form = "soft",
        weight: float | None = None,
        targets: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(space, goal, seed=seed, costs=costs)
        if not learning_rate > 0:
            raise InputError(f"learning_rate must be above 0, but got {learning_rate}")
        from netwright.strategies.models.policy import LogitsTable

        self.policy: LogitsTable = LogitsTable(learning_rate)
        self.scalar = Scalar(goal, reward, weight, targets)
        self._slots = Slots(space)
        self._open: dict[TrialId, Drawn] = {}
        self._latest: deque[float] = deque(maxlen=MEMORY)
        self._span = (inf, -inf)  # the worst and the best reward so far

    # -- asking --------------------------------------------------------------------------------------------------------

    def ask(self) -> Iterator[Proposal]:
        """Candidates drawn from the policy, which are random ones until it has learnt.

        For each draw that was proposed before, the next one is from a flatter policy.
        """
        given: set[bytes] = set()
        current: Random | None = None
        repeats = 0
        origin = "policy" if self.policy.moved else "random"

        def draw(rng: Random) -> Proposal:
            nonlocal current, repeats
            if rng is not current:
                current, repeats = rng, 0
            sharpness = FLATTER**repeats
            candidate = self.space.walk(Drawing(self.policy, rng, sharpness))
            proposal = self.propose(candidate, origin=origin, notes={"sharpness": sharpness} if repeats else {})
            identity = bytes.fromhex(proposal.identity())
            repeats += identity in self.seen or identity in given
            return proposal

        for proposal in self.novel(draw):
            yield proposal
            given.add(bytes.fromhex(proposal.identity()))

    # -- telling -------------------------------------------------------------------------------------------------------

    def on_asked(self, trial: TrialId, proposal: Proposal, repeated: bool) -> None:
        """From now on it is under way; a repeated one is a draw of the policy like any other."""
        path = self.path(proposal.candidate)
        sharpness = 0.0 if proposal.origin == "random" else float(proposal.notes.get("sharpness") or 1.0)
        self._open[trial] = Drawn(path, path.of_taken(self.policy.probabilities(path, sharpness)))

    def path(self, candidate: Candidate) -> Path:
        """The questions that the candidate was asked; unknown ones get a row."""
        import numpy as np

        from netwright.strategies.models.policy import Path

        asked = list(self._answered(candidate))
        width = max((len(question.prior) for question in asked), default=1)
        rows = [self.policy.row(q.name, len(q.prior), ordered=q.ordered) for q in asked]
        priors = [q.prior + (0.0,) * (width - len(q.prior)) for q in asked]
        return Path(
            np.array(rows, np.int64),
            np.array([q.taken for q in asked], np.int64),
            np.array(priors, np.float64).reshape(len(asked), width),
        )

    def _answered(self, candidate: Candidate) -> Iterator[Answered]:
        for slot, choice, value in self._slots.of(candidate):
            yield from answers(slot, choice, value)

    def on_finished(self, event: Finished) -> None:
        """A reward: its own inside the limits, a worse one outside. Of several rungs the lowest alone teaches."""
        drawn = self._open.pop(event.trial, None)
        if drawn is None or self.fidelity != (self.entry or self.fidelity):
            return
        violation = self.goal.violation(event.measurements)
        if violation > 0:
            self._outside(drawn, violation)
            return
        reward = self.scalar.of(event.measurements)
        if reward is not None:
            if not self._latest:
                self._start_anew()
            self._latest.append(reward)
            self._span = (min(reward, self._span[0]), max(reward, self._span[1]))
            self.scalar.notice(event.measurements)
            self._learn(Lesson(drawn, reward, measured=True))

    def _outside(self, drawn: Drawn, violation: float) -> None:
        """Outside a limit: worse than all of late, and the farther the worse."""
        if self._latest:
            worst, best = self._span
            reward = min(self._latest) - min(violation, 1.0) * (best - worst)
            self._learn(Lesson(drawn, reward, measured=False))
        else:
            self._learn(Lesson(drawn, -violation, measured=True))

    def on_failed(self, event: Failed | Lost) -> None:
        """A failure of the candidate's own is as bad as the worst of late; any other teaches nothing."""
        drawn = self._open.pop(event.trial, None)
        its_own = isinstance(event, Failed) and event.status in ITS_OWN_FAULT
        if drawn is not None and its_own and self._latest:
            self._learn(Lesson(drawn, min(self._latest), measured=False))

    @abstractmethod
    def _learn(self, lesson: Lesson) -> None:
        """Improve the policy by one more trial, or by the batch that it fills."""

    @abstractmethod
    def _start_anew(self) -> None:
        """Forget what earlier rewards looked like (not the policy): those that come now are of another kind."""

    def remarks(self) -> tuple[str, ...]:
        """What one number it follows, where there are several objectives; and whether a target will be held."""
        said = []
        if self.scalar.targets:
            said.append(f"{self.name} follows one number: {self.scalar.sentence()}")
            followed = {*self.scalar.targets, self.scalar.quality and self.scalar.quality.metric}
        else:
            followed = {self.goal.objectives[0].metric}
        others = [o.metric for o in self.goal.objectives if o.metric not in followed]
        if others:
            said.append(f"{self.name} does not optimise {', '.join(others)}, only records")
        warning = self.scalar.warning()
        return (*said, warning) if warning else tuple(said)


class Drawing:
    """A decider that answers each question by the policy, its tilts times `sharpness`; an unknown one by the prior."""

    def __init__(self, policy: LogitsTable, rng: Random, sharpness: float) -> None:
        self.policy = policy
        self.rng = rng
        self.sharpness = sharpness
        self.decisions: dict[str, Value] = {}

    def decide(self, address: str, choice: Choice) -> Value:
        slot = slot_address(address, self.decisions)
        value = draw(slot, choice, address, self._pick, self.rng)
        self.decisions[address] = value
        return value

    def _pick(self, name: str, prior: Prior) -> int:
        odds = self.policy.odds(name)
        weights = prior if odds is None else [p * o**self.sharpness for p, o in zip(prior, odds, strict=True)]
        left = self.rng.random() * sum(weights)
        for answer, weight in enumerate(weights):
            left -= weight
            if left < 0:
                return answer
        return max(range(len(weights)), key=lambda answer: weights[answer])
