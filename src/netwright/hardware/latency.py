"""Latency of ONNX models on one thread of this CPU, measured side by side.

Every round gives each model one short block of calls, in a freshly shuffled order, so that whatever else the machine
does hits all of them alike. What counts is CPU time of the calling thread and the 25th percentile of block means:
noise only ever makes a block slower. Compare numbers of one call with each other; numbers of two calls carry the
machine's mood in between.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from netwright.core.seeding import derive, stream
from netwright.hardware.blocks import Timing, summarise
from netwright.hardware.reference import reference_model
from netwright.hardware.session import Call, caller

Clock = Callable[[], float]

ROUNDS = 25
BLOCK_SECONDS = 4e-3
FEWEST_CALLS, MOST_CALLS = 4, 50
REFERENCE = "reference"
"""Name of the fixed network that runs along when a model would be timed alone."""


def measure(
    models: Mapping[str, bytes | Path], shape: tuple[int, ...], *, rounds: int = ROUNDS, seed: int = 0
) -> dict[str, Timing]:
    """Latency of each model for one `uint8` image of `shape` (channels, height, width), batch 1, one thread.

    A single model is interleaved with the reference network, whose timing is returned as well, under `REFERENCE`.
    What is not steady is measured once more, all together, and then returned with its verdict. The process stays on
    one core meanwhile, where the system allows that. Raises Untrusted for a model that onnxruntime refuses.
    """
    image = np.random.default_rng(seed).integers(0, 256, (1, *shape), dtype=np.uint8)
    with one_core():
        calls: dict[str, Call] = {name: caller(model, image) for name, model in models.items()}
        if len(calls) == 1:
            model, inputs = reference_model()
            calls[REFERENCE] = caller(model, inputs)
        timings = time_calls(calls, rounds=rounds, seed=seed)
        again = {name: calls[name] for name in models if timings[name].verdict != "steady"}
        if again:
            repeated = {**again, **({REFERENCE: calls[REFERENCE]} if REFERENCE in calls else {})}
            timings |= time_calls(repeated, rounds=rounds, seed=derive(seed, "again"))
    return timings


def time_calls(
    calls: Mapping[str, Call], *, rounds: int, seed: int, clock: Clock = time.thread_time
) -> dict[str, Timing]:
    """Time calls against each other in interleaved blocks; `clock` counts seconds.

    The first call of each, which plans memory, and three more are not counted.
    """
    counts = {name: _calls_a_block(call, clock) for name, call in calls.items()}
    blocks: dict[str, list[float]] = {name: [] for name in calls}
    order, shuffle = list(calls), stream(seed, "rounds").shuffle
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            call, count = calls[name], counts[name]
            call()  # caches are cold after the others
            began = clock()
            for _ in range(count):
                call()
            blocks[name].append((clock() - began) / count * 1e3)
    return {name: summarise(values, derive(seed, name)) for name, values in blocks.items()}


def _calls_a_block(call: Call, clock: Clock) -> int:
    """Warm up, then choose how many calls make a block short enough to be missed by most interruptions."""
    for _ in range(4):
        call()
    began = clock()
    for _ in range(FEWEST_CALLS):
        call()
    once = (clock() - began) / FEWEST_CALLS
    return min(max(round(BLOCK_SECONDS / max(once, 1e-9)), FEWEST_CALLS), MOST_CALLS)


@contextmanager
def one_core() -> Iterator[None]:
    """Keep the calling thread on one core, then let it go. Does nothing where the system has no affinity (macOS)."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    cores = sorted(allowed)
    os.sched_setaffinity(0, {cores[os.getpid() % len(cores)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
