"""What scores without training were worth in a run: how many, what they took, and how far they agreed with results."""

from __future__ import annotations

from dataclasses import dataclass

from netwright.core.history import Trial
from netwright.core.measurement import Measurements
from netwright.core.trial import UNTRAINED
from netwright.reports import words
from netwright.reports.view import RunView

FEWEST = 4
"""So many networks must be trained before a rank correlation is named."""


@dataclass(frozen=True, slots=True)
class Scores:
    """`scored` candidates took workers `seconds`, a `share` of all that they used; `trained` of them were trained.

    `agreement` is Spearman's correlation of score and quality over `results` networks, `size` that of parameters; both
    are None where results are too few. `off`: screening turned itself off.
    """

    score: str
    scored: int
    seconds: float
    share: float
    trained: int
    results: int
    agreement: float | None
    size: float | None
    off: bool = False


def compute_scores(view: RunView) -> Scores | None:
    """None where no candidate was scored."""
    name = view.facts.get("score")
    scored = {trial.id: trial for trial in view.searched() if trial.proposal.fidelity == UNTRAINED}
    if not isinstance(name, str) or not scored:
        return None
    pairs = _trained(view, scored)
    known = [(before, after) for before, after in pairs if name in before and "parameters" in before]
    quality = [-(view.metric.cost(after) or 0.0) for _, after in known]
    enough = len(known) >= FEWEST
    everyone = sum(trial.seconds for trial in view.history.trials.values())
    seconds = sum(trial.seconds for trial in scored.values())
    return Scores(
        name,
        len(scored),
        seconds,
        seconds / everyone if everyone else 0.0,
        len(pairs),
        len(known),
        _spearman([before[name].value for before, _ in known], quality) if enough else None,
        _spearman([before["parameters"].value for before, _ in known], quality) if enough else None,
        bool((view.history.note("screening") or {}).get("off")),
    )


def _trained(view: RunView, scored: dict[int, Trial]) -> list[tuple[Measurements, Measurements]]:
    """Of every candidate that was scored and then trained: what was measured before, and in its first training."""
    pairs = []
    for trial in view.history.trials.values():
        proposal = trial.proposal
        final = proposal.parents[0] if trial.source == "final" and proposal.parents else None
        before = scored.get(int(proposal.notes.get("scored") or final or 0))
        if before is not None and view.metric.cost(trial.measurements) is not None:
            pairs.append((before.measurements, trial.measurements))
    return pairs


def _spearman(first: list[float], second: list[float]) -> float | None:
    """None where one of both does not vary."""
    if len(set(first)) < 2 or len(set(second)) < 2:
        return None
    from scipy.stats import spearmanr

    return float(spearmanr(first, second).statistic)


def about_scores(view: RunView) -> str:
    """What scoring cost and gave, in sentences; empty where nothing was scored."""
    found = compute_scores(view)
    if found is None:
        return ""
    trains = view.facts.get("trains", True)
    title = words.title(found.score)
    took = f"in {words.duration(found.seconds)} of workers' time, {100 * found.share:.0f} % of what was used"
    if trains:
        told = (
            f"{words.plural(found.scored, 'candidate')} {_were(found.scored)} scored by {title} before training, {took}; "
            f"{words.count(found.trained)} of them {_were(found.trained)} trained."
        )
    else:
        told = (
            f"No candidate was trained before the final stage: {words.plural(found.scored, 'candidate')} "
            f"{_were(found.scored)} scored by {title}, {took}. What was given up: that score alone chose whom to train."
        )
    off = " It turned itself off, since it did not order results well enough." if found.off else ""
    return f"{told} {_agreement(view, found)}{off}"


def _agreement(view: RunView, found: Scores) -> str:
    over = words.plural(found.results, "trained network")
    if found.agreement is None or found.size is None:
        return f"{over} {'is' if found.results == 1 else 'are'} too few to say how far it agrees with results here."
    chosen = "; most were chosen by score, which makes both low" if view.facts.get("trains", True) else ""
    return (
        f"Over {over} its rank correlation with {words.title(view.metric.metric)} is {found.agreement:.2f}, that of the "
        f"number of parameters {found.size:.2f}{chosen}."
    )


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
