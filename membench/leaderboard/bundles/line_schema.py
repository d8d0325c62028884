"""Lines of the journals of a bundle as pydantic models: play, answers, texts, gate, verdicts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    Discriminator,
    Field,
    StrictInt,
    Tag,
)

from membench.domain.labels import JsonView
from membench.leaderboard.bundles.field_types import (
    Amount,
    CaseId,
    Count,
    ItemId,
    Label,
    Moment,
    Real,
    ReasonName,
    Sha256,
    StrictModel,
)
from membench.leaderboard.bundles.usage_schema import LateUsage, UsageEntry


class Change(StrictModel):
    """One change of the store; `id` numbers the system's ids in order of first appearance."""

    kind: Literal["add", "update", "delete"]
    n: Count
    id: Count | None = None


class OwnAnswer(StrictModel):
    """A free answer: its hash always, its text where the licence allows."""

    text: Annotated[str, Field(max_length=100_000)] | None = None
    sha256: Sha256


class PlayContent(StrictModel):
    """What one event came to."""

    status: Literal["ok", "failed"]
    reason: ReasonName | None = None
    changes: Count | list[Change] | None = None
    k: Count | None = None
    memories: list[Count] | None = None
    answer: OwnAnswer | None = None


class Telemetry(StrictModel):
    """What may differ between runs of a spec; an error by the name of its type alone."""

    start: Amount | None = None
    end: Amount | None = None
    cpu_s: Amount = 0.0
    rss_bytes: Count | None = None
    store_bytes: Count | None = None
    stored: Count | None = None
    turns: Count | None = None
    tokens: Count | None = None
    context_tokens: Count | None = None
    cut: Count | None = None
    replies: dict[Label, Count] | None = None
    unseen: Literal[True] | None = None
    usage: UsageEntry | None = None
    error: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,79}$")] | None = None
    node: Count | None = None


class Play(StrictModel):
    """A line of play.jsonl."""

    case: CaseId
    event: Count
    phase: Literal["ingest", "finalize", "recall"]
    attempt: Annotated[StrictInt, Field(ge=1, le=100_000)]
    content: PlayContent
    telemetry: Telemetry


class Note(StrictModel):
    """A line of play.jsonl that belongs to no event: calls that came late, or count for nothing."""

    note: Literal["close", "late", "warm-up", "interrupted"]
    of: CaseId | None = None
    late: Annotated[list[LateUsage], Field(max_length=100_000)] = []
    carried_over: Count | None = None


PLAY_LINES = ("event line", "note line")


def kind_of_play_line(line: JsonView) -> str:
    """Which of `PLAY_LINES` a line of play.jsonl is."""
    return PLAY_LINES["note" in line]


PlayEntry = Annotated[
    Annotated[Play, Tag("event line")] | Annotated[Note, Tag("note line")],
    Discriminator(kind_of_play_line),
]


class TurnSpan(StrictModel):
    """A quote from a turn: code points of its text."""

    turn: ItemId
    start: Count
    end: Count


class MemorySpan(StrictModel):
    """A quote from a recalled memory: code points of its text."""

    memory: Count
    start: Count
    end: Count


class GeneratedPart(StrictModel):
    """What a reader generated: a date, a number, yes or no, a separator, a refusal."""

    generated: Annotated[str, Field(max_length=80)]


class AnswerEntry(StrictModel):
    """One generation."""

    status: Literal["ok", "failed"]
    reason: ReasonName | None = None
    parts: Annotated[list[TurnSpan | MemorySpan | GeneratedPart], Field(max_length=200)] | None = (
        None
    )
    text: Annotated[str, Field(max_length=100_000)] | None = None
    sha256: Sha256 | None = None


class AnswersContent(StrictModel):
    """All generations of an answer."""

    status: Literal["ok", "failed"]
    reason: ReasonName | None = None
    answers: Annotated[list[AnswerEntry], Field(min_length=1, max_length=100)]


class AnswerLine(StrictModel):
    """A line of answers.jsonl."""

    case: CaseId
    event: Count
    phase: Literal["answer"]
    attempt: Annotated[StrictInt, Field(ge=1, le=100_000)]
    content: AnswersContent
    telemetry: Telemetry


class TextLine(StrictModel):
    """A line of texts.jsonl without its text."""

    case: CaseId
    attempt: Annotated[StrictInt, Field(ge=1, le=100_000)]
    n: Count
    sha256: Sha256
    tokens: Count
    sources: Annotated[list[ItemId], Field(max_length=10_000)]
    time: Moment | None


class GateLine(StrictModel):
    """A line of reader_gate.jsonl: what the reader answered to an invented question."""

    set_sha256: Sha256
    question: Annotated[StrictInt, Field(ge=0, le=10_000)]
    arm: Literal["none", "evidence"]
    answer: Annotated[str, Field(max_length=100_000)] | None
    telemetry: Telemetry


VerdictLabel = Annotated[str, Field(max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9_. -]*$")]


class VerdictEntry(StrictModel):
    """A line of a verdict file: labels and numbers, without the judge's free text."""

    case: CaseId | Literal["calibration"]
    request: ItemId
    fields_sha256: Sha256 | None = None
    status: Literal["ok", "failed"]
    reason: ReasonName | None
    values: dict[Label, bool | int | Real | VerdictLabel | dict[VerdictLabel, Count] | None]
    votes: Annotated[list[VerdictLabel | None], Field(max_length=100)] = []
    telemetry: Telemetry
