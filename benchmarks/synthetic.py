"""How fast histories are generated, and how much memory that takes.

Run from a checkout: `python -m benchmarks.synthetic [--splits mini,base,long] [--json]`. Each split
is generated whole in a process of its own, so that peak memory is its own. Tokens (o200k_base) are
counted in a second process, whose time does not count. `stream` takes minutes.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from membench.domain.case import Case, Ingest
from membench.tasks.find import find_source
from membench.tasks.registry import get_task

SPLITS = ("mini", "base", "long", "stream")


@dataclass(frozen=True)
class Generated:
    """One split, generated once.

    Attributes:
        split: Its name.
        cases: Number of cases.
        tokens: Tokens of all turns (o200k_base).
        seconds: Wall seconds to generate all of it, one case after the other.
        tokens_per_second: The ratio.
        peak_mb: Peak resident memory of the process, 10^6 bytes.
        baseline_mb: The same before the first case.
        longest_session: Tokens of the longest session.
    """

    split: str
    cases: int
    tokens: int
    seconds: float
    tokens_per_second: float
    peak_mb: float
    baseline_mb: float
    longest_session: int


def cases(split: str) -> Iterator[Case]:
    """Generate a split."""
    task = get_task("synthetic")
    for case, _ in task().cases(find_source(task, split, None), str):
        yield case


def peak_mb() -> float:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def timed(split: str) -> dict[str, float]:
    """Generate a split and let each case go."""
    before, start = peak_mb(), time.perf_counter()
    number = sum(1 for _ in cases(split))
    seconds = time.perf_counter() - start
    return {"cases": number, "seconds": seconds, "peak_mb": peak_mb(), "baseline_mb": before}


def counted(split: str) -> dict[str, int]:
    """Count the tokens of a split."""
    from membench.tokens import count_tokens

    sizes = [
        sum(count_tokens(turn.text) for turn in event.session.turns)
        for case in cases(split)
        for event in case.timeline
        if isinstance(event, Ingest)
    ]
    return {"tokens": sum(sizes), "longest_session": max(sizes)}


def in_a_process(kind: str, split: str) -> dict[str, float]:
    """What one of the two passes prints in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.synthetic", f"--{kind}", split]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measured(split: str) -> Generated:
    """Both passes over a split."""
    time_of, size_of = in_a_process("timed", split), in_a_process("counted", split)
    return Generated(
        split=split,
        cases=int(time_of["cases"]),
        tokens=int(size_of["tokens"]),
        seconds=time_of["seconds"],
        tokens_per_second=size_of["tokens"] / time_of["seconds"],
        peak_mb=time_of["peak_mb"],
        baseline_mb=time_of["baseline_mb"],
        longest_session=int(size_of["longest_session"]),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", default="mini,base,long")
    parser.add_argument("--json", action="store_true")
    for kind in ("timed", "counted"):
        parser.add_argument(f"--{kind}", choices=SPLITS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.timed:
        print(json.dumps(timed(given.timed)))
    elif given.counted:
        print(json.dumps(counted(given.counted)))
    else:
        report([measured(split) for split in given.splits.split(",")], given.json)


def report(found: list[Generated], as_json: bool) -> None:
    """Print a table, or JSON alone."""
    if as_json:
        print(json.dumps([asdict(one) for one in found], indent=2))
        return
    print("split    cases      tokens  seconds   tokens/s  peak MB  (before)  longest session")
    for one in found:
        print(
            f"{one.split:<8} {one.cases:>5} {one.tokens:>11,} {one.seconds:>8.2f} "
            f"{one.tokens_per_second:>10,.0f} {one.peak_mb:>8.0f} {one.baseline_mb:>9.0f} "
            f"{one.longest_session:>16}"
        )


if __name__ == "__main__":
    main()
