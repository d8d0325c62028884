"""Runs that are killed at random moments, and gone on with until they are done.

A run of BM25 over the sample is started as a command; at a random moment SIGKILL ends the command
itself or one of its child processes, and `--resume` goes on, to be killed again. A chain ends with
the first process that is left alone. Then it is compared with a run that nobody disturbed, and it
is looked for what the killed ones left: processes, and folders in their temporary folder.

Usage: python benchmarks/kills.py [--kills 147] [--seconds 1500] [--seed 0] [--system bm25] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

SPARED = 0.15
"""Share of processes that are left alone."""

PATIENCE_S = 60.0
"""Seconds in which what belonged to a killed run must have ended."""


@dataclass
class Tally:
    """What became of the runs.

    Attributes:
        kills: By who was killed: `run` or `child`.
        chains: Runs that came to their end.
        equal: Those of them with the content hash of the undisturbed run.
        incomplete: Those that ended with failures.
        processes_left: Processes that outlived their run by more than `PATIENCE_S`.
        folders_left: Names in the temporary folder after a chain.
        exits: Exit codes of processes that were not killed themselves.
    """

    kills: Counter[str] = field(default_factory=Counter)
    chains: int = 0
    equal: int = 0
    incomplete: int = 0
    processes_left: int = 0
    folders_left: list[str] = field(default_factory=list)
    exits: Counter[str] = field(default_factory=Counter)


class Killer:
    """Starts runs in a folder and kills them.

    Args:
        folder: Where runs and temporary files go.
        system: The memory system.
        seed: Of every draw.
    """

    def __init__(self, folder: Path, system: str = "bm25", seed: int = 0) -> None:
        """Do the undisturbed run. A kill comes before the shortest process so far would end."""
        self.out, self.temporary, self.system = folder / "runs", folder / "tmp", system
        self.temporary.mkdir()
        self.random = random.Random(seed)
        self.tally = Tally()
        began = time.monotonic()
        assert self.start("undisturbed").wait() == 0
        self.shortest_s = time.monotonic() - began
        self.wanted = self.content("undisturbed")

    def start(self, run_id: str) -> subprocess.Popen[bytes]:
        """Start a run, or go on with it if it is there."""
        there = (self.out / run_id / "manifest.json").exists()
        command = [sys.executable, "-m", "membench", "run"]
        if there:
            command += ["--resume", str(self.out / run_id)]
        else:
            command += [f"--system={self.system}", "--task=locomo", "--split=sample"]
            command += [f"--out={self.out}", f"--run-id={run_id}", "--energy=none"]
            command += [f"--concurrency={self.random.choice([1, 2])}"]
        return subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": str(self.temporary)},
        )

    def content(self, run_id: str) -> str | None:
        """The content hash of a finished run."""
        summary = json.loads((self.out / run_id / "summary.json").read_text())
        found: str | None = summary["content_sha256"]
        return found if summary["complete"] else None

    def chain(self, run_id: str, most: int) -> None:
        """Kill a run until one process of it is spared, or `most` kills are done."""
        done = sum(self.tally.kills.values()) + most
        spared = False
        while not spared:
            spared = self.random.random() < SPARED or sum(self.tally.kills.values()) >= done
            began, process = time.monotonic(), self.start(run_id)
            family = {process.pid}
            if not spared:
                family |= self.kill(process)
            code = process.wait()
            if code != -signal.SIGKILL:
                self.tally.exits[str(code)] += 1
                self.shortest_s = min(self.shortest_s, time.monotonic() - began)
            self.tally.processes_left += len(left_of(family))
            if not spared and not (self.out / run_id / "manifest.json").exists():
                self.discard(run_id)  # killed before there was anything to go on with
        self.tally.chains += 1
        self.tally.equal += self.content(run_id) == self.wanted
        self.tally.incomplete += self.content(run_id) is None
        self.tally.folders_left += sorted(path.name for path in self.temporary.iterdir())

    def discard(self, run_id: str) -> None:
        """Remove the folder of a run that was killed while it was made."""
        folder = self.out / run_id
        for path in folder.iterdir() if folder.is_dir() else ():
            path.unlink()
        if folder.is_dir():
            folder.rmdir()

    def kill(self, process: subprocess.Popen[bytes]) -> set[int]:
        """Kill a run or one of its children at a random moment; the processes that there were."""
        until = time.monotonic() + self.random.uniform(0.0, self.shortest_s)
        while time.monotonic() < until and process.poll() is None:
            time.sleep(0.01)
        family = [*descendants(process.pid)]
        if process.poll() is not None:
            return set(family)
        victims = family if family and self.random.random() < 0.5 else [process.pid]
        victim = self.random.choice(victims)
        with_children = {*family, process.pid}
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            return with_children
        self.tally.kills["run" if victim == process.pid else "child"] += 1
        return with_children


def descendants(pid: int) -> Iterator[int]:
    """Children of a process, their children, and so on."""
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in map(int, listed):
        yield child
        yield from descendants(child)


def left_of(family: set[int]) -> set[int]:
    """Which processes of a run are there although it has ended, when they had time to end."""
    until = time.monotonic() + PATIENCE_S
    while alive := {pid for pid in family if is_membench(pid)}:
        if time.monotonic() > until:
            return alive
        time.sleep(0.05)
    return set()


def is_membench(pid: int) -> bool:
    """Whether a process is there, and is one of ours; its number may have been given again."""
    try:
        return b"membench" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def main() -> None:
    """Kill and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=147)
    parser.add_argument("--seconds", type=float, default=1500.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--system", default="bm25")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="membench-kills-") as folder:
        killer = Killer(Path(folder), given.system, given.seed)
        tally = killer.tally
        while (left := given.kills - sum(tally.kills.values())) > 0:
            if time.monotonic() - began > given.seconds:
                break
            killer.chain(f"killed-{tally.chains}", left)
    if given.json:
        print(json.dumps(asdict(tally)))
        return
    print(f"shortest process         {killer.shortest_s:.1f} s")
    print(f"kills                    {sum(tally.kills.values())}  {dict(tally.kills)}")
    print(f"runs brought to an end   {tally.chains}, {tally.incomplete} of them incomplete")
    print(f"content as undisturbed   {tally.equal}")
    print(f"processes left           {tally.processes_left}")
    print(f"temporary folders left   {len(tally.folders_left)}  {tally.folders_left[:5]}")
    print(f"exit codes of the others {dict(tally.exits)}")
    print(f"seconds                  {time.monotonic() - began:.0f}")


if __name__ == "__main__":
    main()
