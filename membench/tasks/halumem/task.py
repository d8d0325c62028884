"""HaluMem (arXiv:2511.03506): what a memory system stores, updates and answers, session by session.

The only task whose phases cannot be separated: each session is followed by its own probes and
questions. See `docs/tasks/halumem.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from membench.domain.answer import AnswerInput, Message
from membench.domain.case import Case
from membench.domain.labels import JsonView
from membench.domain.outcome import PlayedCase
from membench.domain.score import Aggregate, JudgeRequest, Score, Verdict
from membench.tasks.base import Task, fill
from membench.tasks.card import DataFile, JudgeCard, TaskCard
from membench.tasks.files.source import Source
from membench.tasks.halumem.aggregate import metrics_of
from membench.tasks.halumem.data import MEMORY_TYPES, QUESTION_TYPES, HaluMemGold, users
from membench.tasks.halumem.formats import FORMATS
from membench.tasks.halumem.judge_requests import requests
from membench.tasks.halumem.metrics import ANSWER_LABELS, UPDATE_LABELS
from membench.tasks.halumem.scoring import INCLUDED, rows
from membench.tasks.prompts import dated_memories, unparsable

HUB = "https://huggingface.co/datasets/IAAR-Shanghai/HaluMem"
REVISION = "cb04336aa1b732d4b24f5186c552456b4099806e"
GRADES = ("0", "1", "2")


def hub_file(split: str, size: int, sha256: str) -> DataFile:
    """A published file."""
    return DataFile(f"HaluMem-{split.title()}.jsonl", split, size, sha256, HUB, REVISION)


CARD = TaskCard(
    name="halumem",
    title="HaluMem",
    paper="arXiv:2511.03506",
    licence="CC-BY-NC-ND-4.0",
    may_redistribute_text=False,
    files=(
        hub_file(
            "medium",
            33_511_525,
            "486fbc130a5c8781a2af27ffa508a1d7855245137aa449c193ac4d29c45634e7",
        ),
        hub_file(
            "long",
            106_535_674,
            "dfdbed570b402b7b8c17e0d7808fc6f3ae7a53b6144f18feb16bbdd3f55cb0c9",
        ),
    ),
    splits=("medium", "long"),
    default_split="medium",
    categories={name: name for name in (*QUESTION_TYPES, *MEMORY_TYPES)},
    counts=dict(zip(QUESTION_TYPES, (746, 198, 180, 828, 769, 746), strict=True)),
    headline=(
        "qa.correct",
        "qa.hallucination",
        "qa.omission",
        "extraction.f1",
        "extraction.recall",
        "extraction.target_precision",
        "extraction.fmr",
        "update.correct",
        "update.old_value_share",
        "evidence.session.recall@10",
    ),
    metric_labels={
        "qa.correct": "Answers correct",
        "qa.hallucination": "Answers made up",
        "qa.omission": "Answers incomplete",
        "extraction.f1": "Extraction F1",
        "extraction.recall": "Extraction recall",
        "extraction.target_precision": "Extraction precision",
        "extraction.fmr": "False memories resisted",
        "update.correct": "Updates correct",
        "update.old_value_share": "Old value kept",
        "evidence.session.recall@10": "Evidence recall@10",
    },
    metric_titles={
        "qa.correct": "share of answers that the judge calls correct",
        "qa.hallucination": "share of answers that are made up or wrong",
        "qa.omission": "share of answers that miss what was asked for",
        "extraction.f1": "F1 of extracted memories",
        "extraction.recall": "share of the gold memories that were extracted",
        "extraction.target_precision": "how right the extracted memories are that gold covers",
        "extraction.fmr": "share of planted false memories that were resisted",
        "update.correct": "share of updates that were stored rightly",
        "update.old_value_share": "share of updates whose old value is still there",
        "evidence.session.recall@10": (
            "share of the evidence sessions that the first 10 memories come from"
        ),
    },
    main_metric="qa.correct",
    offline_metric="evidence.session.recall@10",
    default_k=20,
    fixed_k=True,
    separable=False,
    records_changes=True,
    lower_is_better=(
        "qa.hallucination",
        "qa.omission",
        "update.hallucination",
        "update.omission",
        "update.other",
        "update.old_value_share",
        "extraction.memories_per_session",
    ),
    warning=(
        "About 4 % of the gold is wrong by the authors' own check, and no single figure ranks "
        "systems: an empty store resists every false memory."
    ),
    patterns={
        "medium": ("HaluMem-Medium*.jsonl*", "pilot_slice_user*.jsonl*"),
        "long": ("HaluMem-Long*.jsonl*",),
    },
    judges={
        "integrity": JudgeCard(
            "integrity.txt",
            GRADES,
            "ff25d77b5ed119180e9604c6717a12140476e79cfaf15ed18dc2cf2ef5595ceb",
            "score",
            accepts=("2",),
            candidate="memories",
            reference="expected_memory_point",
        ),
        "accuracy": JudgeCard(
            "accuracy.txt",
            GRADES,
            "6d213f20db1eac7d2f6837b6b1801de2dcc5b9d242abc6128773e871c563986e",
            "accuracy_score",
            extra={INCLUDED: ("true", "false")},
            accepts=("2",),
            candidate="candidate_memory",
            reference="golden_memories",
        ),
        "update": JudgeCard(
            "update.txt",
            UPDATE_LABELS,
            "76f3ed47ec8194d4558a562b7dcd99f7d4c0611acd7cb5c908864655825c6fb3",
            "evaluation_result",
            accepts=("correct",),
            candidate="memories",
            reference="updated_memory",
        ),
        "question": JudgeCard(
            "question.txt",
            ANSWER_LABELS,
            "95e3648135b580ff0a266b65fb025e68c16a6900d587113e60a3d02a361feadf",
            "evaluation_result",
            accepts=("correct",),
            candidate="response",
            reference="reference_answer",
        ),
    },
)


class HaluMem(Task[HaluMemGold]):
    """Loads, judges and scores HaluMem."""

    card = CARD
    prediction_formats = FORMATS

    def cases(
        self, source: Source, opaque: Callable[[str], str]
    ) -> Iterator[tuple[Case, HaluMemGold]]:
        """Stream the users in file order."""
        return users(source, opaque)

    def answer_messages(self, given: AnswerInput) -> list[Message]:
        """One user message: the memories, the clock, the question."""
        fields = {
            "memories": dated_memories(given.memories),
            "now": given.now or "unknown",
            "question": given.question,
        }
        return [Message("user", fill(self.prompt("answer.txt"), fields))]

    def judgements(self, played: PlayedCase, gold: HaluMemGold) -> Sequence[JudgeRequest]:
        """Integrity and accuracy of every extraction, every probe, every answer."""
        return list(requests(played, gold))

    def wants_refusal(self, request: JudgeRequest) -> bool:
        """Questions that rest on no fact are about something never mentioned."""
        return request.kind == "question" and not request.fields["key_memory_points"].strip()

    def parse_verdict(self, request: JudgeRequest, reply: str) -> JsonView:
        """As everywhere; the accuracy judge's second answer becomes the official string."""
        values = dict(super().parse_verdict(request, reply))
        if isinstance(values.get(INCLUDED), bool):
            values[INCLUDED] = str(values[INCLUDED]).lower()
        return values

    def external_verdict(self, request: JudgeRequest, values: JsonView) -> JsonView:
        """As everywhere; the official field counts in its official spelling alone."""
        if "evaluation_result" in values and "label" not in values:
            labels = self.card.judges[request.kind].labels
            if values["evaluation_result"] not in [label.capitalize() for label in labels]:
                raise unparsable(f"evaluation_result {values['evaluation_result']!r}")
        return super().external_verdict(request, values)

    def score(
        self, played: PlayedCase, gold: HaluMemGold, verdicts: Mapping[str, Verdict]
    ) -> Sequence[Score]:
        """One row per session, point, extracted memory, probe and question."""
        return list(rows(played, gold, verdicts))

    def aggregate(self, scores: Iterable[Score]) -> Aggregate:
        """The benchmark's ratios, the strict ones, and evidence recall."""
        return metrics_of(scores)


TASK = HaluMem
