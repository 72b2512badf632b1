"""Events that tests write and look for."""

from __future__ import annotations

from netwright.core.candidate import Architecture, Candidate
from netwright.core.events import Asked, Event, Finished, Started
from netwright.core.measurement import Measurement
from netwright.core.trial import Fidelity, Proposal


def trial_story(trial: int, parents: tuple[int, ...] = (), padding: int = 20) -> list[Event]:
    """A trial asked, started and finished; `padding` layers make it as large as a real one (1.5 kB)."""
    layers = tuple(
        {"layer": "Conv", "address": f"network/{index}", "width": 16, "kernel": 3} for index in range(padding)
    )
    candidate = Candidate("network", Architecture(layers, f"{trial:032x}"), {"lr": 0.1})
    accuracy = Measurement(0.9, low=0.88, high=0.92, samples=1000, split="validation")
    return [
        Asked("nsga2", ((trial, Proposal(candidate, Fidelity(2), parents=parents)),)),
        Started(trial, 1, "local-1"),
        Finished(trial, "completed", {"accuracy": accuracy}, seconds=1.5, cpu_seconds=1.25),
    ]
