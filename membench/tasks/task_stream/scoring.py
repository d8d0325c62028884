"""Scoring a stream by task success. No judge: gold is exact.

- `success`: the answer names every procedure that the task needs, no other procedure of the
  stream, and has at most `LONGEST` words: naming several is running several.
- `learned.success`: the same, of tasks whose procedure follows from earlier feedback.
- `late.success`: the same as `learned.success`, in the last third of the stream.
- `repeated.error`: it names a procedure that earlier feedback called wrong for this fault.
- `recalled.right`: some recalled memory names each procedure that is needed.
- `evidence.*`: recalled memories against the turns of the last episodes that tell it.
"""

from __future__ import annotations

from membench.domain.outcome import PlayedCase, Recalled
from membench.domain.score import Score
from membench.tasks.evidence import TurnPool, Values, evidence_values
from membench.tasks.generation.match import holds, holds_any, words
from membench.tasks.rows import question_row
from membench.tasks.task_stream.gold import UNFORESEEN, StreamGold, StreamQuestion

LONGEST = 40
"""Words an answer may have."""


def is_success(answer: str, question: StreamQuestion) -> bool:
    """Whether the procedures named are those that the task needs."""
    said = words(answer)
    if len(said) > LONGEST or holds_any(said, question.others):
        return False
    return all(holds(said, procedure) for procedure in question.right)


def answer_values(question: StreamQuestion, answer: str | None) -> Values:
    """Figures of an answer; without one (it failed), the same names without values."""
    learned = question.category != UNFORESEEN
    names = ["success"]
    names += ["learned.success"] if learned else []
    names += ["late.success"] if learned and question.late else []
    if answer is None:
        return dict.fromkeys(names)
    values: Values = dict.fromkeys(names, float(is_success(answer, question)))
    if question.refuted:
        values["repeated.error"] = float(holds_any(words(answer), question.refuted))
    return values


def text_values(question: StreamQuestion, recalled: Recalled | None) -> Values:
    """Whether what was recalled names what is needed."""
    if recalled is None or question.category == UNFORESEEN:
        return {}
    if not recalled.outcome.ok:
        return {"recalled.right": None}
    said = [words(memory.text) for memory in recalled.memories]
    named = [any(holds(text, procedure) for text in said) for procedure in question.right]
    return {"recalled.right": float(all(named))}


def score_case(played: PlayedCase, gold: StreamGold) -> list[Score]:
    """One row per task."""
    pool = TurnPool.of(played.case)
    return [
        score_task(played, gold, event, question, pool)
        for event, question in gold.questions.items()
    ]


def score_task(
    played: PlayedCase, gold: StreamGold, event: int, question: StreamQuestion, pool: TurnPool
) -> Score:
    """The row of one task."""
    recalled = played.recalled.get(event)
    answered = played.answer(event)
    outcome = answered.outcome
    answer = answered.text if outcome.ok else None
    evidence, flags = evidence_values(question.evidence, recalled, pool)
    values = answer_values(question, answer) | text_values(question, recalled) | evidence
    return question_row(gold.case_id, event, question, outcome, values, flags)
