from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from netwright.core.candidate import Value
from netwright.reports.answers import (
    Epoch,
    compute_calibration,
    compute_confusion,
    compute_curve,
    compute_mistakes,
    labels_of,
)
from netwright.reports.importance import compute_importance, group_of, slots_of
from netwright.reports.network import compute_differences, folded
from netwright.reports.sections.trust import rising_after
from netwright.reports.view import RunView
from tests.reports.runs import make_run


def test_the_confusion_matrix_counts_every_test_image(view: RunView) -> None:
    told = compute_confusion(view, view.roles.winner)
    assert told is not None
    assert view.test_labels is not None
    assert sum(map(sum, told.counts)) == len(view.test_labels)
    for number, row in enumerate(told.classes):
        assert row.images == sum(told.counts[number]) == int((view.test_labels == number).sum())
        assert row.low <= row.share <= row.high
    assert told.pairs[0].images == max(
        told.counts[i][j] for i in range(len(told.labels)) for j in range(len(told.labels)) if i != j
    )


def test_mistakes_are_wrong_and_in_order_of_confidence(view: RunView) -> None:
    told = compute_mistakes(view, view.roles.winner)
    answers = view.test_answers(view.roles.winner)
    assert told
    assert answers is not None
    assert view.test_labels is not None
    for entry in told:
        assert entry.true != entry.answered
        assert view.task.labels[view.test_labels[entry.index]] == entry.true
        assert answers[entry.index].max() == pytest.approx(entry.confidence)
    confidences = [entry.confidence for entry in told]
    assert confidences == sorted(confidences, reverse=True)


def test_names_of_images_go_where_images_go(view: RunView) -> None:
    assert all(entry.name for entry in compute_mistakes(view, view.roles.winner))
    assert not any(entry.name for entry in compute_mistakes(replace(view, image=None), view.roles.winner))


def test_a_sure_and_right_network_is_calibrated_and_a_boaster_is_not(tmp_path: Path, view: RunView) -> None:
    rng = np.random.default_rng(0)
    labels = np.zeros(2000, dtype=np.int64)
    sure = rng.uniform(0.6, 1.0, 2000)
    right = rng.random(2000) < sure
    honest = np.where(right[:, None], np.stack([sure, 1 - sure], 1), np.stack([1 - sure, sure], 1))
    boasting = np.where(honest > 0.5, 0.999, 0.001)
    errors = []
    for name, answers in (("honest", honest), ("boasting", boasting)):
        path = tmp_path / f"{name}.npy"
        np.save(path, answers.astype(np.float32))
        task = replace(view.task, labels=("a", "b"))
        told = compute_calibration(
            replace(view, task=task, test_labels=labels, files=lambda trial, artefact, path=path: path), 1
        )
        assert told is not None
        assert sum(entry.images for entry in told.bins) == 2000
        errors.append(told.error)
    assert errors[0] < 0.03
    assert errors[1] > 0.15


def test_a_curve_may_miss_values(tmp_path: Path, view: RunView) -> None:
    path = tmp_path / "curve.json"
    path.write_text('[{"epoch": 1, "train_loss": 2.0}, {"epoch": 2, "train_loss": 1.5, "validation_loss": 1.7}]')
    told = compute_curve(replace(view, files=lambda trial, name: path), 1)
    assert [(entry.epoch, entry.train_loss, entry.validation_loss) for entry in told] == [(1, 2.0, None), (2, 1.5, 1.7)]


def test_a_rising_loss_is_seen_and_noise_is_not() -> None:
    rng = np.random.default_rng(0)
    settled = [Epoch(i, None, float(0.2 + 1 / i + 0.02 * rng.random()), None) for i in range(1, 61)]
    rising = [replace(e, validation_loss=(e.validation_loss or 0) + max(0, e.epoch - 30) * 0.01) for e in settled]
    assert rising_after(settled) is None
    assert rising_after(settled[:4]) is None
    lowest = rising_after(rising)
    assert lowest is not None
    assert 20 <= lowest <= 45


def test_class_names_are_fit_to_show_and_differ(view: RunView) -> None:
    task = replace(view.task, labels=("a\x1b[31m", "a", "", "b\n"))
    assert labels_of(replace(view, task=task)) == ("a", "a (1)", "class 2", "b")


