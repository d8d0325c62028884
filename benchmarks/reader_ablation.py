"""Is selecting better than pasting? The extractive reader on LoCoMo with oracle evidence.

Every question is given its evidence turns, as the `oracle` system recalls them, and is answered
twice: by the extractive reader, and by pasting the first evidence turn. LoCoMo is the reader's
test: nothing was tuned on it.

    python -m benchmarks.reader_ablation --data DIR
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from membench.domain.answer import AnswerInput
from membench.domain.case import Ask, Case, Ingest, opaque_ids
from membench.domain.system import Memory
from membench.metrics.paired import difference
from membench.metrics.statistics import Interval, mean_metric
from membench.metrics.text import OFFICIAL_REFUSALS, refuses
from membench.readers.extractive.reader import ExtractiveReader
from membench.tasks.files.source import Source
from membench.tasks.locomo.gold import ADVERSARIAL, LocomoGold, LocomoQuestion
from membench.tasks.locomo.scoring import official_f1, official_rounding
from membench.tasks.locomo.task import Locomo


@dataclass(frozen=True)
class Row:
    """F1 of one question, both ways."""

    case: str
    category: str
    selected: float
    pasted: float
    refused: bool


def rows(file: Path) -> Iterator[Row]:
    """Answer and score every question both ways."""
    reader = ExtractiveReader()
    for case, gold in Locomo().cases(Source(file, "locomo10"), opaque_ids("locomo", 0)):
        yield from case_rows(reader, case, gold)


def case_rows(reader: ExtractiveReader, case: Case, gold: LocomoGold) -> Iterator[Row]:
    """The questions of one conversation."""
    turns = case.turns()
    memories = {
        turn.id: Memory(text=turn.text, sources=(turn.id,), time=event.session.time)
        for event in case.timeline
        if isinstance(event, Ingest)
        for turn in event.session.turns
    }
    for event, question in gold.questions.items():
        ask = case.timeline[event]
        assert isinstance(ask, Ask)
        recalled = tuple(memories[turn] for turn in question.evidence)
        answer = reader.answer(AnswerInput(ask.question.text, recalled), turns).text
        selected, pasted = (
            scored(question, text) for text in (answer, recalled[0].text if recalled else "")
        )
        refused = refuses(answer, OFFICIAL_REFUSALS)
        yield Row(gold.case_id, question.category, selected, pasted, refused)


def scored(question: LocomoQuestion, answer: str) -> float:
    """The official score of one answer."""
    if question.number == ADVERSARIAL:
        return float(refuses(answer, OFFICIAL_REFUSALS))
    return official_rounding(
        official_f1(answer, question.answer or "", question.number), question.number
    )


def line(name: str, found: list[Row]) -> str:
    """A line of the table."""
    selected, pasted = [row.selected for row in found], [row.pasted for row in found]
    clusters = [row.case for row in found]
    gap = difference(selected, pasted, clusters)
    refused = sum(row.refused for row in found) / len(found)
    means = " | ".join(f"{mean_metric(v, clusters).value or 0:.3f}" for v in (selected, pasted))
    return (
        f"| {name} | {len(found)} | {means} | {gap.value:+.3f} {shown(gap.ci95)} | {refused:.3f} |"
    )


def shown(interval: Interval | None) -> str:
    """An interval in brackets."""
    return "" if interval is None else f"[{interval[0]:+.3f}, {interval[1]:+.3f}]"


def main() -> None:
    """Print the table that `docs/extractive-reader.md` quotes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("MEMBENCH_DATA"), type=Path)
    file = parser.parse_args().data / "locomo" / "locomo10.json"
    started = time.process_time()
    found = list(rows(file))
    seconds = time.process_time() - started
    by_category = defaultdict(list)
    for row in found:
        by_category[row.category].append(row)
    adversarial = by_category.pop("adversarial")
    answerable = [row for rows_ in by_category.values() for row in rows_]
    print("| category | n | selected | first turn pasted | difference, 95 % by case | refused |")
    print("|---|---|---|---|---|---|")
    print(line("**1-4 together**", answerable))
    for name, part in by_category.items():
        print(line(name, part))
    print(line("adversarial (share refused)", adversarial))
    print(f"\n{len(found)} questions, {seconds:.1f} CPU seconds with loading and scoring")


if __name__ == "__main__":
    main()
