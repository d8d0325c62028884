"""txtai: turns in an embeddings database with content, found by its Faiss index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from membench.adapters.environment.worker.models import Vector
from membench.adapters.environment.worker.turn_store import Found, Row, TurnStore
from membench.domain.labels import JsonView
from membench.domain.system import SystemContext

# The question is a parameter: a text that begins with "select" would be run as SQL.
NEAREST = "select id, text, source, time, score from txtai where similar(:question) limit {k}"
EVERY = "select id, text, source, time from txtai limit {k}"


class System(TurnStore):
    """One `Embeddings` with content per case."""

    def __init__(self, context: SystemContext) -> None:
        """Import the package."""
        import numpy
        import txtai

        super().__init__(context)
        self._numpy, self._new_store = numpy, txtai.Embeddings
        self._store: Any = None

    def open(self, width: int) -> None:
        """An empty database; the package takes vectors from a function over texts."""
        self._vectors: Mapping[str, Vector] = {}
        self._store = self._new_store(
            method="external",
            # A bound method would be called without arguments first, a function is not.
            transform=lambda texts: self._numpy.array([self._vectors[text] for text in texts]),
            content=True,
            dimensions=width,
        )

    def add(self, rows: Sequence[Row], vectors: Sequence[Vector]) -> None:
        """Store rows as documents of which the text is indexed."""
        self._vectors = {row.text: vector for row, vector in zip(rows, vectors, strict=True)}
        documents = [
            (row.number, {"text": row.text, "source": row.source, "time": row.time}, None)
            for row in rows
        ]
        self._store.upsert(documents)

    def search(self, text: str, vector: Vector, k: int) -> list[Found]:
        """The nearest rows."""
        self._vectors = {text: vector}
        found = self._store.search(NEAREST.format(k=k), k, parameters={"question": text})
        return [(_row(entry), float(entry["score"])) for entry in found]

    def rows(self) -> list[Row]:
        """Every row."""
        if not self._stored:
            return []
        found = self._store.search(EVERY.format(k=self._stored), self._stored)
        return [_row(entry) for entry in found]

    def store_bytes(self) -> int:
        """The database as the package saves it."""
        if not self._stored:
            return 0
        folder = self.context.workdir / "txtai"
        self._store.save(str(folder))
        return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())

    def close(self) -> None:
        """Close the database."""
        super().close()
        if self._store is not None:
            self._store.close()


def _row(entry: JsonView) -> Row:
    return Row(int(entry["id"]), entry["text"], entry["source"], entry["time"])
