"""How fast cases are read: a LongMemEval-shaped file of 300 MB, made on the spot.

Run from a checkout: `python benchmarks/loaders.py [--megabytes 300] [--json]`. The time to the
first and to the last case stands beside the time that `ijson` (C backend) takes to yield the same
objects. Each is measured in a process of its own, so that peak memory is its own, and in turns. The
limits are those the project promises: first case within 1 s, last within 1.5 times `ijson`, peak
memory under 350 MB. Reading is bound by the CPU, so the ratio is that of CPU seconds, which other
work on the machine disturbs less; wall seconds are shown beside them.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SESSIONS, TURNS, WORDS = 48, 10, 190
ENDS = ['"w{}"', "w{}—", *["w{}\\n"] * 10, *["w{}s"] * 188]
"""Word shapes: per 200 words as many line breaks, quotes and dashes as published histories have."""

ROUNDS = 5
LIMITS = {"first_s": 1.0, "ratio": 1.5, "peak_mb": 350.0}


@dataclass(frozen=True)
class Reading:
    """One pass over the file.

    Attributes:
        first_s: Seconds to the first object, imports included.
        total_s: Seconds to the last.
        cpu_s: CPU seconds to the last.
        peak_mb: Peak resident memory of the process, 10^6 bytes.
        count: Objects read.
    """

    first_s: float
    total_s: float
    cpu_s: float
    peak_mb: float
    count: int


def instance(rng: random.Random, number: int) -> dict[str, Any]:
    """One instance in the official schema: about 550 kB, as in the S split."""
    words = [rng.choice(ENDS).format(rng.randrange(5000)) for _ in range(2000)]

    def turn(index: int) -> dict[str, Any]:
        at = rng.randrange(len(words) - WORDS)
        role = "assistant" if index % 2 else "user"
        return {"role": role, "content": " ".join(words[at : at + WORDS])}

    return {
        "question_id": f"q{number:06d}",
        "question_type": "multi-session",
        "question": "Which word came first?",
        "question_date": "2023/05/30 (Tue) 23:40",
        "answer": number,
        "answer_session_ids": ["answer_0"],
        "haystack_dates": [f"2023/05/{s % 28 + 1:02d} (Mon) 10:00" for s in range(SESSIONS)],
        "haystack_session_ids": [f"answer_{s}" for s in range(SESSIONS)],
        "haystack_sessions": [[turn(i) for i in range(TURNS)] for _ in range(SESSIONS)],
    }


def make_file(path: Path, megabytes: int) -> None:
    """Write instances until the file is large enough."""
    rng, number = random.Random(0), 0
    with path.open("w", encoding="utf-8") as file:
        file.write("[")
        while file.tell() < megabytes * 1_000_000:
            file.write(
                ("," if number else "") + json.dumps(instance(rng, number), ensure_ascii=False)
            )
            number += 1
        file.write("]")


def ours(path: Path) -> Iterator[object]:
    """Cases as a run reads them."""
    from membench.domain.case import opaque_ids
    from membench.tasks.files.source import Source
    from membench.tasks.longmemeval.task import TASK

    return TASK().cases(Source(path, "s"), opaque_ids("longmemeval", 0))


def bare_ijson(path: Path) -> Iterator[object]:
    """The same objects, parsed and nothing else."""
    import ijson.backends.yajl2_c as ijson

    with path.open("rb") as file:
        yield from ijson.items(file, "item", use_float=True)


READERS = {"membench": ours, "ijson": bare_ijson}


def read(name: str, path: Path) -> Reading:
    """Read the file once in this process."""
    start, cpu = time.perf_counter(), time.process_time()
    first, count = 0.0, 0
    for _ in READERS[name](path):
        count += 1
        first = first or time.perf_counter() - start
    total, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    return Reading(first, total, cpu, peak, count)


def read_elsewhere(name: str, path: Path) -> Reading:
    """Read the file in a process of its own."""
    command = [sys.executable, __file__, "--child", name, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Reading(**json.loads(done.stdout))


def best_of(path: Path) -> dict[str, Reading]:
    """The pass of each reader that took the least CPU time, of several taken in turns."""
    passes = [{name: read_elsewhere(name, path) for name in READERS} for _ in range(ROUNDS)]
    return {name: min((p[name] for p in passes), key=lambda r: r.cpu_s) for name in READERS}


def measure(megabytes: int) -> dict[str, Any]:
    """Make the file and read it both ways."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "longmemeval_s_made.json"
        make_file(path, megabytes)
        found = best_of(path)
        size = path.stat().st_size / 1e6
    mine, bare = found["membench"], found["ijson"]
    figures = {
        "first_s": mine.first_s,
        "ratio": mine.cpu_s / bare.cpu_s,
        "peak_mb": mine.peak_mb,
    }
    return {
        "megabytes": size,
        "membench": asdict(mine),
        "ijson": asdict(bare),
        **figures,
        "kept": {name: figures[name] <= limit for name, limit in LIMITS.items()},
    }


def show(found: dict[str, Any]) -> None:
    """A small table."""
    print(f"{found['megabytes']:.0f} MB, {found['membench']['count']} cases, best of {ROUNDS}")
    for name in READERS:
        reading = Reading(**found[name])
        print(
            f"{name:10} first {reading.first_s:6.3f} s   last {reading.total_s:6.2f} s   "
            f"CPU {reading.cpu_s:6.2f} s   "
            f"peak {reading.peak_mb:5.0f} MB"
        )
    for name, limit in LIMITS.items():
        kept = "kept" if found["kept"][name] else "MISSED"
        print(f"{name:10} {found[name]:8.3f}   limit {limit:g}   {kept}")


def main() -> int:
    """Measure, print, and say by the exit code whether every limit was kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("--json", action="store_true", help="print figures as JSON")
    parser.add_argument("--child", nargs=2, metavar=("READER", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(asdict(read(given.child[0], Path(given.child[1])))))
        return 0
    found = measure(given.megabytes)
    print(json.dumps(found, indent=1)) if given.json else show(found)
    return 0 if all(found["kept"].values()) else 1


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    sys.exit(main())
