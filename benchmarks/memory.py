"""What a run's own process, scoring, `submit`, `verify` and the index keep of each question.

ConvoMem-shaped histories are made up on the spot: one conversation of a few messages and one
question each, the shape in which a question costs most. They are played by `recent` and read by
`refuse`, so that nearly everything is the harness. Every step runs in a process of its own, whose
peak resident memory is printed; lanes are children of it and do not count. CPU seconds do count
them. The last column is the slope from the smallest number of questions.

Usage: python benchmarks/memory.py [--questions 2000,20000,60000] [--messages 12]
           [--steps run,score,submit,verify,index] [--system recent] [--reader refuse]
           [--keep FOLDER] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

KINDS = (
    "user_evidence",
    "assistant_facts_evidence",
    "changing_evidence",
    "abstention_evidence",
    "preference_evidence",
    "implicit_connection_evidence",
)
WORDS, PER_FILE = 14, 1000
RUN_ID = "memory"


@dataclass(frozen=True)
class StepResult:
    """One step with one number of questions.

    Attributes:
        step: `run`, `score`, `submit`, `verify` or `index`.
        questions: How many.
        peak_mb: Peak resident memory of its process, 10^6 bytes.
        cpu_s: CPU seconds, children included.
        wall_s: Seconds.
        bundle_mb: Size of the bundle where there is one by then, 10^6 bytes.
    """

    step: str
    questions: int
    peak_mb: float
    cpu_s: float
    wall_s: float
    bundle_mb: float | None = None


# --- made-up data ------------------------------------------------------------------------------


def make_data(folder: Path, questions: int, messages: int) -> None:
    """Histories in the published layout, a file for every thousand."""
    rng = random.Random(0)
    for number in range((questions + PER_FILE - 1) // PER_FILE):
        count = min(PER_FILE, questions - number * PER_FILE)
        kind = KINDS[number % len(KINDS)]
        place = folder / "core_benchmark" / "evidence_questions" / kind / "1_evidence"
        place.mkdir(parents=True, exist_ok=True)
        items = list(made_up_items(rng, count, messages))
        (place / f"batch_{number:05d}.json").write_text(json.dumps({"evidence_items": items}))


def made_up_items(rng: random.Random, count: int, messages: int) -> Iterator[dict[str, Any]]:
    """Items with one conversation each."""
    for _ in range(count):
        said = [
            {
                "speaker": "Assistant" if index % 2 else "User",
                "text": " ".join(f"w{rng.randrange(20_000)}" for _ in range(WORDS)),
            }
            for index in range(messages)
        ]
        yield {
            "question": f"What about {said[0]['text'][:30]}?",
            "answer": said[0]["text"][:20],
            "message_evidences": [said[0]],
            "conversations": [{"messages": said, "id": "c", "containsEvidence": True}],
        }


# --- the steps, each in a process of its own ---------------------------------------------------


def run_step(folder: Path, system: str, reader: str) -> None:
    """Play, read and score."""
    from membench.harness.run import start
    from membench.records.spec import ExecOptions, RunSpec

    spec = RunSpec(system, "convomem", reader=reader)
    options = ExecOptions(
        out=folder / "runs", run_id=RUN_ID, data=folder / "data", concurrency=1, energy="none"
    )
    assert start(spec, options).complete


def score_step(folder: Path) -> None:
    """Score again what was recorded."""
    from membench.harness.run import rescore
    from membench.records.spec import ExecOptions

    assert rescore(folder / "runs" / RUN_ID, ExecOptions(data=folder / "data")).complete


def submit_step(folder: Path) -> None:
    """Make the bundle, verify it and put it into a store."""
    from membench.leaderboard.submission.submission import submit_to

    submit_to(folder / "runs" / RUN_ID, folder / "store", folder / "data")


def verify_step(folder: Path) -> None:
    """Check the bundle as the board's child process does, here without its limits."""
    from membench.leaderboard.validation.apart import main

    assert main([str(bundle_of(folder)), str(folder / "data")]) == 0


