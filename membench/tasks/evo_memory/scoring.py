"""Answer accuracy, the paper's metric for tasks of one turn. No judge.

- choice: the letter, or the option's words.
- number: the last number of the answer's last line that has one.
- call: the same JSON object, `name` and `arguments`.
- text: the same words; case, punctuation and articles do not count.

What follows the last "Answer:" is compared, where an answer has one.
"""

from __future__ import annotations

import json
import re

from membench.domain.outcome import PlayedCase
from membench.domain.score import Score
from membench.tasks.evo_memory.gold import EvoGold, EvoQuestion
from membench.tasks.rows import question_row

NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
LETTER = re.compile(r"^\W*([A-Z])(?:\s*$|\s*[.):*])")
WORD = re.compile(r"[^\W_]+")
MARK = re.compile(r"answer\s*(?:is)?\s*:", re.IGNORECASE)
ARTICLES = frozenset({"a", "an", "the"})


def stated(answer: str) -> str:
    """What follows the last "Answer:", else all of it."""
    marks = list(MARK.finditer(answer))
    return answer[marks[-1].end() :].strip() if marks else answer.strip()


def words(text: str) -> list[str]:
    """Words that count."""
    return [word for word in WORD.findall(text.lower()) if word not in ARTICLES]


def is_choice(said: str, gold: EvoQuestion) -> bool:
    """Whether the letter or the words of the right option are given."""
    right = next(option for option in gold.options if option[0] == gold.answer)
    if words(said) in (words(right), words(right[2:])):
        return True
    letter = LETTER.match(said)
    return letter is not None and letter[1] == gold.answer


def is_number(said: str, gold: EvoQuestion) -> bool:
    """Whether the last number is the right one."""
    found = NUMBER.findall(said)
    return bool(found) and float(found[-1].replace(",", "")) == float(gold.answer or "nan")


def is_call(said: str, gold: EvoQuestion) -> bool:
    """Whether the call that stands in the answer is the right one."""
    return parsed(said) is not None and parsed(said) == parsed(gold.answer or "")


def parsed(text: str) -> object | None:
    """The JSON object between the first and the last brace, or None."""
    begin, end = text.find("{"), text.rfind("}")
    try:
        found: object = json.loads(text[begin : end + 1])
    except (ValueError, RecursionError):
        return None
    return found


def is_text(said: str, gold: EvoQuestion) -> bool:
    """Whether the words are the same."""
    return bool(words(said)) and words(said) == words(gold.answer or "")


RULES = {"choice": is_choice, "number": is_number, "call": is_call, "text": is_text}


def is_right(answer: str, gold: EvoQuestion) -> bool:
    """Whether an answer counts as right."""
    return RULES[gold.category](stated(answer), gold)


def score_case(played: PlayedCase, gold: EvoGold) -> list[Score]:
    """One row per task."""
    return [score_task(played, gold, event, question) for event, question in gold.questions.items()]


def score_task(played: PlayedCase, gold: EvoGold, event: int, question: EvoQuestion) -> Score:
    """The row of one task."""
    answered = played.answer(event)
    outcome = answered.outcome
    right = float(is_right(answered.text or "", question)) if outcome.ok else None
    names = ["accuracy", "late.accuracy"] if question.late else ["accuracy"]
    return question_row(gold.case_id, event, question, outcome, dict.fromkeys(names, right))
