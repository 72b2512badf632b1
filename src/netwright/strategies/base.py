"""What a strategy is: a lazy, pure stream of proposals, and a memory that only recorded events change.

A strategy of your own takes a few lines:

    class Mine(Strategy):
        name = "mine"

        def ask(self):
            for rng in self.streams():
                yield self.propose(self.space.sample(rng), origin="random")

To learn from results, override `on_finished(event)`; `on_asked` and `on_failed` tell of the other ends. A strategy
never evaluates, stores or times anything, and owns no weights.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from math import inf
from random import Random
from typing import Any, ClassVar, Protocol

from netwright.core.candidate import Architecture, Candidate, Scalar
from netwright.core.errors import CandidateError
from netwright.core.events import Asked, Failed, Finished, Lost
from netwright.core.metrics import METRICS
from netwright.core.objective import Goal
from netwright.core.seeding import stream
from netwright.core.trial import Fidelity, Fresh, Proposal, Start, TrialId
from netwright.spaces.walk import SearchSpace

Told = Asked | Finished | Failed | Lost
REDRAWS = 20
"""How often a proposal is drawn again while it repeats an earlier one or breaks a limit that arithmetic can check."""


class Costs(Protocol):
    """What is known of an architecture by arithmetic."""

    @property
    def parameters(self) -> int: ...

    @property
    def macs(self) -> int: ...


CostFunction = Callable[[Architecture], Costs]


class Source(ABC):
    """Anything the loop can draw proposals from. `name` marks its trials in the ledger."""

    name: str = "custom"

    @abstractmethod
    def ask(self) -> Iterator[Proposal]:
        """A lazy stream of proposals that changes nothing: drawn again without a tell, it is the same stream."""

    @abstractmethod
    def tell(self, event: Told) -> None:
        """Take in one recorded event, live or in replay. The only place where state changes."""

    def holds(self) -> set[TrialId]:
        """Trials whose weights may still be asked for."""
        return set()

    def remarks(self) -> tuple[str, ...]:
        """Sentences a person should read before the search starts."""
        return ()


class Strategy(Source):
    """A source that searches a space. Class attributes say what it can do.

    `costs(architecture)` gives parameters and MACs by arithmetic, or raises CandidateError. `fidelity` is what the
    trial that it is told of was trained to, and new ones are; where new ones are always trained to another (Hyperband),
    that is `entry`. `starts` are candidates known to be good, from the space. Its owner (`make_strategy`, `Halving`)
    sets them all.
    """

    kind: ClassVar[str] = "custom"
    multi_objective: ClassVar[bool] = False
    constraints: ClassVar[bool] = True
    fidelities: ClassVar[bool] = True
    conditional: ClassVar[bool] = True
    continuous: ClassVar[bool] = True
    asynchronous: ClassVar[bool] = True
    wrapper: ClassVar[str] = ""
    """What it comes with where nothing else is said: the name of a wrapper, empty for none."""
    inherits: ClassVar[bool] = False
    trains: ClassVar[bool] = True
    """Whether its proposals are trained. If not, they are `UNTRAINED` and get a score."""

    fidelity: Fidelity = Fidelity(1)
    entry: Fidelity | None = None
    starts: Sequence[Candidate] = ()

    def __init__(self, space: SearchSpace, goal: Goal, *, seed: int, costs: CostFunction) -> None:
        self.space = space
        self.goal = goal
        self.seed = seed
        self.costs = costs
        self.asked = 0
        self.seen: set[bytes] = set()
        self._new: dict[TrialId, bytes] = {}  # open trials that are no repetition, by identity
        self._lost: set[bytes] = set()  # of which nothing is known, although they were proposed
        self._bounds = tuple(limit for limit in goal.limits if METRICS[limit.metric].needs == "arithmetic")

    # -- asking: reads state, never changes it ---------------------------------------------------------------------

    def streams(self, skipped: int = 0) -> Iterator[Random]:
        """The random state of the next proposal (after some `skipped`), of the one after it, and so on for ever."""
        return (stream(self.seed, self.name, index) for index in count(self.asked + skipped))

    def propose(
        self,
        candidate: Candidate,
        *,
        origin: str,
        parents: tuple[TrialId, ...] = (),
        start: Start | None = None,
        notes: Mapping[str, Scalar] | None = None,
    ) -> Proposal:
        """A proposal at this strategy's fidelity."""
        fidelity = self.entry or self.fidelity
        return Proposal(candidate, fidelity, start or Fresh(), parents=parents, origin=origin, notes=dict(notes or {}))

    def novel(self, draw: Callable[[Random], Proposal]) -> Iterator[Proposal]:
        """The starts that remain, then proposals of `draw`, drawn again (`REDRAWS` times) while they repeat or break a limit.

        Where none of the draws is new, as many random candidates are tried. The best of all is given: a new one before
        a repeated one, then the smaller violation. A draw that raises CandidateError is drawn again, too.
        """
        drawn: set[bytes] = set()
        yield from self._starts_left(drawn)
        for rng in self.streams(len(drawn)):
            proposal, identity = self._best_draw(draw, rng, drawn)
            drawn.add(identity)
            yield proposal

    def _starts_left(self, drawn: set[bytes]) -> Iterator[Proposal]:
        """Those of the starts that were not proposed yet; what is given is added to `drawn`."""
        for candidate in self.starts:
            start = self.propose(candidate, origin="start")
            identity = bytes.fromhex(start.identity())
            if identity not in self.seen and identity not in drawn:
                drawn.add(identity)
                yield start

    def _best_draw(self, draw: Callable[[Random], Proposal], rng: Random, drawn: set[bytes]) -> tuple[Proposal, bytes]:
        best, least = None, (True, inf)
        for attempt in range(2 * REDRAWS):
            if attempt == REDRAWS and best is not None and not least[0]:
                break
            try:
                proposal = draw(rng) if attempt < REDRAWS else self._anything(rng)
            except CandidateError:
                continue
            identity = bytes.fromhex(proposal.identity())
            grade = (identity in self.seen or identity in drawn, self.excess(proposal.candidate))
            if best is None or grade < least:
                best, least = (proposal, identity), grade
            if grade == (False, 0.0):
                break
        if best is None:
            raise CandidateError(f"{self.name}: none of {REDRAWS} draws from the space gave a candidate")
        return best

    def _anything(self, rng: Random) -> Proposal:
        return self.propose(self.space.sample(rng), origin="random")

    def excess(self, candidate: Candidate) -> float:
        """Violation of the limits that arithmetic can check, if there are any: infinite where the network cannot be built."""
        if not self._bounds or candidate.architecture is None:
            return 0.0
        try:
            costs = self.costs(candidate.architecture)
        except CandidateError:
            return inf
        return sum(limit.violation(getattr(costs, limit.metric)) for limit in self._bounds)

    # -- telling ---------------------------------------------------------------------------------------------------

    def tell(self, event: Told) -> None:
        """Take in one recorded event, live or in replay.

        An answer that was copied from another source's trial is a result like any other here, and a candidate that was
        lost is no repetition when it is proposed again.
        """
        if isinstance(event, Asked):
            for trial, proposal in event.trials:
                self._take_asked(trial, proposal)
            return
        identity = self._new.pop(event.trial, None)
        if isinstance(event, Finished):
            own = event if identity is None or event.reused_from is None else replace(event, reused_from=None)
            self.on_finished(own)
            return
        if identity is not None and isinstance(event, Lost):
            self._lost.add(identity)
        self.on_failed(event)

    def _take_asked(self, trial: TrialId, proposal: Proposal) -> None:
        identity = bytes.fromhex(proposal.identity())
        repeated = identity in self.seen and identity not in self._lost
        if not repeated:
            self._lost.discard(identity)
            self._new[trial] = identity
        self.on_asked(trial, proposal, repeated)
        self.seen.add(identity)
        self.asked += 1

    def on_asked(self, trial: TrialId, proposal: Proposal, repeated: bool) -> None:
        """`trial` was opened for `proposal`. `repeated`: this strategy has proposed the same one before, and it was not lost."""

    def on_finished(self, event: Finished) -> None:
        """A trial has measurements; `reused_from` one of this strategy's own where it repeated itself.

        It may be one that already ended: a late result, to be ignored.
        """

    def on_failed(self, event: Failed | Lost) -> None:
        """A trial has none, through its own fault (Failed) or the machine's (Lost)."""

    def on_promoted(self, trial: TrialId, fidelity: Fidelity, event: Finished | Failed | Lost) -> None:
        """What came of training the network of `trial`, one of this strategy's own, on to a higher `fidelity`."""

    def remarks(self) -> tuple[str, ...]:
        """Says so when only the first of several objectives is optimised."""
        if self.multi_objective or len(self.goal.objectives) == 1:
            return ()
        first, *others = (objective.metric for objective in self.goal.objectives)
        return (f"{self.name} optimises {first} alone; {', '.join(others)} are recorded, not optimised",)

    @classmethod
    def capabilities(cls) -> dict[str, Any]:
        """What it can do, as a JSON object."""
        return {
            "name": cls.name,
            "kind": cls.kind,
            "multi_objective": cls.multi_objective,
            "constraints": cls.constraints,
            "fidelities": cls.fidelities,
            "conditional": cls.conditional,
            "continuous": cls.continuous,
            "asynchronous": cls.asynchronous,
            "inherits": cls.inherits,
            "trains": cls.trains,
        }


class Drawing(Strategy):
    """A strategy that draws each proposal by itself, the starts of the space first."""

    def ask(self) -> Iterator[Proposal]:
        """The starts that remain, then what `draw` gives, none of it a repetition where that can be helped."""
        drawn: list[Candidate] = []
        for proposal in self.novel(lambda rng: self.draw(rng, drawn)):
            drawn.append(proposal.candidate)
            yield proposal

    @abstractmethod
    def draw(self, rng: Random, drawn: Sequence[Candidate]) -> Proposal:
        """A proposal, when `drawn` were proposed since the last tell. May raise CandidateError: it is called again."""
