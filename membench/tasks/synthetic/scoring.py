"""Scoring the answers and recalls of a generated case. No judge: gold is exact.

- `accuracy`: the answer holds an accepted phrase and is no longer than `LONGEST` words; where
  nothing was said, it is a refusal. `strict.accuracy`: and it holds no value of another fact of
  the same kind. `exact`: it is the gold answer, nothing else. `f1`: token F1 against that.
- `recalled.answer`, `recalled.stale`: some recalled memory says the answer; some recalled memory
  says what no longer holds, and not what holds. By text, for systems that name no turns too.
- `evidence.*`: recalled memories against the turns that the answer follows from.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from membench.domain.case import Ingest
from membench.domain.errors import Reason
from membench.domain.outcome import Answered, Outcome, PlayedCase, Recalled
from membench.domain.score import Score
from membench.metrics.retrieval import (
    MEASURES,
    cuts,
    reciprocal_rank,
    why_undetermined,
)
from membench.metrics.text import refuses, token_f1
from membench.tasks.synthetic.gold import UNANSWERABLE, SyntheticGold, SyntheticQuestion
from membench.tasks.synthetic.match import holds_any, words
from membench.tasks.synthetic.store import score_store

LONGEST = 40
"""Words an answer may have to be right: a list of everything recalled is no answer."""

CUTS = (5, 10, 25, 50)
MISSING = Outcome(ok=False, reason=Reason.MISSING)

Values = dict[str, float | None]


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


@dataclass(frozen=True)
class Grain:
    """A grain at which evidence is compared: turns, or the sessions they stand in."""

    name: str
    units: Sequence[Collection[str]]
    gold: Sequence[str]
    pool: Collection[str]


def evidence_values(
    question: SyntheticQuestion, recalled: Recalled | None, turns: Sequence[str]
) -> tuple[Values, tuple[str, ...]]:
    """Evidence figures at every cut that the recall serves, and why some say nothing.

    Args:
        question: The question; without evidence it has no figures.
        recalled: What was recalled for it; None where predictions bring answers only.
        turns: The ids of all turns of the case.
    """
    if recalled is None or not question.evidence:
        return {}, ()
    values: Values = {}
    flags: dict[str, None] = {}
    for grain in grains(question, recalled, turns):
        for name, value, why in grain_values(grain, recalled):
            values[name] = value
            flags |= {why: None} if why else {}
    cited = any(memory.sources for memory in recalled.memories)
    if recalled.outcome.ok and recalled.memories and not cited:
        return dict.fromkeys(values), ("no_sources",)
    return values, tuple(flags) if recalled.outcome.ok else ()


def grains(
    question: SyntheticQuestion, recalled: Recalled, turns: Sequence[str]
) -> tuple[Grain, Grain]:
    """What was recalled and what should be, by turn and by session."""
    units = [frozenset(memory.sources) for memory in recalled.memories]
    gold = tuple(dict.fromkeys(question.evidence))
    return (
        Grain("turn", units, gold, frozenset(turns)),
        Grain(
            "session",
            [frozenset(map(session_of, unit)) for unit in units],
            tuple(dict.fromkeys(map(session_of, gold))),
            frozenset(map(session_of, turns)),
        ),
    )


def session_of(turn: str) -> str:
    """The session of a turn id."""
    return turn.partition(":")[0]


def grain_values(
    grain: Grain, recalled: Recalled
) -> Sequence[tuple[str, float | None, str | None]]:
    """Name, value and remark of every figure of one grain."""
    stem, ok = f"evidence.{grain.name}", recalled.outcome.ok
    rank = reciprocal_rank(grain.units, grain.gold) if ok else None
    found: list[tuple[str, float | None, str | None]] = [(f"{stem}.mrr", rank, None)]
    for n in cuts(CUTS, recalled.k):
        why = why_undetermined(n, grain.units, grain.pool, recalled.k, len(recalled.memories))
        if why == "pool" and not ok:
            continue
        remark = f"short@{n}" if why == "short" else why
        for name, measure in MEASURES.items():
            known = ok and why is None
            value = measure(grain.units, grain.gold, n) if known else None
            found.append((f"{stem}.{name}@{n}", value, remark))
    return found


# --- rows --------------------------------------------------------------------------------------


def score_case(played: PlayedCase, gold: SyntheticGold) -> list[Score]:
    """One row per question, and the rows of the store."""
    turns = tuple(
        turn.id
        for event in played.case.timeline
        if isinstance(event, Ingest)
        for turn in event.session.turns
    )
    rows = [
        score_question(played, gold, event, question, turns)
        for event, question in gold.questions.items()
    ]
    return rows + score_store(played, gold)


def score_question(
    played: PlayedCase,
    gold: SyntheticGold,
    event: int,
    question: SyntheticQuestion,
    turns: Sequence[str],
) -> Score:
    """The row of one question."""
    recalled = played.recalled.get(event)
    failed = recalled is not None and not recalled.outcome.ok
    answered = next(iter(played.answered.get(event, ())), Answered(MISSING))
    outcome = recalled.outcome if recalled and failed else answered.outcome
    answer = answered.text if outcome.ok else None
    evidence, flags = evidence_values(question, recalled, turns)
    return Score(
        case_id=gold.case_id,
        item_id=question.question_id,
        kind="question",
        category=question.category,
        status="scored" if outcome.ok else "failed",
        reason=None if outcome.ok else outcome.reason or Reason.HARNESS_ERROR,
        values=answer_values(question, answer) | text_values(question, recalled) | evidence,
        flags=flags,
        event=event,
    )
