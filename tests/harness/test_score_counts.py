"""Counts of a run: a verdict that could not be had is a failure, never a quiet zero."""

from dataclasses import asdict

from membench.domain.case import Ask, Case, Question
from membench.domain.outcome import Answered, Outcome, PlayedCase, Recalled
from membench.domain.score import Score
from membench.harness.stages.score import OutcomeTally

CASE = Case("c", "toy", (Ask(Question("when?")), Ask(Question("who?"))))
PLAYED = PlayedCase(
    CASE,
    recalled={event: Recalled(Outcome()) for event in (0, 1)},
    answered={event: (Answered(Outcome(), "today"),) for event in (0, 1)},
)


def row(event: int, kind: str, status: str, reason: str | None = None) -> Score:
    return Score("c", f"q{event}", kind, None, status, {}, reason, event=event)


def tallied(*rows: Score) -> dict:
    tally = OutcomeTally()
    tally.add(CASE, PLAYED, list(rows))
    return asdict(tally.counts())


def test_a_question_whose_verdict_failed_is_failed():
    counts = tallied(row(0, "question", "failed", "judge_error"), row(1, "question", "scored"))
    assert (counts["ok"], counts["failed"]) == (1, 1)
    assert counts["failures"] == {"judge_error": 1}


def test_a_failed_verdict_about_anything_else_is_a_failure_of_the_run():
    tally = OutcomeTally()
    tally.add(CASE, PLAYED, [row(0, "integrity", "failed", "judge_unparsable")])
    tally.add_verdicts({"judge_unparsable": 1})
    counts = asdict(tally.counts())
    assert (counts["ok"], counts["failed"]) == (2, 0)
    assert counts["failures"] == {"judge_unparsable": 1}


def test_a_failed_verdict_about_a_question_is_counted_once():
    tally = OutcomeTally()
    tally.add(CASE, PLAYED, [row(0, "question", "failed", "judge_error")])
    tally.add_verdicts({"judge_error": 1})
    assert tally.counts().failures == {"judge_error": 1}


def test_a_question_without_a_judge_is_unscored_and_not_failed():
    counts = tallied(row(0, "question", "unscored", "no_judge"), row(1, "question", "scored"))
    assert (counts["ok"], counts["failed"], counts["unscored"]) == (2, 0, 1)
    assert counts["failures"] == {}
