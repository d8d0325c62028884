"""Evo-Memory's streams: what the card says, and how its parts fit together.

A case is a stream of tasks (`membench.tasks.episodes`): the rows of a table, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from membench.domain.case import Case
from membench.domain.errors import DataError
from membench.domain.outcome import PlayedCase
from membench.domain.score import Score, Verdict
from membench.tasks.base import Task
from membench.tasks.card import OptionCard, TaskCard
from membench.tasks.evo_memory.gold import CATEGORIES, EvoGold
from membench.tasks.files.source import Source

SPLITS = ("mmlu_pro", "gpqa_diamond", "aime_2024", "aime_2025", "toolbench")
SUFFIXES = ("*.parquet", "*.arrow", ".json", ".json.gz", ".jsonl", ".jsonl.gz")

CARD = TaskCard(
    name="evo_memory",
    title="Evo-Memory streams",
    paper="arXiv:2511.20857",
    licence="that of the table (no streams are published)",
    may_redistribute_text=False,
    files=(),
    splits=SPLITS,
    default_split="mmlu_pro",
    categories={name: name for name in CATEGORIES},
    counts={},
    headline=("accuracy", "late.accuracy"),
    metric_labels={"accuracy": "Answer accuracy", "late.accuracy": "Accuracy, second half"},
    metric_titles={
        "accuracy": "share of tasks answered rightly",
        "late.accuracy": "share of tasks answered rightly in the second half of the stream",
    },
    main_metric="accuracy",
    offline_metric="accuracy",
    default_k=4,
    separable=False,
    answer_limit=1024,
    options={
        "order": OptionCard(
            "file",
            ("file", "shuffled", "easy_to_hard", "hard_to_easy"),
            "Order of the tasks; by difficulty where the rows say it.",
        ),
    },
    warning="Feedback is what the table records, never about the answers given here.",
    patterns={split: tuple(f"{split}{suffix}" for suffix in SUFFIXES) for split in SPLITS},
)


class EvoMemory(Task[EvoGold]):
    """Streams of tasks of one turn, scored by answer accuracy."""

    card = CARD

    def cases(self, source: Source, opaque: Callable[[str], str]) -> Iterator[tuple[Case, EvoGold]]:
        """One case per stream; a table is one, unless its rows say which they belong to."""
        from membench.tasks.evo_memory.loader import Row, make_case, ordered, read_rows
        from membench.tasks.files.tables import stream_rows

        streams: dict[str, list[Row]] = {}
        for row in read_rows(stream_rows(source), source.split):
            streams.setdefault(row.stream, []).append(row)
        if not streams:
            raise DataError(source.path, "", "the file holds no row")
        for rows in streams.values():
            yield make_case(ordered(rows, str(self.options["order"]), self.seed), opaque)

    def options_for(self, gold: EvoGold, event: int) -> tuple[str, ...]:
        """The options of a choice, which its question holds too."""
        return gold.questions[event].options

    def score(
        self, played: PlayedCase, gold: EvoGold, verdicts: Mapping[str, Verdict]
    ) -> Sequence[Score]:
        """One row per task; see `scoring`."""
        from membench.tasks.evo_memory.scoring import score_case

        return score_case(played, gold)


TASK = EvoMemory
