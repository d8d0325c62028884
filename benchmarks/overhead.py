"""What the harness costs: a run through membench against a bare loop that does the same work.

The work is BM25 and the extractive reader over LoCoMo, repeated tenfold. The bare loop uses the
same loader, index, reader, scorer and token counter, and writes its lines to one file; it has no
lanes, no journal to resume from, no manifest. Starting processes and importing libraries does not
grow with the data and is reported apart: it is what a run of the small sample takes.

Usage: python benchmarks/overhead.py --data FOLDER [--times 10] [--repeats 3]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from membench.adapters import registry
from membench.domain.answer import AnswerInput
from membench.domain.case import Ask, Ingest, opaque_ids
from membench.domain.outcome import Answered, Outcome, PlayedCase, Recalled
from membench.domain.system import Query, SystemContext
from membench.harness.lanes.case_player import case_info
from membench.harness.run import start
from membench.readers.extractive.reader import ExtractiveReader
from membench.records.record import answer_parts
from membench.records.spec import ExecOptions, RunSpec
from membench.tasks.files.source import Source
from membench.tasks.find import find_source
from membench.tasks.registry import get_task
from membench.tokens import count_tokens

SPEC = RunSpec("bm25", "locomo")


def main() -> None:
    """Measure and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = repeated(given.data, given.times, Path(folder) / "locomo10.json")
        measure(data, Path(folder), given.repeats)


def measure(data: Path, folder: Path, repeats: int) -> None:
    """Time bare loop and runs in turn (A-B-C, C-B-A), and print medians."""
    source = Source(data, "locomo10")
    jobs: dict[str, Callable[[], None]] = {
        "bare loop": lambda: bare(source, folder / "bare.jsonl"),
        "membench, 1 lane": lambda: run(data, folder, 1),
        "membench, 2 lanes": lambda: run(data, folder, 2),
        "start-up, 1 lane": lambda: run(None, folder, 1),
        "start-up, 2 lanes": lambda: run(None, folder, 2),
    }
    times: dict[str, list[float]] = {name: [] for name in jobs}
    spent_cpu: dict[str, list[float]] = {name: [] for name in jobs}
    run(None, folder, 1)  # imports of this process
    for number in range(repeats):
        for name in list(jobs) if number % 2 == 0 else reversed(jobs):
            began, cpu = time.perf_counter(), cpu_seconds()
            jobs[name]()
            times[name].append(time.perf_counter() - began)
            spent_cpu[name].append(cpu_seconds() - cpu)
    median = {name: statistics.median(spent) for name, spent in times.items()}
    cpu_median = {name: statistics.median(spent) for name, spent in spent_cpu.items()}
    for name, spent in times.items():
        listed = ", ".join(f"{t:.2f}" for t in spent)
        print(f"{name:<20} {median[name]:7.2f} s, {cpu_median[name]:7.2f} CPU s   ({listed})")
    work = cpu_median["membench, 1 lane"] - cpu_median["start-up, 1 lane"]
    print(
        f"CPU overhead, 1 lane, start-up apart {work / cpu_median['bare loop']:.3f}x the bare loop"
    )
    one = median["membench, 1 lane"] - median["start-up, 1 lane"]
    two = median["membench, 2 lanes"] - median["start-up, 2 lanes"]
    print(f"overhead, 1 lane, start-up apart     {one / median['bare loop']:.3f}x the bare loop")
    print(
        f"overhead, 1 lane, start-up included  "
        f"{median['membench, 1 lane'] / median['bare loop']:.3f}x the bare loop"
    )
    print(f"speed-up of 2 lanes over 1           {one / two:.2f}x")


def cpu_seconds() -> float:
    """CPU seconds of this process and of the children that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def repeated(data: Path, times: int, path: Path) -> Path:
    """A LoCoMo file with every conversation `times` times, under ids of their own."""
    original = find_source(get_task("locomo"), None, data)
    with original.open() as file:
        cases = json.load(file)
    copies = [
        {**case, "sample_id": f"{case['sample_id']}-{number}"}
        for number in range(times)
        for case in cases
    ]
    path.write_text(json.dumps(copies))
    return path


def run(data: Path | None, folder: Path, lanes: int) -> None:
    """A run through membench; of the sample if there is no data."""
    spec = SPEC if data else RunSpec("bm25", "locomo", "sample")
    start(spec, ExecOptions(out=folder / "runs", data=data, concurrency=lanes, energy="none"))


def bare(source: Source, path: Path) -> None:
    """The same work without a harness: load, index, recall, answer, score, write."""
    task = get_task("locomo")()
    card = registry.get_card("bm25")
    parameters = registry.checked_parameters(card, {})
    context = SystemContext(parameters, 0, path.parent, count_tokens)
    reader = ExtractiveReader()
    rows = []
    with path.open("wb") as file:
        for case, gold in task.cases(source, opaque_ids("locomo", 0)):
            system = registry.create(card, context)
            system.reset(case_info(case))
            turns = case.turns()
            tokens: dict[str, int] = {}
            recalled, answered = {}, {}
            for index, event in enumerate(case.timeline):
                if isinstance(event, Ingest):
                    system.ingest(event.session)
                    count = sum(count_tokens(turn.text) for turn in event.session.turns)
                    line: dict[str, object] = {"event": index, "tokens": count}
                elif isinstance(event, Ask):
                    question = event.question
                    memories = tuple(system.recall(Query(question.text, 10, None, question.now)))
                    for memory in memories:
                        if memory.text not in tokens:
                            tokens[memory.text] = count_tokens(memory.text)
                    now = question.now.isoformat() if question.now else None
                    answer = reader.answer(AnswerInput(question.text, memories, now), turns)
                    recalled[index] = Recalled(Outcome(), memories, 10)
                    answered[index] = (Answered(Outcome(), answer.text),)
                    line = {
                        "event": index,
                        "memories": [list(memory.sources) for memory in memories],
                        "tokens": sum(tokens[memory.text] for memory in memories),
                        "answer": answer_parts(answer.parts or ()),
                    }
                else:
                    line = {"event": index}
                file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            played = PlayedCase(case, {}, recalled, answered)
            for row in task.score(played, gold, {}):
                rows.append(row)
                file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            system.close()
    task.aggregate(rows)


if __name__ == "__main__":
    main()
