"""Milliseconds from the command to the end of `netwright --help`, files in the cache.

python benchmarks/help.py [--repeats 20]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from common import Results, arguments, machine, print_table

COMMANDS = (("--help",), ("search", "--help"))


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    given = parser.parse_args()
    results = Results("help", given)
    repeats = 2 if given.quick else given.repeats
    print(f"{machine()}; {repeats} calls after one that fills the cache")
    rows = []
    for words in COMMANDS:
        name = " ".join(words)
        times = results.once(name, lambda words=words: {"ms": measure(words, repeats)})["ms"]
        rows.append([f"netwright {name}", f"{min(times):.0f}", f"{statistics.median(times):.0f}", f"{max(times):.0f}"])
    print_table(["command", "min, ms", "median, ms", "max, ms"], rows)


def measure(words: tuple[str, ...], repeats: int) -> list[float]:
    """Wall milliseconds of each call but the first."""
    times = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        subprocess.run((sys.executable, "-m", "netwright", *words), check=True, stdout=subprocess.DEVNULL)
        times.append((time.perf_counter() - began) * 1e3)
    return times[1:]


if __name__ == "__main__":
    main()
