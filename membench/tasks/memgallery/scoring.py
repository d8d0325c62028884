"""Scoring a Mem-Gallery dialogue: words, a judge, and the clue rounds.

- `exact_match`, `f1`: after lower-casing, without punctuation and articles.
- `judged`: a judge's grade, 0 to 1 in quarters.
- `evidence.round.*`, `evidence.session.*`: recalled memories against the clue rounds.
- `text_only.f1`, `text_only.judged`: the same over questions that need no picture.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping

from membench.domain.case import Ask, Ingest
from membench.domain.errors import Reason
from membench.domain.outcome import MISSING, PlayedCase
from membench.domain.score import JudgeRequest, Score, Verdict
from membench.tasks.base import request_id
from membench.tasks.evidence import TurnPool, Values, evidence_values
from membench.tasks.memgallery.gold import REFUSAL, MemGalleryGold, MemGalleryQuestion

ANSWER, ABSTAINS = "answer", "refusal"
GRADES = ("1", "0.75", "0.5", "0.25", "0")
LOSSY = "lossy"
JUDGED, TEXT_ONLY = "judged", "text_only."
ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)

Verdicts = Mapping[str, Verdict]


def words(text: str) -> list[str]:
    """Lower-case words without punctuation and articles."""
    return ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split()


def f1(answer: str, gold: str) -> float:
    """F1 of the word multisets."""
    given, wanted = words(answer), words(gold)
    shared = (Counter(given) & Counter(wanted)).total()
    return 2 * shared / (len(given) + len(wanted)) if shared else 0.0


def kind_of(question: MemGalleryQuestion) -> str:
    """Which judge prompt a question needs."""
    return ABSTAINS if question.category == REFUSAL else ANSWER


def requests(played: PlayedCase, gold: MemGalleryGold) -> list[JudgeRequest]:
    """One request per answer that says something."""
    found = []
    for event, question in gold.questions.items():
        ask, answer = played.case.timeline[event], played.answer(event).text or ""
        if answer.strip() and isinstance(ask, Ask):
            kind = kind_of(question)
            fields = {"question": ask.question.text, "gold": question.answer or ""}
            name = request_id(question.question_id, kind)
            found.append(JudgeRequest(name, kind, fields | {"answer": answer}))
    return found


def pool_of(played: PlayedCase, gold: MemGalleryGold) -> TurnPool:
    """All rounds and sessions of a dialogue."""
    sessions = {
        turn.id: event.session.id
        for event in played.case.timeline
        if isinstance(event, Ingest)
        for turn in event.session.turns
    }
    return TurnPool({"round": gold.rounds, "session": sessions})


def answer_values(question: MemGalleryQuestion, answer: str | None) -> Values:
    """Figures of an answer's words; without one (it failed), the same names without values."""
    names = ["exact_match", "f1", *([] if question.lossy else [f"{TEXT_ONLY}f1"])]
    if answer is None:
        return dict.fromkeys(names)
    gold = question.answer or ""
    values = {"exact_match": float(words(answer) == words(gold)), "f1": f1(answer, gold)}
    values[f"{TEXT_ONLY}f1"] = values["f1"]
    return {name: values[name] for name in names}


def judged_values(
    question: MemGalleryQuestion, answer: str | None, verdicts: Verdicts
) -> tuple[Values, str | None]:
    """The judge's grade, and why there is none; nothing if no judge was run."""
    if not verdicts:
        return {}, None
    names = [JUDGED, *([] if question.lossy else [f"{TEXT_ONLY}{JUDGED}"])]
    if answer is None:
        return dict.fromkeys(names), None
    verdict = verdicts.get(request_id(question.question_id, kind_of(question)))
    if verdict is None and not answer.strip():
        return dict.fromkeys(names, 0.0), None
    if verdict is None or not verdict.outcome.ok:
        outcome = verdict.outcome if verdict is not None else MISSING
        return dict.fromkeys(names), outcome.reason or Reason.JUDGE_ERROR
    return dict.fromkeys(names, float(verdict.values["label"])), None


def score_case(played: PlayedCase, gold: MemGalleryGold, verdicts: Verdicts) -> list[Score]:
    """One row per question."""
    pool = pool_of(played, gold)
    rows = []
    for event, question in gold.questions.items():
        given = played.answer(event)
        answer = given.text if given.outcome.ok else None
        judged, lost = judged_values(question, answer, verdicts)
        evidence, flags = evidence_values(question.evidence, played.recalled.get(event), pool)
        failed = None if answer is not None else given.outcome.reason or Reason.HARNESS_ERROR
        remarks = {LOSSY: question.lossy, "unmatched_evidence": bool(question.unmatched)}
        rows.append(
            Score(
                case_id=gold.case_id,
                item_id=question.question_id,
                kind="question",
                category=question.category,
                status="failed" if failed or lost else "scored",
                reason=failed or lost,
                values=answer_values(question, answer) | judged | evidence,
                flags=(*flags, *(name for name, there in remarks.items() if there)),
                event=event,
            )
        )
    return rows
