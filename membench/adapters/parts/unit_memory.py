"""Retrievers rank rows of text for a query; `UnitMemory` makes a memory system of any of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from membench.adapters.parts.budget import cut
from membench.adapters.parts.units import Segmenter, Unit
from membench.domain.case import CaseInfo, Item, Session
from membench.domain.system import Memory, MemoryChange, Query, SystemContext

Scores = npt.NDArray[np.floating[Any]]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class RankedRows:
    """Rows, best first.

    Attributes:
        rows: Row numbers, shape (n,).
        scores: Their scores in the same order, shape (n,); never rising.
    """

    rows: Rows
    scores: Scores


class Retriever(Protocol):
    """An index over rows of text, numbered as added."""

    def add(self, texts: Sequence[str]) -> None:
        """Append rows."""

    def rank(self, text: str) -> RankedRows:
        """Rank rows for a query. A row may be left out where nothing speaks for it."""


class UnitMemory:
    """A memory system that keeps units of text and recalls those that its retriever ranks first.

    An empty unit counts in the retriever's statistics and is never recalled.
    """

    def __init__(self, context: SystemContext, new_retriever: Callable[[], Retriever]) -> None:
        """Take the segmenter from the parameters; a case begins with a new retriever."""
        self.segmenter = Segmenter.of(context.parameters)
        self.count_tokens = context.count_tokens
        self.new_retriever = new_retriever
        self._empty()

    def reset(self, case: CaseInfo) -> None:
        """Start an empty index."""
        self._empty()

    def ingest(self, session: Session) -> list[MemoryChange]:
        """Index the units of a session."""
        return self._store(self.segmenter.units(session))

    def remember(self, item: Item) -> list[MemoryChange]:
        """Index an item as one unit."""
        return self._store([self.segmenter.item(item)])

    def recall(self, query: Query) -> list[Memory]:
        """The units ranked first."""
        if not self.stored:
            return []
        ranking = self.retriever.rank(query.text)
        found = (self._scored(row, at, ranking) for at, row in enumerate(ranking.rows))
        return cut((memory for memory in found if memory.text), query, self.count_tokens)

    def memories(self) -> list[Memory]:
        """Every unit, in the order of the history."""
        return [memory for memory in self.stored if memory.text]

    def close(self) -> None:
        """Let the index go."""
        self._empty()

    def _empty(self) -> None:
        self.stored: list[Memory] = []
        self.retriever = self.new_retriever()

    def _store(self, units: list[Unit]) -> list[MemoryChange]:
        self.retriever.add([unit.indexed for unit in units])
        self.stored.extend(unit.memory for unit in units)
        return [MemoryChange("add", unit.memory) for unit in units if unit.memory.text]

    def _scored(self, row: np.intp, at: int, ranking: RankedRows) -> Memory:
        found = self.stored[row]
        return Memory(found.text, found.sources, found.time, float(ranking.scores[at]))


def stable_ranking(scores: Scores) -> RankedRows:
    """Every row by falling score, equal scores in the order they were added."""
    rows = np.argsort(-scores, kind="stable")
    return RankedRows(rows, scores[rows])
