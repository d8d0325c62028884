"""Scoring as MemoryAgentBench's script does, for the categories that need no judge.

Answers are normalised: lower case, no punctuation, no articles, single spaces. An output is
compared as it is and as **parsed**: what follows the first "Answer:", else its first line.

- `substring_exact_match`, `exact_match`, `f1`: best over accepted answers and over output
  and parsed output; labels and events are compared as parsed only.
- `eventqa_recall`: every accepted answer stands in the output.
- `accuracy`: the figure that the authors report for the category, see `MAIN`.
- `strict.accuracy`: the same, if the output has at most `LONGEST` words: a substring match can be
  had by listing everything.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Iterable

from membench.domain.errors import Reason
from membench.domain.outcome import PlayedCase
from membench.domain.score import Score
from membench.tasks.memoryagentbench.gold import (
    NO_OWN_FIGURE,
    SOURCES,
    MemoryAgentBenchGold,
    MemoryAgentBenchQuestion,
)

LONGEST = 50
LABELS, EVENTS = SOURCES["icl"], SOURCES["eventqa"]
MAIN = {
    LABELS: "exact_match",
    SOURCES["detective_qa"]: "exact_match",
    EVENTS: "eventqa_recall",
}
"""The figure that `accuracy` is, by category; `substring_exact_match` where it is not listed."""

PARSED_ONLY = frozenset({LABELS, EVENTS})
"""Categories of which only the parsed output is compared."""

NO_ACCURACY = "no_accuracy"
ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)
DECIDED = frozenset({"yes", "no", "noanswer"})
PREFIX = re.compile(r"Answer:", re.IGNORECASE)

Values = dict[str, float | None]
Measure = Callable[[str, str], float]


def normalise(text: str) -> str:
    """Lower-case words without punctuation and articles, one space between them."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def parsed(output: str) -> str:
    """What follows the first "Answer:" on its line, else the first line, as the script reads it."""
    prefix = PREFIX.search(output)
    rest = output[prefix.end() :] if prefix else output
    line = rest.split("\n", 1)[0].strip()
    again = PREFIX.match(line)
    return line[again.end() :].strip() if again else line


def exact_match(output: str, answer: str) -> float:
    """1 if the two are the same after normalisation."""
    return float(normalise(output) == normalise(answer))


def substring_exact_match(output: str, answer: str) -> float:
    """1 if the normalised answer stands anywhere in the normalised output."""
    return float(normalise(answer) in normalise(output))


def f1(output: str, answer: str) -> float:
    """F1 of the token multisets; yes and no must be the same."""
    one, two = normalise(output), normalise(answer)
    if one != two and (one in DECIDED or two in DECIDED):
        return 0.0
    given, wanted = one.split(), two.split()
    shared = (Counter(given) & Counter(wanted)).total()
    if not shared:
        return 0.0
    precision, recall = shared / len(given), shared / len(wanted)
    return 2 * precision * recall / (precision + recall)


MEASURES: dict[str, Measure] = {
    "exact_match": exact_match,
    "f1": f1,
    "substring_exact_match": substring_exact_match,
}


def best(measure: Measure, outputs: Iterable[str], answers: Iterable[str]) -> float:
    """The best figure over outputs and answers."""
    known = tuple(answers)
    return max(measure(output, answer) for output in outputs for answer in known)


def answer_values(question: MemoryAgentBenchQuestion, output: str | None) -> Values:
    """Figures of an answer; without one (it failed), the same names without values."""
    has_main = question.category not in NO_OWN_FIGURE
    names = [*MEASURES, *(["eventqa_recall"] if question.category == EVENTS else [])]
    if output is None:
        headline = ["accuracy", "strict.accuracy"] if has_main else []
        return dict.fromkeys([*headline, *names])
    forms = [parsed(output)] if question.category in PARSED_ONLY else [output, parsed(output)]
    values: Values = {
        name: best(measure, forms, question.answers) for name, measure in MEASURES.items()
    }
    if question.category == EVENTS:
        lowered = output.lower()
        values["eventqa_recall"] = float(all(a.lower() in lowered for a in question.answers))
    if has_main:
        main = values[MAIN.get(question.category, "substring_exact_match")] or 0.0
        short = len(output.split()) <= LONGEST
        values |= {"accuracy": main, "strict.accuracy": main if short else 0.0}
    return values


def score_case(played: PlayedCase, gold: MemoryAgentBenchGold) -> list[Score]:
    """One row per question."""
    return [score_question(played, gold, event, q) for event, q in gold.questions.items()]


def score_question(
    played: PlayedCase, gold: MemoryAgentBenchGold, event: int, question: MemoryAgentBenchQuestion
) -> Score:
    """The row of one question; flagged, and without `accuracy`, where that would need a judge."""
    answered = played.answer(event)
    outcome = answered.outcome
    output = answered.text if outcome.ok else None
    reason = None if outcome.ok else outcome.reason or Reason.HARNESS_ERROR
    return Score(
        case_id=gold.case_id,
        item_id=question.question_id,
        kind="question",
        category=question.category,
        status="failed" if reason else "scored",
        reason=reason,
        values=answer_values(question, output),
        flags=(NO_ACCURACY,) if question.category in NO_OWN_FIGURE else (),
        event=event,
    )
