"""Train every network of the grid and write down its learning curves: the record that `multi_fidelity.py` searches.

    python benchmarks/curves/record.py [--seeds 2] [--record FILE] [--cache FOLDER]

Each network is trained as a search would train it, by the evaluation `train` in one thread: rung by rung on the trunk,
each from the checkpoint of the one below, and with a full training of its own schedule. Of further seeds there is the
full training alone. A line of JSON is appended as each ends; what is there is not trained again. README.md beside this
file says what a line holds.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import provenance

from curves.grid import grid, images, name_of
from curves.recorded import RECORD, append, lines, mend
from curves.recording import train, warm_up
from netwright.core.candidate import digest
from netwright.data.dataset import Dataset

SHUFFLE = 0
"""Seed of the order in which networks are trained, so that a slow hour of the machine falls on all kinds of them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2, help="full trainings of each network (default: 2)")
    parser.add_argument("--record", type=Path, default=RECORD)
    parser.add_argument("--cache", type=Path, help="keep the decoded images here (default: they are removed)")
    parser.add_argument("--most", type=int, help="train so many and stop: a smoke test")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        data = images(given.cache or Path(scratch))
        candidates = list(grid().enumerate())
        random.Random(SHUFFLE).shuffle(candidates)
        wanted = [(seed, candidate) for seed in range(given.seeds) for candidate in candidates]
        mend(given.record)
        there = {(line["name"], line["seed"]) for line in lines(given.record)}
        missing = [pair for pair in wanted if (name_of(pair[1]), pair[0]) not in there]
        if missing:
            warm_up(candidates[0], data, Path(scratch))
        session = begin(given.record, data, given.seeds) if missing else ""
        for number, (seed, candidate) in enumerate(missing[: given.most], start=1):
            began = time.process_time()
            line = train(candidate, seed, data, Path(scratch))
            append(given.record, {**line, "session": session})
            spent = time.process_time() - began
            accuracy = line["full"].get("accuracy", line["full"]["status"])
            print(f"{number} of {len(missing)}: {accuracy}, {spent:.1f} CPU seconds", file=sys.stderr, flush=True)


def begin(record: Path, data: Dataset, seeds: int) -> str:
    """Write down where the lines that follow come from; the id by which they say so."""
    origin = {
        **provenance(),
        "command": f"python benchmarks/curves/record.py --seeds {seeds}",
        "data": data.fingerprint,
    }
    session = digest(origin, size=4)
    append(record, {"session": session, "provenance": origin})
    return session


if __name__ == "__main__":
    main()
