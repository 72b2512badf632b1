"""The device card tells machines apart and people nothing about whose they are."""

from __future__ import annotations

import getpass
import json
import socket

import pytest

from netwright.hardware.device import device_card


def test_the_hash_covers_what_decides_a_latency() -> None:
    card = device_card()
    assert card == device_card()
    assert card["hash"] != device_card(threads=2)["hash"]
    assert card["cores"] >= 1 and card["cpu"] and "onnxruntime" in card["runtimes"]


@pytest.mark.attack(20)
def test_the_card_names_neither_host_nor_person() -> None:
    words = {json.dumps(value) for value in device_card().values()}
    for secret in (socket.gethostname(), getpass.getuser()):
        assert json.dumps(secret) not in words
