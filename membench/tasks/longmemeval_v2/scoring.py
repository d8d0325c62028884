"""Scoring LongMemEval-V2: by rule where the question has one, else by a judge.

- `matched.accuracy`: questions that need no judge (295 of 451, pictures included, reported).
- `accuracy`: all questions; unknown until every question that needs a judge has its verdict.
"""

from __future__ import annotations

from collections.abc import Mapping

from membench.domain.case import Ask
from membench.domain.errors import Reason
from membench.domain.outcome import MISSING, Answered, PlayedCase
from membench.domain.score import JudgeRequest, Score, ScoreStatus, Verdict
from membench.tasks.base import request_id
from membench.tasks.longmemeval_v2.gold import HaystackGold, HaystackQuestion
from membench.tasks.longmemeval_v2.rules import GOTCHA, boxed, is_right

ACCURACY, MATCHED = "accuracy", "matched.accuracy"
KIND_PREMISE, KIND_GOTCHA = "premise", "gotcha"

Values = dict[str, float | None]
Judged = tuple[float | None, ScoreStatus, str | None]


def needs_judge(question: HaystackQuestion) -> bool:
    """Whether the question's rule asks a judge."""
    return question.rule is not None and question.rule.judged


def kind_of(question: HaystackQuestion) -> str:
    """Which judge prompt a question needs."""
    gotcha = question.rule is not None and question.rule.name == GOTCHA
    return KIND_GOTCHA if gotcha else KIND_PREMISE


def requests(played: PlayedCase, gold: HaystackGold) -> list[JudgeRequest]:
    """One request per answer that only a judge can tell."""
    found = []
    for event, question in gold.questions.items():
        ask, answer = played.case.timeline[event], played.answer(event).text or ""
        if needs_judge(question) and answer.strip() and isinstance(ask, Ask):
            kind = kind_of(question)
            fields = {"question": ask.question.text, "gold": question.answer or ""}
            name = request_id(question.question_id, kind)
            found.append(JudgeRequest(name, kind, fields | {"answer": answer}))
    return found


def judged(question: HaystackQuestion, answer: Answered, verdicts: Mapping[str, Verdict]) -> Judged:
    """1 or 0 for an answer, or why there is neither."""
    if not answer.outcome.ok or answer.text is None:
        return None, "failed", answer.outcome.reason or Reason.HARNESS_ERROR
    if question.rule is not None and not question.rule.judged:
        return float(is_right(question.rule, answer.text, question.answer or "")), "scored", None
    verdict = verdicts.get(request_id(question.question_id, kind_of(question)))
    if verdict is None and not boxed(answer.text):
        return 0.0, "scored", None
    if not verdicts:
        return None, "unscored", "no_judge"
    outcome = verdict.outcome if verdict is not None else MISSING
    if verdict is None or not outcome.ok:
        return None, "failed", outcome.reason or Reason.JUDGE_ERROR
    return float(verdict.values["label"]), "scored", None


def score_case(
    played: PlayedCase, gold: HaystackGold, verdicts: Mapping[str, Verdict]
) -> list[Score]:
    """One row per question."""
    rows = []
    for event, question in gold.questions.items():
        value, status, reason = judged(question, played.answer(event), verdicts)
        names = (ACCURACY,) if needs_judge(question) else (ACCURACY, MATCHED)
        values: Values = {} if status == "unscored" else dict.fromkeys(names, value)
        rows.append(
            Score(
                case_id=gold.case_id,
                item_id=question.question_id,
                kind="question",
                category=question.category,
                status=status,
                reason=reason,
                values=values,
                event=event,
            )
        )
    return rows
