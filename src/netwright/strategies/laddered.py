"""Every candidate along the whole ladder: from checkpoint to checkpoint up its rungs, then in full from the start.

Nobody is dropped on the way, so what a short training says can be held against a full one. The rungs are trained as
successive halving trains them, and the full training as finalists are, with weights and an order of images of its own.
One candidate is brought to its end before another is begun: whenever this is cut off, what it did can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from netwright.core.candidate import Candidate
from netwright.core.errors import InputError
from netwright.core.events import Asked, Failed, Finished, Lost
from netwright.core.trial import Continue, Fidelity, Fresh, Proposal, TrialId
from netwright.strategies.base import Source, Strategy, Told


@dataclass(slots=True)
class Climb:
    """How far a candidate has come: its latest trial, at `step` of the fidelities. `ended`: it goes no further."""

    candidate: Candidate
    trial: TrialId
    step: int = 0
    under_way: bool = True
    ended: bool = False


class Laddered(Source):
    """Takes the first `candidates` proposals of `inner` through all `rungs` (epochs, rising) and a training of `full`.

    It ends early where `inner` can only repeat itself. A candidate whose training fails goes no further, and none
    takes its place. `inner` hears of its own proposals alone: results do not decide what is drawn.
    """

    def __init__(self, inner: Strategy, *, candidates: int, rungs: Sequence[int], full: int) -> None:
        if not rungs or rungs[0] < 1 or list(rungs) != sorted(set(rungs)):
            raise InputError(f"rungs must be rising numbers of epochs, but got {tuple(rungs)}")
        self.inner = inner
        self.name = inner.name
        self.candidates = candidates
        self.fidelities = (*(Fidelity(epochs, trunk=True) for epochs in rungs), Fidelity(full))
        self.climbs: list[Climb] = []
        inner.fidelity = self.fidelities[0]

    def ask(self) -> Iterator[Proposal]:
        """The next step of who can go on, the first begun first, then new candidates."""
        for climb in self.climbs[: self.candidates]:
            if not climb.under_way and not climb.ended:
                yield self._next(climb)
        known = set(self.inner.seen)
        for proposal in islice(self.inner.ask(), max(0, self.candidates - len(self.climbs))):
            identity = bytes.fromhex(proposal.identity())
            if identity in known:
                return
            known.add(identity)
            yield proposal

    def _next(self, climb: Climb) -> Proposal:
        fidelity = self.fidelities[climb.step + 1]
        return Proposal(
            climb.candidate,
            fidelity,
            Continue(climb.trial) if fidelity.trunk else Fresh(),
            parents=(climb.trial,),
            origin="promotion" if fidelity.trunk else "final",
        )

    def tell(self, event: Told) -> None:
        """Take in one recorded event. A result that was copied is another candidate's."""
        if isinstance(event, Asked):
            for trial, proposal in event.trials:
                self._open(event.source, trial, proposal)
            return
        climb = next((climb for climb in self.climbs if climb.trial == event.trial and climb.under_way), None)
        if climb is not None:
            climb.under_way = False
            climb.ended = climb.step == len(self.fidelities) - 1 or not _goes_on(event)

    def _open(self, source: str, trial: TrialId, proposal: Proposal) -> None:
        climb = next((climb for climb in self.climbs if proposal.parents == (climb.trial,)), None)
        if climb is not None:
            climb.trial, climb.step, climb.under_way = trial, climb.step + 1, True
            return
        self.climbs.append(Climb(proposal.candidate, trial))
        self.inner.tell(Asked(source, ((trial, proposal),)))

    def holds(self) -> set[TrialId]:
        """Trials whose checkpoint the next rung starts from."""
        waiting = (climb for climb in self.climbs if not climb.under_way and not climb.ended)
        return {climb.trial for climb in waiting if self.fidelities[climb.step + 1].trunk}


def _goes_on(event: Finished | Failed | Lost) -> bool:
    return isinstance(event, Finished) and event.status == "completed" and event.reused_from is None
