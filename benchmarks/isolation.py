"""What it costs to keep a system out of the lane: BM25 over LoCoMo, one lane, on each side.

The lane starts a process, which imports the adapter's libraries anew and forks a worker for every
case; then every event crosses a socket. CPU seconds include all of that. They are taken of whole
commands, as users start them, and of runs within a process that has imported everything, where the
same difference stands beside less. Sides are measured in turns, so that what else the machine does
falls on all; a machine that is not quiet wants more repeats.

Modules must have been compiled before: with `PYTHONDONTWRITEBYTECODE` and an installation that did
not compile them, as uv's does not, every process compiles numpy anew.

Usage: python benchmarks/isolation.py --data FOLDER [--repeats 7] [--system bm25]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from membench.adapters.environment import landlock
from membench.adapters.isolation import LEVELS, IsolationChoice
from membench.harness.run import start
from membench.records.run_directory import RunDir
from membench.records.spec import ExecOptions, RunSpec

Played = Callable[[str, Path, Path, IsolationChoice], str]
"""System, data, output folder and level -> hash of what came of it."""


def main() -> None:
    """Measure each side in turn (A-B-C, C-B-A) and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--system", default="bm25")
    parser.add_argument("--levels", nargs="+", default=LEVELS, choices=LEVELS)
    given = parser.parse_args()
    levels = [n for n in given.levels if n != "isolated" or not landlock.problem()]
    contents: set[str] = set()
    for name, played in (("whole commands", by_command), ("runs within a process", within)):
        spent: dict[str, list[tuple[float, float]]] = {level: [] for level in levels}
        with tempfile.TemporaryDirectory() as folder:
            for number in range(given.repeats + 1):
                for level in levels if number % 2 == 0 else reversed(levels):
                    began, cpu = time.perf_counter(), cpu_seconds()
                    out = Path(folder, f"{number}-{level}")
                    contents.add(played(given.system, given.data, out, level))
                    if number:  # the first time imports, and fills the page cache
                        spent[level].append((cpu_seconds() - cpu, time.perf_counter() - began))
        print(name)
        report(spent)
    print(f"contents: {len(contents)} (1 where the figures are the same on every side)")


def report(spent: dict[str, list[tuple[float, float]]]) -> None:
    """Print medians, and how they compare with the lane's own process."""
    cpu = {level: statistics.median(c for c, _ in times) for level, times in spent.items()}
    wall = {level: statistics.median(w for _, w in times) for level, times in spent.items()}
    for level, times in spent.items():
        listed = ", ".join(f"{c:.2f}" for c, _ in times)
        ratio = cpu[level] / cpu["in-process"]
        print(f"{level:<11} {cpu[level]:6.2f} CPU s ({listed}), {wall[level]:6.2f} s; {ratio:.3f}x")


def by_command(system: str, data: Path, out: Path, level: IsolationChoice) -> str:
    """Run with one lane, in a process of its own."""
    options = {"--system": system, "--task": "locomo", "--isolation": level, "--energy": "none"}
    options |= {"--data": str(data), "--out": str(out), "--run-id": "run"}
    words = [word for option in options.items() for word in option]
    subprocess.run(
        [sys.executable, "-m", "membench", "run", *words],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return str(RunDir(out / "run").summary().content_sha256)


def within(system: str, data: Path, out: Path, level: IsolationChoice) -> str:
    """Run with one lane, from this process."""
    options = ExecOptions(out=out, data=data, energy="none", isolation=level)
    return str(start(RunSpec(system, "locomo"), options).summary.content_sha256)


def cpu_seconds() -> float:
    """CPU seconds of this process and of the children that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


if __name__ == "__main__":
    main()
