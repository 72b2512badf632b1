"""The command line: exit codes, one line for an error, answers for programs. Whole runs are in `experiment/`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.experiment.commands import CANARY, TINY, Done, call, class_folders, spawn


def refused(done: Done, code: int, *words: str) -> None:
    """The exit code, and one message on standard error without anything of Python's own."""
    assert done.code == code, done.err
    assert done.out == ""
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("search", "no-such-folder"), 3, "no-such-folder"),
        (("search", "https://example.org/data"), 3, "address"),
        (("search", "digits", "--space", "no-such-space"), 2, "no-such-space"),
        (("search", "digits", "--space", "missing.py:space"), 2, "missing.py"),
        (("search", "digits", "--strategy", "no-such-strategy"), 2, "no-such-strategy"),
        (("search", "digits", "--workers", "0"), 2, "at least 1"),
        (("search", "digits", "--epochs", "-3"), 2, "at least 1"),
        (("search", "digits", "--executor", "cloud"), 2, "inline, local"),
        (("search", "digits", "--precision", "int8"), 2, "bf16"),
        (("search", "digits", "--rival", "grid"), 2, "random"),
        (("search", "digits", "--objective", "beauty"), 2, "beauty"),
        (("search", "digits", "--objective", "accuracy", "--objective", "accuracy"), 2, "twice"),
        (("search", "digits", "--trials", "0"), 2, "trials"),
        (("search", "digits", "--minutes", "-1"), 2, "minutes"),
        (("search", "digits", "--size", "huge"), 3, "huge"),
        (("fidelity", "no-such-folder"), 3, "no-such-folder"),
        (("fidelity", "digits", "--networks", "5"), 2, "at least 6"),
        (("fidelity", "digits", "--space", "no-such-space"), 2, "no-such-space"),
        (("fidelity", "digits", "--epochs", "0"), 2, "at least 1"),
        (("fidelity", "digits", "--minutes", "0"), 2, "minutes"),
    ],
)
def test_what_does_not_fit_is_one_line(arguments: tuple[str, ...], code: int, word: str, tmp_path: Path) -> None:
    done = call(*arguments, "--out", tmp_path / "run")
    refused(done, code, word)
    assert len(done.err.strip().splitlines()) == 1 or "\n    " in done.err, done.err
    assert done.err.startswith("error: ")


def test_a_wrong_space_is_refused_before_the_data_are_decoded(tmp_path: Path) -> None:
    assert call("search", "digits", "--space", "no-such-space", "--out", tmp_path / "run").code == 2
    assert not (tmp_path / "run" / "data").exists()


@pytest.mark.parametrize(
    ("limit", "at"),
    [
        ("parameters=<5", 10),
        ("speed<=5", 0),
        ("parameters<=many", 12),
        ("latency<=2kB", 10),
        ("parameters", 10),
    ],
)
def test_a_limit_that_cannot_be_read_is_pointed_at(limit: str, at: int, tmp_path: Path) -> None:
    done = call("search", "digits", "--limit", limit, "--out", tmp_path / "run")
    refused(done, 2)
    first, text, mark = done.err.rstrip("\n").split("\n")
    assert first.startswith("error: ")
    assert text == f"    {limit}"
    assert mark == f"    {' ' * at}^"


@pytest.mark.parametrize("command", ["status", "report", "export", "clean", "doctor"])
def test_a_folder_that_is_no_run(command: str, tmp_path: Path) -> None:
    refused(call(command, tmp_path), 2, "is not the folder of a run")
    assert list(tmp_path.iterdir()) == []


def test_a_prediction_without_a_run(tmp_path: Path) -> None:
    refused(call("predict", tmp_path, "image.png"), 2, "is not the folder of a run")


@pytest.mark.parametrize("arguments", [("search", "digits"), ("search",), ("dance",), ("status", "--loud", "x")])
def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    done = call(*arguments)
    assert done.code == 2
    assert "Traceback" not in done.err


def test_from_a_shell_errors_go_to_standard_error(tmp_path: Path) -> None:
    refused(spawn("search", "no-such-folder", "--out", tmp_path / "run", "--json"), 3, "error: ", "no-such-folder")


