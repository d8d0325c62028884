"""Files with answers to LoCoMo that others write: the official script, mem0's evaluation, Zep's.

Sources: `task_eval/evaluate_qa.py` of snap-research/locomo (an array of samples, each question with
`<model>_prediction` and, for retrieval, `<model>_prediction_context`), the results of mem0ai/mem0's
evaluation (an object: number of the conversation -> its answers), and the grades of
getzep/zep-papers (`kg_architecture_agent_memory/locomo_eval/data/zep_locomo_grades.json`: the same
under names that end in the number).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from membench.domain.labels import JsonObject
from membench.tasks.external_format import (
    ConvertedLine,
    PredictionFormat,
    QuestionIndex,
    as_text,
)

PREDICTION = "_prediction"
CONTEXT = "_context"
ZEP_USER = re.compile(r".*_\d+")


def is_official(document: object) -> bool:
    """An array of samples with questions."""
    wanted = {"sample_id", "qa"}
    return (
        isinstance(document, list)
        and bool(document)
        and all(isinstance(sample, dict) and wanted <= sample.keys() for sample in document)
    )


def prediction_key(document: Any) -> str:
    """The one key that holds answers.

    Raises:
        ValueError: None or several.
    """
    keys = {
        key
        for sample in document
        for item in sample["qa"]
        for key in item
        if key.endswith(PREDICTION)
    }
    if len(keys) != 1:
        found = ", ".join(sorted(keys)) or "none"
        raise ValueError(f"expected one key that ends in {PREDICTION}, found {found}")
    return str(keys.pop())


def from_official(document: Any, index: QuestionIndex) -> Iterator[ConvertedLine]:
    """Answers of the official script; a question without one is a failed answer."""
    key = prediction_key(document)
    for number, sample in enumerate(document):
        take = index.taker(str(sample["sample_id"]))
        for position, item in enumerate(sample["qa"]):
            answer = as_text(item.get(key))
            line: JsonObject = {"question_id": take(str(item["question"])), "prediction": answer}
            context = item.get(key + CONTEXT)
            if isinstance(context, list) and all(isinstance(turn, str) for turn in context):
                line["retrieved"] = context
            yield ConvertedLine(f"[{number}].qa[{position}]", line)


def is_mem0(document: object) -> bool:
    """An object of lists of answers under the numbers of the conversations."""
    return (
        isinstance(document, dict)
        and bool(document)
        and all(str(key).isdecimal() and isinstance(items, list) for key, items in document.items())
    )


def from_mem0(document: Any, index: QuestionIndex) -> Iterator[ConvertedLine]:
    """Answers of mem0's evaluation, with its judge's `llm_score` where it has been judged."""
    numbered = {key: int(key) for key in document}
    yield from of_conversations(document, numbered, index, answer="response", verdict="llm_score")


def is_zep(document: object) -> bool:
    """An object of lists of answers under names of users that end in a number."""
    return (
        isinstance(document, dict)
        and bool(document)
        and all(
            ZEP_USER.fullmatch(str(key)) and isinstance(items, list)
            for key, items in document.items()
        )
    )


def from_zep(document: Any, index: QuestionIndex) -> Iterator[ConvertedLine]:
    """Answers of Zep's evaluation, with its judge's `grade` where they have been graded."""
    numbered = {key: int(key.rpartition("_")[2]) for key in document}
    yield from of_conversations(document, numbered, index, answer="answer", verdict="grade")


def of_conversations(
    document: Any, numbered: Mapping[str, int], index: QuestionIndex, *, answer: str, verdict: str
) -> Iterator[ConvertedLine]:
    """Answers by conversation.

    Args:
        document: Name of a conversation -> its answers.
        numbered: Name -> number of the conversation in the data.
        index: The questions.
        answer: Key of an answer's text.
        verdict: Key of its verdict.

    Raises:
        ValueError: The data has no such conversation.
    """
    cases = index.case_ids
    for name, number in numbered.items():
        if number >= len(cases):
            raise ValueError(f"conversation {number}: the data has {len(cases)}")
        take = index.taker(cases[number])
        for position, item in enumerate(document[name]):
            line = {
                "question_id": take(str(item["question"])),
                "prediction": as_text(item.get(answer)),
            }
            verdicts = [{verdict: item[verdict]}] if verdict in item else []
            yield ConvertedLine(f"{name}[{position}]", line, verdicts)


FORMATS = (
    PredictionFormat("locomo", "the official script's output", is_official, from_official),
    PredictionFormat("mem0", "results of mem0's evaluation", is_mem0, from_mem0),
    PredictionFormat("zep", "answers of Zep's evaluation, graded or not", is_zep, from_zep),
)
