"""Which picture belongs to which page, and the command's work: draw them all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from netwright.reports.markup import Markup
from scripts.pictures import evolution, models, motifs, pareto, policies, rungs, scores, stopping, walks

PICTURES: dict[str, Callable[[], Markup]] = {
    "auto": models.auto,
    "bananas": models.bananas,
    "bohb": rungs.bohb,
    "forest": models.forest,
    "gaussian_process": models.gaussian_process,
    "grid": walks.grid,
    "halving": rungs.halving,
    "hierarchical": motifs.hierarchical,
    "hyperband": rungs.hyperband,
    "hypervolume_evolution": pareto.hypervolume_evolution,
    "local_search": walks.local_search,
    "nsga2": pareto.nsga2,
    "population_training": evolution.population_training,
    "ppo": policies.ppo,
    "random": walks.random,
    "regularized_evolution": evolution.regularized_evolution,
    "reinforce": policies.reinforce,
    "rewards": policies.rewards,
    "screening": scores.screening,
    "stoppers": stopping.stoppers,
    "tournament_evolution": evolution.tournament_evolution,
    "tpe": models.tpe,
    "training_free": scores.training_free,
    "weight_inheritance": evolution.weight_inheritance,
    "zero_cost": scores.zero_cost,
}
"""By the name of the page: `docs/algorithms/NAME.md` shows `pictures/NAME.svg`."""


def write(folder: Path) -> None:
    """Draw every picture into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        (folder / f"{name}.svg").write_text(draw() + "\n", "utf-8")
