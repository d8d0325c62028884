"""What a record says happened: statuses, answers, reasons and the words of an exception."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from membench.harness.errors import Fault, Reason
from membench.harness.model import Generated

ERROR_CHARACTERS = 500
"""How much of an exception's text goes into telemetry."""


def failed(reason: Reason) -> dict[str, Any]:
    """Content of a failed record."""
    return {"status": "failed", "reason": str(reason)}


def free_text(text: str) -> dict[str, Any]:
    """Content of a free answer: its text, and the hash that stands for it where text may not."""
    return {"text": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}


def answer_parts(parts: Sequence[Any]) -> list[dict[str, Any]]:
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


def describe(error: Exception) -> str:
    """Type and text of an exception, cut short, for telemetry."""
    return f"{type(error).__name__}: {error}"[:ERROR_CHARACTERS]
