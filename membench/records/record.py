"""One line of a stage: what happened to an event in a phase."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from membench.domain.answer import AnswerPart, Generated
from membench.domain.errors import Fault, Reason
from membench.domain.labels import JsonObject, JsonView
from membench.records.telemetry import Telemetry

Content = JsonObject
"""The deterministic part of a record, as JSON: `status`, `reason`, and what the event came to."""


@dataclass(frozen=True)
class Record:
    """One line of a stage.

    Attributes:
        case: Opaque case id.
        event: Index in the case's timeline.
        phase: What it is charged to.
        attempt: Which attempt at the case; the last complete one counts.
        content: Deterministic: status, memory numbers, answer.
        telemetry: Everything that may differ between runs of a spec: spans, cpu, usage, scores.
    """

    case: str
    event: int
    phase: str
    attempt: int
    content: JsonView
    telemetry: Telemetry

    def to_json(self) -> JsonObject:
        """The line as written."""
        return {
            "case": self.case,
            "event": self.event,
            "phase": self.phase,
            "attempt": self.attempt,
            "content": self.content,
            "telemetry": self.telemetry.to_json(),
        }

    @classmethod
    def from_json(cls, line: JsonView) -> Record:
        """Read a line back."""
        return cls(
            line["case"],
            line["event"],
            line["phase"],
            line["attempt"],
            line["content"],
            Telemetry.from_json(line["telemetry"]),
        )


def failed(reason: Reason) -> Content:
    """Content of a failed record."""
    return {"status": "failed", "reason": str(reason)}


def free_text(text: str) -> Content:
    """Content of a free answer: its text, and the hash that stands for it where text may not."""
    return {"text": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}


def answer_parts(parts: Sequence[AnswerPart]) -> list[Content]:
    """Content of an extractive answer: spans and generated literals."""
    return [
        {"generated": part.text}
        if isinstance(part, Generated)
        else {"turn": part.turn, "start": part.start, "end": part.end}
        if part.turn is not None
        else {"memory": part.memory, "start": part.start, "end": part.end}
        for part in parts
    ]


def reason_of(error: Exception) -> Reason:
    """The failure vocabulary's word for what a system raised."""
    if isinstance(error, Fault):
        return error.reason
    return Reason.SYSTEM_MEMORY if isinstance(error, MemoryError) else Reason.SYSTEM_ERROR
