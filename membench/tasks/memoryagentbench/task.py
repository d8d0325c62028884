"""The MemoryAgentBench task: what its card says, and how its parts fit together.

A case is a row: its context in chunks, each a session of one turn, `Finalize`, then its questions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from membench.domain.case import Case
from membench.domain.errors import DataError, UsageError
from membench.domain.labels import Scalar
from membench.domain.outcome import PlayedCase
from membench.domain.score import Aggregate, Score, Verdict
from membench.tasks.base import Task
from membench.tasks.card import OptionCard, TaskCard
from membench.tasks.files.source import Source
from membench.tasks.memoryagentbench.formats import FORMATS
from membench.tasks.memoryagentbench.gold import SOURCES, MemoryAgentBenchGold

SPLITS = {
    "conflict_resolution": "Conflict_Resolution",
    "accurate_retrieval": "Accurate_Retrieval",
    "test_time_learning": "Test_Time_Learning",
    "long_range_understanding": "Long_Range_Understanding",
}
"""Our name of a split -> the published one."""

SUFFIXES = ("*.parquet", "*.arrow", ".json", ".json.gz", ".jsonl", ".jsonl.gz")
SHORTEST_CHUNK = 64

CARD = TaskCard(
    name="memoryagentbench",
    title="MemoryAgentBench",
    paper="arXiv:2507.05257",
    licence="MIT (reported)",
    may_redistribute_text=False,
    files=(),
    splits=tuple(SPLITS),
    default_split="conflict_resolution",
    categories={name: source for source, name in SOURCES.items()},
    counts={"conflict, single-hop": 400, "conflict, multi-hop": 400},
    headline=("accuracy", "strict.accuracy", "exact_match", "f1"),
    main_metric="accuracy",
    offline_metric="accuracy",
    metric_labels={"accuracy": "Accuracy", "exact_match": "Exact match", "f1": "Answer F1"},
    metric_titles={
        "accuracy": "share of answers that contain the gold",
        "exact_match": "share of answers that equal the gold",
        "f1": "words that answer and gold share (F1)",
    },
    options={
        "chunk_tokens": OptionCard(4096, doc="Tokens of a chunk (o200k_base) at most."),
    },
    warning="Substring match rewards long answers: see strict.accuracy.",
    patterns={
        split: tuple(f"{name}{suffix}" for suffix in SUFFIXES) for split, name in SPLITS.items()
    },
)


class MemoryAgentBench(Task[MemoryAgentBenchGold]):
    """MemoryAgentBench, as its authors score what needs no judge."""

    card = CARD
    prediction_formats = FORMATS

    def __init__(
        self,
        options: Mapping[str, Scalar] | None = None,
        seed: int = 0,
        errata: Path | None = None,
    ) -> None:
        """Check the options, their limits included."""
        super().__init__(options, seed, errata)
        size = self.options["chunk_tokens"]
        if int(size) < SHORTEST_CHUNK:
            raise UsageError(f"--task-set chunk_tokens={size}: must be at least {SHORTEST_CHUNK}")

    def cases(
        self, source: Source, opaque: Callable[[str], str]
    ) -> Iterator[tuple[Case, MemoryAgentBenchGold]]:
        """One case per row; see `Task.cases`."""
        from membench.tasks.files.tables import stream_rows
        from membench.tasks.memoryagentbench.loader import read_case

        size = int(self.options["chunk_tokens"])
        seen: set[str] = set()
        index = -1
        for index, row in enumerate(stream_rows(source)):
            case, gold = read_case(row, index, opaque, size)
            for question in gold.questions.values():
                if question.question_id in seen:
                    raise row["metadata"].error(f"'{question.question_id}' is already there")
                seen.add(question.question_id)
            yield case, gold
        if index < 0:
            raise DataError(source.path, "", "the file holds no row")

    def score(
        self, played: PlayedCase, gold: MemoryAgentBenchGold, verdicts: Mapping[str, Verdict]
    ) -> Sequence[Score]:
        """One row per question; see `scoring`."""
        from membench.tasks.memoryagentbench.scoring import score_case

        return score_case(played, gold)

    def aggregate(self, scores: Iterable[Score]) -> Aggregate:
        """Means over questions, by source."""
        from membench.metrics.aggregate import aggregate
        from membench.tasks.memoryagentbench.scoring import NO_ACCURACY

        rows = list(scores)
        made = aggregate(rows, self.card.categories)
        without = sum(NO_ACCURACY in row.flags for row in rows)
        if not without:
            return made
        note = (
            f"{without} questions have no accuracy: their official figure needs a judge or a file."
        )
        return replace(made, notes=(*made.notes, note))


TASK = MemoryAgentBench
