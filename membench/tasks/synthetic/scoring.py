"""Scoring the answers and recalls of a generated case. No judge: gold is exact.

- `accuracy`: the answer holds an accepted phrase and is no longer than `LONGEST` words; where
  nothing was said, it is a refusal. `strict.accuracy`: and it holds no value of another fact of
  the same kind. `exact`: it is the gold answer, nothing else. `f1`: token F1 against that.
- `recalled.answer`, `recalled.stale`: some recalled memory says the answer; some recalled memory
  says what no longer holds, and not what holds. By text, for systems that name no turns too.
- `evidence.*`: recalled memories against the turns that the answer follows from.
"""

from __future__ import annotations

from collections.abc import Sequence

from membench.domain.outcome import PlayedCase, Recalled
from membench.domain.score import Score
from membench.metrics.text import refuses, token_f1
from membench.tasks.evidence import TurnPool, Values, evidence_values
from membench.tasks.generation.match import holds_any, words
from membench.tasks.rows import question_row
from membench.tasks.synthetic.gold import UNANSWERABLE, SyntheticGold, SyntheticQuestion
from membench.tasks.synthetic.store import score_store

LONGEST = 40
"""Words an answer may have to be right: a list of everything recalled is no answer."""


# --- answers -----------------------------------------------------------------------------------


def is_right(answer: str, question: SyntheticQuestion) -> bool:
    """Whether an answer counts as right."""
    if question.category == UNANSWERABLE:
        return refuses(answer)
    said = words(answer)
    if len(said) > LONGEST:
        return False
    return holds_any(said, question.accepted) or is_alone(said, question)


def is_alone(said: Sequence[str], question: SyntheticQuestion) -> bool:
    """Whether an answer is one of the phrases that are right on their own, and nothing else."""
    return any(tuple(said) == words(phrase) for phrase in question.alone)


def is_exact(answer: str, question: SyntheticQuestion) -> bool:
    """Whether an answer is an accepted one and nothing else, articles apart."""
    said = tuple(word for word in words(answer) if word not in ("a", "an", "the"))
    accepted = (question.answer or "", *question.accepted, *question.alone)
    wanted = (
        tuple(word for word in words(phrase) if word not in ("a", "an", "the"))
        for phrase in accepted
    )
    return said in wanted


def answer_values(question: SyntheticQuestion, answer: str | None) -> Values:
    """Figures of an answer; without one (it failed), the same names without values."""
    open_question = question.category != UNANSWERABLE
    names = ["accuracy", "strict.accuracy"]
    names += ["answerable.accuracy", "exact", "f1"] if open_question else ["refusal"]
    names += ["answer.stale"] if question.stale else []
    if answer is None:
        return {name: None for name in names if name != "answer.stale"}
    right = is_right(answer, question)
    said = words(answer)
    found: Values = {
        "accuracy": float(right),
        "strict.accuracy": float(right and not holds_any(said, question.decoys)),
        "answerable.accuracy": float(right),
        "refusal": float(right),
        "exact": float(is_exact(answer, question)),
        "f1": token_f1(answer, question.answer or ""),
        "answer.stale": float(not right and holds_any(said, question.stale)),
    }
    return {name: found[name] for name in names}


# --- recalls -----------------------------------------------------------------------------------


def text_values(question: SyntheticQuestion, recalled: Recalled | None) -> Values:
    """Whether what was recalled says the answer, or what no longer holds."""
    if recalled is None or not question.told or question.category == UNANSWERABLE:
        return {}
    if not recalled.outcome.ok:
        return {"recalled.answer": None}
    said = [words(memory.text) for memory in recalled.memories]
    current = [holds_any(text, question.accepted) for text in said]
    values: Values = {"recalled.answer": float(any(current))}
    if question.stale:
        values["recalled.stale"] = float(
            any(
                holds_any(text, question.stale) and not now
                for text, now in zip(said, current, strict=True)
            )
        )
    return values


# --- rows --------------------------------------------------------------------------------------


def score_case(played: PlayedCase, gold: SyntheticGold) -> list[Score]:
    """One row per question, and the rows of the store."""
    pool = TurnPool.of(played.case)
    rows = [
        score_question(played, gold, event, question, pool)
        for event, question in gold.questions.items()
    ]
    return rows + score_store(played, gold)


def score_question(
    played: PlayedCase,
    gold: SyntheticGold,
    event: int,
    question: SyntheticQuestion,
    pool: TurnPool,
) -> Score:
    """The row of one question."""
    recalled = played.recalled.get(event)
    answered = played.answer(event)
    outcome = answered.outcome
    answer = answered.text if outcome.ok else None
    evidence, flags = evidence_values(question.evidence, recalled, pool)
    values = answer_values(question, answer) | text_values(question, recalled) | evidence
    return question_row(gold.case_id, event, question, outcome, values, flags)
