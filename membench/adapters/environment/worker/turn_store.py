"""A database as a memory system: every turn is stored as it is and found by the package's search.

What a package has to do is four methods over rows; sessions, questions, embeddings and the way back
from a row to a memory are here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from membench.adapters.environment.worker.models import Vector, embedded, width_of
from membench.adapters.environment.worker.texts import time_of
from membench.domain.case import CaseInfo, Item, Session
from membench.domain.labels import Role
from membench.domain.system import Memory, MemoryChange, Query, SystemContext


@dataclass(frozen=True)
class Row:
    """What a package stores of one turn; it comes back as it was.

    Attributes:
        number: Its key, counted from 0 in the order of the history.
        text: The task's rendering of the turn.
        source: Id of the turn.
        time: Dataset time in ISO 8601, empty where there is none.
    """

    number: int
    text: str
    source: str
    time: str

    def memory(self, score: float | None = None) -> Memory:
        """The row as a system hands it over."""
        time = datetime.fromisoformat(self.time) if self.time else None
        return Memory(self.text, (self.source,), time, score, str(self.number))


Found = tuple[Row, float]
"""A row and its score, higher is better."""


class TurnStore(ABC):
    """A memory system over rows. A subclass opens one store per case and reads and writes it."""

    def __init__(self, context: SystemContext) -> None:
        """A subclass imports its package first: nothing is imported while the clock runs."""
        self.context = context
        self._embedder = context.models[Role.EMBEDDER]

    @abstractmethod
    def open(self, width: int) -> None:
        """Make an empty store for vectors of a width, in `context.workdir`."""

    @abstractmethod
    def add(self, rows: Sequence[Row], vectors: Sequence[Vector]) -> None:
        """Store rows, each with its vector; they can be found when this returns."""

    @abstractmethod
    def search(self, text: str, vector: Vector, k: int) -> list[Found]:
        """At most k rows for a question, best first."""

    @abstractmethod
    def rows(self) -> list[Row]:
        """Every row, in any order."""

    def reset(self, case: CaseInfo) -> None:
        """Start with an empty store."""
        self._stored = 0
        self.open(width_of(self._embedder))

    def ingest(self, session: Session) -> list[MemoryChange]:
        """Store every turn of a session that has words."""
        told = [(turn.text, turn.id, time_of(turn, session)) for turn in session.turns]
        return self._store_turns(told)

    def remember(self, item: Item) -> list[MemoryChange]:
        """Store an item as a turn is stored."""
        return self._store_turns([(item.text, item.id, item.time)])

    def recall(self, query: Query) -> list[Memory]:
        """What the package's search finds."""
        if not query.text.strip() or not self._stored:
            return []
        (vector,) = embedded(self._embedder, [query.text])
        k = self._stored if query.k is None else min(query.k, self._stored)
        return [row.memory(score) for row, score in self.search(query.text, vector, k)]

    def memories(self) -> list[Memory]:
        """Every row as the package returns it, in the order of the history."""
        return [row.memory() for row in sorted(self.rows(), key=lambda row: row.number)]

    def close(self) -> None:
        """A subclass that holds something open ends it here."""
        self._stored = 0

    def _store_turns(self, told: Sequence[tuple[str, str, datetime | None]]) -> list[MemoryChange]:
        spoken = [entry for entry in told if entry[0].strip()]
        rows = [
            Row(number, text, source, time.isoformat() if time else "")
            for number, (text, source, time) in enumerate(spoken, self._stored)
        ]
        if rows:
            self.add(rows, embedded(self._embedder, [row.text for row in rows]))
            self._stored += len(rows)
        return [MemoryChange("add", row.memory()) for row in rows]
