from __future__ import annotations

import pytest

from netwright.core.text import plain, plain_lines, public


@pytest.mark.attack(18)
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cat\x1b[31m red\x1b[0m", "cat red"),
        ("\x1b]0;title\x07name", "name"),
        ("a\rb\nc\td", "a b c d"),
        ("left\u202eright", "leftright"),
        ("bell\x07\x00", "bell"),
        ("naïve ×3 – ok", "naïve ×3 – ok"),
    ],
)
def test_no_control_character_is_left(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_lines_stay_lines() -> None:
    assert plain_lines("one\n\ttwo\x1b[2J\nthree") == "one\n    two\nthree"


@pytest.mark.attack(20)
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('File "/home/ada/project/fit.py", line 88', 'File "…/fit.py", line 88'),
        ("read /data/x/y.png: broken", "read …/y.png: broken"),
        (r"C:\Users\ada\x.png is broken", "…/x.png is broken"),
        ("https://ada:hunter2@example.org/a", "https://…@example.org/a"),
        ("API_KEY=abc123 next", "API_KEY=… next"),
        ("token: 'abc123'", "token: '…'"),
        ("hf_abcdefghijk1234", "…"),
        ("runs/signs and 3/4 of 1 / 2", "runs/signs and 3/4 of 1 / 2"),
        ("network/2/#4fd1/kernel: too large", "network/2/#4fd1/kernel: too large"),
    ],
)
def test_secrets_and_paths_are_left_out(text: str, shown: str) -> None:
    assert public(text) == shown
