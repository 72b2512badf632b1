"""Scoring as a job: what is measured, and what it depends on."""

from __future__ import annotations

from pathlib import Path

import pytest

from netwright.core.errors import InputError
from netwright.core.metrics import SCORES
from netwright.data.dataset import Dataset

from .jobs import network, run


def test_a_network_is_scored_without_training(digits: Path, tmp_path: Path) -> None:
    data = Dataset.open(digits)
    candidate = network(data)
    evaluated = run("score", tmp_path / "job", digits, candidate, epochs=0, settings={"scores": list(SCORES)})
    assert set(evaluated.measurements) == set(SCORES)
    assert evaluated.notes == {"batch": 64} and not evaluated.artefacts
    assert evaluated.measurements["naswot"].split == "train" and evaluated.measurements["naswot"].samples == 64
    trained = run("train", tmp_path / "trained", digits, candidate)
    for size in ("parameters", "macs"):
        assert evaluated.measurements[size] == trained.measurements[size]


def test_it_depends_on_the_seeds_alone(digits: Path, tmp_path: Path) -> None:
    def scored(folder: str, seed: int, batch: int) -> float:
        settings = {"scores": ["snip"], "seed": batch}
        evaluated = run(
            "score", tmp_path / folder, digits, network(Dataset.open(digits)), epochs=0, settings=settings, seed=seed
        )
        return evaluated.measurements["snip"].value

    first = scored("a", 1, 1)
    assert scored("b", 1, 1) == first
    assert scored("c", 2, 1) != first, "other weights gave the same score"
    assert scored("d", 1, 2) != first, "other images gave the same score"


def test_what_cannot_be_scored_is_named(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netwright.evaluation.scored.score", lambda name, network, batch: -float("inf"))
    evaluated = run(
        "score", tmp_path / "job", digits, network(Dataset.open(digits)), epochs=0, settings={"scores": ["jacov"]}
    )
    assert evaluated.notes["unscored"] == ["jacov"]
    assert set(evaluated.measurements) == {"parameters", "macs"}


def test_an_unknown_score_is_refused(digits: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a score must be one of"):
        run("score", tmp_path / "job", digits, network(Dataset.open(digits)), epochs=0, settings={"scores": ["magic"]})
