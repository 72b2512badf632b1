"""How much of the search phase the workers of a run had a job, by the events of its ledger.

    python benchmarks/utilisation.py RUN [RUN ...]
    python benchmarks/utilisation.py --data digits --minutes 1      # makes a run first

The phase begins with the first trial given to a worker and ends where the final stage is set up.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from common import Results, arguments, machine, netwright, print_table, spread

from netwright.core.events import Cancelled, Failed, Finished, Lost, Noted, Retried, Started, Stored
from netwright.core.trial import TrialId
from netwright.ledger.sqlite import read

ENDS = Finished | Failed | Lost | Retried | Cancelled


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="*")
    parser.add_argument("--data", default="digits", help="what to search when no run is given")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    minutes = 0.4 if given.quick else given.minutes
    results = Results("utilisation", given)
    found: dict[str, list[float]] = {}
    for run in given.runs:
        found[run.name] = [utilisation(read(run / "ledger.sqlite"), given.workers)]
    if not given.runs:
        name = f"{Path(given.data).name}, {minutes:g} minutes, {given.workers} workers"
        for seed in range(given.seeds):
            record = results.once(
                f"{name}, seed {seed}",
                lambda seed=seed: {"share": searched(given.data, minutes, given.workers, seed)},
            )
            found.setdefault(name, []).append(record["share"])
    print(machine())
    print_table(["run", "share of the search phase with a job, %"], [[n, spread(v, 1)] for n, v in found.items()])


def searched(data: str, minutes: float, workers: int, seed: int) -> float:
    """The share in a run that is made for it."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        netwright(
            *("search", data, "--out", out, "--minutes", str(minutes)),
            *("--workers", str(workers), "--seed", str(seed)),
        )
        return utilisation(read(out / "ledger.sqlite"), workers)


def utilisation(events: Iterable[Stored], workers: int) -> float:
    """Percent of workers x time between the first start and the final stage."""
    running: set[TrialId] = set()
    busy, first, last = 0.0, None, 0.0
    for stored in events:
        event = stored.event
        if isinstance(event, Noted) and event.topic == "stage":
            break
        if first is None and not isinstance(event, Started):
            continue
        if first is None:
            first = last = stored.at
        busy += min(len(running), workers) * (stored.at - last)
        last = stored.at
        if isinstance(event, Started):
            running.add(event.trial)
        elif isinstance(event, ENDS):
            running.discard(event.trial)
    if first is None or last <= first:
        raise ValueError("the ledger must hold a search phase, but no trial was ever given to a worker")
    return 100 * busy / (workers * (last - first))


if __name__ == "__main__":
    main()
