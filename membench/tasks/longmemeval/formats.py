"""Files with answers to LongMemEval as its own scripts read and write them.

Source: `src/evaluation/evaluate_qa.py` of xiaowu0162/LongMemEval: JSON Lines of `question_id` and
`hypothesis`; a graded file has `autoeval_label` (`{"model", "label"}`) beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from membench.tasks.external_format import ConvertedLine, PredictionFormat, QuestionIndex


def is_hypotheses(document: Any) -> bool:
    """Objects with a question's id and a hypothesis."""
    return (
        isinstance(document, list)
        and bool(document)
        and all(isinstance(i, dict) and {"question_id", "hypothesis"} <= i.keys() for i in document)
    )


def from_hypotheses(document: Any, index: QuestionIndex) -> Iterator[ConvertedLine]:
    """Every hypothesis, with the official judge's label where it was graded."""
    for number, item in enumerate(document, start=1):
        graded = item.get("autoeval_label")
        label = graded.get("label") if isinstance(graded, dict) else graded
        yield ConvertedLine(
            f"line {number}",
            {"question_id": item["question_id"], "prediction": item["hypothesis"]},
            {} if label is None else {"autoeval_label": label},
        )


FORMATS = (
    PredictionFormat("longmemeval", "the official hypothesis file", is_hypotheses, from_hypotheses),
)
