"""The private side of a MemoryAgentBench row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from membench.domain.score import Gold, QuestionGold

SOURCES = {
    "factconsolidation_sh": "conflict, single-hop",
    "factconsolidation_mh": "conflict, multi-hop",
    "ruler_qa": "retrieval, ruler",
    "ruler_niah": "retrieval, needles",
    "eventqa": "retrieval, events",
    "longmemeval": "retrieval, chats",
    "icl": "learning, labels",
    "recsys": "learning, recommendation",
    "detective_qa": "understanding, detective stories",
    "infbench_sum": "understanding, summaries",
}
"""Category by the beginning of `metadata.source`."""

NO_OWN_FIGURE = frozenset(
    SOURCES[source] for source in ("longmemeval", "infbench_sum", "recsys", "ruler_niah")
)
"""Categories whose official figure needs a judge or a file that is not part of the data."""


@dataclass(frozen=True)
class MemoryAgentBenchQuestion(QuestionGold):
    """One question.

    Attributes:
        answers: Every accepted answer.
    """

    answers: tuple[str, ...] = ()


@dataclass(frozen=True)
class MemoryAgentBenchGold(Gold):
    """One row."""

    questions: Mapping[int, MemoryAgentBenchQuestion]


def category_of(source: str) -> str | None:
    """The category of a `metadata.source`, or None."""
    return next((name for start, name in SOURCES.items() if source.lower().startswith(start)), None)
