"""What learners know candidates by: slots, by position, each with the choice that it answers."""

from __future__ import annotations

from collections.abc import Iterator

from netwright.core.candidate import Candidate, Value
from netwright.spaces.choices import Choice
from netwright.spaces.encoding import slot_address
from netwright.spaces.walk import SearchSpace


class Slots:
    """Remembers the choice of every slot that it has met: asking the space for them means to walk it."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self._choices: dict[str, Choice] = {}

    def of(self, candidate: Candidate) -> Iterator[tuple[str, Choice, Value]]:
        """Slot, choice and value of each decision. Raises CandidateError for a candidate of another space."""
        decisions = candidate.decisions
        places = {address: slot_address(address, decisions) for address in decisions}
        if any(place not in self._choices for place in places.values()):
            choices = self.space.choices(decisions)
            self._choices.update({places[address]: choice for address, choice in choices.items()})
        return ((place, self._choices[place], decisions[address]) for address, place in places.items())
