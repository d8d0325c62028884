"""What HaluMem's own scripts write: a results file, and the scores of it.

Source: `eval/eval_memzero.py` and its siblings of MemTensor/HaluMem (one line per user with all
that was stored, found and answered) and `eval/evaluation.py` (one object with every judge record).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from membench.domain.labels import JsonView
from membench.tasks.external_format import ConvertedLine, PredictionFormat, QuestionIndex
from membench.tasks.files.node import Node
from membench.tasks.halumem.convert import predictions_of, verdicts_of


def is_results(document: Any) -> bool:
    """Users with sessions of which something was recorded."""
    return (
        isinstance(document, list)
        and bool(document)
        and all(isinstance(user, dict) and {"uuid", "sessions"} <= user.keys() for user in document)
    )


def users_of(document: Any) -> list[Node]:
    """The users, each with its line."""
    return [Node(user, Path(), f"line {number}") for number, user in enumerate(document, start=1)]


def from_results(document: Any, index: QuestionIndex) -> Iterator[ConvertedLine]:
    """What a system stored, found and answered; ids are positions, so no index is needed."""
    for user in users_of(document):
        for line in predictions_of(user):
            yield ConvertedLine(user.place, line)


def from_scores(document: Any, scores: Any) -> Iterator[JsonView]:
    """What the judge said about each of those."""
    yield from verdicts_of(users_of(document), Node(scores, Path(), ""))


FORMATS = (
    PredictionFormat("halumem", "the official results file", is_results, from_results, from_scores),
)
