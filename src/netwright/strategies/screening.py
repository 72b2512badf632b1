"""Screening by a score without training: the lowest rung, below the first one of training, over any strategy.

Abdelfattah, Mehrotra, Dudziak, Lane, "Zero-Cost Proxies for Lightweight NAS", ICLR 2021, arXiv 2101.08134. Of every
`draw` candidates that the strategy proposes, the best `keep` by score are trained; the strategy hears of the others that
they are lost, since a score is no result. With further objectives that arithmetic knows, the best are those by rank and
crowding over the score and these, but for the `hopeless` share with the worst scores (as in `halving`). The rung has a
fidelity of its own, `UNTRAINED`, and its trials are jobs like all others.

A score may be wrong, so each place goes with probability `unscreened` to a candidate drawn from all that are left; and
screening turns itself off for good when, at any `CHECKED` results, the score orders them worse than `WEAKEST` (Spearman),
or worse than the number of parameters does. Trained are mostly the best by score, which makes this estimate a low one.

Where this deviates: in the paper a search is warmed up by the best of some thousand scored candidates, or moves by score;
here every proposal of a search is screened.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt

from netwright.core.errors import InputError
from netwright.core.events import Asked, Failed, Finished, Lost
from netwright.core.metrics import SCORES
from netwright.core.seeding import stream
from netwright.core.trial import UNTRAINED, Continue, Fidelity, Fresh, Proposal, TrialId
from netwright.strategies.base import Source, Strategy, Told
from netwright.strategies.shared.population import FAILED, Result, result_of
from netwright.strategies.shared.ranking import best_first
from netwright.strategies.shared.scores import favours_size

CHECKED = 30
"""After each so many results the score is held against them."""
REMEMBERED = 240
WEAKEST = 0.2
TWICE = "it goes on already"


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate with its score, as the strategy proposed it. `trial` is the one that scored it."""

    trial: TrialId
    proposal: Proposal
    result: Result
    score: float | None
    parameters: float | None


@dataclass(slots=True)
class Group:
    """Candidates that compete for places in training; `waiting` of them have no answer yet."""

    waiting: int
    scored: list[Scored] = field(default_factory=list)


