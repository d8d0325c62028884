"""The LoCoMo task: what its card says, and how its parts fit together.

A case is a conversation: its sessions in numeric order, `Finalize`, then every question in file
order. Loading is in `loader`, scoring in `scoring`, the audit overlay in `errata`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from membench.domain.answer import AnswerInput, Message
from membench.domain.case import Case
from membench.domain.errors import DataError
from membench.domain.outcome import PlayedCase
from membench.domain.score import Aggregate, JudgeRequest, Score, Verdict
from membench.tasks.base import Task, fill
from membench.tasks.card import DataFile, JudgeCard, OptionCard, TaskCard
from membench.tasks.files.arrays import stream_array
from membench.tasks.files.source import Source
from membench.tasks.find import SAMPLE, Version
from membench.tasks.locomo.formats import FORMATS
from membench.tasks.locomo.gold import CATEGORIES, LocomoGold
from membench.tasks.prompts import dated_memories

if TYPE_CHECKING:
    from membench.tasks.locomo.errata import Corrections

CARD = TaskCard(
    name="locomo",
    title="LoCoMo",
    paper="arXiv:2402.17753 (ACL 2024)",
    licence="CC-BY-NC-4.0",
    may_redistribute_text=False,
    files=(
        DataFile(
            name="locomo10.json",
            split="locomo10",
            bytes=2_805_274,
            sha256="79fa87e90f04081343b8c8debecb80a9a6842b76a7aa537dc9fdf651ea698ff4",
            url="https://github.com/snap-research/locomo/blob/main/data/locomo10.json",
            revision="3eb6f2c585f5e1699204e3c3bdf7adc5c28cb376",
        ),
    ),
    splits=("locomo10",),
    default_split="locomo10",
    categories={name: str(number) for number, name in CATEGORIES.items()},
    counts={
        "multi-hop": 282,
        "temporal": 321,
        "open-domain": 96,
        "single-hop": 841,
        "adversarial": 446,
    },
    headline=(
        "evidence.turn.recall@10",
        "evidence.turn.ndcg@10",
        "strict.evidence.turn.recall@10",
        "f1",
        "adversarial",
        "judged.accuracy",
    ),
    metric_labels={
        "evidence.turn.recall@10": "Evidence recall@10",
        "evidence.turn.ndcg@10": "Evidence nDCG@10",
        "f1": "Answer F1",
        "f1_all": "Answer F1, all categories",
        "adversarial": "Refusal of unanswerable",
        "judged.accuracy": "Judged accuracy",
    },
    metric_titles={
        "evidence.turn.recall@10": "share of the evidence turns that the first 10 memories hold",
        "evidence.turn.ndcg@10": (
            "how near the top the evidence turns stand among the first 10 memories"
        ),
        "f1": "words that answer and gold share (F1), without adversarial questions",
        "adversarial": "share of unanswerable questions that were refused",
        "judged.accuracy": "share of answers that the judge calls correct",
    },
    main_metric="judged.accuracy",
    offline_metric="evidence.turn.recall@10",
    default_k=10,
    options={
        "captions": OptionCard(
            "on", ("on", "off"), "Whether a turn's image caption is part of its text."
        ),
        "adversarial": OptionCard(
            "open",
            ("open", "official"),
            "Category 5 asked openly, or as the official choice between two options.",
        ),
    },
    warning=(
        "An audit disputes 99 of the 1,540 answers of categories 1-4: see docs/tasks/locomo.md."
    ),
    patterns={"locomo10": ("locomo10*.json", "locomo10*.json.gz")},
    errata=("locomo_audit_errors.json", "errors.json"),
    judges={
        "answer": JudgeCard(
            prompt="judge_answer.txt",
            labels=("CORRECT", "WRONG"),
            official_sha256="62395dd312a631dfd9355026a0b69cc936018274c3198b6365b5c2a5c9bca9e0",
            accepts=("CORRECT",),
            label_fields=("llm_score", "grade"),
            reference="gold",
        ),
        "refusal": JudgeCard(
            prompt="judge_refusal.txt",
            labels=("REFUSED", "ANSWERED"),
            accepts=("REFUSED",),
            label_fields=("llm_score", "grade"),
            wants_refusal=True,
        ),
    },
)

CONTENT_SHA256 = "93808652e5318eaf79a966a7aa3fe50f14eaee22fd0991f7212596600351dc05"
"""Hash of the official file's content: JSON with sorted keys, no spaces, non-ASCII kept."""