@pytest.mark.attack(18)
def test_what_was_typed_cannot_colour_the_terminal(tmp_path: Path) -> None:
    done = call("search", "\x1b[31mred\x07", "--out", tmp_path / "run")
    refused(done, 3)
    assert "\x1b" not in done.err
    assert "\x07" not in done.err


def test_spaces_are_listed_and_described() -> None:
    listed = call("spaces", "--json").answer
    names = [entry["name"] for entry in listed]
    assert {"chain", "mlp", "nasbench201"} <= set(names)
    assert all(entry["about"] for entry in listed)
    assert all(name in call("spaces").out for name in names)
    chain = call("spaces", "chain", "--json").answer
    assert chain["name"] == "chain"
    assert chain["size"] is None, "a learning rate is continuous"


def test_the_published_number_of_cells() -> None:
    found = call("spaces", "nasbench201", "--json").answer
    assert found["size"] == 15_625
    assert found["distinct_published"] == 6_466


def test_a_space_that_is_not_there_names_those_that_are() -> None:
    refused(call("spaces", "no-such-space"), 2, "chain")


def test_strategies_are_listed() -> None:
    listed = call("strategies", "--json").answer
    assert {"random", "nsga2"} <= {entry["name"] for entry in listed}
    assert all(entry["kind"] for entry in listed)
    assert "+halving" in call("strategies").out


def test_doctor_examines_the_machine() -> None:
    done = call("doctor", "--json")
    assert done.code == 0
    assert done.answer["cores"] >= 1
    assert "torch" in done.answer["libraries"]
    assert call("doctor").out.startswith("netwright ")


@pytest.mark.usefixtures("onnxruntime_by_another_name")
def test_doctor_knows_libraries_by_another_name() -> None:
    done = call("doctor", "--json")
    assert done.code == 0, done.err
    assert "onnxruntime" not in done.answer["libraries"]


def test_data_check_finds_nothing_in_good_data(tmp_path: Path) -> None:
    pictures = class_folders(tmp_path / "pictures")
    done = call("data", "check", pictures, "--json")
    assert done.code == 0, done.err
    assert all(finding["severity"] != "stop" for finding in done.answer)


def test_data_check_stops_at_bad_data(tmp_path: Path) -> None:
    pictures = class_folders(tmp_path / "pictures")
    (pictures / "light" / "003.png").write_bytes(b"no picture")
    for name in (pictures / "dark").iterdir():
        name.unlink()
    done = call("data", "check", pictures, "--json")
    assert done.code == 3
    assert any(finding["severity"] == "stop" for finding in done.answer)
    assert all(finding["message"] and finding["fix"] for finding in done.answer)
    words = call("data", "check", pictures)
    assert words.code == 3
    assert "what to do:" in words.out
    assert call("search", pictures, *TINY, "--trials", "2", "--out", tmp_path / "run").code == 3


def test_a_dry_run_trains_nothing(tmp_path: Path) -> None:
    pictures = class_folders(tmp_path / f"{CANARY}-pictures")
    command = ("search", pictures, "--minutes", "1", "--epochs", "4", "--out", tmp_path / "run", "--dry-run")
    done = call(*command, "--space", "mlp", "--json")
    assert done.code == 0, done.err
    found = done.answer
    assert found["space"]["name"] == "mlp"
    assert found["data"]["images"] == 60
    assert found["sample"]["parameters"] > 0
    assert found["epochs"][-1] == 4
    assert found["trial_seconds"] > 0
    assert found["trials"] > 0
    assert not (tmp_path / "run").exists()
    few = call(*command, "--space", "mlp", "--minutes", "600", "--trials", "2", "--json").answer
    assert few["trials"] == 2
    words = call(*command, "--space", "mlp").out
    assert "of them fit into the search" in words
    assert "parameters" in words


def test_the_answer_is_strict_json(tmp_path: Path) -> None:
    """No NaN and no infinity, which JSON does not have."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    for command in (("spaces",), ("strategies",), ("doctor",)):
        json.loads(call(*command, "--json").out, parse_constant=refuse)
