"""Files with answers to LoCoMo that others write: the official script, mem0's evaluation.

Sources: `task_eval/evaluate_qa.py` of snap-research/locomo (an array of samples, each question with
`<model>_prediction` and, for retrieval, `<model>_prediction_context`), and the results of
mem0ai/mem0's evaluation (an object: number of the conversation -> its answers).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from membench.domain.labels import JsonObject
from membench.tasks.external_format import ConvertedLine, PredictionFormat, QuestionIndex

PREDICTION = "_prediction"
CONTEXT = "_context"


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
            answer = text(item.get(key))
            line: JsonObject = {"question_id": take(str(item["question"])), "prediction": answer}
            context = item.get(key + CONTEXT)
            if isinstance(context, list) and all(isinstance(turn, str) for turn in context):
                line["retrieved"] = context
            yield ConvertedLine(f"[{number}].qa[{position}]", line)


def text(answer: object) -> str | None:
    """An answer as text; numbers count as their digits, null stays null."""
    return answer if answer is None or isinstance(answer, str) else str(answer)


def is_mem0(document: object) -> bool:
    """An object of lists of answers under the numbers of the conversations."""
    return (
        isinstance(document, dict)
        and bool(document)
        and all(str(key).isdecimal() and isinstance(items, list) for key, items in document.items())
    )


def from_mem0(document: Any, index: QuestionIndex) -> Iterator[ConvertedLine]:
    """Answers of mem0's evaluation, with its judge's `llm_score` where it has been judged."""
    cases = index.case_ids
    for key, items in document.items():
        if int(key) >= len(cases):
            raise ValueError(f"conversation {key}: the data has {len(cases)}")
        take = index.taker(cases[int(key)])
        for position, item in enumerate(items):
            line = {
                "question_id": take(str(item["question"])),
                "prediction": text(item.get("response")),
            }
            verdicts = [{"llm_score": item["llm_score"]}] if "llm_score" in item else []
            yield ConvertedLine(f"{key}[{position}]", line, verdicts)


FORMATS = (
    PredictionFormat("locomo", "the official script's output", is_official, from_official),
    PredictionFormat("mem0", "results of mem0's evaluation", is_mem0, from_mem0),
)
