"""Which decisions mattered: permutation importance of a random forest over the decisions of the trials.

Trials of the rung that most of them reached are used, so that training length does not pass for architecture. Decisions
inside a `repeat` belong together whatever their position (`network/1/[]/kernel`): they are permuted together. Each
interval comes from forests on bootstrap samples of the trials, each judged on the trials it did not see. After
Breiman, "Random Forests", 2001; the forest is scikit-learn's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netwright.core.candidate import Value
from netwright.core.history import Trial
from netwright.core.seeding import derive
from netwright.reports.quality import interval
from netwright.reports.view import RunView

FEWEST = 100
MOST = 400
FORESTS = 10
TREES = 40
SHOWN = 10
EXPLAINED = 0.05
INACTIVE = "·"

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Decision:
    """How much worse the forest predicts quality when this decision is shuffled: a share of the variance explained."""

    name: str
    importance: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Effect:
    """Mean quality of the trials that took one value of a decision, with a 90 % interval."""

    value: str
    trials: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Importance:
    """`needed` more trials are missing when it is above 0; `explained` is the share of variance the forest predicts."""

    trials: int
    needed: int
    epochs: int
    explained: float
    decisions: tuple[Decision, ...]
    effects: Mapping[str, tuple[Effect, ...]]


def compute_importance(view: RunView) -> Importance:
    """Importance of every decision, most important first, and the effect of each value of the top three."""
    trials = _comparable(view)
    epochs = trials[0].proposal.fidelity.epochs if trials else 0
    if len(trials) < FEWEST:
        return Importance(len(trials), FEWEST - len(trials), epochs, 0.0, (), {})
    rng = np.random.default_rng(derive(int(view.facts.get("seed", 0)), "importance"))
    if len(trials) > MOST:
        trials = [trials[i] for i in np.sort(rng.choice(len(trials), MOST, replace=False))]
    quality = np.array([trial.measurements[view.metric.metric].value for trial in trials])
    decided = [slots_of(trial.proposal.candidate.decisions) for trial in trials]
    table, groups = _table(decided)
    if not groups or quality.std() == 0:
        return Importance(len(trials), 0, epochs, 0.0, (), {})
    explained, drops = _forests(table, quality, groups, rng)
    decisions = []
    for place, name in enumerate(groups):
        low, high = interval(drops[:, place])
        decisions.append(Decision(name, float(drops[:, place].mean()), low, high))
    decisions.sort(key=lambda row: (-row.importance, row.name))
    top = [row.name for row in decisions[:3] if row.low > 0] if explained > EXPLAINED else []
    effects = {name: compute_effects(decided, quality, name) for name in top}
    return Importance(len(trials), 0, epochs, explained, tuple(decisions[:SHOWN]), effects)


def _comparable(view: RunView) -> list[Trial]:
    """Finished search trials of the rung that most reached."""
    rungs: dict[int, list[Trial]] = {}
    for trial in view.searched():
        if trial.status in ("completed", "stopped") and view.metric.metric in trial.measurements:
            rungs.setdefault(trial.proposal.fidelity.epochs, []).append(trial)
    return max(rungs.values(), key=len, default=[])


def slots_of(decisions: Mapping[str, Value]) -> dict[str, Value]:
    """Decisions by position: elements of a `repeat` are numbered as they stand, and its value becomes its length."""
    slots: dict[str, Value] = {}
    for address, value in decisions.items():
        if isinstance(value, tuple) and all(entry.startswith("#") for entry in value):
            slots[f"{_positions(address, decisions)}/length"] = len(value)
        elif isinstance(value, tuple):
            slots.update({f"{_positions(address, decisions)}/{entry}": 1 for entry in value})
        else:
            slots[_positions(address, decisions)] = value
    return slots


def _positions(address: str, decisions: Mapping[str, Value]) -> str:
    parts = address.split("/")
    for place, part in enumerate(parts):
        elements = decisions.get("/".join(address.split("/")[:place]))
        if part.startswith("#") and isinstance(elements, tuple) and part in elements:
            parts[place] = f"[{elements.index(part)}]"
    return "/".join(parts)


def group_of(slot: str) -> str:
    """The decision that a slot is an instance of: positions left open."""
    return re.sub(r"\[\d+\]", "[]", slot)


def _table(decided: Sequence[Mapping[str, Value]]) -> tuple[Floats, dict[str, list[int]]]:
    """(trials, columns) numbers, -1 where a decision was not made, and the columns of each group that varies."""
    names = sorted({name for row in decided for name in row})
    columns: list[Floats] = []
    groups: dict[str, list[int]] = {}
    for name in names:
        values = [row.get(name) for row in decided]
        column = _numbers(values)
        if np.ptp(column) > 0:
            groups.setdefault(group_of(name), []).append(len(columns))
            columns.append(column)
    return (np.stack(columns, axis=1) if columns else np.zeros((len(decided), 0))), groups


def _numbers(values: Sequence[Value]) -> Floats:
    present = [value for value in values if value is not None]
    if all(isinstance(value, int | float) for value in present):
        low = min((float(value) for value in present), default=0.0)  # type: ignore[arg-type]
        return np.array([low - 1.0 if value is None else float(value) for value in values])  # type: ignore[arg-type]
    codes = {text: place for place, text in enumerate(sorted({str(value) for value in present}))}
    return np.array([-1.0 if value is None else float(codes[str(value)]) for value in values])


def _forests(
    table: Floats, quality: Floats, groups: Mapping[str, Sequence[int]], rng: np.random.Generator
) -> tuple[float, Floats]:
    """Share of variance explained out of sample, and the loss of it for each group: (forests, groups)."""
    from sklearn.ensemble import RandomForestRegressor

    rows = len(table)
    scores, drops = [], []
    for number in range(FORESTS):
        drawn = rng.integers(0, rows, rows)
        unseen = np.setdiff1d(np.arange(rows), drawn)
        forest = RandomForestRegressor(TREES, min_samples_leaf=3, max_features=0.5, random_state=number, n_jobs=1)
        forest.fit(table[drawn], quality[drawn])
        shuffled = [table[unseen]]
        for columns in groups.values():
            copy = table[unseen].copy()
            copy[:, columns] = copy[rng.permutation(len(unseen))][:, columns]
            shuffled.append(copy)
        predicted = forest.predict(np.concatenate(shuffled)).reshape(len(shuffled), len(unseen))
        spread = ((quality[unseen] - quality[unseen].mean()) ** 2).mean() or 1.0
        wrong = ((predicted - quality[unseen]) ** 2).mean(axis=1) / spread
        scores.append(1.0 - wrong[0])
        drops.append(wrong[1:] - wrong[0])
    return float(np.mean(scores)), np.array(drops)


def compute_effects(decided: Sequence[Mapping[str, Value]], quality: Floats, group: str) -> tuple[Effect, ...]:
    """Mean quality by value of one decision; a trial counts once for each value it took anywhere in the group."""
    members: dict[Value, list[int]] = {}
    for trial, row in enumerate(decided):
        taken = {value for name, value in row.items() if group_of(name) == group}
        for value in taken or {INACTIVE}:
            members.setdefault(value, []).append(trial)
    numeric = [value for value in members if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numeric) > 8:
        return _binned({value: members[value] for value in numeric}, quality)
    order = sorted(members, key=lambda value: (value == INACTIVE, not isinstance(value, int | float), _rank(value)))
    return tuple(_effect(_name(value), quality[members[value]]) for value in order if len(members[value]) >= 3)


def _binned(members: Mapping[Value, Sequence[int]], quality: Floats) -> tuple[Effect, ...]:
    pairs = sorted((float(value), trial) for value, trials in members.items() for trial in trials)  # type: ignore[arg-type]
    effects = []
    for part in np.array_split(np.arange(len(pairs)), 5):
        inside = [pairs[i] for i in part]
        effects.append(_effect(f"{inside[0][0]:.2g} to {inside[-1][0]:.2g}", quality[[trial for _, trial in inside]]))
    return tuple(effects)


def _rank(value: Value) -> tuple[float, str]:
    return (float(value), "") if isinstance(value, int | float) else (0.0, str(value))


def _name(value: Value) -> str:
    return "not used" if value == INACTIVE else str(value)


def _effect(value: str, quality: Floats) -> Effect:
    mean = float(quality.mean())
    error = 1.645 * float(quality.std(ddof=1)) / np.sqrt(len(quality))
    return Effect(value, len(quality), mean, mean - error, mean + error)
