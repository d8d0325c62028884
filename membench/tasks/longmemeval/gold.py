"""The private side of a LongMemEval instance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from membench.domain.score import Gold, QuestionGold

TYPES = (
    "single-session-user",
    "single-session-assistant",
    "single-session-preference",
    "multi-session",
    "temporal-reasoning",
    "knowledge-update",
)

ABSTENTION = "_abs"
"""Marks the ids of questions that the history does not answer."""


@dataclass(frozen=True)
class LongMemEvalQuestion(QuestionGold):
    """The question of an instance; `category` is its type, `evidence` every marked turn.

    Attributes:
        abstention: Whether the right answer is that nobody said so.
        disputed: Whether the overlaid list disputes its answer.
        claim: The answer that the list claims instead, where it gives one.
        blank_users: Public ids of user turns that say nothing: rows of the official corpora.
    """

    abstention: bool = False
    disputed: bool = False
    claim: str | None = None
    blank_users: tuple[str, ...] = ()


@dataclass(frozen=True)
class LongMemEvalGold(Gold):
    """One instance.

    Attributes:
        questions: The one question, by its event.
        blank_turns: How many turns were skipped because they say nothing.
        audited: Whether a list of disputed answers was overlaid.
    """

    questions: Mapping[int, LongMemEvalQuestion]
    blank_turns: int = 0
    audited: bool = False
