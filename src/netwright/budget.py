"""How much a run may use, how much it has used, and what is left: active time, CPU time of workers, trials."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from netwright.core.errors import InputError


@dataclass(frozen=True, slots=True)
class Budget:
    """Upper bounds for the whole run folder, over all restarts. None means no bound; one of them must be given.

    `seconds` are active seconds of the driver, `cpu_seconds` those of the workers, `trials` counts search trials
    that were given to a worker (a promotion to a higher rung is a trial of its own).
    """

    seconds: float | None = None
    cpu_seconds: float | None = None
    trials: int | None = None

    def __post_init__(self) -> None:
        for name, bound in (("minutes", self.seconds), ("cpu-seconds", self.cpu_seconds), ("trials", self.trials)):
            if bound is not None and not bound > 0:
                raise InputError(f"a budget of {name} must be positive, but got {bound}")

    def used(self, spent: Spent) -> float:
        """Largest used share of any bound: 0 at the start, 1 when the budget is spent."""
        return max(self.used_time(spent), spent.trials / self.trials if self.trials else 0.0)

    def used_time(self, spent: Spent) -> float:
        """Largest used share of the bounds on time alone; 0 when there is none."""
        shares = [0.0]
        if self.seconds:
            shares.append(spent.seconds / self.seconds)
        if self.cpu_seconds:
            shares.append(spent.cpu_seconds / self.cpu_seconds)
        return max(shares)

    def worker_seconds(self, workers: int) -> float | None:
        """CPU seconds that all workers together may use, as far as a bound on time says; None without one."""
        bounds = [self.seconds * workers if self.seconds else None, self.cpu_seconds]
        known = [bound for bound in bounds if bound is not None]
        return min(known) if known else None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run has used so far."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    trials: int = 0


class Stopwatch:
    """Active monotonic seconds of a run: those recorded by earlier drivers plus those of this one.

    `head_start` are seconds this driver had already used when the watch was made (imports, decoding).
    """

    def __init__(
        self, earlier: float = 0.0, head_start: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._earlier = earlier
        self._began = clock() - head_start

    @property
    def seconds(self) -> float:
        """Active seconds of the run, over all drivers."""
        return self._earlier + self._clock() - self._began
