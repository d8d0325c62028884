"""The results file of MemoryAgentBench's own script.

Source: `main.py` and `utils/eval_other_utils.py` of HUST-AI-HYZ/MemoryAgentBench: one object whose
`data` has a record per question with `output`, `query` (the filled prompt) and, where the data has
it, `qa_pair_id`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from membench.tasks.external_format import ConvertedLine, PredictionFormat, QuestionIndex


def is_results(document: Any) -> bool:
    """An object with records of queries and outputs."""
    records = document.get("data") if isinstance(document, dict) else None
    return (
        isinstance(records, list)
        and bool(records)
        and all(isinstance(each, dict) and {"output", "query"} <= each.keys() for each in records)
    )


def from_results(document: Any, index: QuestionIndex) -> Iterator[ConvertedLine]:
    """The output of each record; a question without an id is found by its words in the query."""
    for number, record in enumerate(document["data"]):
        question = record.get("qa_pair_id") or index.asked_in(record["query"])
        line = {"question_id": question, "prediction": record["output"]}
        yield ConvertedLine(f"data[{number}]", line)


FORMATS = (
    PredictionFormat("memoryagentbench", "the official results file", is_results, from_results),
)
