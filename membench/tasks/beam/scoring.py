"""Scoring a BEAM chat: rubrics by verdicts, recalls against the cited messages.

- `rubric`: as the official script at the cited commit. Each rubric item is worth 1, 0.5 or 0 by the
  judge, the script cuts 0.5 down to 0, and a question is worth the mean of its items. Event
  ordering is worth (tau-b + 1) / 2.
- `strict.rubric`: halves are kept; event ordering is worth (tau-b + 1) / 2 times the F1 of the
  events named, because tau-b alone gives an answer that names no event 0.09 to 0.28.
- `ordering.tau`, `ordering.f1`: the two parts, for event ordering.
- `evidence.*`: see `membench.tasks.evidence`.

A missing verdict makes a row failed, never wrong; without any judge it is unscored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from membench.domain.errors import Reason
from membench.domain.outcome import MISSING, Outcome, PlayedCase
from membench.domain.score import Score, ScoreStatus, Verdict
from membench.tasks.beam.gold import ORDERING, BeamGold, BeamQuestion
from membench.tasks.beam.ordering import aligned, compare, lines_of
from membench.tasks.beam.requests import (
    distinct_lines,
    item_request,
    line_request,
)
from membench.tasks.evidence import TurnPool, Values, evidence_values

RUBRIC, STRICT = "rubric", "strict.rubric"
TAU, F1 = "ordering.tau", "ordering.f1"
NO_JUDGE = "no_judge"

Verdicts = Mapping[str, Verdict]


class NoVerdict(Exception):
    """A verdict that scoring needs is missing or failed."""

    def __init__(self, outcome: Outcome) -> None:
        """Keep why."""
        super().__init__(outcome.reason)
        self.reason = outcome.reason or Reason.JUDGE_ERROR


def score_case(played: PlayedCase, gold: BeamGold, verdicts: Verdicts) -> list[Score]:
    """One row per question."""
    pool = TurnPool.of(played.case)
    return [
        score_question(played, gold, event, question, verdicts, pool)
        for event, question in gold.questions.items()
    ]


def score_question(
    played: PlayedCase,
    gold: BeamGold,
    event: int,
    question: BeamQuestion,
    verdicts: Verdicts,
    pool: TurnPool,
) -> Score:
    """The row of one question."""
    recalled = played.recalled.get(event)
    values, status, reason = rubric_values(played, event, question, verdicts)
    evidence, flags = evidence_values(question.evidence, recalled, pool)
    remarks = ("unmatched_evidence",) if question.unmatched else ()
    return Score(
        case_id=gold.case_id,
        item_id=question.question_id,
        kind="question",
        category=question.category,
        status=status,
        reason=reason,
        values=values | evidence,
        flags=(*flags, *remarks),
        event=event,
    )


def rubric_values(
    played: PlayedCase, event: int, question: BeamQuestion, verdicts: Verdicts
) -> tuple[Values, ScoreStatus, str | None]:
    """What a question is worth, the row's status, and its reason."""
    answer = played.answer(event)
    names = [RUBRIC, STRICT, *((TAU, F1) if question.category == ORDERING else ())]
    if not answer.outcome.ok or answer.text is None:
        return dict.fromkeys(names), "failed", answer.outcome.reason or Reason.HARNESS_ERROR
    if answer.text.strip() and not verdicts:
        return {}, "unscored", NO_JUDGE
    try:
        if question.category == ORDERING:
            return ordering_values(question, answer.text, verdicts), "scored", None
        return item_values(question, answer.text, verdicts), "scored", None
    except NoVerdict as missing:
        return dict.fromkeys(names), "failed", missing.reason


def grade(verdicts: Verdicts, name: str) -> float:
    """The grade of a verdict: 1, 0.5 or 0."""
    verdict = verdicts.get(name)
    outcome = verdict.outcome if verdict is not None else MISSING
    if verdict is None or not outcome.ok:
        raise NoVerdict(outcome)
    return float(verdict.values["label"])


def item_values(question: BeamQuestion, answer: str, verdicts: Verdicts) -> Values:
    """The mean over rubric items; an answer that says nothing is not asked about and meets none."""
    names = [item_request(question, index) for index in range(len(question.rubric))]
    silent = not answer.strip()
    grades = [0.0 if silent and name not in verdicts else grade(verdicts, name) for name in names]
    return {
        RUBRIC: math.fsum(map(math.floor, grades)) / len(grades),
        STRICT: math.fsum(grades) / len(grades),
    }


def ordering_values(question: BeamQuestion, answer: str, verdicts: Verdicts) -> Values:
    """Order and overlap of the events that the answer names."""
    numbers = {line: number for number, line in enumerate(distinct_lines(answer))}

    def same(index: int, line: str) -> bool:
        if line not in numbers:
            return False
        return grade(verdicts, line_request(question, index, numbers[line])) == 1.0

    official = compare(question.rubric, aligned(question.rubric, lines_of(answer), same))
    spoken = [line for line in lines_of(answer) if line.strip()]
    strict = compare(question.rubric, aligned(question.rubric, spoken, same))
    worth = None if strict.tau is None else strict.tau * strict.f1
    return {
        RUBRIC: official.tau,
        STRICT: worth if strict.f1 else 0.0,
        TAU: official.tau,
        F1: official.f1,
    }
