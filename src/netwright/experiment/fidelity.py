"""`netwright fidelity`: whether a short training says anything about a long one, on the user's data and space.

An ordinary run folder whose only source trains random networks on every rung of the ladder and in full
(`strategies.Laddered`). The ladder is that of a search with the same epochs and budget of time.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from netwright.core.errors import InputError, NetwrightError, StorageError
from netwright.core.seeding import derive
from netwright.core.trial import epochs_a_pass
from netwright.experiment.driving import Driver, interrupts, process_age
from netwright.experiment.opening import Opened, open_run
from netwright.experiment.outcome import fidelity_of, fidelity_outcome, read_history
from netwright.experiment.run import data_of
from netwright.experiment.settings import Settings
from netwright.reports import words
from netwright.reports.fidelity import FEWEST
from netwright.reports.fidelity_words import fidelity_lines
from netwright.reports.terminal import error_console
from netwright.strategies import Laddered, RandomSearch

DEFAULT_NETWORKS = 20


@dataclass(frozen=True, slots=True)
class FidelityEnded:
    """What was found so far: the object that `--json` prints, the same in lines, and whether Ctrl-C ended it."""

    outcome: dict[str, Any]
    lines: list[str]
    interrupted: bool


def fidelity_command(
    given: Settings, out: Path, *, networks: int | None = None, allow_changed: bool = False
) -> FidelityEnded:
    """Train `networks` of them (by default 20, or as many as were asked for before) in the folder `out`, or go on there.

    Raises the errors of `open_run`, InputError for too few networks, and NetwrightError when one training after another
    fails.
    """
    if networks is not None and networks < FEWEST:
        raise InputError(f"networks must be at least {FEWEST}, below which no order can be judged, but got {networks}")
    with ExitStack() as stack:
        opened = open_run(
            replace(given, strategy="random", objectives=("accuracy",)),
            out,
            data_of,
            stack,
            make_space=None,
            allow_changed=allow_changed,
            head_start=process_age(),
            purpose="fidelity",
        )
        interrupted = _train(opened, stack, error_console(), _asked(opened, networks))
    history = read_history(out)
    found = fidelity_of(history)
    return FidelityEnded(fidelity_outcome(out, history, found), fidelity_lines(found), interrupted)


def _asked(opened: Opened, networks: int | None) -> int:
    """How many networks are wanted, recorded."""
    before = opened.fact("fidelity") or {"networks": DEFAULT_NETWORKS}
    fact = {
        "networks": networks or before["networks"],
        "pass_epochs": epochs_a_pass(len(opened.data.indices("train"))),
    }
    if fact != before:
        opened.note("fidelity", fact)
    return int(fact["networks"])


def _train(opened: Opened, stack: ExitStack, console: Console, networks: int) -> bool:
    """Train until all networks are through or the budget is spent; True when Ctrl-C cut it off."""
    plan = f"{words.plural(networks, 'random network')}, each on every rung and in full"
    driver = Driver(opened, stack, console, plan)
    loop, ladder, budget = driver.loop, driver.ladder, opened.settings.budget
    driver.watch.stage = "fidelity"
    driver.watch.budget = replace(budget, trials=networks * (len(ladder.rungs) + 1))
    inner = RandomSearch(
        opened.space, opened.goal, seed=derive(opened.settings.seed or 0, "fidelity"), costs=driver.desk.plan
    )
    loop.restore({"search": Laddered(inner, candidates=networks, rungs=ladder.rungs, full=ladder.epochs)})
    try:
        with interrupts(loop):
            ended = loop.run(["search"], lambda loop: budget.used_time(loop.spent()) >= 1)
        if loop.interrupted:
            driver.stop()
            return True
        if ended.why == "failures":
            raise NetwrightError(
                f"{loop.book.failures_in_a_row} trainings in a row failed, so this was stopped. The last one: "
                f"{ended.detail}. See logs/ in {opened.folder}; what was recorded is kept."
            )
        loop.cancel("the budget of this run is used up")
    except NetwrightError:
        with suppress(StorageError):
            loop.cancel("an error ended it")
        raise
    if ended.why == "until":
        console.print("The time is used up; the same command with more --minutes goes on.")
    return False
