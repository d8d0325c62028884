"""The private side of a ConvoMem history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from membench.domain.score import Gold, QuestionGold

FOLDERS = {
    "user_evidence": "user facts",
    "assistant_facts_evidence": "assistant facts",
    "changing_evidence": "changing facts",
    "abstention_evidence": "abstention",
    "preference_evidence": "preferences",
    "implicit_connection_evidence": "implicit connections",
}
"""Folder of a kind of evidence -> its category."""

ABSTENTION, PREFERENCES = "abstention", "preferences"
SIZES = (2, 4, 6, 10, 20, 30, 50, 70, 100, 150, 200, 300)
"""How many conversations the published mixed histories have."""


@dataclass(frozen=True)
class ConvoMemQuestion(QuestionGold):
    """One question.

    Attributes:
        messages: How many messages its evidence is spread over.
        unmatched: How many of them stand nowhere in the history.
    """

    messages: int = 0
    unmatched: int = 0


@dataclass(frozen=True)
class ConvoMemGold(Gold):
    """One history.

    Attributes:
        conversations: How many conversations it has.
    """

    questions: Mapping[int, ConvoMemQuestion]
    conversations: int = 0
