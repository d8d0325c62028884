"""The ConvoMem task: what its card says, and how its parts fit together.

A case is a history of conversations, `Finalize`, then the questions about it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from membench.domain.case import Case
from membench.domain.errors import DataError
from membench.domain.outcome import PlayedCase
from membench.domain.score import JudgeRequest, Score, Verdict
from membench.tasks.base import Task
from membench.tasks.card import JudgeCard, TaskCard
from membench.tasks.convomem.gold import FOLDERS, ConvoMemGold
from membench.tasks.files.source import Source

LABELS = ("RIGHT", "WRONG")

CARD = TaskCard(
    name="convomem",
    title="ConvoMem",
    paper="arXiv:2511.10523",
    licence="CC-BY-NC-4.0 (reported; the code Apache-2.0)",
    may_redistribute_text=False,
    files=(),
    splits=("evidence", "mixed"),
    default_split="evidence",
    categories={category: folder for folder, category in FOLDERS.items()},
    counts=dict(zip(FOLDERS.values(), (16_733, 12_745, 18_323, 14_910, 5_079, 7_546), strict=True)),
    headline=("evidence.turn.recall@10", "evidence.session.recall@5", "accuracy"),
    metric_labels={
        "evidence.turn.recall@10": "Evidence recall@10",
        "evidence.session.recall@5": "Evidence recall@5 (sessions)",
        "accuracy": "Accuracy",
    },
    metric_titles={
        "evidence.turn.recall@10": "share of the evidence messages that the first 10 memories hold",
        "evidence.session.recall@5": "share of their conversations that the first 5 memories touch",
        "accuracy": "share of answers that the judge calls right",
    },
    main_metric="accuracy",
    offline_metric="evidence.turn.recall@10",
    default_k=10,
    answer_limit=256,
    warning="Accuracy and recall say different things: never in one column.",
    judges={
        "fact": JudgeCard("judge_fact.txt", LABELS, accepts=("RIGHT",), reference="gold"),
        "preference": JudgeCard("judge_preference.txt", LABELS, accepts=("RIGHT",)),
        "refusal": JudgeCard("judge_refusal.txt", LABELS, accepts=("RIGHT",), wants_refusal=True),
    },
)


class ConvoMem(Task[ConvoMemGold]):
    """ConvoMem: answers by a judge, recalls against the evidence messages."""

    card = CARD

    def cases(
        self, source: Source, opaque: Callable[[str], str]
    ) -> Iterator[tuple[Case, ConvoMemGold]]:
        """One case per history; see `Task.cases`."""
        from membench.tasks.convomem.layouts import entries
        from membench.tasks.convomem.loader import read_case

        seen: dict[str, int] = {}  # positions in a file ascend: the next one of each is enough
        for entry in entries(source):
            if entry.index < seen.get(entry.stem, 0):
                raise entry.conversations.error(f"'{entry.name}' is already there")
            seen[entry.stem] = entry.index + 1
            yield read_case(entry, opaque)
        if not seen:
            raise DataError(source.path, "", "the file holds no history")

    def judgements(self, played: PlayedCase, gold: ConvoMemGold) -> Sequence[JudgeRequest]:
        """One request per answer, by category."""
        from membench.tasks.convomem.scoring import requests

        return requests(played, gold)

    def score(
        self, played: PlayedCase, gold: ConvoMemGold, verdicts: Mapping[str, Verdict]
    ) -> Sequence[Score]:
        """One row per question; see `scoring`."""
        from membench.tasks.convomem.scoring import score_case

        return score_case(played, gold, verdicts)

    @classmethod
    def locate(cls, folder: Path, split: str) -> Source | None:
        """The files of all kinds under a folder; fewer than all six kinds are a part."""
        from membench.tasks.convomem.layouts import find_files

        files = find_files(folder, split)
        if not files:
            return None
        kinds = {path.parent.parent.name for path in files}
        return Source(files[0], split, partial=len(kinds) < len(FOLDERS), more=tuple(files[1:]))


TASK = ConvoMem
