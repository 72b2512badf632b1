"""Stored candidates that try to name code: whatever they hold is refused by a closed list, and nothing is run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.core.errors import CandidateError
from netwright.core.trial import Fidelity, Proposal
from netwright.spaces.keys import verify
from netwright.spaces.shapes import plan
from tests.spaces.helpers import task
from tests.spaces.spaces import ENDLESS

CANARY = "canary-of-a-hostile-candidate"

HYDRA = [
    {"_target_": "os.system", "_args_": [f"touch {CANARY}"]},
    {"_target_": "pathlib.Path.touch", "_args_": [{"_target_": "pathlib.Path", "_args_": [CANARY]}]},
    {"_target_": "builtins.exec", "_args_": [f"open('{CANARY}', 'w')"]},
    {"_target_": "hydra.utils.instantiate", "_recursive_": True},
    {"_partial_": True, "_target_": "subprocess.run"},
    {"py/object": "subprocess.Popen", "py/reduce": [{"py/function": "os.system"}, {"py/tuple": [f"touch {CANARY}"]}]},
    {"py/type": "os.system"},
    {"class_path": "os.system", "init_args": {"command": f"touch {CANARY}"}},
    {"__class__": "Conv", "__module__": "os", "__reduce__": ["os.system", [f"touch {CANARY}"]]},
    {"module": "torch.nn", "name": "Conv2d"},
    f"!!python/object/apply:os.system ['touch {CANARY}']",
    f"${{eval:open('{CANARY}','w')}}",
    f"__import__('os').system('touch {CANARY}')",
]


HONEST = (0, 1, 2, 4)
"""Seeds whose candidates have a path from input to output."""


def sample(seed: int = HONEST[0]) -> dict:
    return json.loads(json.dumps(Proposal(ENDLESS.sample(Random(seed)), Fidelity(1)).to_json()))


def read(record: object) -> None:
    """What is done with a stored proposal before a network is built from it. Raises CandidateError."""
    candidate = Proposal.from_json(json.loads(json.dumps(record))).candidate
    verify(candidate)
    assert candidate.architecture is not None
    plan(candidate.architecture, task())


def places(value: object) -> Iterator[tuple[list | dict, int | str]]:
    """Every place in a record, as (container, key)."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key  # type: ignore[misc]
        yield from places(value[key])  # type: ignore[index]


def test_an_honest_candidate_is_read():
    for seed in HONEST:
        read(sample(seed))


@pytest.mark.attack(2)
@pytest.mark.parametrize("payload", HYDRA, ids=lambda payload: json.dumps(payload)[:40])
def test_a_payload_in_any_place_of_the_layers_or_the_recipe_is_refused(payload, tmp_path, monkeypatch):
    """In place of every value of the layers and of the recipe, and beside it; nothing is run, nothing imported."""
    monkeypatch.chdir(tmp_path)
    imported, refusals = set(sys.modules), 0
    for part in ("layers", "recipe"):
        for number in range(len(list(places(sample()["candidate"][part])))):
            record = sample()
            container, key = list(places(record["candidate"][part]))[number]
            if key == "address" and isinstance(payload, str):
                continue  # an address is a text for people
            container[key] = payload
            with pytest.raises(CandidateError):
                read(record)
            refusals += 1
            if isinstance(container, dict) and isinstance(payload, dict):
                record = sample()
                container, _ = list(places(record["candidate"][part]))[number]
                container.update(payload)
                with pytest.raises(CandidateError):
                    read(record)
    assert refusals > 20
    assert set(sys.modules) == imported
    assert not Path(CANARY).exists()


WORDS = {"layer", "act", "order", "join", "output", "kind", "optimizer", "schedule", "augment"}
no_words = st.text().map("os.{}".format) | st.text().map("{}()".format) | st.text().map("_{}".format)


@pytest.mark.attack(2)
@settings(max_examples=200, deadline=None)
@given(st.sampled_from(HONEST), st.sampled_from(["layers", "recipe"]), st.data())
def test_any_text_in_place_of_a_word_is_refused(seed, part, data):
    record = sample(seed)
    found = [(container, key) for container, key in places(record["candidate"][part]) if key in WORDS]
    container, key = data.draw(st.sampled_from(found))
    container[key] = data.draw(no_words)
    with pytest.raises(CandidateError, match="must be|unknown"):
        read(record)