def index_step(folder: Path) -> None:
    """Build the index of a store with this one bundle, which has no badge."""
    from membench.leaderboard.store.index import refresh
    from membench.leaderboard.store.store import Store

    index = refresh(Store(folder / "store"))
    assert len(index.runs) == 1, index.problems


def bundle_of(folder: Path) -> Path:
    """Where `submit` put the bundle."""
    return folder / "store" / "convomem" / RUN_ID


STEPS: dict[str, Callable[[Path], None]] = {
    "score": score_step,
    "submit": submit_step,
    "verify": verify_step,
    "index": index_step,
}


def do_step(step: str, folder: Path, questions: int, system: str, reader: str) -> None:
    """Do one step in this process and print what it took as JSON."""
    began = time.perf_counter()
    real = os.dup(1)
    os.dup2(2, 1)  # what a step prints is not the result
    try:
        if step == "run":
            run_step(folder, system, reader)
        else:
            STEPS[step](folder)
    finally:
        sys.stdout.flush()
        os.dup2(real, 1)
    spent = os.times()
    size = sum(f.stat().st_size for f in bundle_of(folder).glob("*")) / 1e6
    result = StepResult(
        step,
        questions,
        peak_rss_mb(),
        spent.user + spent.system + spent.children_user + spent.children_system,
        time.perf_counter() - began,
        size or None,
    )
    print(json.dumps(asdict(result)), flush=True)


def peak_rss_mb() -> float:
    """Peak resident memory of this process since it was started, 10^6 bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("/proc/self/status has no VmHWM: this benchmark needs Linux")


# --- the table -----------------------------------------------------------------------------------


def measure(folder: Path, questions: int, given: argparse.Namespace) -> Iterator[StepResult]:
    """Every step with a number of questions."""
    if not (folder / "data").is_dir():
        make_data(folder / "data", questions, given.messages)
    for step in given.steps.split(","):
        command = [sys.executable, __file__, "--do", step, "--folder", str(folder)]
        command += [
            "--questions",
            str(questions),
            "--system",
            given.system,
            "--reader",
            given.reader,
        ]
        done = subprocess.run(command, capture_output=True)
        if done.returncode:
            sys.stderr.write(done.stderr.decode()[-2000:])
            return
        yield StepResult(**json.loads(done.stdout.splitlines()[-1]))


def row_text(found: StepResult, first: StepResult | None) -> str:
    """One line of the table."""
    slope = "-"
    if first is not None and found.questions > first.questions:
        more = (found.peak_mb - first.peak_mb) / (found.questions - first.questions)
        slope = f"{more * 1e3:.2f} kB"
    size = "-" if found.bundle_mb is None else f"{found.bundle_mb:.1f} MB"
    return (
        f"{found.step:<8} {found.questions:>9,} {found.peak_mb:>8.0f} MB {found.cpu_s:>8.1f} CPU s "
        f"{found.wall_s:>8.1f} s  {size:>9}  {slope:>9} a question"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", default="2000,20000,60000")
    parser.add_argument("--steps", default="run,score,submit,verify,index")
    parser.add_argument("--messages", type=int, default=12, help="in each conversation")
    parser.add_argument("--system", default="recent")
    parser.add_argument("--reader", default="refuse")
    parser.add_argument("--keep", type=Path, help="where data, runs and stores stay")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--do", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.do:
        do_step(given.do, given.folder, int(given.questions), given.system, given.reader)
        return
    firsts: dict[str, StepResult] = {}
    with tempfile.TemporaryDirectory(prefix="membench-memory-") as temporary:
        for questions in map(int, given.questions.split(",")):
            folder = (given.keep or Path(temporary)) / str(questions)
            for found in measure(folder, questions, given):
                text = row_text(found, firsts.get(found.step))
                print(json.dumps(asdict(found)) if given.json else text, flush=True)
                firsts.setdefault(found.step, found)


if __name__ == "__main__":
    main()