def test_answers_of_another_shape_are_not_believed(tmp_path: Path, view: RunView) -> None:
    path = tmp_path / "test.npy"
    np.save(path, np.ones((3, 2), dtype=np.float32))
    assert replace(view, files=lambda trial, name: path).test_answers(1) is None


# -- importance --------------------------------------------------------------------------------------------------------


def test_slots_number_elements_as_they_stand() -> None:
    decisions: dict[str, Value] = {
        "network/0/width": 16,
        "network/1": ("#aa", "#bb"),
        "network/1/#bb": "Conv",
        "network/1/#bb/Conv/kernel": 5,
        "network/1/#aa": "Skip",
        "network/2": ("left", "right"),
    }
    assert slots_of(decisions) == {
        "network/0/width": 16,
        "network/1/length": 2,
        "network/1/[1]": "Conv",
        "network/1/[1]/Conv/kernel": 5,
        "network/1/[0]": "Skip",
        "network/2/left": 1,
        "network/2/right": 1,
    }
    assert group_of("network/1/[1]/Conv/kernel") == "network/1/[]/Conv/kernel"


def test_with_few_trials_the_report_says_how_many_are_missing(view: RunView) -> None:
    told = compute_importance(view)
    assert told.decisions == ()
    assert told.needed == 100 - told.trials > 0


def test_the_decision_that_matters_comes_first(tmp_path: Path) -> None:
    """In the made-up runs the learning rate decides most and the first kernel nothing."""
    told = compute_importance(make_run(tmp_path, trials=400))
    assert told.needed == 0
    assert told.explained > 0.3
    assert told.decisions[0].name == "recipe/lr"
    assert told.decisions[0].low > 0
    assert all(row.low <= row.high for row in told.decisions)
    means = [effect.mean for effect in told.effects["recipe/lr"]]
    assert max(means[1:4]) > max(means[0], means[-1])


def test_noise_is_called_noise(tmp_path: Path) -> None:
    view = make_run(tmp_path, trials=400)
    rng = np.random.default_rng(0)
    for trial in view.history.trials.values():
        if "accuracy" in trial.measurements:
            made = replace(trial.measurements["accuracy"], value=float(rng.uniform(0.4, 0.6)), low=None, high=None)
            trial.measurements = {**trial.measurements, "accuracy": made}
    told = compute_importance(view)
    assert told.explained < 0.05
    assert told.effects == {}


# -- the network -------------------------------------------------------------------------------------------------------


def step(op: str, block: str, group: int, shape: list[int], parameters: int = 0) -> dict[str, object]:
    return {"op": op, "block": block, "group": group, "shape": shape, "parameters": parameters, "macs": 10 * parameters}


def test_equal_neighbours_are_folded_and_sums_kept() -> None:
    steps = [
        step("input", "", 0, [3, 32, 32]),
        step("normalize", "", 0, [3, 32, 32]),
        *(
            part
            for group in (1, 2, 3)
            for part in (
                step("conv", "Conv 16, kernel 3", group, [16, 32, 32], 100),
                step("norm", "Conv 16, kernel 3", group, [16, 32, 32], 4),
            )
        ),
        step("linear", "linear 10", 4, [10], 170),
    ]
    blocks = folded(steps)
    assert [(block.title, block.times, block.parameters) for block in blocks] == [
        ("input", 1, 0),
        ("Conv 16, kernel 3", 3, 312),
        ("linear 10", 1, 170),
    ]
    assert sum(block.parameters for block in blocks) == sum(int(str(entry["parameters"])) for entry in steps)


def test_differences_are_said_in_words(view: RunView) -> None:
    handmade = view.history.trials[view.roles.handmade or 0].proposal.candidate
    small = folded([step("conv", "Conv 16, kernel 3", 1, [16, 8, 8], 1000), step("linear", "linear", 2, [10], 160)])
    large = folded([step("conv", "MBConv 64, kernel 5", 1, [64, 8, 8], 9000), step("linear", "linear", 2, [10], 650)])
    other = replace(handmade, recipe={**handmade.recipe, "lr": 0.02})
    lines = compute_differences(small, other, large, handmade)
    assert lines[0] == "8.3 times fewer parameters (1.16k, there 9.65k)"
    assert "16 channels at the widest, there 64" in lines
    assert "learning rate 0.02, there 0.1" in lines
    assert compute_differences(small, handmade, small, handmade) == []
