"""What it costs to keep a system out of the lane: BM25 over LoCoMo, one lane, on each side.

Every case starts a process, which imports the adapter and its libraries anew; then every event
crosses a socket. CPU seconds include all of that. Modules must have been compiled before: with
`PYTHONDONTWRITEBYTECODE` and an installation that did not compile them, as uv's does not, every
process compiles numpy anew.

Usage: python benchmarks/isolation.py --data FOLDER [--repeats 3] [--system bm25]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from membench.adapters.environment import landlock
from membench.adapters.isolation import LEVELS, IsolationChoice
from membench.harness.run import start
from membench.records.spec import ExecOptions, RunSpec


def main() -> None:
    """Measure each side in turn (A-B-C, C-B-A) and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--system", default="bm25")
    parser.add_argument("--levels", nargs="+", default=LEVELS, choices=LEVELS)
    given = parser.parse_args()
    levels = [n for n in given.levels if n != "isolated" or not landlock.problem()]
    spent: dict[str, list[tuple[float, float]]] = {level: [] for level in levels}
    contents = set()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        played(RunSpec(given.system, "locomo", "sample"), None, out, "in-process")  # imports
        for number in range(given.repeats):
            for level in levels if number % 2 == 0 else reversed(levels):
                began, cpu = time.perf_counter(), cpu_seconds()
                contents.add(played(RunSpec(given.system, "locomo"), given.data, out, level))
                spent[level].append((cpu_seconds() - cpu, time.perf_counter() - began))
    report(spent)
    print(f"contents: {len(contents)} (1 where the figures are the same on every side)")


def report(spent: dict[str, list[tuple[float, float]]]) -> None:
    """Print medians, and how they compare with the lane's own process."""
    cpu = {level: statistics.median(c for c, _ in times) for level, times in spent.items()}
    wall = {level: statistics.median(w for _, w in times) for level, times in spent.items()}
    for level, times in spent.items():
        listed = ", ".join(f"{c:.2f}" for c, _ in times)
        ratio = cpu[level] / cpu["in-process"]
        print(f"{level:<11} {cpu[level]:6.2f} CPU s ({listed}), {wall[level]:6.2f} s; {ratio:.2f}x")


def played(spec: RunSpec, data: Path | None, out: Path, isolation: IsolationChoice) -> str:
    """Run with one lane; the hash of what came of it."""
    options = ExecOptions(out=out, data=data, energy="none", isolation=isolation)
    return str(start(spec, options).summary.content_sha256)


def cpu_seconds() -> float:
    """CPU seconds of this process and of the children that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


if __name__ == "__main__":
    main()
