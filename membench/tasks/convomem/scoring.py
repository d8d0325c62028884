"""Scoring a ConvoMem history: the judge decides answers, cited messages decide recalls.

`accuracy` is the share of answers that the judge calls right; `accuracy.conversations_<n>` the same
over histories of n conversations, for the published sizes, and `accuracy.messages_<n>` over
questions whose evidence is spread over n messages. Nothing of it is known without a judge.
"""

from __future__ import annotations

from collections.abc import Mapping

from membench.domain.case import Ask
from membench.domain.errors import Reason
from membench.domain.outcome import MISSING, PlayedCase
from membench.domain.score import JudgeRequest, Score, ScoreStatus, Verdict
from membench.tasks.base import request_id
from membench.tasks.convomem.gold import (
    ABSTENTION,
    PREFERENCES,
    SIZES,
    ConvoMemGold,
    ConvoMemQuestion,
)
from membench.tasks.evidence import TurnPool, Values, evidence_values

ACCURACY = "accuracy"
FACT, REFUSAL, PREFERENCE = "fact", "refusal", "preference"
RIGHT = "RIGHT"

Judged = tuple[float | None, ScoreStatus, str | None]


def kind_of(question: ConvoMemQuestion) -> str:
    """Which judge prompt a question needs."""
    return {ABSTENTION: REFUSAL, PREFERENCES: PREFERENCE}.get(question.category, FACT)


def requests(played: PlayedCase, gold: ConvoMemGold) -> list[JudgeRequest]:
    """One request per answer that says something."""
    found = []
    for event, question in gold.questions.items():
        ask, answer = played.case.timeline[event], played.answer(event).text
        if not (answer or "").strip() or not isinstance(ask, Ask):
            continue
        kind = kind_of(question)
        fields = {
            "question": ask.question.text,
            "gold": question.answer or "",
            "answer": answer or "",
        }
        found.append(JudgeRequest(request_id(question.question_id, kind), kind, fields))
    return found


def judged(
    played: PlayedCase, event: int, question: ConvoMemQuestion, verdicts: Mapping[str, Verdict]
) -> Judged:
    """1 or 0 for an answer, or why there is neither."""
    answer = played.answer(event)
    if not answer.outcome.ok or answer.text is None:
        return None, "failed", answer.outcome.reason or Reason.HARNESS_ERROR
    verdict = verdicts.get(request_id(question.question_id, kind_of(question)))
    if verdict is None and not answer.text.strip():
        return 0.0, "scored", None
    if not verdicts:
        return None, "unscored", "no_judge"
    outcome = verdict.outcome if verdict is not None else MISSING
    if verdict is None or not outcome.ok:
        return None, "failed", outcome.reason or Reason.JUDGE_ERROR
    return float(verdict.values["label"] == RIGHT), "scored", None


def accuracies(gold: ConvoMemGold, question: ConvoMemQuestion, value: float | None) -> Values:
    """The figures that a judged answer enters."""
    values = {ACCURACY: value, f"{ACCURACY}.messages_{question.messages}": value}
    if gold.conversations in SIZES:
        values[f"{ACCURACY}.conversations_{gold.conversations}"] = value
    return values


def score_case(
    played: PlayedCase, gold: ConvoMemGold, verdicts: Mapping[str, Verdict]
) -> list[Score]:
    """One row per question."""
    pool = TurnPool.of(played.case)
    rows = []
    for event, question in gold.questions.items():
        recalled = played.recalled.get(event)
        value, status, reason = judged(played, event, question, verdicts)
        evidence, flags = evidence_values(question.evidence, recalled, pool)
        values = {} if status == "unscored" else accuracies(gold, question, value)
        rows.append(
            Score(
                case_id=gold.case_id,
                item_id=question.question_id,
                kind="question",
                category=question.category,
                status=status,
                reason=reason,
                values=values | evidence,
                flags=(*flags, *(("unmatched_evidence",) if question.unmatched else ())),
                event=event,
            )
        )
    return rows
