"""A fixed list of proposals as a source: the baselines of a run, or its finalists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netwright.core.events import Asked, Lost
from netwright.core.trial import Proposal, TrialId
from netwright.strategies.base import Source, Told


class Listed(Source):
    """Asks each of `proposals` once, in their order; asked ones are recognised by identity, also after a resume.

    One that was lost, which is the machine's fault, is asked once more.
    """

    def __init__(self, name: str, proposals: Sequence[Proposal]) -> None:
        self.name = name
        self.proposals = tuple(proposals)
        self._asked: set[str] = set()
        self._open: dict[TrialId, str] = {}
        self._lost: set[str] = set()

    def ask(self) -> Iterator[Proposal]:
        """What has not been asked yet."""
        drawn: set[str] = set()
        for proposal in self.proposals:
            identity = proposal.identity()
            if identity not in self._asked and identity not in drawn:
                drawn.add(identity)
                yield proposal

    def tell(self, event: Told) -> None:
        """Remember what was asked; results change nothing."""
        if isinstance(event, Asked):
            asked = {trial: proposal.identity() for trial, proposal in event.trials}
            self._open |= asked
            self._asked.update(asked.values())
            return
        identity = self._open.pop(event.trial, None)
        if identity is not None and isinstance(event, Lost) and identity not in self._lost:
            self._lost.add(identity)
            self._asked.discard(identity)
