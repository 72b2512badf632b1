"""What may change when a run goes on, and what an option that was left out stands for."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from netwright.core.errors import InputError, LimitError, RunChanged
from netwright.experiment.settings import FREE, Settings, resume
from netwright.strategies import RandomSearch

STORED = Settings("photos", minutes=5.0, limits=("parameters<=100k", "accuracy>=80%")).complete()
OTHER: dict[str, Any] = {
    "data": "others",
    "minutes": 9.0,
    "trials": 50,
    "cpu_seconds": 70.0,
    "epochs": 3,
    "strategy": "regularized-evolution",
    "space": "mlp",
    "workers": 7,
    "objectives": ("accuracy:max", "macs:min"),
    "limits": ("parameters<=200k",),
    "size": "32",
    "split": "split.csv",
    "groups": "groups.csv",
    "rival": "random",
    "executor": "inline",
    "precision": "fp32",
    "stop": "median",
    "seed": 8,
    "images": False,
    "inherit": True,
    "screen": "naswot",
}
"""A value for every option that differs from the stored one."""


def test_every_option_has_a_row() -> None:
    assert set(OTHER) == {option.name for option in fields(Settings)}
    assert all(getattr(STORED, name) != value for name, value in OTHER.items())


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("limits", (5,), r"limits must be text as on the command line, or a list of such, but got \(5,\)"),
        ("objectives", ("accuracy", 3), "objectives must be text"),
        ("strategy", RandomSearch, "strategy must be text as on the command line, but got the class RandomSearch"),
        ("minutes", "5", "minutes must be a number, but got '5'"),
        ("epochs", 2.5, "epochs must be a whole number, but got 2.5"),
        ("workers", True, "workers must be a whole number, but got True"),
        ("inherit", 1, "inherit must be True or False, but got 1"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(option: str, value: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Settings("photos", **{option: value})  # type: ignore[arg-type]


def test_numbers_of_numpy_are_kept_as_pythons() -> None:
    given = Settings("photos", trials=np.int64(3), minutes=np.float32(1.5))  # type: ignore[arg-type]
    assert json.loads(json.dumps(given.to_json()))["trials"] == 3
    assert given == Settings("photos", trials=3, minutes=1.5)


@pytest.mark.parametrize("option", sorted(FREE))
def test_free_options_change(option: str) -> None:
    given = Settings(**{"data": "photos", option: OTHER[option]})
    assert resume(STORED, given, allow_changed=False) == replace(STORED, **{option: OTHER[option]})


@pytest.mark.parametrize("option", sorted(set(OTHER) - FREE))
def test_the_others_are_refused_by_name_and_pass_when_allowed(option: str) -> None:
    given = Settings(**{"data": "photos", option: OTHER[option]})
    with pytest.raises(RunChanged, match=rf"\b{option} was .* and is now .*--allow-changed"):
        resume(STORED, given, allow_changed=False)
    if option == "epochs":
        with pytest.raises(RunChanged, match="keeps the epochs"):
            resume(STORED, given, allow_changed=True)
        return
    assert resume(STORED, given, allow_changed=True) == replace(STORED, **{option: OTHER[option]})


def test_all_refused_options_are_named_at_once() -> None:
    with pytest.raises(RunChanged) as refused:
        resume(STORED, Settings("photos", seed=8, space="mlp"), allow_changed=False)
    assert "space was chain and is now mlp" in str(refused.value)
    assert "seed was 0 and is now 8" in str(refused.value)


def test_options_left_out_keep_their_values() -> None:
    assert resume(STORED, Settings("photos"), allow_changed=False) == STORED


@pytest.mark.parametrize(
    "limits",
    [
        ("parameters<=100k", "accuracy>=80%"),
        ("accuracy>=80%", "parameters<=100k"),
        ("parameters<=50k", "accuracy>=80%"),
        ("parameters<=100k", "accuracy>=85%"),
        ("parameters<=100000", "accuracy>=0.8", "latency<=2ms"),
    ],
)
def test_limits_may_be_tightened_and_added(limits: tuple[str, ...]) -> None:
    assert resume(STORED, Settings("photos", limits=limits), allow_changed=False).limits == limits


@pytest.mark.parametrize(
    "limits",
    [
        ("parameters<=101k", "accuracy>=80%"),
        ("parameters<=100k", "accuracy>=79%"),
        ("parameters<=100k",),
        ("parameters>=50k", "accuracy>=80%"),
        ("macs<=1k", "accuracy>=80%"),
    ],
)
def test_limits_loosened_or_taken_away_are_refused(limits: tuple[str, ...]) -> None:
    with pytest.raises(RunChanged, match="limits was"):
        resume(STORED, Settings("photos", limits=limits), allow_changed=False)


def test_a_strict_limit_is_not_loosened_by_equality() -> None:
    strict = replace(STORED, limits=("parameters<100",))
    with pytest.raises(RunChanged, match="limits"):
        resume(strict, Settings("photos", limits=("parameters<=100",)), allow_changed=False)
    assert resume(replace(STORED, limits=("parameters<=100",)), Settings("photos", limits=("parameters<100",)),
                  allow_changed=False).limits == ("parameters<100",)  # fmt: skip


def test_defaults() -> None:
    settings = Settings("photos").complete()
    assert settings.minutes == 10
    assert (settings.strategy, settings.space, settings.executor) == ("auto+halving", "chain", "local")
    assert settings.objectives == ("accuracy:max", "parameters:min")
    assert (settings.limits, settings.seed, settings.precision, settings.images) == ((), 0, "auto", True)
    assert settings.workers is not None and settings.workers >= 1


@pytest.mark.parametrize("bound", [{"trials": 5}, {"cpu_seconds": 9.0}])
def test_another_budget_takes_the_place_of_ten_minutes(bound: dict[str, Any]) -> None:
    settings = Settings("photos", **bound).complete()
    assert settings.minutes is None
    assert settings.budget.seconds is None


@pytest.mark.parametrize("workers", [None, 4])
def test_inline_has_one_worker_whatever_was_said(workers: int | None) -> None:
    assert Settings("photos", executor="inline", workers=workers).complete().workers == 1
    assert Settings("photos", executor="local", workers=4).complete().workers == 4


def test_the_same_objectives_in_other_words_are_no_change() -> None:
    same = Settings("photos", objectives=("accuracy", "parameters"))
    assert resume(STORED, same, allow_changed=False) == STORED
    with pytest.raises(RunChanged, match="objectives was"):
        resume(STORED, Settings("photos", objectives=("parameters", "accuracy")), allow_changed=False)


def test_minutes_are_sixty_seconds() -> None:
    assert Settings("photos", minutes=1.5).budget.seconds == 90


def test_settings_survive_json() -> None:
    fresh, scored = ({**OTHER, option: None} for option in ("screen", "inherit"))  # the two cannot be combined
    for settings in (Settings("photos"), STORED, Settings(**fresh), Settings(**scored)):
        assert Settings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("workers", 0, "at least 1, but got 0"),
        ("epochs", 0, "at least 1, but got 0"),
        ("rival", "grid", "one of random, but got 'grid'"),
        ("executor", "cloud", "one of inline, local, but got 'cloud'"),
        ("strategy", "guess", "random, .* but got 'guess'"),
        ("strategy", "nsga2+guess", "but got 'nsga2.guess'"),
        ("stop", "guess", "none, median, halving, power-law, but got 'guess'"),
        ("minutes", -1.0, "positive number, but got -1"),
        ("minutes", float("nan"), "positive number, but got nan"),
        ("trials", 0, "positive number, but got 0"),
        ("cpu_seconds", 0.0, "positive number, but got 0"),
        ("precision", "int8", "one of auto, fp32, bf16, but got 'int8'"),
    ],
)
def test_values_that_do_not_fit(option: str, value: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Settings(**{"data": "photos", option: value})


def test_a_limit_that_cannot_be_read() -> None:
    with pytest.raises(LimitError):
        Settings("photos", limits=("parameters=<5",))


@pytest.mark.parametrize("strategy", ["random", "tpe", "local-search+halving", "gaussian-process"])
def test_only_children_inherit(strategy: str) -> None:
    with pytest.raises(InputError, match=f"nsga2, .*regularized-evolution.*but {strategy.partition('+')[0]} has none"):
        Settings("photos", strategy=strategy, inherit=True)


@pytest.mark.parametrize("strategy", [None, "nsga2", "regularized-evolution+halving", "tournament-evolution"])
def test_children_of_evolution_inherit_when_asked_to(strategy: str | None) -> None:
    assert Settings("photos", strategy=strategy, inherit=True).complete().inherit is True
    assert Settings("photos", strategy=strategy).complete().inherit is False


def test_a_search_without_training_has_a_score_and_no_rungs() -> None:
    assert Settings("photos").complete().score is None
    assert Settings("photos", screen="zen").score == "zen" and Settings("photos", screen="zen").trains
    free = Settings("photos", strategy="training-free")
    assert (free.trains, free.score) == (False, "synflow")
    assert Settings("photos", strategy="training-free", screen="naswot").score == "naswot"
    with pytest.raises(InputError, match="strategy must be one of"):
        Settings("photos", strategy="training-free+halving")
    with pytest.raises(InputError, match="screen must be one of"):
        Settings("photos", screen="magic")


def test_heirs_are_not_screened() -> None:
    with pytest.raises(InputError, match="screen and inherit cannot be combined"):
        Settings("photos", inherit=True, screen="naswot")
