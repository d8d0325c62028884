"""Scoring a LoCoMo conversation: the official figures, and stricter ones beside them.

- `f1`: rounded to 3 decimals per question; `strict.`: not rounded.
- `adversarial`: two official phrases; `strict.`: our longer list of phrases.
- `evidence.*`: see `evidence`.

A row is `scored` when what needs no judge could be computed. A row `failed` if its recall, its
answer or its verdict did; it then lists without a value what could not be computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from membench.domain.case import Ask
from membench.domain.errors import Reason
from membench.domain.outcome import MISSING, Outcome, PlayedCase, Recalled
from membench.domain.score import JudgeRequest, Score, Verdict
from membench.metrics import text
from membench.tasks.base import request_id
from membench.tasks.locomo.choice import chosen, options
from membench.tasks.locomo.evidence import CaseEvidence, Values
from membench.tasks.locomo.gold import ADVERSARIAL, LocomoGold, LocomoQuestion

MULTI_HOP, OPEN_DOMAIN = 1, 3

Verdicts = Mapping[str, Verdict]


# --- answers -----------------------------------------------------------------------------------


def official_f1(answer: str, gold: str, number: int) -> float:
    """Token F1 of categories 1 to 4, before rounding."""
    if number == MULTI_HOP:
        return text.list_f1(answer, gold)
    if number == OPEN_DOMAIN:
        gold = gold.split(";")[0].strip()
    return text.token_f1(answer, gold)


def official_rounding(value: float, number: int) -> float:
    """Three decimals. Multi-hop scores are NumPy numbers officially, and round as such."""
    if number == MULTI_HOP:
        import numpy as np

        return float(np.round(value, 3))
    return round(value, 3)


def answer_values(question: LocomoQuestion, answer: str | None, audited: bool) -> Values:
    """Figures of an answer; without one (it failed), the same names without values."""
    if question.number == ADVERSARIAL:
        return refusal_values(answer)
    exact = None if answer is None else official_f1(answer, question.answer or "", question.number)
    rounded = None if exact is None else official_rounding(exact, question.number)
    values: Values = {"f1": rounded, "f1_all": rounded, "strict.f1": exact}
    if audited:
        values |= audited_values(question, answer, rounded)
    return values


def refusal_values(answer: str | None) -> Values:
    """Figures of an answer to a question that cannot be answered."""
    if answer is None:
        return dict.fromkeys(("adversarial", "f1_all", "strict.adversarial"))
    official = float(text.refuses(answer, text.OFFICIAL_REFUSALS))
    strict = float(text.refuses(answer) or not answer.strip())
    return {"adversarial": official, "f1_all": official, "strict.adversarial": strict}


def audited_values(question: LocomoQuestion, answer: str | None, f1: float | None) -> Values:
    """F1 against the audited answer, and what a perfect system can reach against the published."""
    fix = question.correction
    ceiling = 0.0 if fix and fix.corrupting else 1.0
    if fix is None or answer is None:
        return {"errata.f1": f1, "errata.ceiling": ceiling}
    corrected = official_f1(answer, fix.answer, question.number)
    return {
        "errata.f1": official_rounding(corrected, question.number),
        "errata.ceiling": ceiling,
    }


# --- verdicts ----------------------------------------------------------------------------------


def judge_kind(question: LocomoQuestion) -> Literal["answer", "refusal"]:
    """Which judge prompt a question needs."""
    return "refusal" if question.number == ADVERSARIAL else "answer"


def requests(played: PlayedCase, gold: LocomoGold, seed: int | None) -> list[JudgeRequest]:
    """One request per answer; a second against the audited answer where it differs."""
    return [
        request
        for event, question in gold.questions.items()
        if (answer := final_answer(played, event, question, seed)[0]) is not None
        for request in question_requests(question, question_text(played, event), answer)
    ]


def question_requests(question: LocomoQuestion, words: str, answer: str) -> Iterator[JudgeRequest]:
    """The requests of one question."""
    kind = judge_kind(question)
    fields = {"question": words, "answer": answer}
    published = question.trap if question.number == ADVERSARIAL else question.answer
    yield JudgeRequest(
        request_id(question.question_id, kind), kind, fields | {"gold": published or ""}
    )
    if question.correction and question.correction.corrupting:
        yield JudgeRequest(
            errata_request(question), kind, fields | {"gold": question.correction.answer}
        )


def errata_request(question: LocomoQuestion) -> str:
    """The id of the request against the audited answer."""
    return request_id(question.question_id, "errata")


def question_text(played: PlayedCase, event: int) -> str:
    """The words of the ask at an event."""
    ask = played.case.timeline[event]
    return ask.question.text if isinstance(ask, Ask) else ""


def judged(verdict: Verdict | None) -> float | None:
    """1 if the label says so, 0 if it does not, None without a usable verdict."""
    if verdict is None or not verdict.outcome.ok:
        return None
    return float(verdict.values.get("label") in ("CORRECT", "REFUSED"))


def judged_values(question: LocomoQuestion, verdicts: Verdicts, audited: bool) -> Values:
    """Judged figures; nothing if no judge was run."""
    if not verdicts:
        return {}
    value = judged(verdicts.get(request_id(question.question_id, judge_kind(question))))
    if question.number == ADVERSARIAL:
        return {"judged.adversarial": value}
    values: Values = {"judged.accuracy": value}
    if audited:
        corrupting = question.correction is not None and question.correction.corrupting
        second = judged(verdicts.get(errata_request(question))) if corrupting else value
        values["errata.judged.accuracy"] = second
    return values


# --- rows --------------------------------------------------------------------------------------


def final_answer(
    played: PlayedCase, event: int, question: LocomoQuestion, seed: int | None
) -> tuple[str | None, Outcome]:
    """The answer that counts, with the official choice resolved; or why there is none."""
    answered = played.answer(event)
    if answered.text is None or not answered.outcome.ok:
        return None, answered.outcome
    choices = options(question, seed) if seed is not None else ()
    return chosen(answered.text, choices) if choices else answered.text, answered.outcome


def score_case(
    played: PlayedCase, gold: LocomoGold, verdicts: Verdicts, seed: int | None
) -> list[Score]:
    """One row per question.

    Args:
        played: The records of the case.
        gold: Its gold.
        verdicts: By request id; empty if no judge was run.
        seed: Of the official two-option choice; None where category 5 was asked openly.
    """
    evidence = CaseEvidence.of(played, gold)
    return [
        score_question(evidence, event, question, verdicts, seed)
        for event, question in gold.questions.items()
    ]


def score_question(
    recalls: CaseEvidence,
    event: int,
    question: LocomoQuestion,
    verdicts: Verdicts,
    seed: int | None,
) -> Score:
    """The row of one question."""
    answer, outcome = final_answer(recalls.played, event, question, seed)
    evidence, flags = recalls.score(event, question)
    values = answer_values(question, answer, recalls.gold.audited)
    values |= judged_values(question, verdicts, recalls.gold.audited) | evidence
    reason = failure(recalls.played.recalled.get(event), outcome, question, verdicts)
    return Score(
        case_id=recalls.gold.case_id,
        item_id=question.question_id,
        kind="question",
        category=question.category,
        status="failed" if reason else "scored",
        reason=reason,
        values=values,
        flags=(*flags, *remarks(question)),
        event=event,
    )


def failure(
    recalled: Recalled | None, answered: Outcome, question: LocomoQuestion, verdicts: Verdicts
) -> str | None:
    """The first thing that failed on the way to a row, in the order of the stages."""
    verdict = verdicts.get(request_id(question.question_id, judge_kind(question)))
    outcomes = [recalled.outcome if recalled else Outcome(), answered]
    if verdicts:
        outcomes.append(verdict.outcome if verdict else MISSING)
    return next((o.reason or Reason.HARNESS_ERROR for o in outcomes if not o.ok), None)


def remarks(question: LocomoQuestion) -> tuple[str, ...]:
    """Known defects of a question: citations that name no turn, an audited correction."""
    found = {
        "unmatched_evidence": bool(question.unmatched),
        "no_evidence": not question.cited,
        "disputed": question.correction is not None and question.correction.corrupting,
    }
    return tuple(name for name, there in found.items() if there)
