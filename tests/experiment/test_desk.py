"""What a proposal costs by arithmetic, what a worker is asked to do, and which weights stay."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from netwright.core.candidate import Candidate
from netwright.core.events import Failed, Finished
from netwright.core.job import Allowance
from netwright.core.measurement import Measurement, measurements_to_json
from netwright.core.objective import parse_goal
from netwright.core.task import TaskSpec
from netwright.core.trial import UNTRAINED, Continue, Fidelity, Inherit, Proposal, TrialId
from netwright.experiment.desk import Desk
from netwright.spaces.catalog import load_space

TASK = TaskSpec((1, 8, 8), tuple("0123456789"), (0.5,), (0.25,))
NETWORK = load_space("mlp", TASK).sample(random.Random(4))
CLASSIC = Proposal(Candidate("linear", None, {}), Fidelity(0), origin="baseline", notes={"role": "linear"})


def desk(*limits: str, precision: str | None = None) -> Desk:
    return Desk(
        goal=parse_goal((), limits),
        task=TASK,
        data=Path("data"),
        allowance=lambda: Allowance(60.0, 10**9),
        forced_precision=precision,
    )


def no_files(trial: TrialId) -> dict[str, Path]:
    return {}


def finished(trial: TrialId, accuracy: float = 0.9, parameters: float = 10.0, precision: str | None = None) -> Finished:
    measurements = {"accuracy": Measurement(accuracy, split="validation"), "parameters": Measurement(parameters)}
    return Finished(trial, "completed", measurements, notes={} if precision is None else {"precision": precision})


def test_a_network_outside_a_limit_is_refused_with_its_numbers() -> None:
    refused = desk("parameters<=10").refuse("search", 1, Proposal(NETWORK, Fidelity(1)))
    assert isinstance(refused, Finished)
    assert refused.status == "infeasible"
    assert refused.measurements["parameters"].value > 10
    assert set(refused.measurements) == {"parameters", "macs"}


@pytest.mark.parametrize("source", ["baseline", "final"])
def test_baselines_and_finalists_are_trained_whatever_the_limits(source: str) -> None:
    assert desk("parameters<=10").refuse(source, 1, Proposal(NETWORK, Fidelity(1))) is None


def test_a_network_inside_the_limits_and_a_classic_model_pass() -> None:
    assert desk("parameters<=10M").refuse("search", 1, Proposal(NETWORK, Fidelity(1))) is None
    assert desk("parameters<=10").refuse("search", 1, CLASSIC) is None


def test_a_network_that_cannot_be_built_is_invalid_with_a_reason() -> None:
    record = NETWORK.to_json()
    record["layers"] = [{"layer": "no such layer", "address": "x"}]
    record["key"] = "broken"
    refused = desk().refuse("search", 3, Proposal(Candidate.from_json(record), Fidelity(1)))
    assert isinstance(refused, Failed)
    assert (refused.trial, refused.status) == (3, "invalid")
    assert "no such layer" in refused.reason


def test_the_job_of_a_search_trial() -> None:
    found = desk("latency<=2ms", "macs<=1G", "accuracy>=50%").order("search", Proposal(NETWORK, Fidelity(1)), no_files)
    assert found.evaluation == "train"
    assert found.settings["full"] is False
    assert found.settings["measure"] == ["latency"]
    assert found.settings["refuse_above"] == {"latency": 2.0}, "what a worker can refuse before it trains"
    assert found.allowance.seconds == 60


def test_a_full_training_refuses_nothing() -> None:
    found = desk("latency<=2ms").order("final", Proposal(NETWORK, Fidelity(9)), no_files)
    assert found.settings["full"] is True
    assert found.settings["refuse_above"] == {}


def test_a_classic_model_is_fitted_by_its_own_evaluation() -> None:
    assert desk().order("baseline", CLASSIC, no_files).evaluation == "classic"


def test_a_promotion_takes_the_checkpoint_where_it_is_still_there() -> None:
    promoted = Proposal(NETWORK, Fidelity(3, trunk=True), Continue(1))
    there = desk().order("search", promoted, lambda trial: {"checkpoint": Path(f"of-{trial}"), "weights": Path("w")})
    assert there.inputs == {"checkpoint": Path("of-1")}
    assert desk().order("search", promoted, no_files).inputs == {}


def test_a_child_takes_weights_and_plan_of_its_parent_where_both_are_still_there() -> None:
    child = Proposal(NETWORK, Fidelity(3), Inherit(1, {"added": [], "removed": [], "changed": []}))
    files = {"weights": Path("w"), "layers": Path("l"), "checkpoint": Path("c")}
    assert desk().order("search", child, lambda trial: files).inputs == {
        "parent": Path("w"),
        "parent_layers": Path("l"),
    }
    for missing in ("weights", "layers"):
        left = {name: path for name, path in files.items() if name != missing}
        assert desk().order("search", child, lambda trial, left=left: left).inputs == {}


def test_precision_is_decided_once_for_each_set_of_layers() -> None:
    room, one = desk(), Proposal(NETWORK, Fidelity(1))
    assert NETWORK.architecture is not None
    assert room.precision_of(NETWORK.architecture) == "auto"
    (fact,) = room.facts(one, finished(1, precision="bf16"))
    assert fact.topic == "precision"
    assert fact.data["precision"] == "bf16"
    assert room.precision_of(NETWORK.architecture) == "bf16"
    assert not room.facts(one, finished(2, precision="fp32")), "the first trial decides"
    assert room.precision_of(NETWORK.architecture) == "bf16"


def test_a_precision_that_was_asked_for_holds() -> None:
    room = desk(precision="fp32")
    assert NETWORK.architecture is not None
    assert not room.facts(Proposal(NETWORK, Fidelity(1)), finished(1, precision="bf16"))
    assert room.precision_of(NETWORK.architecture) == "fp32"


def test_what_stays_are_fronts_baselines_and_finalists() -> None:
    space, rng, room = load_space("mlp", TASK), random.Random(1), desk()
    room.hear("baseline", CLASSIC, finished(1))
    for trial, accuracy in ((2, 0.5), (3, 0.9), (4, 0.7)):
        room.hear("search", Proposal(space.sample(rng), Fidelity(1)), finished(trial, accuracy))
    room.hear("rival", Proposal(space.sample(rng), Fidelity(1)), finished(5, 0.1))
    room.hear("final", Proposal(space.sample(rng), Fidelity(3)), finished(6, 0.2))
    assert room.keep() == {1, 3, 5, 6}
    linear = room.baseline("linear")
    assert linear is not None and linear.event.trial == 1
    assert room.baseline("handmade") is None


def test_the_search_never_hears_of_its_rival() -> None:
    room = desk()
    room.hear("rival", Proposal(NETWORK, Fidelity(1)), finished(5, 1.0))
    assert "search" not in room.standings
    assert measurements_to_json(room.standings["rival"].front()[0].measurements)["accuracy"]["value"] == 1.0


def scored(trial: TrialId, value: float, parameters: float = 10.0) -> Finished:
    return Finished(
        trial, "completed", {"synflow": Measurement(value), "parameters": Measurement(parameters, source="computed")}
    )


def test_a_network_of_no_epochs_is_scored_on_the_images_of_the_run() -> None:
    room = desk()
    room.score, room.seed = "synflow", 7
    found = room.order("search", Proposal(NETWORK, UNTRAINED), no_files)
    assert found.evaluation == "score"
    assert (found.settings["scores"], found.settings["seed"]) == (["synflow"], 7)
    assert room.order("search", Proposal(NETWORK, Fidelity(1)), no_files).evaluation == "train"


def test_scores_are_no_results_but_of_a_search_that_has_no_others() -> None:
    room = desk()
    room.score = "synflow"
    room.hear("search", Proposal(NETWORK, UNTRAINED), scored(1, 9.0))
    assert "search" not in room.standings
    room.trains = False
    for trial, value, parameters in ((1, 9.0, 900.0), (2, 5.0, 10.0), (3, 4.0, 500.0)):
        other = Candidate("network", NETWORK.architecture, {"lr": float(trial)})
        room.hear("search", Proposal(other, UNTRAINED), scored(trial, value, parameters))
    assert [entry.trial for entry in room.standings["search"].front()] == [1, 2]
    room.hear("rival", Proposal(NETWORK, Fidelity(1)), finished(5, 0.5))
    assert [str(objective) for objective in room.standings["rival"].goal.objectives] == [
        "accuracy:max",
        "parameters:min",
    ]
