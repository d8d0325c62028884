"""What a reader is, and what the parts of an answer stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from membench.domain.answer import Answer, AnswerInput, AnswerPart, Generated, TextSpan
from membench.domain.case import Turn
from membench.domain.system import Memory


class LocalReader(Protocol):
    """A reader that needs no model: a pure function, run in lane processes."""

    def answer(self, given: AnswerInput, turns: Mapping[str, Turn]) -> Answer:
        """Answer from the recalled memories.

        Args:
            given: Question, memories, the dataset's now, official options.
            turns: Every turn of the case by id, so that an answer can point into a turn's
                rendering instead of quoting it.

        Returns:
            An answer whose `parts` are set; `text` is what the parts resolve to. `TextSpan.memory`
            is an index into `given.memories`; the harness turns it into the number n of
            texts.jsonl.
        """


def resolve(
    parts: Iterable[AnswerPart], turns: Mapping[str, Turn], memories: Sequence[Memory]
) -> str:
    """The text that parts stand for.

    Args:
        parts: Spans and literals, in order.
        turns: The case's turns by id.
        memories: What `TextSpan.memory` indexes.

    Raises:
        ValueError: A span points nowhere.
    """
    return "".join(resolved(part, turns, memories) for part in parts)


def resolved(part: AnswerPart, turns: Mapping[str, Turn], memories: Sequence[Memory]) -> str:
    """The text of one part."""
    if isinstance(part, Generated):
        return part.text
    text = source_text(part, turns, memories)
    if text is None or not 0 <= part.start <= part.end <= len(text):
        raise ValueError(f"{part} points outside the case")
    return text[part.start : part.end]


def source_text(
    span: TextSpan, turns: Mapping[str, Turn], memories: Sequence[Memory]
) -> str | None:
    """The text a span points into; None if there is no such turn or memory."""
    if span.turn is not None:
        return turns[span.turn].text if span.turn in turns else None
    if span.memory is None or not 0 <= span.memory < len(memories):
        return None
    return memories[span.memory].text


def composed(
    parts: Sequence[AnswerPart], turns: Mapping[str, Turn], memories: Sequence[Memory]
) -> Answer:
    """An answer made of parts."""
    return Answer(text=resolve(parts, turns, memories), parts=tuple(parts))