class Screening(Source):
    """Screens what `inner` proposes anew: `strategy` itself, or successive halvings over it.

    The strategy knows a candidate by the trial that scored it; for everybody else the trial that trains it stands for
    it. `off` says that screening has turned itself off; then all candidates are trained unscored.
    """

    def __init__(
        self,
        inner: Source,
        strategy: Strategy,
        *,
        score: str,
        draw: int = 10,
        keep: int = 3,
        unscreened: float = 0.15,
        hopeless: float = 0.25,
    ) -> None:
        if score not in SCORES:
            raise InputError(f"a score must be one of {', '.join(SCORES)}, but got {score!r}")
        if not 1 <= keep <= draw:
            raise InputError(f"keep must be from 1 to draw, but got {keep} of {draw}")
        for setting, share in (("unscreened", unscreened), ("hopeless", hopeless)):
            if not 0 <= share <= 1:
                raise InputError(f"{setting} must be a share from 0 to 1, but got {share}")
        self.inner = inner
        self.strategy = strategy
        self.name = inner.name
        self.score = score
        self.draw = draw
        self.keep = keep
        self.unscreened = unscreened
        self.hopeless = hopeless
        self.off = False
        self.pairs: deque[tuple[float, float, float]] = deque(maxlen=REMEMBERED)  # score, parameters, cost
        self._goal = strategy.goal.untrained(score)
        self._asked = 0
        self._checked = 0
        self._groups: dict[int, Group] = {}
        self._open: dict[TrialId, tuple[int, Proposal]] = {}  # being scored: the group, and what was proposed
        self._scored: set[TrialId] = set()  # trials that scored, all of them
        self._chosen: dict[TrialId, Proposal] = {}  # by the trial that scored them: to be trained
        self._trained: dict[TrialId, TrialId] = {}  # the trial that scored -> the trial that trains
        self._root: dict[TrialId, TrialId] = {}  # and back
        self._awaited: dict[TrialId, Scored] = {}  # of which no training has ended yet
        self._going: set[str] = set()  # identities of the proposals that were chosen

    # -- asking ----------------------------------------------------------------------------------------------------

    def ask(self) -> Iterator[Proposal]:
        """What `inner` trains on; then, before anything new is scored, what was chosen; then new candidates."""
        chosen = iter(list(self._chosen.values()))
        for proposal in self.inner.ask():
            if isinstance(proposal.start, Fresh):
                yield from chosen
                if not self.off:
                    proposal = self._unscored(proposal)
            yield self._translated(proposal, self._trained)
        yield from chosen

    def _unscored(self, proposal: Proposal) -> Proposal:
        """To be scored first; what it is to be trained to stands in its notes where that is not what others are."""
        notes, fidelity = dict(proposal.notes), proposal.fidelity
        if fidelity != self.strategy.fidelity:
            notes |= {"epochs": fidelity.epochs, "trunk": fidelity.trunk}
        return replace(proposal, fidelity=UNTRAINED, notes=notes)

    def _as_proposed(self, proposal: Proposal) -> Proposal:
        """What `_unscored` was given."""
        notes, fidelity = dict(proposal.notes), self.strategy.fidelity
        if "epochs" in notes:
            fidelity = Fidelity(int(str(notes.pop("epochs"))), trunk=bool(notes.pop("trunk")))
        return replace(proposal, fidelity=fidelity, notes=notes)

    @staticmethod
    def _translated(proposal: Proposal, names: dict[TrialId, TrialId]) -> Proposal:
        """With other names for the trials that it starts from."""
        parents = tuple(names.get(parent, parent) for parent in proposal.parents)
        start = proposal.start
        if isinstance(start, Continue):
            start = Continue(names.get(start.trial, start.trial))
        if parents == proposal.parents and start == proposal.start:
            return proposal
        return replace(proposal, parents=parents, start=start)

    # -- telling ---------------------------------------------------------------------------------------------------

    def tell(self, event: Told) -> None:
        """Take in one recorded event."""
        match event:
            case Asked(source, trials):
                for trial, proposal in trials:
                    self._take(source, trial, proposal)
            case _ if event.trial in self._open:
                self._answered(event)
            case _ if event.trial not in self._scored:
                self._ended(event)

    def _take(self, source: str, trial: TrialId, proposal: Proposal) -> None:
        scorer = proposal.notes.get("scored")
        if isinstance(scorer, int) and scorer in self._chosen:
            del self._chosen[scorer]
            self._trained[scorer], self._root[trial] = trial, scorer
            return
        known = self._translated(proposal, self._root)
        if proposal.fidelity == UNTRAINED:
            known = self._as_proposed(known)
            number, place = divmod(self._asked, self.draw)
            if place == 0:
                self._groups[number] = Group(self.draw)
            self._asked += 1
            self._open[trial] = (number, known)
            self._scored.add(trial)
        self.inner.tell(Asked(source, ((trial, known),)))

    def _answered(self, event: Finished | Failed | Lost) -> None:
        """A score has come, or none: a candidate outside a limit, or one that cannot be built, competes no more."""
        number, proposal = self._open.pop(event.trial)
        group = self._groups[number]
        group.waiting -= 1
        if not isinstance(event, Finished) or event.status != "completed":
            self.inner.tell(event)
        elif proposal.identity() in self._going:
            self.inner.tell(Lost(event.trial, TWICE))
        else:
            group.scored.append(self._read(event, proposal))
        if group.waiting == 0 or self.off:
            self._decide(number)

    def _read(self, event: Finished, proposal: Proposal) -> Scored:
        """Without a score it loses to whoever has one."""
        result = result_of(self._goal, event)
        value, parameters = (event.measurements.get(name) for name in (self.score, "parameters"))
        return Scored(
            event.trial,
            proposal,
            FAILED if value is None or result is None else result,
            None if value is None else value.value,
            None if parameters is None else parameters.value,
        )

    def _decide(self, number: int) -> None:
        """Give the places of a group; once screening is off, one to everybody."""
        group = self._groups[number]
        left = self._in_order(group.scored)
        rng = stream(self.strategy.seed, self.name, "screening", number)
        places = len(left) if self.off else self.keep
        while left and places:
            free = self.off or rng.random() < self.unscreened
            one = left.pop(rng.randrange(len(left)) if free else 0)
            if one.proposal.identity() in self._going:
                self.inner.tell(Lost(one.trial, TWICE))
                continue
            places -= 1
            self._choose(one, free)
        group.scored = []
        if group.waiting == 0:
            del self._groups[number]
        for one in left:
            self.inner.tell(Lost(one.trial, f"not among the best by {self.score}"))

    def _in_order(self, scored: Sequence[Scored]) -> list[Scored]:
        """The best first. With several objectives those with the worst scores come last, however small they are."""
        order = [scored[i] for i in best_first([one.result for one in scored])]
        known = sorted((one for one in order if one.score is not None), key=lambda one: (one.score or 0.0, -one.trial))
        worst = known[: int(self.hopeless * len(known))] if len(self._goal.objectives) > 1 else []
        return [one for one in order if one not in worst] + [one for one in order if one in worst]

    def _choose(self, one: Scored, free: bool) -> None:
        """A candidate that was chosen by its score is no longer a random one; one that was free to go on keeps its origin."""
        proposal = self._translated(one.proposal, self._trained)
        if not free:
            proposal = replace(proposal, parents=(one.trial,), origin="screened")
        self._going.add(one.proposal.identity())
        self._chosen[one.trial] = replace(proposal, notes={**proposal.notes, "scored": one.trial})
        self._awaited[one.trial] = one

    def _ended(self, event: Finished | Failed | Lost) -> None:
        """A training has ended: `inner` hears of it under the name it knows."""
        scorer = self._root.get(event.trial)
        if scorer is None:
            self.inner.tell(event)
            return
        self.inner.tell(replace(event, trial=scorer))
        one = self._awaited.pop(scorer, None)
        if one is not None and isinstance(event, Lost):
            self._going.discard(one.proposal.identity())
        if one is not None and isinstance(event, Finished) and self._compares(one, event):
            cost = self.strategy.goal.quality.cost(event.measurements)
            if cost is not None and one.score is not None and one.parameters is not None:
                self.pairs.append((one.score, one.parameters, cost))
                self._checked += 1
                if self._checked % CHECKED == 0 and not self.off:
                    self._check()

    def _compares(self, one: Scored, event: Finished) -> bool:
        """Whether the result compares with others: that of a whole training, of several rungs on the lowest."""
        return event.status == "completed" and self.strategy.entry in (None, one.proposal.fidelity)

    def _check(self) -> None:
        """Turn off what does not order results, or not as well as size does."""
        score, size = self.agreement()
        if score < WEAKEST or score < size:
            self.off = True
            for number in list(self._groups):
                self._decide(number)

    # -- what the loop and a person want to know -------------------------------------------------------------------

    def agreement(self) -> tuple[float, float]:
        """Spearman's correlation with the quality of trained candidates: that of the score, that of parameters."""
        scores, sizes, costs = zip(*self.pairs, strict=True) if self.pairs else ((), (), ())
        return -spearman(scores, costs), -spearman(sizes, costs)

    def holds(self) -> set[TrialId]:
        """Those of `inner`, by the trials that trained them."""
        return {self._trained.get(trial, trial) for trial in self.inner.holds()}

    def remarks(self) -> tuple[str, ...]:
        """Those of `inner`, and what screening favours where nothing holds it back."""
        chosen = f"of {self.draw} candidates {self.keep} are trained, chosen by {self.score} without training"
        return (*self.inner.remarks(), chosen, *favours_size(self.score, self._goal))


def spearman(first: Sequence[float], second: Sequence[float]) -> float:
    """Rank correlation, equal values with their mean rank; 0 where one of both does not vary."""
    a, b = _ranks(first), _ranks(second)
    spread = sqrt(sum(x * x for x in a) * sum(y * y for y in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / spread if spread else 0.0


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks around 0."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks, place = [0.0] * len(values), 0
    while place < len(order):
        last = place
        while last + 1 < len(order) and values[order[last + 1]] == values[order[place]]:
            last += 1
        for i in order[place : last + 1]:
            ranks[i] = (place + last) / 2 - (len(values) - 1) / 2
        place = last + 1
    return ranks
