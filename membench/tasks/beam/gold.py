"""The private side of a BEAM chat: abilities, rubrics, the messages that answers follow from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from membench.domain.score import Gold, QuestionGold

ABSTENTION = "abstention"
ORDERING = "event_ordering"
COMPLIANCE = ("instruction_following", "preference_following")
ABILITIES = (
    ABSTENTION,
    "contradiction_resolution",
    ORDERING,
    "information_extraction",
    "instruction_following",
    "knowledge_update",
    "multi_session_reasoning",
    "preference_following",
    "summarization",
    "temporal_reasoning",
)

ANSWER_FIELDS = {
    ABSTENTION: "ideal_response",
    "contradiction_resolution": "ideal_answer",
    "summarization": "ideal_summary",
    **dict.fromkeys(COMPLIANCE, "expected_compliance"),
}
"""The field of a question that holds its gold text; `answer` where the ability is not listed."""


@dataclass(frozen=True)
class BeamQuestion(QuestionGold):
    """One question; `category` is its ability.

    Attributes:
        rubric: What an answer is held against, item by item; in their order for event ordering.
        unmatched: Cited message ids that name no message, or several.
    """

    rubric: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()


@dataclass(frozen=True)
class BeamGold(Gold):
    """One chat.

    Attributes:
        markers: How many generator markers were taken out of its messages.
        blank: How many messages were left out because they say nothing.
    """

    questions: Mapping[int, BeamQuestion]
    markers: int = 0
    blank: int = 0
