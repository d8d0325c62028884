"""Answers, the parts they are made of, and what a reader is given."""

from __future__ import annotations

from dataclasses import dataclass

from membench.domain.system import Memory


@dataclass(frozen=True)
class TextSpan:
    """Part of an answer: code points `start:end` of a turn's rendering, or of recalled memory `n`.

    `turn` is set where the words stand in a turn, so that anyone with the data can resolve them;
    `memory` (number n of texts.jsonl) only where a system rewrote the text.
    """

    start: int
    end: int
    turn: str | None = None
    memory: int | None = None


@dataclass(frozen=True)
class Generated:
    """Part of an answer that the reader generated: date, number, yes/no, separator, refusal."""

    text: str


AnswerPart = TextSpan | Generated


@dataclass(frozen=True)
class Answer:
    """An answer: free text (an LLM, a system's own `answer`) or parts (the extractive reader)."""

    text: str
    parts: tuple[AnswerPart, ...] | None = None


@dataclass(frozen=True)
class Message:
    """One chat message for a model."""

    role: str
    content: str


@dataclass(frozen=True)
class AnswerInput:
    """All a reader gets to answer one `Ask`; public, but for `options` (LoCoMo's exemption).

    Attributes:
        question: The question's words.
        memories: What was recalled, in rank order.
        now: The dataset's clock in ISO form, or None.
        options: Choices the official protocol shows to the reader; empty otherwise.
    """

    question: str
    memories: tuple[Memory, ...]
    now: str | None = None
    options: tuple[str, ...] = ()
