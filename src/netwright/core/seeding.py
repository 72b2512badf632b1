"""One rule for every random stream: a generator is a function of a seed and of what it is for."""

from __future__ import annotations

import hashlib
import random

Part = int | str


def derive(seed: int, *parts: Part) -> int:
    """A 64-bit seed from `seed` and the parts that name its purpose. Equal arguments give equal seeds everywhere."""
    text = "\x1f".join([str(seed), *(f"{type(part).__name__}:{part}" for part in parts)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def stream(seed: int, *parts: Part) -> random.Random:
    """A generator of the standard library seeded with `derive(seed, *parts)`."""
    return random.Random(derive(seed, *parts))
