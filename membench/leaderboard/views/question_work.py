"""What a run did for one question: memories from its evidence, and model calls behind it.

A bundle counts calls by role and holds no prompts and no replies: those stay in the run's cassette.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from membench.domain.case import Case, Ingest, Remember
from membench.domain.labels import JsonView
from membench.records.usage import Usage


@dataclass(frozen=True)
class CallLine:
    """Calls of one role in one event.

    Attributes:
        phase: Phase of the event.
        event: Its place in the timeline of the case.
        role: Which model; empty where the event called none.
        calls: How many.
        prompt_tokens: Tokens sent.
        completion_tokens: Tokens that came back.
        embedding_tokens: Tokens sent to an embedder.
        milliseconds: From start to end of the event.
    """

    phase: str
    event: int
    role: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    embedding_tokens: int
    milliseconds: float


def evidence_events(case: Case | None, evidence: frozenset[str] | None) -> frozenset[int]:
    """Events that handed over what supports the answer; empty without data."""
    if case is None or not evidence:
        return frozenset()
    return frozenset(
        number
        for number, event in enumerate(case.timeline)
        if (isinstance(event, Ingest) and evidence & {turn.id for turn in event.session.turns})
        or (isinstance(event, Remember) and event.item.id in evidence)
    )


def call_lines(records: Sequence[JsonView], events: frozenset[int], asked: int) -> list[CallLine]:
    """Calls of the question's own events and of those that ingested its evidence.

    Args:
        records: Lines of play and answers of the case's last attempt.
        events: Events that handed over the evidence.
        asked: The event of the question.
    """
    wanted = (line for line in records if line["event"] in events or line["event"] == asked)
    return [call for line in wanted for call in calls_of(line)]


def calls_of(line: JsonView) -> Iterator[CallLine]:
    """Calls of one record by role; one line without a role where no model was called."""
    told = line["telemetry"]
    spent = 1000 * (told.get("end", 0.0) - told.get("start", 0.0))
    roles = (told.get("usage") or {}).get("roles") or {}
    if not roles:
        yield CallLine(line["phase"], line["event"], "", 0, 0, 0, 0, spent)
    for role, counted in roles.items():
        usage = Usage.from_json(counted)
        yield CallLine(
            line["phase"],
            line["event"],
            role,
            usage.calls,
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.embedding_tokens,
            spent,
        )
