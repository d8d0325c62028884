"""The BEAM task: what its card says, and how its parts fit together.

A case is a chat: its batches as sessions, `Finalize`, then its questions, in an order that the seed
mixes. Where chats are found is in `layouts`, what is read of them in `loader`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from membench.domain.answer import Message
from membench.domain.case import Case
from membench.domain.errors import DataError
from membench.domain.outcome import PlayedCase
from membench.domain.score import JudgeRequest, Score, Verdict
from membench.tasks.base import Task
from membench.tasks.beam.gold import ABILITIES, BeamGold
from membench.tasks.card import JudgeCard, TaskCard
from membench.tasks.files.source import Source
from membench.tasks.find import Version, shards

CHATS = {"100K": 20, "500K": 35, "1M": 35, "10M": 10}
"""Chats of each tier."""

CONTENT_SHA256 = "6bca5fc43dd2a6d4b4676b39c3554b913101282be4a111d3e0ec59b75c72fea1"
"""Hash of the 100K tier's content, see `content`: the repository at b2a3ee8."""

TABLES = (".parquet", ".arrow", ".json", ".json.gz", ".jsonl", ".jsonl.gz")
OFFICIAL_JUDGE = "d349c9a8559bed9c14bfe2e624212225b09218ff864258a739229c15f4c8e869"
OFFICIAL_FIELDS = re.compile(r"<(rubric_item|llm_response)>")
GRADES = ("1", "0.5", "0")


def rubric_judge(prompt: str, *, reference: str = "", wants_refusal: bool = False) -> JudgeCard:
    """A judge that grades an answer against a rubric item; officially one prompt for all."""
    return JudgeCard(
        prompt,
        GRADES,
        OFFICIAL_JUDGE,
        "score",
        accepts=("1",),
        reference=reference,
        wants_refusal=wants_refusal,
    )


CARD = TaskCard(
    name="beam",
    title="BEAM",
    paper="arXiv:2510.27246",
    licence="CC-BY-SA-4.0 (reported)",
    may_redistribute_text=False,
    files=(),
    splits=tuple(CHATS),
    default_split="100K",
    categories={name: name for name in ABILITIES},
    counts=dict.fromkeys(ABILITIES, 40),
    headline=(
        "evidence.turn.recall@10",
        "evidence.turn.ndcg@10",
        "rubric",
        "strict.rubric",
        "ordering.tau",
    ),
    metric_labels={
        "evidence.turn.recall@10": "Evidence recall@10",
        "evidence.turn.ndcg@10": "Evidence nDCG@10",
        "rubric": "Rubric",
        "strict.rubric": "Rubric, strict",
        "ordering.tau": "Order of events",
    },
    metric_titles={
        "evidence.turn.recall@10": "share of the cited messages that the first 10 memories hold",
        "evidence.turn.ndcg@10": "share of the cited messages found, early ones counting more",
        "rubric": "share of rubric items met, halves counting nothing (official)",
        "strict.rubric": "share of rubric items met, halves and missing events counted",
        "ordering.tau": "how well the order of events agrees, 0.5 for no relation",
    },
    main_metric="rubric",
    offline_metric="evidence.turn.recall@10",
    default_k=10,
    answer_limit=512,
    warning=(
        "The official score gives an answer that names no event up to 0.28 for their order: see "
        "strict.rubric."
    ),
    patterns={tier: tuple(f"{tier}*{suffix}" for suffix in TABLES) for tier in CHATS},
    judges={
        "item": rubric_judge("judge_item.txt", reference="wanted"),
        "compliance": rubric_judge("judge_compliance.txt"),
        "refusal": rubric_judge("judge_refusal.txt", wants_refusal=True),
        "same_event": JudgeCard(
            "judge_same_event.txt", ("1", "0"), accepts=("1",), reference="wanted"
        ),
    },
)


class Beam(Task[BeamGold]):
    """BEAM, as its authors score it, with a stricter reading beside."""

    card = CARD

    def cases(
        self, source: Source, opaque: Callable[[str], str]
    ) -> Iterator[tuple[Case, BeamGold]]:
        """One case per chat; see `Task.cases`."""
        from membench.tasks.beam.layouts import chats
        from membench.tasks.beam.loader import read_case

        seen: set[str] = set()
        for chat in chats(source):
            case, gold = read_case(chat, opaque)
            if gold.case_id in seen:
                raise chat.messages.error(f"'{gold.case_id}' is already there")
            seen.add(gold.case_id)
            yield case, gold
        if not seen:
            raise DataError(source.path, "", "the file holds no chat")

    def judgements(self, played: PlayedCase, gold: BeamGold) -> Sequence[JudgeRequest]:
        """One request per rubric item; per line and event where an order is asked for."""
        from membench.tasks.beam.requests import requests

        return requests(played, gold)

    def judge_messages(self, request: JudgeRequest, official: str | None = None) -> list[Message]:
        """The judge prompt, filled in; the official one has places for item and answer alone."""
        if official is None:
            return super().judge_messages(request)
        fields = {"rubric_item": request.fields["gold"], "llm_response": request.fields["answer"]}
        return [Message("user", OFFICIAL_FIELDS.sub(lambda match: fields[match[1]], official))]

    def score(
        self, played: PlayedCase, gold: BeamGold, verdicts: Mapping[str, Verdict]
    ) -> Sequence[Score]:
        """One row per question; see `scoring`."""
        from membench.tasks.beam.scoring import score_case

        return score_case(played, gold, verdicts)

    @classmethod
    def locate(cls, folder: Path, split: str) -> Source | None:
        """The chats of a tier, or the hub's table of it, in a folder or one level below."""
        from membench.tasks.beam.layouts import find_chats

        for tier in (folder / split, folder / "chats" / split, folder):
            files = find_chats(tier) if tier.is_dir() and tier.name == split else []
            if files:
                partial = len(files) < 2 * CHATS[split]
                return Source(files[0], split, partial=partial, more=tuple(files[1:]))
        places = (folder, folder / "data", folder / split)
        return next((found for place in places if (found := find_table(place, split))), None)

    @classmethod
    def identify(cls, source: Source) -> Version:
        """The 100K tier by its content, in whatever layout; nothing is known of the others."""
        version = super().identify(source)
        if source.split != cls.card.default_split or source.partial:
            return version
        from membench.tasks.beam.content import content_sha256

        if content_sha256(source) == CONTENT_SHA256:
            return Version("official", CONTENT_SHA256)
        return Version("modified", version.sha256, version.warning)


def find_table(folder: Path, tier: str) -> Source | None:
    """The hub's table of a tier in a folder, all its files."""
    stem = "*" if folder.name == tier else f"{tier}*"
    for suffix in TABLES:
        for path in sorted(folder.glob(f"{stem}{suffix}")):
            first, *more = shards(path)
            return Source(first, tier, more=tuple(more))
    return None


TASK = Beam
