"""The score row of a question, as tasks with one answer per question write it."""

from __future__ import annotations

from collections.abc import Mapping

from membench.domain.errors import Reason
from membench.domain.outcome import Outcome
from membench.domain.score import QuestionGold, Score


def question_row(
    case_id: str,
    event: int,
    question: QuestionGold,
    outcome: Outcome,
    values: Mapping[str, float | None],
    flags: tuple[str, ...] = (),
) -> Score:
    """A row that is scored, or failed for the reason that its answer failed for."""
    return Score(
        case_id=case_id,
        item_id=question.question_id,
        kind="question",
        category=question.category,
        status="scored" if outcome.ok else "failed",
        reason=None if outcome.ok else outcome.reason or Reason.HARNESS_ERROR,
        values=values,
        flags=flags,
        event=event,
    )
