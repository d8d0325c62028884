"""Chroma: turns in a persistent collection, found by its HNSW index."""

from __future__ import annotations

from collections.abc import Sequence

from membench.adapters.environment.worker.models import Vector
from membench.adapters.environment.worker.turn_store import Found, Row, TurnStore
from membench.domain.system import SystemContext

NAME = "memories"


class System(TurnStore):
    """One `PersistentClient` with one collection per case."""

    def __init__(self, context: SystemContext) -> None:
        """Import the package."""
        import chromadb

        super().__init__(context)
        self._new_client = chromadb.PersistentClient
        self._settings = chromadb.Settings(anonymized_telemetry=False)

    def open(self, width: int) -> None:
        """An empty collection; its embedding function is none, because vectors are given."""
        self._client = self._new_client(str(self.context.workdir / "chroma"), self._settings)
        self._batch = self._client.get_max_batch_size()
        self._collection = self._client.create_collection(
            NAME,
            embedding_function=None,
            configuration={"hnsw": {"space": str(self.context.parameters["space"])}},
        )

    def add(self, rows: Sequence[Row], vectors: Sequence[Vector]) -> None:
        """Store rows, as many at a time as the database takes."""
        for start in range(0, len(rows), self._batch):
            part = rows[start : start + self._batch]
            self._collection.add(
                ids=[str(row.number) for row in part],
                documents=[row.text for row in part],
                embeddings=list(vectors[start : start + self._batch]),
                metadatas=[{"source": row.source, "time": row.time} for row in part],
            )

    def search(self, text: str, vector: Vector, k: int) -> list[Found]:
        """The nearest rows; a distance turned around is a score."""
        found = self._collection.query(query_embeddings=[vector], n_results=k)
        columns = (found[name][0] for name in ("ids", "documents", "metadatas", "distances"))
        return [
            (_row(name, document, kept), -float(distance))
            for name, document, kept, distance in zip(*columns, strict=True)
        ]

    def rows(self) -> list[Row]:
        """Every row."""
        stored = self._collection.get()
        columns = (stored[name] for name in ("ids", "documents", "metadatas"))
        return [_row(*entry) for entry in zip(*columns, strict=True)]


def _row(name: str, document: str, kept: dict[str, str]) -> Row:
    return Row(int(name), document, kept["source"], kept["time"])
