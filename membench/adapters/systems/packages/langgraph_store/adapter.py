"""LangGraph's in-memory store, the one LangMem writes to: turns found by vector similarity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from membench.adapters.environment.worker.models import Vector
from membench.adapters.environment.worker.turn_store import Found, Row, TurnStore
from membench.domain.system import SystemContext

NAMESPACE = ("memories",)
BYTES_PER_NUMBER = 8


class System(TurnStore):
    """One `InMemoryStore` per case."""

    def __init__(self, context: SystemContext) -> None:
        """Import the package."""
        from langgraph.store.memory import InMemoryStore

        super().__init__(context)
        self._new_store = InMemoryStore

    def open(self, width: int) -> None:
        """An empty store; the package takes vectors from a function over texts."""
        self._width = width
        self._vectors: Mapping[str, Vector] = {}
        self._store = self._new_store(index={"dims": width, "embed": self._known})

    def add(self, rows: Sequence[Row], vectors: Sequence[Vector]) -> None:
        """Put rows, of which the text alone is indexed.

        One by one: a batch that holds one text twice is an error of the package.
        """
        self._vectors = {row.text: vector for row, vector in zip(rows, vectors, strict=True)}
        for row in rows:
            value = {"text": row.text, "source": row.source, "time": row.time}
            self._store.put(NAMESPACE, str(row.number), value, index=["text"])

    def search(self, text: str, vector: Vector, k: int) -> list[Found]:
        """The most similar rows."""
        self._vectors = {text: vector}
        found = self._store.search(NAMESPACE, query=text, limit=k)
        return [(_row(item), float(item.score)) for item in found]

    def rows(self) -> list[Row]:
        """Every row."""
        return [_row(item) for item in self._store.search(NAMESPACE, limit=max(1, self._stored))]

    def store_bytes(self) -> int:
        """Texts and vectors; the store has no file."""
        texts = sum(len(row.text.encode()) for row in self.rows())
        return texts + self._stored * self._width * BYTES_PER_NUMBER

    def _known(self, texts: Sequence[str]) -> list[Vector]:
        """Vectors of texts that were embedded a moment ago."""
        return [self._vectors[text] for text in texts]


def _row(item: Any) -> Row:
    return Row(int(item.key), item.value["text"], item.value["source"], item.value["time"])
