"""Scoring a LongMemEval instance: the judge decides the answer, its turns decide the retrieval.

Which judge prompt a question gets follows from its id and type, abstention first. A missing or
empty answer is wrong without being judged. Abstentions stay in their type.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from membench.domain.case import Ask
from membench.domain.errors import Reason
from membench.domain.outcome import MISSING, Answered, PlayedCase
from membench.domain.score import Aggregate, JudgeRequest, Metric, Score, ScoreStatus, Verdict
from membench.tasks.base import request_id
from membench.tasks.longmemeval.evidence import score_recall
from membench.tasks.longmemeval.gold import LongMemEvalGold, LongMemEvalQuestion

KINDS = {
    "single-session-user": "base",
    "single-session-assistant": "base",
    "multi-session": "base",
    "temporal-reasoning": "temporal",
    "knowledge-update": "update",
    "single-session-preference": "preference",
}
NO_JUDGE = "no_judge"
ACCURACY, TASK_AVERAGED = "accuracy", "accuracy.task_averaged"
CLAIMED = "errata.claimed.accuracy"

Values = dict[str, float | None]


def judge_kind(question: LongMemEvalQuestion) -> str:
    """Which judge prompt a question needs; abstentions have their own, whatever their type."""
    return "abstention" if question.abstention else KINDS[question.category]


def requests(played: PlayedCase, gold: LongMemEvalGold) -> list[JudgeRequest]:
    """The request of the one question, if there is an answer to judge.

    A second one where the overlaid list claims another answer.
    """
    return [
        request
        for event, question in gold.questions.items()
        if (answer := played.answer(event).text or "").strip()
        for request in question_requests(question, question_text(played, event), answer)
    ]


def question_requests(
    question: LongMemEvalQuestion, words: str, answer: str
) -> Iterator[JudgeRequest]:
    """The requests of one question."""
    kind = judge_kind(question)
    fields = {"question": words, "answer": answer}
    name = request_id(question.question_id, kind)
    yield JudgeRequest(name, kind, fields | {"gold": question.answer or ""})
    if question.claim is not None:
        yield JudgeRequest(claim_request(question), kind, fields | {"gold": question.claim})


def claim_request(question: LongMemEvalQuestion) -> str:
    """The id of the request against the claimed answer."""
    return request_id(question.question_id, "claim")


def question_text(played: PlayedCase, event: int) -> str:
    """The words of the ask at an event."""
    ask = played.case.timeline[event]
    return ask.question.text if isinstance(ask, Ask) else ""


def score_case(
    played: PlayedCase, gold: LongMemEvalGold, verdicts: Mapping[str, Verdict]
) -> list[Score]:
    """The row of the one question of a case."""
    return [
        score_question(played, gold, event, question, verdicts)
        for event, question in gold.questions.items()
    ]


def score_question(
    played: PlayedCase,
    gold: LongMemEvalGold,
    event: int,
    question: LongMemEvalQuestion,
    verdicts: Mapping[str, Verdict],
) -> Score:
    """One row."""
    label, status, reason = judged(played.answer(event), question, verdicts)
    recalls, flags = score_recall(played, event, question)
    values = {} if status == "unscored" else accuracies(question, label, gold.audited)
    if values and gold.audited:
        values |= claimed_values(question, label, verdicts)
    return Score(
        case_id=gold.case_id,
        item_id=question.question_id,
        kind="question",
        category=question.category,
        status=status,
        reason=reason,
        values=values | recalls,
        flags=(*flags, *remarks(gold, question)),
        event=event,
    )


def judged(
    answer: Answered, question: LongMemEvalQuestion, verdicts: Mapping[str, Verdict]
) -> tuple[float | None, ScoreStatus, str | None]:
    """The label of an answer (1, 0 or None), the row's status, and its reason."""
    if not answer.outcome.ok or answer.text is None:
        return None, "failed", answer.outcome.reason or Reason.HARNESS_ERROR
    if not answer.text.strip():
        return 0.0, "scored", None
    if not verdicts:
        return None, "unscored", NO_JUDGE
    name = request_id(question.question_id, judge_kind(question))
    outcome = verdicts[name].outcome if name in verdicts else MISSING
    if not outcome.ok:
        return None, "failed", outcome.reason or Reason.JUDGE_ERROR
    return float(verdicts[name].values.get("label") == "yes"), "scored", None


def accuracies(question: LongMemEvalQuestion, label: float | None, audited: bool) -> Values:
    """The figures that a label enters; None where it is lost."""
    values: Values = {ACCURACY: label}
    if question.abstention:
        values["abstention"] = label
    if audited and not question.disputed:
        values["errata.accuracy"] = label
    return values


def claimed_values(
    question: LongMemEvalQuestion, label: float | None, verdicts: Mapping[str, Verdict]
) -> Values:
    """The label against the claimed answer; disputed questions without a claim are left out."""
    if not question.disputed:
        return {CLAIMED: label}
    if question.claim is None:
        return {}
    verdict = verdicts.get(claim_request(question))
    if verdict is None or not verdict.outcome.ok:
        return {CLAIMED: 0.0 if label == 0.0 and not verdicts else None}
    return {CLAIMED: float(verdict.values.get("label") == "yes")}


def remarks(gold: LongMemEvalGold, question: LongMemEvalQuestion) -> tuple[str, ...]:
    """What to know about an instance."""
    found = {
        "blank_turns": gold.blank_turns > 0,
        "disputed": question.disputed,
        "abstention": question.abstention,
    }
    return tuple(name for name, there in found.items() if there)


# --- the mean of the types ---------------------------------------------------------------------


def with_task_average(made: Aggregate) -> Aggregate:
    """Add the mean of the six types' accuracies."""
    types = [c.metrics[ACCURACY] for c in made.categories.values() if ACCURACY in c.metrics]
    average = task_average(types)
    if average is None:
        return made
    return replace(made, metrics={**made.metrics, TASK_AVERAGED: average})


def task_average(types: list[Metric]) -> Metric | None:
    """The mean of independent figures; half-widths of their intervals add up in squares."""
    known = [metric for metric in types if metric.value is not None]
    if not known:
        return None
    value = math.fsum(metric.value or 0.0 for metric in known) / len(known)
    n, clusters = (sum(getattr(m, name) for m in known) for name in ("n", "clusters"))
    if any(metric.ci95 is None for metric in known):
        return Metric(value, None, n, clusters)
    widths = [(high - low) / 2 for low, high in (metric.ci95 or (0.0, 0.0) for metric in known)]
    half = math.hypot(*widths) / len(known)
    return Metric(value, (max(0.0, value - half), min(1.0, value + half)), n, clusters)
