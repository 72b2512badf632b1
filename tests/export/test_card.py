from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from netwright.core.measurement import Measurement
from netwright.export.card import card_text
from tests.export.exports import FILES, TASK, make_card, make_export
from tests.networks.plans import PLANS, make_task


def test_card_names_data_figures_limits_and_licence() -> None:
    text = card_text(make_card(), PLANS["mbconv"](TASK), TASK)
    assert "| accuracy | test | 95.7 % | 93.1 % to 97.8 % | 150 images |" in text
    assert "| accuracy | validation | 97.3 % | 95.0 % to 99.0 % | 150 images |" in text
    assert "| parameters |  | 1,789 | exact |  |" in text
    assert "| latency |  | 0.123 ms | 0.120 ms to 0.130 ms | 25 blocks |" in text
    assert "The network keeps these limits: parameters ≤ 2k." in text
    assert "The network beats the random forest by 3.1 points" in text
    assert "`blake2b:0123abcd`" in text and "700 train, 150 validation, 150 test" in text
    assert "Licence of the data: CC-BY-4.0" in text
    assert "A convolutional network of 1,789 parameters" in text
    flat = make_task((64, 1, 1))
    text = card_text(make_card(), PLANS["mlp"](flat), flat)
    assert "A fully connected network" in text and "sorts lists of 64 numbers into 5 classes" in text


def test_an_unknown_licence_is_said_to_be_unknown() -> None:
    text = card_text(make_card(licence=None, limits=(), verdict=""), PLANS["mbconv"](TASK), TASK)
    assert "Licence of the data: not known" in text
    assert "keeps these limits" not in text


def test_the_card_lists_the_files_there_are(tmp_path: Path) -> None:
    text = (make_export(tmp_path / "export") / "README.md").read_text(encoding="utf-8")
    for name in FILES - {"README.md"}:
        assert f"`{name}`" in text or name in text, name


def test_many_classes_are_cut_short() -> None:
    task = make_task(outputs=1000)
    text = card_text(make_card(), PLANS["mbconv"](task), task)
    assert "class 29, and 970 more, all in labels.json." in text and "class 30" not in text


def test_names_from_data_are_not_markup() -> None:
    task = replace(TASK, labels=("<img src=x onerror=alert(1)>", "a|b", "# c\n\n# d", "[x](http://y)", "`e`"))
    text = card_text(make_card(data="<script>alert(1)</script>\n# New"), PLANS["mbconv"](task), task)
    assert "\n# d" not in text and "\n# New" not in text
    for mark, escaped in (
        ("<img", "\\<img"),
        ("<script", "\\<script"),
        ("a|b", "a\\|b"),
        ("[x](", "\\[x\\]("),
        ("`e`", "\\`e\\`"),
    ):
        assert mark not in text.replace(escaped, ""), mark


@pytest.mark.attack(20)
def test_no_paths_and_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = "canary7f3a"
    monkeypatch.setenv("SERVICE_TOKEN", canary)
    home = f"/home/{canary}/projects"
    card = make_card(
        data=f"{home}/shapes",
        verdict=f"Trained from {home}/run and https://user:{canary}@example.org/x.",
        caveats=(f"api_key={canary}", f"see C:\\Users\\{canary}\\notes.txt"),
        counts={f"{home}/train": 3},
        licence=f"see {home}/LICENSE",
        measurements=[("accuracy", Measurement(0.9, split="test"))],
    )
    folder = make_export(tmp_path / "export", card=card)
    for path in folder.iterdir():
        content = path.read_bytes()
        assert canary.encode() not in content, path.name
        for place in (str(tmp_path), str(Path.home()), os.getcwd()):
            assert place == "/" or place.encode() not in content, path.name
    assert "shapes" in (folder / "README.md").read_text(encoding="utf-8")