class Locomo(Task[LocomoGold]):
    """LoCoMo, as its authors score it, with a stricter reading beside."""

    card = CARD
    prediction_formats = FORMATS

    def cases(
        self, source: Source, opaque: Callable[[str], str]
    ) -> Iterator[tuple[Case, LocomoGold]]:
        """One case per conversation; see `Task.cases`."""
        from membench.tasks.files.node import Node
        from membench.tasks.locomo.loader import read_case

        corrections = self.corrections()
        captions = self.options["captions"] == "on"
        seen: set[str] = set()
        for index, value in enumerate(stream_array(source)):
            node = Node(value, source.path, f"[{index}]")
            case, gold = read_case(node, opaque, captions=captions)
            if gold.case_id in seen:
                raise node["sample_id"].error(f"'{gold.case_id}' is already there")
            seen.add(gold.case_id)
            yield case, corrections.applied(index, case, gold) if corrections else gold
        if not seen:
            raise DataError(source.path, "", "the file holds no conversation")

    def corrections(self) -> Corrections | None:
        """The audit, if one is to be overlaid."""
        if self.errata is None:
            return None
        from membench.tasks.locomo.errata import read_corrections

        return read_corrections(self.errata)

    def options_for(self, gold: LocomoGold, event: int) -> tuple[str, ...]:
        """The official two options of category 5, in seeded order; only in that mode."""
        if self.options["adversarial"] != "official":
            return ()
        from membench.tasks.locomo.choice import options

        return options(gold.questions[event], self.seed)

    def answer_messages(self, given: AnswerInput) -> list[Message]:
        """Memories in rank order with time and source, then the question."""
        name = "answer_options.txt" if given.options else "answer.txt"
        fields = {
            "memories": dated_memories(given.memories),
            "question": given.question,
            "now": given.now or "unknown",
        }
        fields |= dict(zip(("option_a", "option_b"), given.options, strict=False))
        return [Message("user", fill(self.prompt(name), fields))]

    def judgements(self, played: PlayedCase, gold: LocomoGold) -> Sequence[JudgeRequest]:
        """One request per answered question: correctness, or refusal for category 5."""
        from membench.tasks.locomo.scoring import requests

        return requests(played, gold, self.choice_seed())

    def judge_messages(self, request: JudgeRequest, official: str | None = None) -> list[Message]:
        """The judge prompt, filled in; the usual official one calls two fields otherwise."""
        fields = dict(request.fields)
        if official is not None:
            fields |= {"gold_answer": fields["gold"], "generated_answer": fields["answer"]}
        return super().judge_messages(replace(request, fields=fields), official)

    def score(
        self, played: PlayedCase, gold: LocomoGold, verdicts: Mapping[str, Verdict]
    ) -> Sequence[Score]:
        """One row per question; see `scoring`."""
        from membench.tasks.locomo.scoring import score_case

        return score_case(played, gold, verdicts, self.choice_seed())

    def choice_seed(self) -> int | None:
        """The seed of the two-option choice, or None where category 5 is asked openly."""
        return self.seed if self.options["adversarial"] == "official" else None

    def aggregate(self, scores: Iterable[Score]) -> Aggregate:
        """Means over questions, by category; scores above an audited ceiling are noted."""
        from membench.metrics.aggregate import aggregate
        from membench.tasks.locomo.errata import above_ceiling

        return above_ceiling(aggregate(scores, self.card.categories))

    @classmethod
    def identify(cls, source: Source) -> Version:
        """Tell the official file from a reformatted and from a modified one."""
        version = super().identify(source)
        if version.name != "unknown" or source.split == SAMPLE:
            return version
        from membench.tasks.locomo.loader import content_sha256

        if content_sha256(source) == CONTENT_SHA256:
            return Version("reformatted", cls.card.files[0].sha256)
        return Version("modified", version.sha256, version.warning)


TASK = Locomo
