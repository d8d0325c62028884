"""The Mem-Gallery task: what its card says, and how its parts fit together.

A case is a dialogue: its sessions, `Finalize`, then its questions. Pictures are seen through their
captions, so a run is lossy and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from membench.domain.case import Case
from membench.domain.errors import DataError
from membench.domain.outcome import PlayedCase
from membench.domain.score import Aggregate, JudgeRequest, Score, Verdict
from membench.tasks.base import Task
from membench.tasks.card import JudgeCard, TaskCard
from membench.tasks.files.node import Node
from membench.tasks.files.source import Source
from membench.tasks.memgallery.gold import POINTS, MemGalleryGold

DIALOGUES = 20
GRADES = ("1", "0.75", "0.5", "0.25", "0")

CARD = TaskCard(
    name="memgallery",
    title="Mem-Gallery",
    paper="arXiv:2601.03515",
    licence="MIT (of a copy's repository)",
    may_redistribute_text=False,
    files=(),
    splits=("captions",),
    default_split="captions",
    categories={point: point for point in POINTS},
    counts=POINTS,
    headline=("evidence.round.recall@10", "f1", "exact_match", "judged", "text_only.f1"),
    metric_labels={
        "evidence.round.recall@10": "Clue recall@10",
        "f1": "Answer F1",
        "exact_match": "Exact match",
        "judged": "Judged",
        "text_only.f1": "Answer F1, no picture",
    },
    metric_titles={
        "evidence.round.recall@10": "share of the clue rounds that the first 10 memories hold",
        "f1": "words that answer and gold share (F1)",
        "exact_match": "share of answers that are the gold, word for word",
        "judged": "mean grade of a judge, 0 to 1 in quarters",
        "text_only.f1": "words that answer and gold share, where no picture is needed",
    },
    main_metric="judged",
    offline_metric="evidence.round.recall@10",
    default_k=10,
    warning="Pictures are seen through their captions alone: a lossy reading of this benchmark.",
    judges={
        "answer": JudgeCard("judge_answer.txt", GRADES, accepts=("1",), reference="gold"),
        "refusal": JudgeCard("judge_refusal.txt", GRADES, accepts=("1",), wants_refusal=True),
    },
)


class MemGallery(Task[MemGalleryGold]):
    """Mem-Gallery's text with captions."""

    card = CARD

    def cases(
        self, source: Source, opaque: Callable[[str], str]
    ) -> Iterator[tuple[Case, MemGalleryGold]]:
        """One case per dialogue; see `Task.cases`."""
        from membench.tasks.memgallery.loader import read_case

        seen: set[str] = set()
        for name, node in dialogues(source):
            if name in seen:
                raise node.error(f"'{name}' is already there")
            seen.add(name)
            yield read_case(node, name, opaque)
        if not seen:
            raise DataError(source.path, "", "the file holds no dialogue")

    def judgements(self, played: PlayedCase, gold: MemGalleryGold) -> Sequence[JudgeRequest]:
        """One request per answer."""
        from membench.tasks.memgallery.scoring import requests

        return requests(played, gold)

    def score(
        self, played: PlayedCase, gold: MemGalleryGold, verdicts: Mapping[str, Verdict]
    ) -> Sequence[Score]:
        """One row per question; see `scoring`."""
        from membench.tasks.memgallery.scoring import score_case

        return score_case(played, gold, verdicts)

    def aggregate(self, scores: Iterable[Score]) -> Aggregate:
        """Means over questions, by point; how many were read through captions is noted."""
        from membench.metrics.aggregate import aggregate
        from membench.tasks.memgallery.scoring import LOSSY

        rows = list(scores)
        made = aggregate(rows, self.card.categories)
        lossy = sum(LOSSY in row.flags for row in rows)
        if not lossy:
            return made
        note = f"{lossy} questions rest on pictures, of which only captions were seen (lossy)."
        return replace(made, notes=(*made.notes, note))

    @classmethod
    def locate(cls, folder: Path, split: str) -> Source | None:
        """The dialogues under a folder: `data/dialog/*.json`, `dialog/*.json`."""
        for place in (folder / "data" / "dialog", folder / "dialog"):
            files = sorted(path for path in place.glob("*.json*") if path.is_file())
            if files:
                partial = len(files) < DIALOGUES
                return Source(files[0], split, partial=partial, more=tuple(files[1:]))
        return None


def dialogues(source: Source) -> Iterator[tuple[str, Node]]:
    """The dialogues of all files by name: that of the file, numbered where it holds a list."""
    from membench.tasks.files.documents import whole_json

    for path in (source.path, *source.more):
        stem, node = path.name.partition(".")[0], whole_json(path)
        if isinstance(node.value, list):
            yield from ((f"{stem}-{i}", item) for i, item in enumerate(node.items()))
        else:
            yield stem, node


TASK = MemGallery
