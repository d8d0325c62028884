"""How many of the gold answer's words do answers hold, and how far does that agree with a judge?

A yardstick in which no model has a part, and which does not mind long answers as F1 does: the
share of the gold's words (stemmed, numbers as digits, without the commonest) that stand in an
answer. It is the recall of SQuAD's token overlap (Rajpurkar et al., arXiv:1606.05250). It is no
score of a benchmark, and whoever knows of it can write more words; so the length stands beside it.

Usage: python benchmarks/gold_words.py RUN [RUN ...] [--data FOLDER]

RUN is a run directory whose questions were scored, such as `membench score --out` writes of
answers that others published.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from membench.experiments.export import question_rows
from membench.metrics.agreement import cohen_kappa
from membench.metrics.statistics import mean_metric
from membench.metrics.text import stems

LEFT_OUT = (
    "a an and are as at be been by for from he her his in is it its of on or she that the their "
    "they this to was were with"
)
NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve"
COMMON = frozenset(LEFT_OUT.split())
DIGITS = {stems(word)[0]: str(number) for number, word in enumerate(NUMBERS.split())}
VERDICT = "judged.accuracy"
ENOUGH = 0.5
"""Share of the words from which on an answer counts as right beside a verdict."""


@dataclass(frozen=True)
class Answered:
    """One answered question.

    Attributes:
        case: Its history.
        held: Share of the gold's words that the answer holds.
        length: Words of the answer.
        verdict: Whether the judge called it correct; None where there is no verdict.
    """

    case: str
    held: float
    length: int
    verdict: bool | None


def main() -> None:
    """Print a line for each run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--data", type=Path)
    given = parser.parse_args()
    print("| run | words of the gold held | words an answer | agrees with its judge | kappa |")
    print("|---|---|--:|--:|--:|")
    for run in given.runs:
        print(line(run.name, list(answered(run, given.data))))


def answered(run: Path, data: Path | None) -> Iterator[Answered]:
    """The questions of a run that have an answer and a gold one that is not to be refused."""
    for row in question_rows(run, data):
        answer, gold = (row["answers"] or [None])[0], row["gold"]
        if answer is None or gold is None or row["metrics"].get("f1") is None:
            continue
        verdict = row["metrics"].get(VERDICT)
        said = None if verdict is None else verdict == 1.0
        yield Answered(row["case"], words_held(answer, gold), len(answer.split()), said)


def words_held(answer: str, gold: str) -> float:
    """Share of the gold's words that stand in an answer; 0 for a gold without any."""
    wanted = content(gold)
    return len(wanted & content(answer)) / len(wanted) if wanted else 0.0


def content(text: str) -> frozenset[str]:
    """The stemmed words of a text without the commonest, numbers as digits."""
    return frozenset(DIGITS.get(word, word) for word in stems(text) if word not in COMMON)


def line(name: str, found: list[Answered]) -> str:
    """A run's line of the table."""
    held = mean_metric([each.held for each in found], [each.case for each in found])
    length = statistics.median(each.length for each in found)
    judged = [each for each in found if each.verdict is not None]
    pairs = [(each.held >= ENOUGH, each.verdict) for each in judged]
    agreed = f"{sum(a == b for a, b in pairs) / len(pairs):.3f}" if pairs else "–"
    kappa = cohen_kappa([a for a, _ in pairs], [b for _, b in pairs]) if pairs else None
    low, high = held.ci95 or (float("nan"),) * 2
    shown = f"{held.value:.3f} [{low:.3f}, {high:.3f}]"
    return (
        f"| {name} | {shown} | {length:g} | {agreed} | {'–' if kappa is None else f'{kappa:.2f}'} |"
    )


if __name__ == "__main__":
    main()
