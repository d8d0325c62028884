"""The LongMemEval-V2 task, text track: what its card says, and how its parts fit together.

A case is a set of trajectories of web agents, `Finalize`, then every question about them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from membench.domain.case import Case
from membench.domain.errors import DataError
from membench.domain.outcome import PlayedCase
from membench.domain.score import Aggregate, JudgeRequest, Metric, Score, Verdict
from membench.tasks.base import Task
from membench.tasks.card import JudgeCard, OptionCard, TaskCard
from membench.tasks.files.source import Source
from membench.tasks.longmemeval_v2.gold import TYPES, HaystackGold

LABELS = ("1", "0")

CARD = TaskCard(
    name="longmemeval_v2",
    title="LongMemEval-V2 (text track)",
    paper="arXiv:2605.12493",
    licence="Apache-2.0 (reported)",
    may_redistribute_text=False,
    files=(),
    splits=("small", "medium"),
    default_split="small",
    categories={name: name for name in TYPES},
    counts=TYPES,
    headline=("matched.accuracy", "accuracy"),
    metric_labels={"matched.accuracy": "Accuracy, by rule", "accuracy": "Accuracy"},
    metric_titles={
        "matched.accuracy": "share of right answers where a rule decides",
        "accuracy": "share of right answers, by rule or judge",
    },
    main_metric="accuracy",
    offline_metric="matched.accuracy",
    default_k=10,
    answer_limit=512,
    options={
        "pages": OptionCard(
            "on", ("on", "off"), "Whether the text of a page is part of a turn, beside the action."
        ),
    },
    warning="Text track: questions with a picture are left out, pages are seen as text.",
    judges={
        "premise": JudgeCard("judge_premise.txt", LABELS, accepts=("1",), reference="gold"),
        "gotcha": JudgeCard("judge_gotcha.txt", LABELS, accepts=("1",), reference="gold"),
    },
)


class LongMemEvalV2(Task[HaystackGold]):
    """LongMemEval-V2 without pictures, as its authors compare answers."""

    card = CARD

    def cases(
        self, source: Source, opaque: Callable[[str], str]
    ) -> Iterator[tuple[Case, HaystackGold]]:
        """One case per set of trajectories; see `Task.cases`."""
        from membench.tasks.longmemeval_v2.files import read_files
        from membench.tasks.longmemeval_v2.loader import read_cases

        pages = self.options["pages"] == "on"
        found = False
        for case, gold in read_cases(read_files(source), opaque, pages=pages):
            found = True
            yield case, gold
        if not found:
            raise DataError(source.path, "", "the file holds no question without a picture")

    def judgements(self, played: PlayedCase, gold: HaystackGold) -> Sequence[JudgeRequest]:
        """One request per answer that no rule decides."""
        from membench.tasks.longmemeval_v2.scoring import requests

        return requests(played, gold)

    def score(
        self, played: PlayedCase, gold: HaystackGold, verdicts: Mapping[str, Verdict]
    ) -> Sequence[Score]:
        """One row per question; see `scoring`."""
        from membench.tasks.longmemeval_v2.scoring import score_case

        return score_case(played, gold, verdicts)

    def aggregate(self, scores: Iterable[Score]) -> Aggregate:
        """Means over questions, by type; `accuracy` is null while a verdict is missing."""
        from membench.metrics.aggregate import aggregate

        rows = list(scores)
        made = aggregate(rows, self.card.categories)
        unscored = sum(row.status == "unscored" for row in rows)
        if not unscored:
            return made
        metrics = {
            name: Metric(None, None, m.n, m.clusters) if name.startswith("accuracy") else m
            for name, m in made.metrics.items()
        }
        note = f"{unscored} questions need a judge: accuracy is unknown, matched.accuracy is not."
        return replace(made, metrics=metrics, notes=(*made.notes, note))

    @classmethod
    def locate(cls, folder: Path, split: str) -> Source | None:
        """The three files in a folder."""
        from membench.tasks.longmemeval_v2.files import find_files

        files = find_files(folder, split)
        return Source(files[0], split, more=files[1:]) if files else None


TASK = LongMemEvalV2
